//! What can't be trained or measured: errors name the recipe, run, data or model that doesn't fit.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use mien::lab::datasets::{Dataset, ReadOptions, read};
use mien::lab::faces::FaceMode;
use mien::lab::recipe::{BackboneSpec, DistillationSpec, Recipe};
use mien::lab::{TrainError, TrainOutcome};
use mien::net::{Ending, WeightKind, decode, decode_note, encode, save_weights};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tch::{Device, nn};
use tempfile::TempDir;

use crate::fixtures::{classifier, mien, write_data, write_folders, write_recipe, write_votes};
use crate::generator;

#[test]
fn a_recipe_that_can_not_be_meant_is_refused_with_the_field() {
    // Reading a recipe builds its network, which draws random numbers.
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
fn a_teacher_that_is_not_there_is_named() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let absent =
        ("erase = 0.3 }", "erase = 0.3 }\ndistillation = { teachers = [\"absent.safetensors\"], weight = 0.5 }");
    let recipe = Recipe::read(&write_recipe(folder.path(), &[absent])).unwrap();
    let error = classifier(recipe, &data, vec![], &folder.path().join("run")).err().unwrap();
    assert!(matches!(error, TrainError::Model(_)) && error.to_string().contains("absent"), "{error}");
    assert!(!folder.path().join("run").exists());
}

#[test]
fn models_that_do_not_fit_are_told_before_the_data_are_read() {
    let folder = TempDir::new().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mien");
    let start = format!("start_from = \"{}.safetensors\"\nseed = 7", models.display());
    let absent = ("erase = 0.3 }", "erase = 0.3 }\ndistillation = { teachers = [\"absent.safetensors\"] }");
    for (change, expected) in
        [(("seed = 7", start.as_str()), "its network is mien, and the recipe's cnn4"), (absent, "absent.safetensors")]
    {
        let recipe = write_recipe(folder.path(), &[change]);
        let mut train = mien();
        train.current_dir(folder.path()).arg("train").arg(recipe).args(["--data", "no-such-data", "--run", "run"]);
        train.assert().code(1).stderr(contains(expected).and(contains("no-such-data").not()));
    }
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
    assert!(other.to_string().contains("“whole pictures” there and “the middle of each picture” here"), "{other}");
    assert!(run(&whole, "new").is_ok());

    // A checkpoint from before it recorded how faces were found.
    let mut silent = read(FaceMode::Whole);
    silent.sources.clear();
    run(&silent, "old").unwrap();
    run(&centre, "old").unwrap();
}

#[test]
fn a_training_does_not_go_on_after_the_weights_of_others_that_it_took_have_changed() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    let data = read(&write_data(folder.path()), &ReadOptions::default()).unwrap();
    let changes = [("epochs = 3", "epochs = 1"), ("\"cnn4\", dropout_conv = 0.1", "\"mien\"")];
    let plain = Recipe::read(&write_recipe(folder.path(), &changes)).unwrap();
    let weights = folder.path().join("others.safetensors");
    let name = weights.display().to_string();
    // A run with the first version of the weights isn't continued with the second.
    let assert_told = |field: &str, recipe: &Recipe, write: &dyn Fn(usize)| {
        let run = folder.path().join(field);
        let start = || classifier(recipe.clone(), &data, vec![], &run);
        write(0);
        start().unwrap().run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap();
        assert!(start().is_ok(), "{field}");
        write(1);
        let error = start().err().unwrap();
        assert!(error.to_string().contains(&format!("what `{field}` names has changed since")), "{error}");

        // A checkpoint from before it recorded checksums of weights.
        let checkpoint = run.join("checkpoint.safetensors");
        let bytes = std::fs::read(&checkpoint).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&decode_note(&bytes).unwrap().unwrap()).unwrap();
        for sum in ["start_sha256", "backbone_sha256", "teachers_sha256"] {
            assert!(state.as_object_mut().unwrap().remove(sum).is_some(), "{sum}");
        }
        let older = encode(&decode(&bytes).unwrap(), WeightKind::F32, Some(state.to_string())).unwrap();
        std::fs::write(&checkpoint, older).unwrap();
        assert!(start().is_ok(), "{field}");
    };

    let shipped = |version: usize| {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(["mien-votes", "mien-labels"][version]);
        for ending in ["safetensors", "toml"] {
            std::fs::copy(model.with_extension(ending), weights.with_extension(ending)).unwrap();
        }
    };
    assert_told("start_from", &Recipe { start_from: Some(name.clone()), ..plain.clone() }, &shipped);
    let teachers = DistillationSpec { teachers: vec![name], ..DistillationSpec::default() };
    assert_told("distillation.teachers", &Recipe { distillation: Some(teachers), ..plain.clone() }, &shipped);

    let backbone = BackboneSpec { weights: Some(weights.clone()), frozen: true, ..BackboneSpec::default() };
    let network = toml::from_str("architecture = \"mobilenet2\"\nside = 32\nhidden = []").unwrap();
    let recipe = Recipe { backbone: Some(backbone), network, ..plain };
    assert_told("backbone.weights", &recipe, &|version| {
        tch::manual_seed(version as i64);
        let store = nn::VarStore::new(Device::Cpu);
        let _network = recipe.network.build(&store.root(), recipe.classes.len()).unwrap();
        save_weights(&store, &weights, WeightKind::F32).unwrap();
    });
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
            .stderr(contains("--record is for 32-bit figures"));
    }
}
