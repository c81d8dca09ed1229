//! `mien bench` as users and programs run it.
#![cfg(feature = "vision")]

use std::fs;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::program::{
    self, assert_refused, empty_picture, mien, picture_with_face_at, video_with_face, video_without_face, write_video,
};

/// Runs `mien bench` on a video of 12 frames and reads its JSON.
fn bench(arguments: &[&str]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("face.mp4");
    video_with_face(&video, 12);
    let output = mien().arg("bench").arg(&video).arg("--json").args(arguments).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_json_holds_what_was_measured_on_a_video_that_was_repeated() {
    let json = bench(&["--frames", "40", "--warmup", "5"]);
    assert_eq!((&json["frames"], &json["warmup_frames"]), (&40.into(), &5.into()));
    assert_eq!((&json["source"]["width"], &json["source"]["height"]), (&320.into(), &240.into()));
    assert_eq!(number(&json["source"]["fps"]), 25.0);
    assert_eq!(json["source"]["frames"], 12);
    assert!(number(&json["frames_with_face"]) >= 36.0, "{json:#}");
    assert!(number(&json["faces"]) >= number(&json["frames_with_face"]));
    assert!((number(&json["fps"]) - 40.0 / number(&json["seconds"])).abs() < 0.01 * number(&json["fps"]));
    for stage in ["read", "convert", "detect", "crop", "classify"] {
        let figures = ["p50_ms", "p95_ms", "p99_ms", "max_ms"].map(|name| number(&json["stages"][stage][name]));
        assert!(figures.is_sorted() && figures[3] > 0.0, "{stage}: {figures:?}");
        assert!(number(&json["stages"][stage]["mean_ms"]) <= figures[3] + 0.01, "{stage}");
    }
    assert!(number(&json["peak_memory_bytes"]) > 50e6);
    assert!(number(&json["time_to_first_label_ms"]) > 0.0);
    assert!(json["device"].is_string() && json["model"].is_string() && json["versions"]["libtorch"].is_string());
    let kinds: Vec<_> = json["warnings"].as_array().unwrap().iter().map(|w| w["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"short_run"), "{kinds:?}");
    assert_eq!(kinds.contains(&"debug_build"), cfg!(debug_assertions));
}

#[test]
fn one_stage_alone_leaves_the_others_out() {
    for stage in ["detect", "classify"] {
        let json = bench(&["--frames", "20", "--warmup", "2", "--stage", stage]);
        let stages: Vec<_> = json["stages"].as_object().unwrap().keys().collect();
        assert_eq!(stages, [stage]);
        assert_eq!(json["scope"], stage);
        // Its frame rate is that of the stage: the mean time is the time of one frame.
        let mean_ms = number(&json["stages"][stage]["mean_ms"]);
        assert!(number(&json["fps"]) * mean_ms / 1e3 <= 1.02, "{json:#}");
    }
}

#[test]
fn the_network_is_measured_on_a_face_that_comes_late() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("late.mp4");
    write_video(&video, 24, |number| if number < 16 { empty_picture() } else { picture_with_face_at(100) });
    let mut command = mien();
    command.arg("bench").arg(&video).args(["--frames", "5", "--warmup", "0", "--stage", "classify"]);
    command.assert().success().stdout(contains("classify"));
}

#[test]
fn the_report_for_people_has_the_same_and_advice() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("face.mp4");
    video_with_face(&video, 12);
    let report = contains("Benchmark: face.mp4 (320×240")
        .and(contains("fps"))
        .and(contains("detect"))
        .and(contains("Warning: Only 20 frames"))
        .and(contains("\u{1b}").not());
    let arguments = ["--frames", "20", "--warmup", "2", "--smoothing", "off"];
    mien().arg("bench").arg(&video).args(arguments).assert().success().stdout(report);
}

#[test]
fn a_video_without_a_face_is_measured_with_a_warning_but_not_the_network_on_it() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("wall.mp4");
    video_without_face(&video, 12);
    let run = |arguments: &[&str]| {
        let mut command = mien();
        command.arg("bench").arg(&video).args(["--frames", "10", "--warmup", "0"]).args(arguments);
        command
    };
    run(&[]).assert().success().stdout(contains("No face was found"));
    assert_refused(&mut run(&["--stage", "classify"]), &["wall.mp4", "no face"]);
}

#[test]
fn what_cannot_be_measured_is_refused_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let video = home.path().join("face.mp4");
    video_with_face(&video, 12);
    let whole = fs::read(&video).unwrap();

    assert_refused(mien().arg("bench"), &["demo clip", "make setup"]);
    assert_refused(mien().args(["bench", "no-such.mp4"]), &["no-such.mp4"]);
    assert_refused(mien().arg("bench").arg(file("empty.mp4", b"")), &["empty.mp4", "empty"]);
    assert_refused(mien().arg("bench").arg(file("text.mp4", b"Once upon a time\n")), &["text.mp4"]);
    assert_refused(mien().arg("bench").arg(file("cut.mp4", &whole[..whole.len() / 2])), &["cut.mp4"]);
    assert_refused(mien().arg("bench").arg(home.path()), &["folder"]);
    let model = file("model.safetensors", b"no weights");
    assert_refused(mien().arg("bench").arg(&video).arg("--model").arg(&model), &["model", "card"]);
    assert_refused(mien().arg("bench").arg(&video).args(["--model", "no-such-model"]), &["no-such-model"]);
    if !tch::Cuda::is_available() {
        assert_refused(mien().arg("bench").arg(&video).args(["--device", "cuda"]), &["CUDA"]);
    }
    for wrong in [["--frames", "0"], ["--threads", "0"], ["--device", "gpu"], ["--stage", "paint"]] {
        mien().arg("bench").arg(&video).args(wrong).assert().code(2).stderr(contains(wrong[0]));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_measurement_without_figures() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("face.mp4");
    video_with_face(&video, 12);
    let mut command = std::process::Command::new(program::binary());
    command.arg("bench").arg(&video).args(["--frames", "10000000"]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    program::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with("interrupted: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(output.stdout.is_empty());
}
