//! The lab as its users meet it: training by a recipe, resuming after an interruption, measuring, and data that are no good.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use mien::emotion::Emotion;
use mien::lab::datasets::{Dataset, ReadOptions, join, read};
use mien::lab::faces::FaceMode;
use mien::lab::recipe::Recipe;
use mien::lab::{Classification, EpochRecord, Progress, Step, TrainError, TrainOutcome, Trainer};
use mien::net::{Ending, Model, ModelSource, Precision};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{TWO_SOURCES, json_of, mien, write_data, write_folders, write_recipe, write_votes};
use crate::generator;

/// A classifier's training on the CPU.
fn classifier(
    recipe: Recipe,
    data: &Dataset,
    sha256: Vec<String>,
    run: &Path,
) -> Result<Trainer<Classification>, TrainError> {
    let task = Classification::new(&recipe, data, tch::Device::Cpu)?;
    Trainer::new(task, recipe, sha256, run, tch::Device::Cpu)
}

/// The history without the one column that a resume may change.
fn without_seconds(history: &[EpochRecord]) -> Vec<EpochRecord> {
    history.iter().map(|record| EpochRecord { seconds: 0.0, ..record.clone() }).collect()
}

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
    // Nobody said otherwise, so the model now assumes what was fitted for all emotions alike.
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
    // Each emotion has two pictures in Training, and as many astray votes as the others.
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

/// Trains by `recipe` in one go and with an interruption in the middle of the second epoch, whose work is lost; both must
/// give the same.
fn assert_resumes_exactly(changes: &[(&str, &str)]) {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let recipe = Recipe::read(&write_recipe(folder.path(), changes)).unwrap();
    assert_repeats(&recipe, &data, folder.path());
}

fn assert_repeats(recipe: &Recipe, data: &Dataset, folder: &Path) {
    let trainer = |run: &str| classifier(recipe.clone(), data, vec![], &folder.join(run)).unwrap();

    let mut whole = trainer("whole");
    assert_eq!(
        whole.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap(),
        TrainOutcome::Ended(Ending::Finished)
    );

    let stop = AtomicBool::new(false);
    let raise =
        |progress| stop.store(matches!(progress, Progress::Learnt(Step { epoch: 2, step: 1, .. })), Ordering::Relaxed);
    let mut first = trainer("parts");
    assert_eq!(first.run(None, &stop, raise, |_| {}).unwrap(), TrainOutcome::Interrupted);
    assert_eq!(first.state().history.len(), 1);
    let busy = classifier(recipe.clone(), data, vec![], &folder.join("parts")).err().unwrap();
    assert!(busy.to_string().contains("another training is at work in it"), "{busy}");
    drop(first);
    let mut second = trainer("parts");
    assert_eq!(
        second.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap(),
        TrainOutcome::Ended(Ending::Finished)
    );

    assert_eq!(without_seconds(&second.state().history), without_seconds(&whole.state().history));
    let weights = |run: &str| std::fs::read(folder.join(run).join("small.safetensors")).unwrap();
    assert!(weights("parts") == weights("whole"), "the best weights differ");
}

#[test]
fn a_resumed_training_has_the_same_history_as_one_that_was_never_interrupted() {
    assert_resumes_exactly(&[]);
}

#[test]
fn a_training_that_balances_mixes_and_listens_to_a_teacher_resumes_exactly_too() {
    assert_resumes_exactly(&[
        ("epochs = 3", "epochs = 2"),
        ("patience = 5", "patience = 5\nselect_by = \"balanced-accuracy\""),
        ("architecture = \"cnn4\", dropout_conv = 0.1", "architecture = \"mien\", channels = [8, 8, 8, 16, 16]"),
        ("kind = \"adamw\"", "kind = \"sgd\", clip_norm = 5.0"),
        ("kind = \"plateau\", factor = 0.5, patience = 1, min_learning_rate = 1e-6", "kind = \"one-cycle\""),
        (
            "erase = 0.3 }",
            "erase = 0.3, crop = 0.1, shear_degrees = 5.0, mixup = 0.3 }\n\
            balance = { kind = \"oversample\" }\n\
            loss = { kind = \"cross-entropy\", label_smoothing = 0.1 }\n\
            distillation = { teachers = [\"cnn4-ferplus\"], weight = 0.5, temperature = 2.0 }\n\
            normalization = { mean = 0.5, std = 0.25, per_picture = true }",
        ),
    ]);
}

#[test]
fn teachers_who_are_asked_once_can_be_interrupted_and_are_not_asked_again() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let taught = "erase = 0.3 }\ndistillation = { teachers = [\"cnn4-ferplus\"], weight = 0.5, asked = \"once\" }";
    let recipe =
        Recipe::read(&write_recipe(folder.path(), &[("erase = 0.3 }", taught), ("epochs = 3", "epochs = 2")])).unwrap();
    let trainer = |run: &str| classifier(recipe.clone(), &data, vec![], &folder.path().join(run)).unwrap();

    let interrupted = trainer("parts").run(None, &AtomicBool::new(true), |_| {}, |_| {}).unwrap();
    assert_eq!(interrupted, TrainOutcome::Interrupted);

    let asked = |trainer: &mut Trainer<Classification>, limit| {
        let mut batches = 0;
        let count = |progress| batches += usize::from(matches!(progress, Progress::Asked { .. }));
        trainer.run(limit, &AtomicBool::new(false), count, |_| {}).unwrap();
        (batches, trainer.prior().unwrap(), without_seconds(&trainer.state().history))
    };
    let (batches, prior, history) = asked(&mut trainer("whole"), None);
    assert_eq!(batches, 1);
    assert_eq!(asked(&mut trainer("parts"), Some(1)).0, 1);
    assert_eq!(asked(&mut trainer("parts"), None), (0, prior, history));
}

#[test]
fn a_training_can_begin_with_the_weights_of_another_model() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    // A rate too small to change anything: after an epoch the model still answers as the one that it began with.
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
fn a_recipe_that_can_not_be_meant_is_refused_with_the_field() {
    // A recipe is read by building its network, at random.
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let cases = [
        ("erase = 0.3 }", "erase = 3.0 }", "line 12: `augmentation.erase`"),
        (
            "erase = 0.3 }",
            "erase = 0.3 }\nbalance = { kind = \"augment-minority\", classes = [], times = 3 }",
            "balance.classes",
        ),
        ("erase = 0.3 }", "erase = 0.3 }\nloss = { kind = \"focal\", gamma = -1.0 }", "loss.gamma"),
        ("factor = 0.5", "factor = 1.5", "schedule.factor"),
        ("erase = 0.3 }", "erase = 0.3 }\ndistillation = { teachers = [], weight = 0.5 }", "distillation.teachers"),
        ("seed = 7", "seed = 7\nsede = 8", "sede"),
        ("target = \"label\"", "data = { sources = [{ name = \"a\" }], prior_of = \"b\" }", "data.prior_of"),
        (
            "erase = 0.3 }",
            "erase = 0.3, mixup = 0.2 }\ndata = { sources = [{ name = \"a\" }], prior_of = \"a\" }",
            "augmentation.mixup",
        ),
        (
            "erase = 0.3 }",
            "erase = 0.3 }\ndistillation = { teachers = [\"mien\"], about = [\"b\"] }",
            "distillation.about",
        ),
    ];
    for (from, to, expected) in cases {
        let error = Recipe::read(&write_recipe(folder.path(), &[(from, to)])).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
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
fn a_training_on_two_data_sets_resumes_exactly_too() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let options = ReadOptions { faces: FaceMode::Whole, ..ReadOptions::default() };
    let [ck, jaffe] = write_folders(folder.path()).map(|path| read(&path, &options).unwrap());
    let data = join(vec![("CK+48".to_owned(), ck), ("JAFFE".to_owned(), jaffe)]).unwrap();
    let changes =
        [("target = \"label\"", TWO_SOURCES), ("epochs = 3", "epochs = 2"), ("batch_size = 7", "batch_size = 4")];
    let recipe = Recipe::read(&write_recipe(folder.path(), &changes)).unwrap();
    assert_repeats(&recipe, &data, folder.path());
}

#[test]
fn sources_can_be_told_apart_by_their_prior_and_by_what_teachers_are_asked_about() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let options = ReadOptions { faces: FaceMode::Whole, ..ReadOptions::default() };
    let [ck, jaffe] = write_folders(folder.path()).map(|path| read(&path, &options).unwrap());
    let data = join(vec![("CK+48".to_owned(), ck), ("JAFFE".to_owned(), jaffe)]).unwrap();
    let sources = TWO_SOURCES.replace("}] }", "}], prior_of = \"JAFFE\" }");
    for asked in ["each-step", "once"] {
        let teachers = format!("distillation = {{ teachers = [\"mien\"], asked = \"{asked}\", about = [\"CK+48\"] }}");
        let target = format!("{sources}\n{teachers}");
        let changes =
            [("target = \"label\"", &*target), ("epochs = 3", "epochs = 2"), ("batch_size = 7", "batch_size = 4")];
        let recipe = Recipe::read(&write_recipe(folder.path(), &changes)).unwrap();
        let run = folder.path().join(asked);
        assert_repeats(&recipe, &data, &run);
        let trainer = classifier(recipe, &data, vec![], &run.join("prior")).unwrap();
        // JAFFE's five people are sad and neutral; the anger and joy of CK+ aren't part of what its answers assume.
        let prior = trainer.prior().unwrap();
        let assumed: Vec<Emotion> = Emotion::ALL.into_iter().filter(|e| prior.shares()[e.index()] > 0.0).collect();
        assert_eq!(assumed, [Emotion::Sad, Emotion::Neutral]);
    }
}

#[test]
fn a_recipe_to_begin_with_is_written_and_fits_and_no_file_is_overwritten() {
    let folder = TempDir::new().unwrap();
    let new = |name: &str| mien().current_dir(folder.path()).args(["recipe", "new", name]).assert();
    new("mine").success().stdout(contains("mien train mine.toml"));
    let text = std::fs::read_to_string(folder.path().join("mine.toml")).unwrap();
    assert!(text.contains("name = \"mine\"") && !text.contains("NAME\""), "{text}");
    new("mine").code(1).stderr(contains("mine.toml is there already"));
    new("mine.toml").code(1).stderr(contains("is there already"));
    new("a b").code(1).stderr(contains("a recipe's name"));
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.toml")).unwrap(), text);
    let check = |files: &[&str]| mien().current_dir(folder.path()).args(["recipe", "check"]).args(files).assert();
    check(&["mine.toml"]).success().stdout(contains("mine.toml: fits (mien)"));
    std::fs::write(folder.path().join("bad.toml"), "epochs = 0\nsede = 1\n").unwrap();
    check(&["bad.toml"])
        .code(1)
        .stderr(contains("bad.toml has 2 mistakes").and(contains("line 1: `epochs`")).and(contains("line 2:")));
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
fn a_teacher_that_is_not_there_is_named() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let absent = ("erase = 0.3 }", "erase = 0.3 }\ndistillation = { teachers = [\"absent\"], weight = 0.5 }");
    let recipe = Recipe::read(&write_recipe(folder.path(), &[absent])).unwrap();
    let error = classifier(recipe, &data, vec![], &folder.path().join("run")).err().unwrap();
    assert!(matches!(error, TrainError::Model(_)) && error.to_string().contains("absent"), "{error}");
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_folder_with_another_run_is_left_alone() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let recipe = Recipe::read(&write_recipe(folder.path(), &[("epochs = 3", "epochs = 1")])).unwrap();
    let run = folder.path().join("run");
    let start = |recipe: &Recipe, sums: &[&str]| {
        classifier(recipe.clone(), &data, sums.iter().map(ToString::to_string).collect(), &run)
    };
    start(&recipe, &["a"]).unwrap().run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap();
    let other_data = start(&recipe, &["b"]).err().unwrap();
    assert!(matches!(other_data, TrainError::OtherData { .. }), "{other_data}");
    let other_recipe = start(&Recipe { seed: 8, ..recipe.clone() }, &["a"]).err().unwrap();
    assert!(matches!(other_recipe, TrainError::OtherRecipe { .. }), "{other_recipe}");
    assert!(other_recipe.to_string().contains("`seed` is 7 there and 8 here"), "{other_recipe}");
    let same = start(&recipe, &["a"]).unwrap().run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap();
    assert_eq!(same, TrainOutcome::Ended(Ending::Finished));
}

#[test]
fn a_training_does_not_go_on_with_faces_that_were_found_in_another_way() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let recipe = Recipe::read(&write_recipe(folder.path(), &[("epochs = 3", "epochs = 1")])).unwrap();
    let [ck, _] = write_folders(folder.path());
    let read = |faces| read(&ck, &ReadOptions { faces, ..ReadOptions::default() }).unwrap();
    let run = |data: &Dataset, name: &str| {
        let trainer = classifier(recipe.clone(), data, vec!["a".to_owned()], &folder.path().join(name));
        trainer.and_then(|mut trainer| trainer.run(None, &AtomicBool::new(false), |_| {}, |_| {}))
    };
    let (whole, centre) = (read(FaceMode::Whole), read(FaceMode::Center));
    run(&whole, "new").unwrap();
    let other = run(&centre, "new").unwrap_err();
    assert!(matches!(other, TrainError::OtherFaces { .. }) && other.to_string().contains("--faces"), "{other}");
    assert!(run(&whole, "new").is_ok());

    // A checkpoint of before they said so.
    let mut silent = read(FaceMode::Whole);
    silent.sources.clear();
    run(&silent, "old").unwrap();
    run(&centre, "old").unwrap();
}

#[test]
fn a_card_that_is_missing_or_behind_after_a_kill_is_written_when_the_training_is_asked_for_again() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    let recipe = write_recipe(folder.path(), &[("epochs = 3", "epochs = 2")]);
    let run = folder.path().join("run");
    let train = || {
        let mut command = mien();
        command.arg("train").args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run]);
        command.args(["--threads", "1", "--no-cache"]).assert().success();
    };
    train();
    let path = run.join("small.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    train();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    let behind = whole.replacen("\nepochs = 2\n", "\nepochs = 1\n", 1).replace("ending = \"finished\"\n", "");
    assert_ne!(behind, whole);
    std::fs::write(&path, behind).unwrap();
    train();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn weights_that_a_kill_kept_from_the_disk_are_written_by_the_next_sitting() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let recipe = Recipe::read(&write_recipe(folder.path(), &[("epochs = 3", "epochs = 1")])).unwrap();
    let trainer = |run: &str| classifier(recipe.clone(), &data, vec![], &folder.path().join(run)).unwrap();
    let train = |run: &str| trainer(run).run(None, &AtomicBool::new(false), |_| {}, |_| {});
    let model = |run: &str| folder.path().join(run).join("small.safetensors");

    // What has their name keeps the weights from being written, as a kill before them does.
    std::fs::create_dir_all(model("killed")).unwrap();
    assert!(matches!(train("killed"), Err(TrainError::Checkpoint(_))));
    std::fs::remove_dir(model("killed")).unwrap();
    assert_eq!(trainer("killed").state().history.len(), 1, "the checkpoint is there before the weights");
    train("whole").unwrap();
    let weights = |run: &str| std::fs::read(model(run)).unwrap();
    assert!(weights("killed") == weights("whole"));

    // One that was killed between the two left those of an epoch before.
    std::fs::write(model("killed"), "older").unwrap();
    drop(trainer("killed"));
    assert!(weights("killed") == weights("whole"));
}

#[test]
fn what_was_fitted_and_measured_between_two_sittings_stays_with_the_weights_that_it_was_done_with() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    // Nothing is learnt, so the first epoch stays the best.
    let still = [("learning_rate = 1e-3", "learning_rate = 1e-30"), ("dropout_conv = 0.1", "norm = false")];
    let recipe = write_recipe(folder.path(), &still);
    let run = folder.path().join("run");
    let train = |more: &[&str]| {
        let mut command = mien();
        command.arg("train").args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run]);
        command.args(["--threads", "1", "--no-cache"]).args(more).assert().success()
    };
    train(&["--stop-after", "1"]);
    let model = run.join("small.safetensors");
    let mut evaluate = mien();
    evaluate.arg("evaluate").args([&model, &data]).args(["--split", "private", "--record", "--calibrate"]);
    evaluate.arg("--no-cache").assert().success();
    let card = || -> toml::Table { std::fs::read_to_string(run.join("small.toml")).unwrap().parse().unwrap() };
    let before = card();
    assert_eq!(before["evaluation"].as_array().unwrap().len(), 2, "two priors");
    // PrivateTest was read for these weights, so it isn't read again.
    train(&["--measure"]).stderr(contains("which is read once: nothing is measured"));
    let after = card();
    let training = |field: &str| &after["training"][field];
    assert_eq!((training("epochs").as_integer(), training("best_epoch").as_integer()), (Some(3), Some(1)));
    assert_eq!(training("ending").as_str(), Some("finished"));
    assert_eq!((&after["calibration"], &after["evaluation"]), (&before["calibration"], &before["evaluation"]));
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
    // Six pictures. The model's recipe keeps nothing of its own data back.
    assert_eq!(json_of(&mut evaluate(own.parent().unwrap(), &[]))["n"], 1);
    // It learnt from CK+48, but not by these files.
    evaluate(&ck, &[]).assert().code(1).stderr(contains("aren't the same files any more"));
    assert_eq!(json_of(&mut evaluate(&ck, &["--split", "all"]))["n"], 12);
}

#[test]
fn figures_in_another_number_format_are_not_recorded() {
    let folder = TempDir::new().unwrap();
    for data in [&["a.safetensors", "a.csv"][..], &["faces", "a.safetensors", "--data", "a"]] {
        mien()
            .current_dir(folder.path())
            .arg("evaluate")
            .args(data)
            .args(["--record", "--precision", "bf16"])
            .assert()
            .code(1)
            .stderr(contains("--record is for figures in 32 bit"));
    }
}

#[test]
fn a_diverging_training_stops_and_keeps_the_last_good_checkpoint() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let wild = write_recipe(folder.path(), &[("learning_rate = 1e-3", "learning_rate = 1e38")]);
    let run = folder.path().join("run");
    let recipe = Recipe::read(&wild).unwrap();
    let mut trainer = classifier(recipe, &data, vec![], &run).unwrap();
    let error = trainer.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { epoch: 1 }), "{error}");
    assert!(!error.to_string().contains("kept"), "{error}");
    assert!(TrainError::Diverged { epoch: 3 }.to_string().contains("the checkpoint of epoch 2 is kept"));
    assert!(!run.join("checkpoint.safetensors").exists(), "no epoch was whole");
}

#[test]
fn data_that_are_no_good_are_named_with_their_line() {
    let folder = TempDir::new().unwrap();
    let recipe = write_recipe(folder.path(), &[]);
    let good = std::fs::read_to_string(write_data(folder.path())).unwrap();
    let cut = good.lines().take(3).collect::<Vec<_>>().join("\n");
    let cases = [
        ("missing.csv", None, "missing.csv"),
        ("empty.csv", Some(String::new()), "emotion, pixels, Usage"),
        ("header.csv", Some("a,b,c\n1,2,3\n".to_owned()), "emotion, pixels, Usage"),
        ("short.csv", Some(cut[..cut.len() - 40].to_owned()), "line 3"),
        ("number.csv", Some(good.replacen("\n0,", "\n7,", 1)), "line 2: “7”"),
    ];
    for (name, text, expected) in cases {
        let path = folder.path().join(name);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        mien()
            .arg("train")
            .args([&recipe, Path::new("--data"), &path, Path::new("--run"), &folder.path().join("run")])
            .assert()
            .code(1)
            .stderr(contains(expected).and(contains("panicked").not()));
        assert!(!folder.path().join("run/small.safetensors").exists());
    }
}

#[test]
fn votes_that_belong_to_another_file_are_refused() {
    let folder = TempDir::new().unwrap();
    let (data, votes) = (write_data(folder.path()), write_votes(folder.path()));
    let text = std::fs::read_to_string(&votes).unwrap();
    std::fs::write(&votes, text.lines().take(9).collect::<Vec<_>>().join("\n")).unwrap();
    let options = ReadOptions { ferplus: Some(votes), ..ReadOptions::default() };
    let error = read(&data, &options).err().unwrap().to_string();
    assert!(error.contains("8 rows") && error.contains("42"), "{error}");
}

#[test]
fn a_model_that_is_no_model_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    let junk = folder.path().join("junk.safetensors");
    std::fs::write(&junk, "junk").unwrap();
    mien().arg("evaluate").args([&junk, &data]).assert().code(1).stderr(contains("no card"));
    mien()
        .arg("evaluate")
        .args([Path::new("absent"), &data])
        .assert()
        .code(1)
        .stderr(contains("no model absent").and(contains("cnn4-ferplus")));
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
fn the_mean_of_models_is_a_model_with_a_card_of_its_own() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("new/mean.safetensors");
    mien()
        .args(["average", "mien-votes", "mien-labels", "--counts", "3,1", "--output"])
        .arg(&output)
        .assert()
        .success()
        .stdout(contains("mien-votes (3), mien-labels (1)"));
    // Building a network draws from the generator that other tests' trainings repeat themselves by.
    let _alone = generator();
    let model = Model::load(&ModelSource::File(output), tch::Device::Cpu, Precision::F32).unwrap();
    assert_eq!((model.card.name.as_str(), model.card.mean_of.len()), ("mean", 2));

    let refused = |arguments: &[&str], reason: &str| {
        mien().arg("average").args(arguments).assert().failure().stderr(contains(reason.to_owned()));
    };
    refused(&["mien", "mien-votes", "--counts", "1", "--output", "a.safetensors"], "1 number(s) for 2 model(s)");
    refused(&["mien", "--counts", "0", "--output", "a.safetensors"], "above 0");
    refused(&["mien", "--output", "a.bin"], ".safetensors");
    refused(&["mien", "cnn4-ferplus", "--output", "a.safetensors"], "its network");
    refused(&["mien", "nowhere.safetensors", "--output", "a.safetensors"], "nowhere.safetensors");
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

    // Weights that know the people whom another division keeps back.
    let start = format!("start_from = \"{}\"\nseed = 7", model.display());
    train(&[("seed = 7", start.as_str())], "alike").stderr(contains("divided otherwise").not());
    let otherwise = format!("{start}\nsplit = {{ seed = 4 }}");
    let warned = train(&[("seed = 7", otherwise.as_str())], "otherwise");
    warned.stderr(contains("learnt from CK+48 too, divided otherwise as far as its card tells"));
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
    // What is fitted is fitted on PublicTest, whatever is measured.
    let fitted = |model: &Path, more: &[&str]| {
        let mut command = mien();
        command.arg("evaluate").args([model, &ck]).args(["--no-cache", "--faces", "whole", "--split", "all"]);
        command.args(more).assert()
    };
    fitted(&mean, &["--calibrate"]).code(1).stderr(contains("mean is the mean of several networks"));

    // One picture more, and nobody knows any more who was learnt from.
    std::fs::copy(ck.join("happy/S000_001_00000010.png"), ck.join("happy/S006_001_00000010.png")).unwrap();
    let mut private = mien();
    private.arg("evaluate").args([&model, &ck]).args(["--no-cache", "--faces", "whole", "--split", "private"]);
    private.assert().code(1).stderr(contains("small learnt from CK+48, and these aren't the same files any more"));
    fitted(&model, &["--calibrate"]).code(1).stderr(contains("can't be measured on PublicTest"));
    fitted(&model, &[]).success();
}

#[test]
fn an_emotion_that_training_never_had_is_never_named_and_the_report_says_so() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    // Neither neutral nor disgust to learn from; they are there to be measured on.
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
