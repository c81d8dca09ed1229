//! A model with custom classes instead of the seven emotions, in every command that labels faces.
#![cfg(feature = "vision")]

use std::fs;
use std::fs::File;
use std::path::Path;

use mien::classes::Classes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::own_model::own_model;
use crate::support::program::{assert_refused, mien, video_with_face};
use crate::support::sessions::{record, record_of};

/// Two of them have the names of other columns, and one needs quotes.
const CLASSES: [&str; 4] = ["wide awake", "frame", "x, \"y\"", "happy"];
const COLUMNS: [&str; 4] = ["wide_awake", "frame", "x___y_", "happy"];

fn setting() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    own_model(home.path(), &CLASSES);
    video_with_face(&home.path().join("clip.mp4"), 30);
    home
}

fn run(home: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    mien().current_dir(home).args(arguments).args(["--model", "own.safetensors"]).assert()
}

fn probability_columns(kind: &str) -> Vec<String> {
    COLUMNS.iter().map(|column| format!("{kind}_{column}")).collect()
}

/// Checks that a table of faces has the columns of the classes and that its rows fit them. Returns the number of rows.
fn check(path: &Path) -> usize {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[..11], mien::export::COLUMNS.map(str::to_owned));
    assert_eq!(header[11..19], [probability_columns("raw"), probability_columns("smoothed")].concat());
    assert!(header[19..].iter().any(|name| name == "quality"));
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    for row in &rows {
        let smoothed: Vec<f64> = (15..19).map(|place| row[place].parse().unwrap()).collect();
        assert!((smoothed.iter().sum::<f64>() - 1.0).abs() < 2e-3, "{row:?}");
        let leader = (0..4).max_by(|a, b| smoothed[*a].total_cmp(&smoothed[*b])).unwrap();
        assert_eq!(&row[9], CLASSES[leader], "{row:?}");
        assert!(row[10] == row[9] || &row[10] == "unsure", "{row:?}");
    }
    rows.len()
}

#[test]
fn tables_of_every_format_pages_and_lines_have_the_classes() {
    let home = setting();
    let home = home.path();
    let formats = ["--csv", "--jsonl", "--parquet", "--summary", "--video", "--together"];
    run(home, &[&["analyze", "clip.mp4", "--output", "out"], formats.as_slice()].concat()).success();
    let rows = check(&home.join("out/clip.mp4.csv"));
    assert!(rows > 20, "{rows}");
    assert_eq!(check(&home.join("out/together.csv")), rows);

    let parquet = SerializedFileReader::new(File::open(home.join("out/clip.mp4.parquet")).unwrap()).unwrap();
    let schema = parquet.metadata().file_metadata().schema_descr();
    let names: Vec<_> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(names[11..19], [probability_columns("raw"), probability_columns("smoothed")].concat());
    assert_eq!(parquet.metadata().file_metadata().num_rows(), rows as i64);

    let mut summary = csv::Reader::from_path(home.join("out/clip.mp4.summary.csv")).unwrap();
    let header = summary.headers().unwrap().clone();
    assert_eq!((&header[2], &header[9], &header[12]), ("class", "to_wide_awake", "to_happy"));
    let named: Vec<_> = summary.records().map(|row| row.unwrap()[2].to_owned()).collect();
    assert_eq!(named[..4], CLASSES.map(str::to_owned));
    for page in ["out/clip.mp4.html", "out/index.html"] {
        let page = fs::read_to_string(home.join(page)).unwrap();
        assert!(page.contains("Wide awake") && page.contains("class"), "{page}");
        assert!(!page.to_lowercase().contains("emotion") && !page.contains("Angry"), "{page}");
    }
    let record: Value = serde_json::from_slice(&fs::read(home.join("out/clip.mp4.mien.json")).unwrap()).unwrap();
    assert_eq!(record["results"]["classes"], serde_json::json!(CLASSES));

    let lines = run(home, &["analyze", "--jsonl", "-", "clip.mp4"]).success();
    let lines = String::from_utf8(lines.get_output().stdout.clone()).unwrap();
    assert_eq!(lines, fs::read_to_string(home.join("out/clip.mp4.jsonl")).unwrap());
}

#[test]
fn results_of_other_classes_do_not_become_one_table() {
    let home = setting();
    let home = home.path();
    run(home, &["analyze", "clip.mp4", "--output", "own"]).success();
    fs::copy(home.join("clip.mp4"), home.join("other.mp4")).unwrap();
    mien().current_dir(home).args(["analyze", "other.mp4", "--output", "seven"]).assert().success();
    let merge = ["merge", "own", "seven", "--output", "all.csv"];
    assert_refused(mien().current_dir(home).args(merge), &["model"]);
    let mixed = ["merge", "own", "seven", "--output", "all.csv", "--allow-mixed"];
    assert_refused(mien().current_dir(home).args(mixed), &["clip.mp4.csv", "have different columns"]);
    assert!(!home.join("all.csv").exists());
}

#[test]
fn a_video_is_replayed_and_counted_by_class() {
    let home = setting();
    let home = home.path();
    let replayed = run(home, &["replay", "--headless", "clip.mp4", "--output", "out", "--json"]).success();
    let seen: Value = serde_json::from_slice(&replayed.get_output().stdout).unwrap();
    assert_eq!(seen["classes"], serde_json::json!(CLASSES));
    let shares = seen["class_shares"].as_object().unwrap();
    assert_eq!(shares.len(), 5, "{shares:?}");
    assert!((shares.values().map(|share| share.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(seen["emotions"].is_null());
    assert!(check(&home.join("out/clip-emotions.csv")) > 20);
    run(home, &["replay", "--headless", "clip.mp4", "--output", "out"])
        .success()
        .stdout(contains("Wide awake").and(contains("X, \"y\"")).and(contains("Angry").not()));
}

#[test]
fn known_answers_name_the_classes_of_the_model() {
    let home = setting();
    let home = home.path();
    fs::write(home.join("truth.csv"), "start,end,class\n0,0.5,Wide awake\n0.5,0.6,ignore\n0.6,1,frame\n").unwrap();
    let arguments = ["score", "clip.mp4", "--truth", "truth.csv"];
    let scored = run(home, &[&arguments[..], &["--json"]].concat()).success();
    let scored: Value = serde_json::from_slice(&scored.get_output().stdout).unwrap();
    let recall = scored["scores"][0]["recall"].as_object().unwrap();
    assert_eq!(recall.keys().collect::<Vec<_>>(), ["wide awake", "frame"]);
    assert_eq!(scored["scores"][0]["intervals"][1]["class"], "frame");
    run(home, &arguments).success().stdout(contains("mean of classes").and(contains("Wide awake")));
    fs::write(home.join("truth.csv"), "start,end,emotion\n0,1,sad\n").unwrap();
    let mut command = mien();
    command.current_dir(home).args(arguments).args(["--model", "own.safetensors"]);
    assert_refused(&mut command, &["“sad” is none of the model's classes", "wide awake, frame"]);
}

#[test]
fn speed_is_measured_and_the_machine_described_with_such_a_model() {
    let home = setting();
    run(home.path(), &["bench", "clip.mp4", "--frames", "20", "--warmup", "0"]).success();
}

#[test]
fn a_recording_of_own_classes_is_exported_with_them() {
    let home = tempfile::tempdir().unwrap();
    let classes = Classes::new(CLASSES.map(str::to_owned).into()).unwrap();
    let folder = record_of(&home.path().join("talk"), 30, &classes);
    mien().current_dir(home.path()).args(["replay", "talk"]).assert().success().stdout(contains("Wide awake"));
    assert!(check(&home.path().join("mien-results/talk-emotions.csv")) > 20);
    let metadata: Value = serde_json::from_slice(&fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert_eq!((&metadata["schema"], &metadata["classes"]), (&2.into(), &serde_json::json!(CLASSES)));
}

/// A recording from before custom classes existed doesn't mention classes.
#[test]
fn a_recording_of_before_is_of_the_seven_emotions() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 30);
    let metadata = fs::read_to_string(folder.join("session.json")).unwrap();
    assert!(!metadata.contains("\"classes\""), "{metadata}");
    mien().current_dir(home.path()).args(["replay", "talk"]).assert().success().stdout(contains("Happy"));
}
