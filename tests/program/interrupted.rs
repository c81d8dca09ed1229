//! Batches that are asked to stop while they work.
#![cfg(all(feature = "vision", target_os = "linux"))]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::ffmpeg::stand_ins;
use crate::support::program::{binary, interrupt, mien, signal, signals, video_with_face, wait_until};

/// Starts an analysis with this command. Returns once the analysis is waiting for an ffmpeg that never ends.
fn start(home: &Path, mut command: Command, inputs: &[&str]) -> Child {
    let (programs, began) = (home.join("programs"), home.join("began"));
    stand_ins(&programs, &format!("echo > '{}'; exec sleep 3600", began.display()));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    command.current_dir(home).arg("analyze").args(inputs).args(["--video", "--summary"]).env("PATH", path);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("ffmpeg", || began.exists());
    child
}

/// Waits for an interrupted analysis to end, and returns its messages.
fn interrupted(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    said
}

fn assert_nothing_is_left(home: &Path) {
    let left: Vec<_> = fs::read_dir(home.join("mien-results")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == ".mien-lock" || name == "index.html"), "{left:?}");
}

#[test]
fn an_ffmpeg_that_hangs_does_not_hold_ctrl_c_up() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 10);
    let child = start(home, Command::new(binary()), &["clip.mp4"]);
    interrupt(&child);
    interrupted(child);
    assert_nothing_is_left(home);
}

#[test]
fn two_signals_at_the_end_of_a_session_are_one_request() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 10);
    let child = start(home, Command::new(binary()), &["clip.mp4"]);
    // The program gets them together when it continues.
    for name in ["-STOP", "-TERM", "-HUP", "-CONT"] {
        signal(&child, name);
    }
    let said = interrupted(child);
    assert!(said.contains("interrupted: 0 of 1 are finished"), "{said}");
    assert_nothing_is_left(home);
}

#[test]
fn what_nohup_started_outlives_its_terminal_and_can_be_stopped() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 10);
    let mut command = Command::new("nohup");
    command.arg(binary());
    let mut child = start(home, command, &["clip.mp4"]);
    assert!(signals(&child, "SigIgn:") & 1 != 0, "SIGHUP is not ignored any more");
    signal(&child, "-HUP");
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "-TERM");
    interrupted(child);
}

#[test]
fn files_that_were_refused_do_not_count_as_kept() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for name in ["a.mp4", "clip.mp4"] {
        video_with_face(&home.join(name), 10);
    }
    mien().current_dir(home).args(["analyze", "a.mp4", "--skip", "1"]).assert().success();
    let child = start(home, Command::new(binary()), &["a.mp4", "clip.mp4"]);
    interrupt(&child);
    let said = interrupted(child);
    assert!(said.contains("0 of 2 are finished and kept"), "{said}");
}
