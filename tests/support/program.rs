//! The program as a user starts it, and videos for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use opencv::core::{CV_8UC3, Mat, Rect, Scalar, Size};
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

use super::drawn_face::picture_with_face;

pub const WIDTH: i32 = 320;
pub const HEIGHT: i32 = 240;

/// Timeout for what must happen; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the program's binary is.
pub fn binary() -> PathBuf {
    assert_cmd::cargo::cargo_bin("mien")
}

/// The program on a machine without a display and without a demo clip.
pub fn mien() -> Command {
    let mut command = Command::new(binary());
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env("MIEN_DEMO_CLIP", "/no/such/clip.mp4");
    command
}

/// Checks that a command is refused: exit code 1, and one line of error that contains all of `words`.
pub fn assert_refused(command: &mut Command, words: &[&str]) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.trim_end().lines().count() == 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "“{word}” is not in: {stderr}");
    }
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
}

/// Writes a video with a face that moves a little.
pub fn video_with_face(path: &Path, frames: i32) {
    write_video(path, frames, |number| picture_with_face_at(100 + number % 20));
}

/// A frame with a face at `left` pixels from the left.
pub fn picture_with_face_at(left: i32) -> Mat {
    picture_with_face(WIDTH, HEIGHT, Rect::new(left, 70, 110, 110))
}

/// A frame without a face.
pub fn empty_picture() -> Mat {
    Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(90.0)).unwrap()
}

/// Writes a video without a face.
pub fn video_without_face(path: &Path, frames: i32) {
    write_video(path, frames, |_| empty_picture());
}

/// Writes a video of noise, which no encoder can compress.
pub fn video_of_noise(path: &Path, frames: i32) {
    write_video(path, frames, |_| {
        let mut picture = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(0.0)).unwrap();
        opencv::core::randu(&mut picture, &Scalar::all(0.0), &Scalar::all(256.0)).unwrap();
        picture
    });
}

/// Writes a video: an `.avi` as MJPEG, which can be cut off anywhere, everything else as MPEG-4.
pub fn write_video(path: &Path, frames: i32, picture: impl Fn(i32) -> Mat) {
    let codec = if path.extension().is_some_and(|extension| extension == "avi") { *b"MJPG" } else { *b"mp4v" };
    let size = Size::new(WIDTH, HEIGHT);
    let mut writer = VideoWriter::new(path, i32::from_le_bytes(codec), 25.0, size, true).unwrap();
    assert!(writer.is_opened().unwrap(), "OpenCV can't write {}", path.display());
    for number in 0..frames {
        writer.write(&picture(number)).unwrap();
    }
    writer.release().unwrap();
}

/// Waits until `is_so` is true.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends Ctrl-C to a program, once the program handles it.
#[cfg(target_os = "linux")]
pub fn interrupt(child: &Child) {
    // Bit 1 is SIGINT.
    wait_until("the handler of Ctrl-C", || signals(child, "SigCgt:") & 0b10 != 0);
    signal(child, "-INT");
}

/// The signals that a program catches (`SigCgt:`) or ignores (`SigIgn:`), one bit each: bit 0 is SIGHUP.
#[cfg(target_os = "linux")]
pub fn signals(child: &Child, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let signals = status.lines().find_map(|line| line.strip_prefix(which)).unwrap().trim();
    u64::from_str_radix(signals, 16).unwrap()
}

/// Sends a signal, such as `-STOP`, to a program.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
