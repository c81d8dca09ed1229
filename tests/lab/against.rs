//! Two networks compared on the same pictures.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixtures::{json_of, mien, write_data, write_folders, write_recipe};

const ONE_EPOCH: (&str, &str) = ("epochs = 3", "epochs = 1");

/// Trains the small network as `name`, with changes to its recipe's text, and returns the path of the weights.
fn train(folder: &Path, data: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let named = format!("name = \"{name}\"");
    let recipe = write_recipe(folder, &[&[("name = \"small\"", named.as_str())][..], changes].concat());
    let run = folder.join(name);
    let mut command = mien();
    command.arg("train").arg(&recipe).arg("--data").arg(data).arg("--run").arg(&run);
    command.args(["--threads", "1", "--no-cache"]).assert().success();
    run.join(format!("{name}.safetensors"))
}

fn evaluate(model: &Path, data: &Path, more: &[&str]) -> Command {
    let mut command = mien();
    command.arg("evaluate").args([model, data]).arg("--no-cache").args(more);
    command
}

/// Changes the calibration in a model's card.
fn recalibrate(model: &Path, change: impl FnOnce(&mut toml::Table)) {
    let path = model.with_extension("toml");
    let mut card: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    change(card["calibration"].as_table_mut().unwrap());
    std::fs::write(path, toml::to_string(&card).unwrap()).unwrap();
}

#[test]
fn two_networks_are_compared_picture_by_picture_under_one_prior() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    let first = train(folder.path(), &data, "first", &[ONE_EPOCH]);
    let second = train(folder.path(), &data, "second", &[ONE_EPOCH, ("seed = 7", "seed = 8")]);
    // By default, the models assume different priors. Under the first one's, the second answers only happy.
    recalibrate(&first, |calibration| {
        calibration.insert("default_prior".to_owned(), "uniform".into());
    });
    recalibrate(&second, |calibration| {
        for (class, share) in calibration["training_prior"].as_table_mut().unwrap().iter_mut() {
            *share = toml::Value::Float(if class == "happy" { 1e-30 } else { 1.0 });
        }
    });

    let report = json_of(evaluate(&first, &data, &["--json", "--against"]).arg(&second));
    let (against, number) = (&report["against"], |value: &Value| value.as_f64().unwrap());
    assert_eq!((&report["prior"], &report["n"], &against["model"]), (&"uniform".into(), &14.into(), &"second".into()));
    let fields: Vec<&str> = against.as_object().unwrap().keys().map(String::as_str).collect();
    let told = ["model", "model_sha256", "accuracy", "difference", "difference_interval"];
    assert_eq!(fields, [&told[..], &["measured_alone", "other_alone", "p_value"]].concat());
    assert!((number(&against["accuracy"]) - 1.0 / 7.0).abs() < 1e-9, "{against}");
    let difference = number(&against["difference"]);
    assert!((number(&report["accuracy"]) - number(&against["accuracy"]) - difference).abs() < 1e-9, "{report}");
    let alone = number(&against["measured_alone"]) - number(&against["other_alone"]);
    assert!((alone / 14.0 - difference).abs() < 1e-9, "{against}");
    let [low, high] = [0, 1].map(|bound| number(&against["difference_interval"][bound]));
    assert!((low..=high).contains(&difference) && (0.0..=1.0).contains(&number(&against["p_value"])), "{against}");

    evaluate(&first, &data, &["--against"]).arg(&second).assert().success().stdout(
        contains("Compared with second, accuracy 14.29 %")
            .and(contains("right where the other is wrong"))
            .and(contains("McNemar's test")),
    );
    // The rule needs votes, which this data doesn't have, so measuring would fail: the missing model is noticed before that.
    let absent = ["--rule", "majority", "--against", "absent"];
    evaluate(&first, &data, &absent).assert().code(1).stderr(contains("no model absent"));
    evaluate(&first, &data, &absent[..2]).assert().code(1).stderr(contains("votes"));
    // So are damaged weights, even before data are read.
    std::fs::write(&second, "damaged").unwrap();
    let nowhere = folder.path().join("nowhere.csv");
    let damaged = evaluate(&first, &nowhere, &["--against"]).arg(&second).assert().code(1);
    damaged.stderr(contains("second.safetensors").and(contains("nowhere").not()));
}

#[test]
fn networks_with_different_splits_are_compared_on_all_pictures_only() {
    let folder = TempDir::new().unwrap();
    let [ck, _] = write_folders(folder.path());
    let first = train(folder.path(), &ck, "first", &[ONE_EPOCH]);
    let larger = ("seed = 7", "seed = 7\nsplit = { public = 0.4 }");
    let second = train(folder.path(), &ck, "second", &[ONE_EPOCH, larger]);
    let differ = evaluate(&first, &ck, &["--against"]).arg(&second).assert().code(1);
    differ.stderr(contains("first and second can't be compared: their pictures of PublicTest differ"));
    let report = json_of(evaluate(&first, &ck, &["--split", "all", "--json", "--against"]).arg(&second));
    assert_eq!((&report["n"], &report["against"]["model"]), (&12.into(), &"second".into()));
}
