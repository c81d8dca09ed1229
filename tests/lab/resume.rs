//! Interrupted trainings: what resumes exactly, and what is written again after a kill.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use mien::emotion::Emotion;
use mien::lab::datasets::{Dataset, ReadOptions, join, read};
use mien::lab::faces::FaceMode;
use mien::lab::recipe::Recipe;
use mien::lab::{ClassifierTask, EpochRecord, Progress, Step, TrainError, TrainOutcome, Trainer};
use mien::net::Ending;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{TWO_SOURCES, classifier, mien, write_data, write_folders, write_recipe};
use crate::generator;

/// The history without the one column that a resume may change.
fn without_seconds(history: &[EpochRecord]) -> Vec<EpochRecord> {
    history.iter().map(|record| EpochRecord { seconds: 0.0, ..record.clone() }).collect()
}

/// Trains once without interruption, and once interrupted in the middle of the second epoch, whose work is lost. Both must give
/// the same.
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
    assert!(busy.to_string().contains("another training is using it"), "{busy}");
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

    let asked = |trainer: &mut Trainer<ClassifierTask>, limit| {
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
        // JAFFE has only sad and neutral faces. The angry and happy ones, which are from CK+, aren't part of the prior.
        let prior = trainer.prior().unwrap();
        let assumed: Vec<Emotion> = Emotion::ALL.into_iter().filter(|e| prior.shares()[e.index()] > 0.0).collect();
        assert_eq!(assumed, [Emotion::Sad, Emotion::Neutral]);
    }
}

#[test]
fn a_card_or_history_that_is_missing_or_behind_after_a_kill_is_written_when_the_training_is_asked_for_again() {
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
    let pictured = || (std::fs::read(run.join("history.csv")).unwrap(), std::fs::read(run.join("curves.png")).unwrap());
    let history = pictured();
    for file in ["small.toml", "history.csv", "curves.png"] {
        std::fs::remove_file(run.join(file)).unwrap();
    }
    train();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    assert!(pictured() == history, "the history isn't the same");
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

    // A folder with the weights' name prevents writing them, like a kill just before.
    std::fs::create_dir_all(model("killed")).unwrap();
    assert!(matches!(train("killed"), Err(TrainError::Checkpoint(_))));
    std::fs::remove_dir(model("killed")).unwrap();
    assert_eq!(trainer("killed").state().history.len(), 1, "the checkpoint is there before the weights");
    train("whole").unwrap();
    let weights = |run: &str| std::fs::read(model(run)).unwrap();
    assert!(weights("killed") == weights("whole"));

    // A kill between the two leaves the weights of an earlier epoch.
    std::fs::write(model("killed"), "older").unwrap();
    drop(trainer("killed"));
    assert!(weights("killed") == weights("whole"));
}

#[test]
fn what_was_fitted_and_measured_between_two_sittings_stays_with_the_weights_that_it_was_done_with() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    // The network learns nothing, so the first epoch stays the best.
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
