//! Folds: networks that are each trained without some of the people, and measured on those.

use std::path::Path;

use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{TWO_SOURCES, mien, write_data, write_folders, write_recipe};

#[test]
fn each_picture_is_judged_by_the_network_that_never_saw_its_person() {
    let folder = TempDir::new().unwrap();
    let [ck, jaffe] = write_folders(folder.path());
    let recipe = write_recipe(folder.path(), &[("target = \"label\"", TWO_SOURCES), ("epochs = 3", "epochs = 1")]);
    let run = folder.path().join("run");
    let reading = ["--no-cache", "--faces", "whole"];
    mien()
        .arg("train")
        .arg(&recipe)
        .arg("--run")
        .arg(&run)
        .args(["--folds", "3", "--threads", "1"])
        .args(reading)
        .args(["--data", &format!("CK+48={}", ck.display()), "--data", &format!("JAFFE={}", jaffe.display())])
        .assert()
        .success()
        .stderr(contains("Fold 3 of 3"));

    let held: Vec<Vec<i64>> = (1..=3).map(|fold| kept_back(&run.join(format!("fold-{fold}")))).collect();
    let sums: Vec<i64> = (0..2).map(|source| held.iter().map(|fold| fold[source]).sum()).collect();
    assert_eq!(sums, [12, 10], "every picture is kept back once: {held:?}");

    let evaluate = |data: &[&Path], more: &[&str]| {
        mien().args(["evaluate", "--folds"]).arg(&run).args(data).args(reading).args(more).assert()
    };
    let output = evaluate(&[&ck, &jaffe], &["--json"]).success().get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let of_each = |field: &str| {
        let sources = report["sources"].as_array().unwrap();
        sources.iter().map(|source| source[field].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(report["folds"], 3);
    assert_eq!(report["rule"], "label");
    assert_eq!((of_each("n"), of_each("people")), (vec![12, 10], vec![6, 5]));
    for source in report["sources"].as_array().unwrap() {
        assert!((0.0..=1.0).contains(&source["ece_scaled"].as_f64().unwrap()), "{source}");
        // Each network's answers are scaled by its own temperature, so there are no unscaled figures.
        assert!(source.get("ece").is_none() && source.get("loss").is_none(), "{source}");
    }
    evaluate(&[&ck], &[]).success().stdout(contains("N 12, 6 people"));
    // Folds can't be combined with votes.
    for votes in [["--ferplus", "fer2013new.csv"], ["--rule", "majority"]] {
        evaluate(&[&ck], &votes).failure().stderr(contains("cannot be used with"));
    }

    #[cfg(feature = "vision")]
    evaluate(&[&ck], &["--through-detector"]).failure().stderr(contains("cannot be used with"));

    // Data that the networks weren't trained on has no folds, and missing folds are an error.
    let [other, _] = write_folders(&folder.path().join("other"));
    std::fs::remove_file(other.join("anger/S000_000_00000010.png")).unwrap();
    evaluate(&[&other], &[]).code(1).stderr(contains("has no folds"));
    std::fs::remove_dir_all(run.join("fold-2")).unwrap();
    evaluate(&[&ck], &[]).code(1).stderr(contains("fold-2"));
    std::fs::remove_dir_all(run.join("fold-1")).unwrap();
    evaluate(&[&ck], &[]).code(1).stderr(contains("run holds no folds"));
}

#[test]
fn data_that_are_split_officially_have_no_folds() {
    let folder = TempDir::new().unwrap();
    let (data, recipe, run) = (write_data(folder.path()), write_recipe(folder.path(), &[]), folder.path().join("run"));
    let mut train = mien();
    train.arg("train").args([&recipe, Path::new("--data"), &data, Path::new("--run"), &run]);
    train.args(["--folds", "2", "--no-cache"]).assert().code(1).stderr(contains("FER2013 has an official split"));
    assert!(!run.exists());
}

/// How many pictures of each source were held out from a network.
fn kept_back(fold: &Path) -> Vec<i64> {
    let mut cards = std::fs::read_dir(fold).unwrap().map(|entry| entry.unwrap().path());
    let card = cards.find(|path| path.extension().is_some_and(|ending| ending == "toml")).unwrap();
    let card: toml::Table = std::fs::read_to_string(card).unwrap().parse().unwrap();
    let sources = card["training"]["sources"].as_array().unwrap();
    sources.iter().map(|source| source["private"].as_integer().unwrap()).collect()
}
