//! The program ffmpeg, for videos of kinds that OpenCV doesn't write. `make test` installs it.

use std::path::Path;
use std::process::Command;

/// Whether it is installed; says so if a test is skipped for that.
pub fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: this test needs the program ffmpeg to write its video");
    }
    found
}

/// Writes a file.
pub fn ffmpeg(arguments: &[&str], output: &Path) {
    let status = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).arg(output).status().unwrap();
    assert!(status.success());
}
