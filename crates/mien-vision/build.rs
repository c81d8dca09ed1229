//! Links libtorch for this crate's tests and finds the face cascade to embed.

// Build scripts talk to Cargo through standard output.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::{env, fs};

/// OpenCV's file name of the cascade that the detector embeds.
const CASCADE: &str = "haarcascade_frontalface_default.xml";

/// Where packages put OpenCV's cascades: Debian and Ubuntu, OpenCV built from source, Homebrew.
const CASCADE_FOLDERS: [&str; 6] = [
    "/usr/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/local/share/opencv/haarcascades",
    "/opt/homebrew/share/opencv4/haarcascades",
    "/usr/local/opt/opencv/share/opencv4/haarcascades",
];

fn main() {
    mien_build::run(|| {
        mien_build::link_libtorch()?;
        embed_cascade()
    });
}

/// Copies the cascade of the installed OpenCV data to where `include_bytes!(env!("MIEN_CASCADE"))` finds it.
fn embed_cascade() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=MIEN_CASCADE_FILE");
    println!("cargo::rerun-if-env-changed=OPENCV_DATA");
    let cascade = find_cascade()?;
    println!("cargo::rerun-if-changed={}", cascade.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?).join(CASCADE);
    // Not fs::copy: the copy of a read-only file would be read-only, and the next build would fail.
    fs::read(&cascade)
        .and_then(|xml| fs::write(&out, xml))
        .map_err(|error| format!("cannot copy {} to {}: {error}", cascade.display(), out.display()))?;
    println!("cargo::rustc-env=MIEN_CASCADE={}", out.display());
    Ok(())
}

fn find_cascade() -> Result<PathBuf, String> {
    if let Some(file) = env::var_os("MIEN_CASCADE_FILE").map(PathBuf::from) {
        return if file.is_file() {
            Ok(file)
        } else {
            Err(format!("MIEN_CASCADE_FILE is {}, but there is no such file", file.display()))
        };
    }
    let of_the_user = env::var_os("OPENCV_DATA").map(PathBuf::from);
    let of_the_user = of_the_user.into_iter().flat_map(|data| [data.join("haarcascades"), data]);
    of_the_user
        .chain(CASCADE_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(CASCADE))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!(
                "{CASCADE} was not found in OpenCV's usual places. Run scripts/setup.sh, or install it \
                 (Debian, Ubuntu: apt install opencv-data; macOS: brew install opencv), \
                 or set MIEN_CASCADE_FILE to the file"
            )
        })
}
