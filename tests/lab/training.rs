//! Classifiers as their users train them: by a recipe, from another model's weights, from several data sets.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use mien::lab::datasets::{ReadOptions, read};
use mien::lab::recipe::Recipe;
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{TWO_SOURCES, classifier, json_of, mien, write_data, write_folders, write_recipe, write_votes};
use crate::generator;

#[test]
fn a_network_learns_and_its_model_can_be_measured() {
    let folder = TempDir::new().unwrap();
    let (data, votes) = (write_data(folder.path()), write_votes(folder.path()));
    // Mirrored gratings are other emotions' gratings, so no flip.
    let changes = [
        ("\"label\"", "\"votes\""),
        ("epochs = 3", "epochs = 10"),
        ("patience = 5", "patience = 10"),
        ("average = 0.9", "average = 0.5"),
        ("flip = true, rotation_degrees = 5.0, ", ""),
    ];
    let recipe = write_recipe(folder.path(), &changes);
    let run = folder.path().join("run");
    mien()
        .arg("train")
        .args([&recipe, Path::new("--data"), &data, Path::new("--ferplus"), &votes, Path::new("--run"), &run])
        .args(["--threads", "1"])
        .assert()
        .success()
        .stdout(contains("small.safetensors"));

    let history = std::fs::read_to_string(run.join("history.csv")).unwrap();
    assert_eq!(history.lines().count(), 11, "{history}");
    let card = std::fs::read_to_string(run.join("small.toml")).unwrap();
    assert!(card.contains("data_sha256") && card.contains("seed = 7") && card.contains("training_prior"), "{card}");
    for picture in ["curves.png", "confusion.png"] {
        assert!(image::open(run.join(picture)).unwrap().width() > 400, "{picture}");
    }

    let report = json_of(
        mien()
            .arg("evaluate")
            .args([&run.join("small.safetensors"), &data, Path::new("--ferplus"), &votes])
            .args(["--split", "private", "--rule", "majority", "--json", "--record", "--calibrate"])
            .arg("--plot")
            .arg(folder.path().join("confusion.png")),
    );
    assert_eq!(report["n"], 14);
    assert_eq!(report["split"], "private");
    assert_eq!((&report["rule"], &report["varied"]), (&"majority".into(), &false.into()));
    assert_eq!(report["confusion"].as_array().unwrap().len(), 7);
    // Gratings are easy: chance is 0.14.
    assert!(report["accuracy"].as_f64().unwrap() > 0.6, "{report}");
    assert!(report["macro_f1"].as_f64().unwrap() > 0.5, "{report}");
    // No prior was given, so after `--calibrate` the model assumes the uniform one.
    assert_eq!(report["prior"], "uniform");
    assert!(report["loss"].as_f64().unwrap() > 0.0, "{report}");
    for field in ["weighted_f1", "balanced_accuracy", "ece", "ece_scaled"] {
        assert!((0.0..=1.0).contains(&report[field].as_f64().unwrap()), "{field}: {report}");
    }
    let [low, high] = [0, 1].map(|bound| report["accuracy_interval"][bound].as_f64().unwrap());
    assert!((low..=high).contains(&report["accuracy"].as_f64().unwrap()), "{report}");
    assert!(report["per_class"][3]["auc"].as_f64().unwrap() > 0.5, "{report}");
    let points = report["operating_points"].as_array().unwrap();
    assert_eq!(
        points.iter().map(|point| point["prior"].as_str().unwrap()).collect::<Vec<_>>(),
        ["training", "uniform"]
    );
    assert!(folder.path().join("confusion.png").is_file());
    let text = std::fs::read_to_string(run.join("small.toml")).unwrap();
    let card: toml::Table = text.parse().unwrap();
    assert!(text.contains("[[evaluation]]") && text.contains("PrivateTest"), "{text}");
    assert!(
        card["calibration"]["fitted_on"]
            .as_str()
            .unwrap()
            .contains("PublicTest, majority, N 14; the strength on 5 variations"),
        "{text}"
    );
    // Each emotion has two pictures in Training and equally many stray votes.
    let happy = card["calibration"]["training_prior"]["happy"].as_float().unwrap();
    assert!((happy - 1.0 / 7.0).abs() < 0.02, "{text}");

    let figures = card["evaluation"].as_array().unwrap().len();
    mien()
        .arg("evaluate")
        .args([&run.join("small.safetensors"), &data, Path::new("--ferplus"), &votes])
        .args(["--split", "private", "--rule", "majority", "--varied", "--record"])
        .assert()
        .success()
        .stdout(contains("varied once, at random"));
    let card: toml::Table = std::fs::read_to_string(run.join("small.toml")).unwrap().parse().unwrap();
    let recorded = card["evaluation"].as_array().unwrap();
    let varied = recorded.iter().filter(|figure| figure.get("varied").is_some()).count();
    assert_eq!((recorded.len(), varied), (figures + 2, 2), "figures on varied pictures replace none on plain ones");
}

#[test]
fn another_seed_gives_another_network_of_its_own_name() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    let recipe = write_recipe(folder.path(), &[]);
    let card_of = |seed: &str, name: &str| -> toml::Table {
        let run = folder.path().join(name);
        mien()
            .arg("train")
            .args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run])
            .args(["--threads", "1", "--stop-after", "1", "--seed", seed])
            .assert()
            .success();
        std::fs::read_to_string(run.join(format!("{name}.toml"))).unwrap().parse().unwrap()
    };
    let cards = [card_of("8", "small-seed-8"), card_of("9", "small-seed-9")];
    let seeds = cards.each_ref().map(|card| card["training"]["seed"].as_integer());
    assert_eq!(seeds, [Some(8), Some(9)]);
    let weights = ["small-seed-8", "small-seed-9"]
        .map(|name| std::fs::read(folder.path().join(name).join(format!("{name}.safetensors"))).unwrap());
    assert_ne!(weights[0], weights[1]);
}

#[test]
fn a_training_can_begin_with_the_weights_of_another_model() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    // The learning rate is too small to change anything: after an epoch, the weights are still the initial ones.
    let still = [("learning_rate = 1e-3", "learning_rate = 1e-30"), ("average = 0.9\n", "")];
    let mut recipe = Recipe::read(&write_recipe(folder.path(), &still)).unwrap();
    recipe.start_from = Some("cnn4-ferplus".to_owned());
    recipe.epochs = 1;
    let mut trainer = classifier(recipe, &data, vec![], &folder.path().join("run")).unwrap();
    trainer.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap();
    let weights = |bytes: &[u8]| mien::net::decode(bytes).unwrap().remove("conv1.weight").unwrap();
    let begun = weights(include_bytes!("../../models/cnn4-ferplus.safetensors"));
    let ended = weights(&std::fs::read(folder.path().join("run/small.safetensors")).unwrap());
    assert!(begun.equal(&ended));
    assert_eq!(trainer.state().start_sha256.as_ref().unwrap().len(), 64);
}

#[test]
fn a_network_learns_from_two_data_sets_with_a_share_each_and_its_card_says_so() {
    let folder = TempDir::new().unwrap();
    let [ck, jaffe] = write_folders(folder.path());
    let recipe = write_recipe(folder.path(), &[("target = \"label\"", TWO_SOURCES), ("epochs = 3", "epochs = 1")]);
    let run = folder.path().join("run");
    let train = |data: &[String]| {
        let mut command = mien();
        command.arg("train").arg(&recipe).arg("--run").arg(&run).args([
            "--threads",
            "1",
            "--no-cache",
            "--faces",
            "whole",
        ]);
        for data in data {
            command.args(["--data", data]);
        }
        command.assert()
    };
    let (ck_named, jaffe_named) = (format!("CK+48={}", ck.display()), format!("JAFFE={}", jaffe.display()));
    train(std::slice::from_ref(&ck_named)).code(1).stderr(contains("--data CK+48=DATA --data JAFFE=DATA"));
    train(&[format!("CK+48={}", jaffe.display()), jaffe_named.clone()]).code(1).stderr(contains("same pictures"));
    train(&[jaffe_named, ck_named]).success();

    let text = std::fs::read_to_string(run.join("small.toml")).unwrap();
    let card: toml::Table = text.parse().unwrap();
    let data = card["training"]["data"].as_str().unwrap();
    assert!(
        data.starts_with("CK+48 and JAFFE") && data.contains("JAFFE 50.0 % of each batch, evenly over people"),
        "{data}"
    );
    let sources = card["training"]["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{text}");
    assert_eq!(sources[0]["sha256"].as_array().unwrap().len(), 1);
    let limits = card["limits"].as_str().unwrap();
    assert!(limits.contains("JAFFE") && limits.contains("CK+") && !limits.contains("2013"), "{limits}");
    assert!(limits.contains("never saw disgust, fear and surprise"), "{limits}");

    let model = run.join("small.safetensors");
    let report = json_of(mien().arg("evaluate").args([&model, &ck, &jaffe]).args([
        "--split",
        "private",
        "--json",
        "--no-cache",
        "--faces",
        "whole",
    ]));
    let private = |source: &toml::Value| source["private"].as_integer().unwrap();
    assert_eq!(report["n"].as_i64().unwrap(), sources.iter().map(private).sum::<i64>());
}

#[test]
fn a_recipe_to_begin_with_is_written_and_fits_and_no_file_is_overwritten() {
    let folder = TempDir::new().unwrap();
    let new = |name: &str| mien().current_dir(folder.path()).args(["recipe", "new", name]).assert();
    new("mine").success().stdout(contains("mien train mine.toml"));
    let text = std::fs::read_to_string(folder.path().join("mine.toml")).unwrap();
    assert!(text.contains("name = \"mine\"") && !text.contains("NAME\""), "{text}");
    new("mine").code(1).stderr(contains("mine.toml already exists"));
    new("mine.toml").code(1).stderr(contains("already exists"));
    new("a b").code(1).stderr(contains("a recipe's name"));
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.toml")).unwrap(), text);
    let check = |files: &[&str]| mien().current_dir(folder.path()).args(["recipe", "check"]).args(files).assert();
    check(&["mine.toml"]).success().stdout(contains("mine.toml: valid (mien)"));
    std::fs::write(folder.path().join("bad.toml"), "epochs = 0\nsede = 1\n").unwrap();
    check(&["bad.toml"])
        .code(1)
        .stderr(contains("bad.toml has 2 mistakes").and(contains("line 1: `epochs`")).and(contains("line 2:")));
}

#[test]
fn an_emotion_that_training_never_had_is_never_named_and_the_report_says_so() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    // Training has neither neutral nor disgust; the other splits have both.
    let text = std::fs::read_to_string(&data).unwrap();
    let is_left_out =
        |line: &&str| !((line.starts_with("6,") || line.starts_with("1,")) && line.ends_with(",Training"));
    std::fs::write(&data, text.lines().filter(is_left_out).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    let recipe = write_recipe(folder.path(), &[("epochs = 3", "epochs = 2")]);
    let run = folder.path().join("run");
    mien().arg("train").args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run]).assert().success();
    let evaluate = |options: &[&str]| {
        let model = run.join("small.safetensors");
        let output = mien().arg("evaluate").args([&model, &data]).args(options).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    };
    for prior in ["training", "uniform"] {
        let report: serde_json::Value = serde_json::from_str(&evaluate(&["--prior", prior, "--json"])).unwrap();
        assert_eq!(report["never_named"], serde_json::json!(["disgust", "neutral"]));
        let named = |emotion: usize| -> u64 {
            report["confusion"].as_array().unwrap().iter().map(|row| row[emotion].as_u64().unwrap()).sum()
        };
        assert_eq!((named(1), named(6)), (0, 0), "{prior}: {report}");
        assert_eq!((0..7).map(named).sum::<u64>(), 14, "{prior}: {report}");
    }
    let text = evaluate(&["--calibrate"]);
    assert!(text.contains("never named, because the model's training had none of it: disgust, neutral"), "{text}");
}
