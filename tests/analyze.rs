//! Many files into tables.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/drawn_face.rs"]
mod drawn_face;
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use drawn_face::picture_with_face;
use opencv::core::{Rect, Vector};
use opencv::imgcodecs;
use predicates::prelude::*;
use predicates::str::contains;
use program::{assert_refused, binary, mien, video_with_face, video_without_face, wait_until};

fn analyze(home: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    mien().current_dir(home).arg("analyze").args(arguments).assert()
}

/// Frame and time of each row, and the file that it speaks of.
fn rows(table: &Path) -> Vec<(String, u64, f64)> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.iter().take(4).collect::<Vec<_>>(), ["file", "frame", "time_s", "face"]);
    let row = |row: csv::StringRecord| (row[0].to_owned(), row[1].parse().unwrap(), row[2].parse().unwrap());
    reader.records().map(Result::unwrap).map(row).collect()
}

/// All files below a folder, hidden ones left out.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn write_picture(path: &Path) {
    let picture = picture_with_face(320, 240, Rect::new(100, 70, 110, 110));
    assert!(imgcodecs::imwrite(path, &picture, &Vector::new()).unwrap());
}

#[test]
fn broken_files_among_good_ones_are_listed_and_stop_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for folder in ["in/a", "in/b"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    video_with_face(&home.join("in/a/clip.mp4"), 20);
    video_with_face(&home.join("in/b/clip.mp4"), 12);
    video_without_face(&home.join("in/b/empty-room.mp4"), 10);
    write_picture(&home.join("in/face.png"));
    let whole = fs::read(home.join("in/a/clip.mp4")).unwrap();
    let broken = [
        ("zero.mp4", vec![]),
        ("text.mp4", b"this is no video".to_vec()),
        ("half.mp4", whole[..whole.len() / 2].to_vec()),
        ("head.mov", whole[..64].to_vec()),
        ("noise.avi", (0..4000_u32).map(|i| ((i * 7919) >> 3) as u8).collect()),
        ("sound.mkv", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec()),
        ("picture.mp4", fs::read(home.join("in/face.png")).unwrap()),
        ("cut.png", fs::read(home.join("in/face.png")).unwrap()[..100].to_vec()),
        ("text.jpg", b"no picture".to_vec()),
        ("zero.webp", vec![]),
    ];
    for (name, bytes) in &broken {
        fs::write(home.join("in").join(name), bytes).unwrap();
    }
    let all_named = broken.iter().fold(contains("3 analysed").or(contains("4 analysed")).boxed(), |all, (name, _)| {
        all.and(contains(*name)).boxed()
    });
    analyze(home, &["in"]).failure().code(1).stdout(all_named).stderr(contains("10 of the inputs"));

    let results = home.join("mien-results");
    let tables: Vec<_> = files(&results).into_iter().filter(|name| name.ends_with(".csv")).collect();
    assert_eq!(tables, ["a/clip.mp4.csv", "b/clip.mp4.csv", "b/empty-room.mp4.csv", "pictures.csv"]);
    assert!(rows(&results.join("a/clip.mp4.csv")).len() >= 16);
    assert!(rows(&results.join("b/empty-room.mp4.csv")).is_empty());
    let pictures = rows(&results.join("pictures.csv"));
    assert_eq!(pictures, [("face.png".to_owned(), 0, 0.0)]);
}

#[test]
fn a_second_run_passes_over_what_is_done_and_refuses_to_mix_options() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("one.mp4"), 12);
    video_with_face(&home.join("two.mp4"), 12);
    analyze(home, &["*.mp4"]).success().stdout(contains("2 analysed, 0 done before"));
    let before = fs::read(home.join("mien-results/one.mp4.csv")).unwrap();
    analyze(home, &["*.mp4"]).success().stdout(contains("0 analysed, 2 done before"));

    video_with_face(&home.join("two.mp4"), 24);
    let refused =
        contains("two.mp4: was analysed with other options, or has changed since").and(contains("1 done before"));
    analyze(home, &["*.mp4"]).failure().stdout(refused);
    analyze(home, &["*.mp4", "--force"]).success().stdout(contains("2 analysed"));
    assert_eq!(fs::read(home.join("mien-results/one.mp4.csv")).unwrap(), before, "not the same result");
    assert_eq!(rows(&home.join("mien-results/two.mp4.csv")).last().unwrap().1, 23);

    // A table that isn't ours.
    fs::write(home.join("mien-results/three.mp4.csv"), "mine").unwrap();
    video_with_face(&home.join("three.mp4"), 5);
    let left_alone = contains("three.mp4.csv exists already and was left alone");
    analyze(home, &["three.mp4", "one.mp4"]).failure().stdout(left_alone);
    assert_eq!(fs::read_to_string(home.join("mien-results/three.mp4.csv")).unwrap(), "mine");
}

#[test]
fn frames_left_out_keep_the_numbers_and_times_of_the_others() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 50);
    analyze(home, &["clip.mp4", "--skip", "4", "--from", "0:00.4", "--to", "1.6", "--jsonl", "--csv"]).success();
    let rows = rows(&home.join("mien-results/clip.mp4.csv"));
    // Frames 10, 15 … 35; a face is shown once it was found on three of them.
    assert!(
        rows.iter().all(|(_, frame, time)| frame % 5 == 0 && (time - *frame as f64 / 25.0).abs() < 1e-3),
        "{rows:?}"
    );
    assert_eq!((rows.first().unwrap().1, rows.last().unwrap().1), (20, 35));
    let lines = fs::read_to_string(home.join("mien-results/clip.mp4.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), rows.len());
    for (line, (file, frame, _)) in lines.lines().zip(&rows) {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((object["file"].as_str(), object["frame"].as_u64()), (Some(file.as_str()), Some(*frame)));
    }
}

#[test]
fn a_batch_that_was_killed_is_taken_up_again_with_the_same_result() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for name in ["a.mp4", "b.mp4", "c.mp4"] {
        video_with_face(&home.join(name), 60);
    }
    let inputs = ["a.mp4", "b.mp4", "c.mp4"];
    analyze(home, &[&inputs[..], &["--output", "undisturbed"]].concat()).success();

    let results = home.join("killed");
    let parts = |folder: PathBuf| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    // At different moments: while the first is at work, when it is done, when the second is.
    for moment in ["a.mp4.mien.json", "a.mp4.csv", "b.mp4.csv"] {
        let mut child = std::process::Command::new(binary())
            .current_dir(home)
            .arg("analyze")
            .args(inputs)
            .args(["--output", "killed"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(moment, || results.join(moment).exists());
        std::thread::sleep(Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        for table in inputs.map(|name| format!("{name}.csv")).iter().filter(|table| results.join(table).exists()) {
            let whole = fs::read(home.join("undisturbed").join(table)).unwrap();
            assert_eq!(fs::read(results.join(table)).unwrap(), whole, "a part of {table} under its name");
        }
    }
    analyze(home, &[&inputs[..], &["--output", "killed"]].concat()).success();
    for name in inputs {
        let table = |folder: &str| fs::read(home.join(folder).join(format!("{name}.csv"))).unwrap();
        assert_eq!(table("killed"), table("undisturbed"), "{name}");
    }
    assert!(!parts(results).iter().any(|name| name.starts_with(".mien-part-")), "leftovers");
}

#[test]
fn what_cannot_be_a_batch_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 5);
    let refuse = |arguments: &[&str], words: &[&str]| {
        assert_refused(mien().current_dir(home).arg("analyze").args(arguments), words);
    };
    refuse(&["none.mp4"], &["none.mp4", "does not exist"]);
    refuse(&["clip.mp4", "--from", "5", "--to", "4"], &["--to has to be later"]);
    refuse(&["clip.mp4", "--output", "clip.mp4"], &["cannot write", "clip.mp4"]);
    refuse(&["clip.mp4", "--model", "nonesuch"], &["nonesuch"]);
}
