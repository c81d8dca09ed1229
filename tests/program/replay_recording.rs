//! `mien replay` on a recording where there is no display.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;

use mien::source::{FrameSource as _, VideoSource};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::drawn_face::steepest_across;
use crate::support::program::{assert_refused, mien};
use crate::support::sessions::{kill, record};

fn table(path: &Path) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    (reader.headers().unwrap().clone(), reader.records().map(Result::unwrap).collect())
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn without_a_display_a_recording_is_exported_as_it_was_recorded_and_not_analysed() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 60);
    let recorded = files(&folder);
    mien()
        .current_dir(home.path())
        .args(["replay", "talk"])
        .assert()
        .success()
        .stdout(contains("recorded results").and(contains("mien-of-old")).and(contains("3 in all")))
        .stderr(contains("Exporting the recording"));
    let results = home.path().join("mien-results");
    assert_eq!(files(&results), ["talk-emotions-marks.csv", "talk-emotions.csv", "talk-emotions.mp4"]);
    assert_eq!(files(&folder), recorded, "nothing is written into the recording");

    let (header, rows) = table(&results.join("talk-emotions.csv"));
    let (recorded_header, recorded_rows) = table(&folder.join("faces.csv"));
    assert_eq!(header.iter().collect::<Vec<_>>(), recorded_header.iter().chain(["name"]).collect::<Vec<_>>());
    assert_eq!(rows.len(), recorded_rows.len());
    for (row, recorded) in rows.iter().zip(&recorded_rows) {
        assert_eq!(row.iter().collect::<Vec<_>>(), recorded.iter().chain([""]).collect::<Vec<_>>());
    }
    let mut video = VideoSource::open(&results.join("talk-emotions.mp4")).unwrap();
    assert_eq!(std::iter::from_fn(|| video.read().unwrap()).count(), 60);
    let marks = fs::read_to_string(results.join("talk-emotions-marks.csv")).unwrap();
    assert_eq!(marks, "time_s,text\n0.4,sits down\n1.2,\"laughs, loudly\"\n");
}

#[test]
fn names_merges_and_hidden_faces_are_in_the_export() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 60);
    let edits = r#"{"schema": 1, "names": {"1": "Jörg"}, "merged": {"7": 1}, "hidden": [2]}"#;
    fs::write(folder.join("edits.json"), edits).unwrap();
    let run = mien().args(["replay", "--json"]).arg(&folder).arg("--output").arg(home.path()).assert().success();
    let json: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!((&json["people"], &json["frames"]), (&1.into(), &60.into()));
    let (_, rows) = table(Path::new(json["table"].as_str().unwrap()));
    let (_, recorded) = table(&folder.join("faces.csv"));
    assert_eq!(json["rows"], recorded.len());
    for (row, recorded) in rows.iter().zip(&recorded) {
        let expected = match &recorded[3] {
            "2" => ("2", ""),
            _ => ("1", "Jörg"),
        };
        assert_eq!((&row[3], &row[recorded.len()]), expected, "{recorded:?}");
        let values = row.iter().take(recorded.len()).skip(4).collect::<Vec<_>>();
        assert_eq!(values, recorded.iter().skip(4).collect::<Vec<_>>());
    }
}

#[test]
fn an_export_shows_nobody_if_that_is_asked_for_and_has_the_landmarks_that_were_recorded() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 20);
    let export = |output: &str, more: &[&str]| {
        let output = home.path().join(output);
        mien().args(["replay", "--headless"]).arg(&folder).args(more).arg("--output").arg(&output).assert().success();
        let mut video = VideoSource::open(&output.join("talk-emotions.mp4")).unwrap();
        let edges: Vec<i32> = std::iter::from_fn(|| video.read().unwrap())
            .map(|frame| steepest_across(&frame.image, 140, (60, 105)))
            .collect();
        (edges, table(&output.join("talk-emotions.csv")))
    };
    let (sharp, (header, rows)) = export("sharp", &[]);
    let (blurred, (_, same_rows)) = export("blurred", &["--blur", "faces"]);
    assert!(sharp.len() == 20 && sharp.iter().all(|edge| *edge > 40), "{sharp:?}");
    // Face 1 is there from the fourth frame on.
    assert!(blurred.len() == 20 && blurred.iter().all(|edge| *edge < 18), "{blurred:?}");
    assert_eq!(rows, same_rows);
    let place = header.iter().position(|name| name == "nose_x").unwrap();
    let noses = rows.iter().filter(|row| &row[3] == "1" && !row[place].is_empty()).count();
    assert_eq!(noses, rows.iter().filter(|row| &row[3] == "1").count());
}

#[test]
fn a_long_gap_costs_the_exported_video_no_frames_and_is_shortened_with_a_word_about_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 60);
    // Four minutes of pause before the 31st frame.
    let (_, rows) = table(&folder.join("frames.csv"));
    let later = |row: &csv::StringRecord| {
        let (place, secs): (u32, f64) = (row[0].parse().unwrap(), row[2].parse().unwrap());
        let gap = if place < 30 { 0.0 } else { 240.0 };
        format!("{},{},{:.4}\n", &row[0], &row[1], secs + gap)
    };
    let rows: String = rows.iter().map(later).collect();
    fs::write(folder.join("frames.csv"), format!("video_frame,frame,time_s\n{rows}")).unwrap();
    let run =
        mien().args(["replay", "--json"]).arg(&folder).arg("--output").arg(home.path()).assert().success().stderr(
            contains("shortens them by 3:00 in all").and(contains("at most 60 s")).and(contains("sound").not()),
        );
    let json: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let rate = json["source"]["fps"].as_f64().unwrap();
    assert!((20.0..26.0).contains(&rate), "{rate}");
    let mut video = VideoSource::open(&home.path().join("talk-emotions.mp4")).unwrap();
    let shown = std::iter::from_fn(|| video.read().unwrap()).count() as f64;
    // The last picture before the pause is held for a minute, and the rest takes about two seconds.
    assert!((61.5..64.0).contains(&(shown / rate)), "{shown} frames at {rate}");
}

#[test]
fn analysed_again_the_recorded_results_count_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 20);
    mien()
        .args(["replay", "--headless", "--again"])
        .arg(&folder)
        .arg("--output")
        .arg(home.path())
        .assert()
        .success()
        .stdout(contains("of 20 frames").and(contains("mien-of-old").not()));
    // The recorded boxes are on pictures without a face.
    assert_eq!(table(&home.path().join("talk-emotions.csv")).1.len(), 0);
}

#[test]
fn a_recording_that_was_killed_is_exported_as_far_as_it_goes_and_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 100);
    kill(&folder);
    mien()
        .args(["replay", "--headless"])
        .arg(&folder)
        .arg("--output")
        .arg(home.path())
        .assert()
        .success()
        .stderr(contains("was not ended properly"));
    assert!(table(&home.path().join("talk-emotions.csv")).1.len() > 50);
}

#[test]
fn folders_that_cannot_be_replayed_are_refused_in_one_line_and_leave_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 12);
    let replay = |folder: &Path| {
        let mut command = mien();
        command.current_dir(home.path()).args(["replay", "--headless"]).arg(folder);
        command
    };
    assert_refused(&mut replay(home.path()), &["without session.json", "not a recording"]);
    assert_refused(replay(&folder).args(["--output", "/proc/nowhere"]), &["/proc/nowhere"]);
    let video = folder.join("video.mkv");
    assert_refused(replay(&video).arg("--again"), &["video.mkv is a video, not a recording", "--again"]);
    fs::write(folder.join("edits.json"), "{").unwrap();
    assert_refused(&mut replay(&folder), &["edits.json", "line 1", "move it away"]);
    fs::remove_file(folder.join("edits.json")).unwrap();
    fs::write(folder.join("frames.csv"), "video_frame,frame,time_s\n0,0,0\n1,1,x\n").unwrap();
    assert_refused(&mut replay(&folder), &["frames.csv, line 3", "“x”"]);
    fs::remove_file(&video).unwrap();
    assert_refused(&mut replay(&folder), &["no video.mkv"]);
    assert_eq!(files(home.path()), ["talk"]);
}
