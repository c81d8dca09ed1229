//! Figures of models: what they are measured on, when they are refused, and how they are compared.

use std::path::{Path, PathBuf};

use mien::net::{Model, ModelSource, Precision};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{json_of, mien, write_data, write_folders, write_recipe};
use crate::generator;

#[test]
fn figures_on_other_data_keep_no_model_from_being_measured_on_its_own() {
    let folder = TempDir::new().unwrap();
    let (data, [ck, _]) = (write_data(folder.path()), write_folders(folder.path()));
    let recipe = write_recipe(folder.path(), &[("epochs = 3", "epochs = 1")]);
    let run = folder.path().join("run");
    let train = |more: &[&str]| {
        let mut command = mien();
        command.arg("train").args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run]);
        command.args(["--threads", "1", "--no-cache"]).args(more).assert().success()
    };
    let private = || -> Vec<String> {
        let card: toml::Table = std::fs::read_to_string(run.join("small.toml")).unwrap().parse().unwrap();
        let figures = card["evaluation"].as_array().unwrap().iter();
        let read = figures.filter(|figure| figure["split"].as_str() == Some("PrivateTest"));
        read.map(|figure| figure["data"].as_str().unwrap().to_owned()).collect()
    };
    train(&[]);
    let mut evaluate = mien();
    evaluate.arg("evaluate").args([&run.join("small.safetensors"), &ck]).args(["--split", "private", "--record"]);
    evaluate.args(["--no-cache", "--faces", "whole"]).assert().success();
    assert!(private().iter().all(|data| data == "CK+48") && !private().is_empty(), "{:?}", private());

    train(&["--measure"]);
    let own = || private().iter().filter(|data| *data == "FER2013").count();
    assert_eq!(own(), 2, "under both priors: {:?}", private());
    train(&["--measure"]).stderr(contains("figures on PrivateTest of FER2013, which is read once"));
    assert_eq!(own(), 2);
}

#[test]
fn a_split_without_pictures_is_told_and_the_other_one_measured() {
    let folder = TempDir::new().unwrap();
    let [ck, _] = write_folders(folder.path());
    let whole = [("epochs = 3", "epochs = 1"), ("target = \"label\"", "split = { private = 0.0 }")];
    let recipe = write_recipe(folder.path(), &whole);
    let run = folder.path().join("run");
    mien()
        .arg("train")
        .args([&recipe, Path::new("--data"), &ck, Path::new("--run"), &run])
        .args(["--threads", "1", "--no-cache", "--measure"])
        .assert()
        .success()
        .stderr(contains("CK+48 has no pictures in PrivateTest"));
    let card: toml::Table = std::fs::read_to_string(run.join("small.toml")).unwrap().parse().unwrap();
    let measured: Vec<_> = card["evaluation"].as_array().unwrap().iter().map(|entry| entry["split"].as_str()).collect();
    assert_eq!(measured, [Some("PublicTest"); 2], "two priors");
}

#[test]
fn data_that_nothing_was_learnt_from_are_not_split_as_the_models_own() {
    let folder = TempDir::new().unwrap();
    let [ck, _] = write_folders(folder.path());
    let own = folder.path().join("own/happy");
    std::fs::create_dir_all(&own).unwrap();
    for (number, picture) in std::fs::read_dir(ck.join("happy")).unwrap().enumerate() {
        std::fs::copy(picture.unwrap().path(), own.join(format!("{number}.png"))).unwrap();
    }
    let evaluate = |data: &Path, options: &[&str]| {
        let mut command = mien();
        command.args(["evaluate", "mien-joint", "--json", "--no-cache"]).arg(data).args(options);
        command
    };
    // The six pictures are split, although the model's recipe holds nothing of its own data out.
    assert_eq!(json_of(&mut evaluate(own.parent().unwrap(), &[]))["n"], 1);
    // It was trained on CK+48, but not on these files.
    evaluate(&ck, &[]).assert().code(1).stderr(contains("aren't the same files any more"));
    assert_eq!(json_of(&mut evaluate(&ck, &["--split", "all"]))["n"], 12);
}

#[test]
fn what_networks_may_know_of_the_pictures_that_are_kept_back_is_told_or_refused() {
    let folder = TempDir::new().unwrap();
    let [ck, _] = write_folders(folder.path());
    let model = folder.path().join("run/small.safetensors");
    let train = |changes: &[(&str, &str)], run: &str| {
        let recipe = write_recipe(folder.path(), &[&[("epochs = 3", "epochs = 1")][..], changes].concat());
        let mut command = mien();
        command.arg("train").args([&recipe, Path::new("--data"), &ck]).arg("--run").arg(folder.path().join(run));
        command.args(["--threads", "1", "--no-cache", "--faces", "whole"]).assert().success()
    };
    train(&[], "run");

    // The initial weights were trained on people whom another split holds out.
    let start = format!("start_from = \"{}\"\nseed = 7", model.display());
    train(&[("seed = 7", start.as_str())], "alike").stderr(contains("a different split").not());
    let otherwise = format!("{start}\nsplit = {{ seed = 4 }}");
    let warned = train(&[("seed = 7", otherwise.as_str())], "otherwise");
    warned.stderr(contains("also learnt from CK+48, with a different split as far as its card tells"));
    let card = std::fs::read_to_string(folder.path().join("otherwise/small.toml")).unwrap();
    assert!(card.contains("may know what was kept back of CK+48"), "{card}");

    let mean = folder.path().join("mean.safetensors");
    mien().arg("average").args([&model, &model]).arg("--output").arg(&mean).assert().success();
    let evaluate = |split: &str| {
        let mut command = mien();
        command.arg("evaluate").args([&mean, &ck]).args(["--no-cache", "--faces", "whole", "--split", split]).assert()
    };
    for split in ["public", "private"] {
        evaluate(split).code(1).stderr(contains("mean is the mean of several networks that learnt from CK+48"));
    }
    evaluate("all").success();
    // Calibration fits on PublicTest, whichever split is measured.
    let fitted = |model: &Path, more: &[&str]| {
        let mut command = mien();
        command.arg("evaluate").args([model, &ck]).args(["--no-cache", "--faces", "whole", "--split", "all"]);
        command.args(more).assert()
    };
    fitted(&mean, &["--calibrate"]).code(1).stderr(contains("mean is the mean of several networks"));

    // With one more picture, it is no longer known which people were trained on.
    std::fs::copy(ck.join("happy/S000_001_00000010.png"), ck.join("happy/S006_001_00000010.png")).unwrap();
    let mut private = mien();
    private.arg("evaluate").args([&model, &ck]).args(["--no-cache", "--faces", "whole", "--split", "private"]);
    private.assert().code(1).stderr(contains("small learnt from CK+48, and these aren't the same files any more"));
    fitted(&model, &["--calibrate"]).code(1).stderr(contains("can't be measured on PublicTest"));
    fitted(&model, &[]).success();
}

/// Runs on the real data when `MIEN_DATA` names the folder that holds `fer2013.csv` and `fer2013new.csv`.
#[test]
fn the_shipped_models_are_as_good_as_their_cards_say() {
    let Some(data) = std::env::var_os("MIEN_DATA").map(PathBuf::from) else {
        eprintln!("skipped: MIEN_DATA names no folder with fer2013.csv and fer2013new.csv");
        return;
    };
    for model in ModelSource::shipped() {
        let output = mien()
            .args(["evaluate", &model.to_string()])
            .args([&data.join("fer2013.csv"), Path::new("--ferplus"), &data.join("fer2013new.csv")])
            .args(["--split", "public", "--rule", "majority", "--json"])
            .assert()
            .success()
            .get_output()
            .stdout
            .clone();
        let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
        let card = model.card().unwrap();
        let measured = card.evaluation.iter().find(|e| {
            e.split == "PublicTest" && e.rule == "majority" && Some(e.prior.as_str()) == report["prior"].as_str()
        });
        let expected = measured.unwrap().accuracy;
        assert!((report["accuracy"].as_f64().unwrap() - expected).abs() < 0.002, "{model}: {report}");
    }
}

#[test]
fn shipped_models_are_compared_by_name() {
    mien()
        .args(["compare", "mien", "cnn4-ferplus", "--json"])
        .assert()
        .success()
        .stdout(contains("\"name\": \"mien\"").and(contains("\"name\": \"cnn4-ferplus\"")));
    mien().args(["compare", "absent"]).assert().code(1).stderr(contains("absent").and(contains("mien-votes")));
}

#[test]
fn folders_without_a_model_are_left_out_of_a_comparison_of_several() {
    let folder = TempDir::new().unwrap();
    for name in ["begun", "folds/fold-1"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let compare = |runs: &[&str]| mien().current_dir(folder.path()).arg("compare").args(runs).assert();
    compare(&["begun", "mien", "folds"])
        .success()
        .stdout(contains("mien").and(contains("begun").not()))
        .stderr(contains("left out: begun holds no model").and(contains("mien evaluate --folds folds")));
    compare(&["begun"]).code(1).stderr(contains("begun holds no model"));
    compare(&["begun", "folds"]).code(1).stderr(contains("none of these folders holds a model"));
    // No run reproduces a published figure.
    compare(&["mien", "--plots", "charts"]).success().stderr(contains("--plots draws nothing"));
}

#[test]
fn the_mean_of_models_is_a_model_with_a_card_of_its_own() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("new/mean.safetensors");
    mien()
        .args(["average", "mien-votes", "mien-labels", "--counts", "3,1", "--output"])
        .arg(&output)
        .assert()
        .success()
        .stdout(contains("mien-votes (3), mien-labels (1)"));
    // Building a network draws from the random generator, on which reproducible trainings in other tests depend.
    let _alone = generator();
    let model = Model::load(&ModelSource::File(output.clone()), tch::Device::Cpu, Precision::F32).unwrap();
    assert_eq!((model.card.name.as_str(), model.card.mean_of.len()), ("mean", 2));

    // Weights and cards that are there are never replaced, not even by a mean of themselves.
    let before = std::fs::read(&output).unwrap();
    let again = |output: &Path| mien().args(["average", "mien", "--output"]).arg(output).assert().code(1);
    again(&output).stderr(contains("mean.safetensors already exists: choose another name"));
    assert!(std::fs::read(&output).unwrap() == before);
    std::fs::write(folder.path().join("other.toml"), "name = \"other\"").unwrap();
    again(&folder.path().join("other.safetensors")).stderr(contains("other.toml already exists"));
    assert!(!folder.path().join("other.safetensors").exists());

    let refused = |arguments: &[&str], reason: &str| {
        mien().arg("average").args(arguments).assert().failure().stderr(contains(reason.to_owned()));
    };
    refused(&["mien", "mien-votes", "--counts", "1", "--output", "a.safetensors"], "1 number(s) for 2 model(s)");
    refused(&["mien", "--counts", "0", "--output", "a.safetensors"], "above 0");
    refused(&["mien", "--output", "a.bin"], ".safetensors");
    refused(&["mien", "cnn4-ferplus", "--output", "a.safetensors"], "its network");
    refused(&["mien", "nowhere.safetensors", "--output", "a.safetensors"], "nowhere.safetensors");
}
