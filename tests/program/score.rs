//! Labels measured on clips whose answers are known.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;

use opencv::core::Size;
use opencv::videoio::{VideoWriter, VideoWriterTrait as _};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::expressions::seven_expressions;
use crate::support::program::{
    HEIGHT, WIDTH, assert_refused, mien, picture_with_face_at, video_with_face, video_without_face,
};

fn score(folder: &Path, options: &[&str]) -> Value {
    let arguments = ["score", "clip.mp4", "--truth", "truth.csv", "--json"];
    let output = mien().current_dir(folder).args(arguments).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_shares_agree_with_the_table_of_the_same_video() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 50);
    // Whichever emotion the network sees in a drawn face, one of seven equally long parts has it as its answer.
    let names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
    let rows: String = names.iter().enumerate().map(|(i, name)| format!("{},{},{name}\n", i * 2, i * 2 + 2)).collect();
    fs::write(home.join("truth.csv"), format!("start,end,emotion\n{rows}")).unwrap();
    let all = score(home, &["--smoothing", "0.3", "--try-smoothing", "0.1,0.3,1"]);
    assert_eq!((&all["frames"], all["scores"].as_array().unwrap().len()), (&Value::from(50), 4));
    // The clip covers two of the fourteen seconds.
    assert!((all["seconds"].as_f64().unwrap() - 2.0).abs() < 1e-6, "{all}");
    assert!((all["seconds_beyond"].as_f64().unwrap() - 12.0).abs() < 1e-6, "{all}");
    assert!(all["no_face"].as_f64().unwrap() < 0.2, "{all}");

    mien().current_dir(home).args(["replay", "clip.mp4", "--smoothing", "off", "--output", "out"]).assert().success();
    let mut table = csv::Reader::from_path(home.join("out/clip-emotions.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let leads: Vec<(usize, f64)> = (table.records().map(Result::unwrap))
        .map(|row| {
            let raw = header.iter().position(|name| name == "raw_angry").unwrap();
            let mut values: Vec<f64> = (raw..raw + 7).map(|column| row[column].parse().unwrap()).collect();
            let top = (0..7).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
            values.sort_by(f64::total_cmp);
            (top, values[6] - values[5])
        })
        .collect();
    let emotion = names[leads[0].0];
    fs::write(home.join("truth.csv"), format!("start,end,emotion\n0,2,{emotion}\n")).unwrap();
    let right = score(home, &["--smoothing", "off"])["scores"][0]["right"].as_f64().unwrap();
    // The first frames wait for the face to be confirmed; margins near the limit may be rounded either way.
    let counted = leads.iter().filter(|(top, margin)| names[*top] == emotion && *margin >= 0.1).count() as f64 / 50.0;
    assert!((right - counted).abs() <= 0.041, "{right} and {counted}");
}

#[test]
fn at_one_frame_a_second_a_face_counts_at_once_as_in_the_tables() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (path, codec, size) = (home.join("clip.mp4"), i32::from_le_bytes(*b"mp4v"), Size::new(WIDTH, HEIGHT));
    let mut writer = VideoWriter::new(path.as_path(), codec, 1.0, size, true).unwrap();
    for number in 0..6 {
        writer.write(&picture_with_face_at(100 + number)).unwrap();
    }
    writer.release().unwrap();
    fs::write(home.join("truth.csv"), "start,end,emotion\n0,6,happy\n").unwrap();
    let scored = score(home, &[]);
    assert_eq!(scored["no_face"], 0.0);
    assert!(scored["arithmetic"].is_string(), "{scored}");

    let run = |arguments: &[&str]| drop(mien().current_dir(home).args(arguments).assert().success());
    run(&["analyze", "clip.mp4", "--output", "out"]);
    run(&["replay", "clip.mp4", "--headless", "--output", "out"]);
    for table in ["clip.mp4.csv", "clip-emotions.csv"] {
        let rows = csv::Reader::from_path(home.join("out").join(table)).unwrap().into_records();
        let frames: Vec<u64> = rows.map(|row| row.unwrap()[1].parse().unwrap()).collect();
        assert_eq!(frames, [0, 1, 2, 3, 4, 5], "{table}");
    }
}

#[test]
fn what_cannot_be_scored_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_without_face(&home.join("clip.mp4"), 10);
    let refused = |truth: Option<&str>, words: &[&str]| {
        if let Some(text) = truth {
            fs::write(home.join("truth.csv"), text).unwrap();
        }
        assert_refused(mien().current_dir(home).args(["score", "clip.mp4", "--truth", "truth.csv"]), words);
    };
    refused(None, &["truth.csv", "start,end,emotion"]);
    refused(Some("start,end,emotion\n0,1,glad\n"), &["truth.csv", "line 2", "glad"]);
    fs::write(home.join("truth.csv"), b"start,end,emotion,note\n0,1,sad,\xfcber\n").unwrap();
    refused(None, &["truth.csv", "CSV UTF-8"]);
    fs::write(home.join("truth.csv"), "start,end,emotion\n9,10,sad\n").unwrap();
    let beyond = ["score", "clip.mp4", "--truth", "truth.csv"];
    mien().current_dir(home).args(beyond).assert().failure().stderr(contains("truth.csv falls within the video"));
    fs::write(home.join("truth.csv"), "start,end,emotion\n0,1,sad\n").unwrap();
    let missing = ["score", "no.mp4", "--truth", "truth.csv"];
    assert_refused(mien().current_dir(home).args(missing), &["no.mp4"]);
    // A cut film is scored up to its end, and that is said.
    let whole = home.join("whole.avi");
    video_with_face(&whole, 60);
    let bytes = fs::read(&whole).unwrap();
    fs::write(home.join("cut.avi"), &bytes[..bytes.len() / 2]).unwrap();
    let cut = ["score", "cut.avi", "--truth", "truth.csv"];
    let said = contains("error: cut.avi is truncated or damaged").and(contains("the score covers the others"));
    let known = contains(" s with known answers in 1 part, ");
    mien().current_dir(home).args(cut).assert().code(1).stdout(known).stderr(said);
    let output = mien().current_dir(home).args(cut).arg("--json").assert().code(1).get_output().stdout.clone();
    let printed: Value = serde_json::from_slice(&output).unwrap();
    assert!(printed["complaint"].as_str().unwrap().contains("truncated or damaged"), "{printed}");
    // A clip without a face has a score; that isn't an error.
    let none = score(home, &[]);
    assert_eq!((&none["no_face"], &none["scores"][0]["right"]), (&Value::from(1.0), &Value::from(0.0)));
    assert_eq!(none.get("complaint"), None);
}

/// Runs only with JAFFE: `MIEN_DATA=folder cargo test --test program score`. The folder has to contain `jaffe/*.tiff`. The clip is
/// kept in the folder that `MIEN_KEEP_CLIP` names, for trying out settings.
#[test]
fn seven_acted_expressions_are_told_apart_better_than_by_chance() {
    let Some(data) = std::env::var_os("MIEN_DATA") else {
        eprintln!("skipped: MIEN_DATA names no folder with jaffe");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let home = std::env::var_os("MIEN_KEEP_CLIP").map_or_else(|| temporary.path().to_owned(), Into::into);
    seven_expressions(&Path::new(&data).join("jaffe"), &home);
    let scored = score(&home, &[]);
    assert!(scored["no_face"].as_f64().unwrap() < 0.1, "{}", scored["no_face"]);
    for score in scored["scores"].as_array().unwrap() {
        assert!(score["balanced"].as_f64().unwrap() > 0.3, "{score}");
    }
}
