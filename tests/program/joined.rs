//! Files that were joined end to end, so that their clock restarts in the middle: a seek of FFmpeg may end up in any of the pieces.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::ffmpeg::{ffmpeg, has_ffmpeg};
use crate::support::program::{mien, video_with_face, video_without_face};

/// Frames per piece, which is four seconds long.
const FRAMES: i32 = 100;

/// Writes four seconds without a face, whose clock begins at `begin` seconds, four with a face, and both joined into a file of 200 frames.
fn joined(home: &Path, begin: &str) {
    video_without_face(&home.join("nobody.mp4"), FRAMES);
    video_with_face(&home.join("somebody.mp4"), FRAMES);
    let piece = |name: &str, begin: &str| {
        let (from, to) = (home.join(format!("{name}.mp4")), home.join(format!("{name}.ts")));
        let encode = ["-c:v", "mpeg2video", "-q:v", "2", "-output_ts_offset", begin];
        ffmpeg(&[&["-i", from.to_str().unwrap()][..], &encode].concat(), &to);
        fs::read(to).unwrap()
    };
    fs::write(home.join("joined.ts"), [piece("nobody", begin), piece("somebody", "0")].concat()).unwrap();
}

/// The rows of a table of frames whose times lie in a range, in seconds.
fn rows(table: &Path, from: f64, to: f64) -> Vec<String> {
    let text = fs::read_to_string(table).unwrap();
    let time = |row: &&str| row.split(',').nth(2).unwrap().parse::<f64>().unwrap();
    text.lines().skip(1).filter(|row| (from..to).contains(&time(row))).map(str::to_owned).collect()
}

#[test]
fn a_section_of_a_joined_file_is_that_of_the_whole() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    joined(home, "0");
    let analyze = |output: &str, options: &[&str]| {
        let arguments = ["analyze", "joined.ts", "--frames", "--output", output];
        mien().current_dir(home).args([&arguments[..], options].concat()).assert().success();
        home.join(output).join("joined.ts.frames.csv")
    };
    let whole = analyze("whole", &[]);
    assert!(rows(&whole, 0.0, 9.0).len() > 190);
    // The file declares a length of four seconds.
    for (from, to) in [("2.5", "3.5"), ("5.1", "6.1")] {
        let table = analyze(from, &["--from", from, "--to", to]);
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let (section, all) = (rows(&table, from, to), rows(&table, 0.0, 9.0));
        assert!(
            section.len() > 20 && section.len() == all.len(),
            "{} frames in it, {} in all",
            section.len(),
            all.len()
        );
        // On which of these frames a face is found depends on the frames before, so the numbers of faces may differ.
        let frames =
            |rows: &[String]| -> Vec<_> { rows.iter().map(|row| row.rsplit_once(',').unwrap().0.to_owned()).collect() };
        assert_eq!(frames(&section), frames(&rows(&whole, from, to)));
        let faces = section.iter().filter(|row| !row.ends_with(",0")).count();
        assert_eq!(faces > 0, from > 4.0, "{faces} frames with a face after {from} s");
    }
}

#[test]
fn time_goes_on_where_the_first_clock_stood_far_higher_than_the_second() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    joined(home, "3600");
    mien().current_dir(home).args(["analyze", "joined.ts", "--frames", "--output", "whole"]).assert().success();
    let table = home.join("whole").join("joined.ts.frames.csv");
    assert!(rows(&table, 0.0, 9.0).len() > 190);
    assert_eq!(rows(&table, 9.0, f64::MAX), [""; 0]);
}

#[test]
fn a_joined_file_is_not_cut_and_others_of_its_kind_are() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    joined(home, "0");
    let plan = |file: &str| {
        let arguments = ["plan", file, "--split", "2s", "--overlap", "1s"];
        mien().current_dir(home).args(arguments).assert().success()
    };
    let lines = |stdout: &[u8]| -> Vec<Value> {
        str::from_utf8(stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let told = "joined.ts stays whole: its clock starts again";
    let whole = lines(&plan("joined.ts").stderr(contains(told)).get_output().stdout);
    assert_eq!((whole.len(), whole[0].get("part")), (1, None));
    let parts = lines(&plan("somebody.ts").stderr(contains("stays whole").not()).get_output().stdout);
    assert!(parts.len() > 1 && parts.iter().all(|line| line["part"].is_object()), "{parts:?}");
}
