//! What the crate needs to know at compile time: how to link libtorch, the face cascade to embed, and versions to report.

// How Cargo is spoken to.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The cascade that the detector embeds, as OpenCV names it.
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
    println!("cargo::rerun-if-changed=build.rs");
    let outcome = link_libtorch().and_then(|()| embed_cascade());
    if let Err(message) = outcome {
        println!("cargo::error={message}");
    }
    println!("cargo::rustc-env=MIEN_GIT_COMMIT={}", git_commit().unwrap_or_else(|| "unknown".into()));
}

/// Makes the binaries and tests find libtorch where it was when they were linked, and records its version.
fn link_libtorch() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let lib = env::var("DEP_TCH_LIBTORCH_LIB")
        .map_err(|_not_set| "torch-sys did not say where libtorch is; is it still a direct dependency?")?;
    let target_os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if target_os != "windows" {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
    if target_os == "linux" {
        // Nothing refers to libtorch.so itself: without this the linker drops it, and CUDA with it, silently.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
    println!("cargo::rustc-env=MIEN_LIBTORCH_VERSION={}", libtorch_version(Path::new(&lib)));
    Ok(())
}

/// Such as `2.11.0` or `2.11.0+cu130`, from the file beside `lib` that a libtorch or an installed torch has.
fn libtorch_version(lib: &Path) -> String {
    let build_version = lib.with_file_name("build-version");
    let python = lib.with_file_name("version.py");
    let file = if build_version.exists() { &build_version } else { &python };
    let Ok(text) = fs::read_to_string(file) else { return "unknown".into() };
    println!("cargo::rerun-if-changed={}", file.display());
    let of_python = text.lines().find_map(|line| line.strip_prefix("__version__ = '")?.strip_suffix('\''));
    of_python.unwrap_or(text.trim()).to_owned()
}

/// Copies the cascade of the installed OpenCV data to where `include_bytes!(env!("MIEN_CASCADE"))` finds it.
fn embed_cascade() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=MIEN_CASCADE_FILE");
    println!("cargo::rerun-if-env-changed=OPENCV_DATA");
    if env::var_os("CARGO_FEATURE_VISION").is_none() {
        return Ok(());
    }
    let cascade = find_cascade()?;
    println!("cargo::rerun-if-changed={}", cascade.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?).join(CASCADE);
    // Not fs::copy: it would make the copy read-only where the original is, and the next build would fail.
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

/// The short hash of the commit that is being built; `None` outside a git checkout.
fn git_commit() -> Option<String> {
    // The log of HEAD changes with every commit and checkout, in a linked worktree too. A missing file would make
    // cargo run this script every time.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).is_file() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=10", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
