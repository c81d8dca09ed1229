//! Batches that are killed, and runs that share a folder.
#![cfg(feature = "vision")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use predicates::prelude::*;
use predicates::str::contains;

#[cfg(unix)]
use crate::support::program::signal;
use crate::support::program::{binary, mien, video_with_face, wait_until};

const INPUTS: [&str; 3] = ["a.mp4", "b.mp4", "c.mp4"];
const ENDINGS: [&str; 3] = ["csv", "jsonl", "parquet"];
const FORMATS: [&str; 3] = ["--csv", "--jsonl", "--parquet"];

fn analyze(home: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    mien().current_dir(home).arg("analyze").args(arguments).assert()
}

fn start(home: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.current_dir(home).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How many temporary files and folders there are.
fn parts(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".mien-part-")).count()
}

fn write_videos(home: &Path) {
    for name in INPUTS {
        video_with_face(&home.join(name), 40);
    }
}

/// Checks that the results that exist are complete, and returns whether all of them exist.
fn check(home: &Path, results: &str, moment: &str) -> bool {
    let mut is_all = true;
    for name in INPUTS.iter().flat_map(|input| ENDINGS.map(|ending| format!("{input}.{ending}"))) {
        let table = |folder: &str| fs::read(home.join(folder).join(&name));
        match table(results) {
            Ok(bytes) => assert!(bytes == table("undisturbed").unwrap(), "a part of {name} under its name, {moment}"),
            Err(_) => is_all = false,
        }
    }
    is_all
}

#[test]
fn a_batch_that_was_killed_at_any_moment_is_resumed_with_the_same_result() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_videos(home);
    let began = Instant::now();
    analyze(home, &[&INPUTS[..], &FORMATS, &["--output", "undisturbed"]].concat()).success();
    let takes = began.elapsed();

    let results = home.join("killed");
    let arguments = [&["analyze"], &INPUTS[..], &FORMATS, &["--output", "killed"]].concat();
    // Killed while it works on the first file, and when the first table has just got its name.
    let child = start(home, &arguments);
    wait_until("the first temporary folder", || parts(&results) > 0);
    kill(child);
    check(home, "killed", "at work");
    let child = start(home, &arguments);
    wait_until("the first table", || results.join("a.mp4.csv").exists());
    kill(child);
    check(home, "killed", "after the first table");
    for _ in 0..4 {
        let moment = takes.mul_f64(rand::random_range(0.3..0.9));
        let child = start(home, &arguments);
        std::thread::sleep(moment);
        kill(child);
        check(home, "killed", &format!("after {moment:?} of {takes:?}"));
    }
    analyze(home, &arguments[1..]).success();
    assert!(check(home, "killed", "at the end"));
    assert_eq!(parts(&results), 0, "leftovers");
}

#[test]
fn results_stay_until_new_ones_take_their_place() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 60);
    analyze(home, &["clip.mp4", "--skip", "1"]).success();
    let results = home.join("mien-results");
    let table = || fs::read(results.join("clip.mp4.csv")).unwrap();
    let old = table();
    let forced = ["analyze", "clip.mp4", "--force"];
    let child = start(home, &forced);
    wait_until("the temporary folder", || parts(&results) > 0);
    kill(child);
    assert_eq!(table(), old);
    analyze(home, &["clip.mp4", "--skip", "1"]).success().stdout(contains("1 done before"));
    analyze(home, &forced[1..]).success();
    assert_ne!(table(), old);
    assert_eq!(parts(&results), 0, "leftovers");
}

#[test]
fn two_batches_in_one_folder_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 5);
    fs::create_dir(home.join("mien-results")).unwrap();
    let lock = File::create(home.join("mien-results/.mien-lock")).unwrap();
    lock.lock().unwrap();
    let words = contains("another `mien analyze` is writing to").and(contains("--output"));
    analyze(home, &["clip.mp4"]).code(75).stderr(words);
    drop(lock);
    analyze(home, &["clip.mp4"]).success();
}

#[cfg(unix)]
#[test]
fn a_batch_leaves_the_files_of_a_replay_alone_that_writes_to_the_same_folder() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // Long enough to be stopped while it writes, also on a busy machine.
    video_with_face(&home.join("long.mp4"), 500);
    video_with_face(&home.join("short.mp4"), 5);
    let results = home.join("mien-results");
    let mut replay = start(home, &["replay", "long.mp4", "--headless"]);
    wait_until("what the replay writes", || parts(&results) == 2);
    signal(&replay, "-STOP");
    analyze(home, &["short.mp4"]).success();
    assert_eq!(parts(&results), 2, "the replay lost its files");
    signal(&replay, "-CONT");
    assert!(replay.wait().unwrap().success());
    assert!(["mp4", "csv"].iter().all(|ending| results.join(format!("long-emotions.{ending}")).exists()));
    assert_eq!(parts(&results), 0);
    // The next batch removes what a killed replay leaves.
    let replay = start(home, &["replay", "long.mp4", "--headless"]);
    wait_until("what the replay writes", || parts(&results) == 2);
    kill(replay);
    assert_eq!(parts(&results), 2, "the replay ended before it was killed");
    analyze(home, &["short.mp4"]).success();
    assert_eq!(parts(&results), 0, "leftovers");
}
