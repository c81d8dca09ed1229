//! The program ffmpeg, for videos of kinds that OpenCV doesn't write. `make test` installs it.

use std::path::Path;
use std::process::Command;

/// Whether ffmpeg is installed. If not, prints that the test is skipped.
pub fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: this test needs the program ffmpeg to write its video");
    }
    found
}

/// Writes a file with ffmpeg.
pub fn ffmpeg(arguments: &[&str], output: &Path) {
    let status = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).arg(output).status().unwrap();
    assert!(status.success());
}

/// Fills a folder for PATH with stand-ins for ffprobe and ffmpeg. `ffmpeg` is the shell script of the latter.
#[cfg(unix)]
pub fn stand_ins(folder: &Path, ffmpeg: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder).unwrap();
    let probe = r#"echo '{"streams": [{"codec_type": "audio", "codec_name": "aac"}], "format": {}}'"#;
    for (name, script) in [("ffprobe", probe), ("ffmpeg", ffmpeg)] {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}
