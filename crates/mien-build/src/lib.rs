//! Shared by the build scripts of Mien's crates: linking libtorch and recording the commit.
//!
//! Linker flags from a build script apply only to its own package, so each package whose tests or programs run
//! libtorch calls [`link_libtorch`] in its build script.

// Build scripts talk to Cargo through standard output.
#![allow(clippy::print_stdout)]

use std::env;
use std::path::Path;
use std::process::Command;

/// Runs a build script's steps and reports their error, if any, to Cargo.
pub fn run(steps: impl FnOnce() -> Result<(), String>) {
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(message) = steps() {
        println!("cargo::error={message}");
    }
}

/// Environment variable with the folders in which packaged programs look for libtorch and other libraries, separated by colons.
/// `$ORIGIN` is the program's own folder.
const SEARCHED_FOLDERS: &str = "MIEN_RPATH";

/// Links libtorch so that programs and tests find it where it was at link time, or in `SEARCHED_FOLDERS` if set. Returns its folder.
///
/// # Errors
/// When torch-sys, which must be a direct dependency of the package, doesn't say where libtorch is.
pub fn link_libtorch() -> Result<String, String> {
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let lib = env::var("DEP_TCH_LIBTORCH_LIB")
        .map_err(|_not_set| "torch-sys did not say where libtorch is; is it still a direct dependency?")?;
    let target_os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    println!("cargo::rerun-if-env-changed={SEARCHED_FOLDERS}");
    match env::var(SEARCHED_FOLDERS) {
        _ if target_os == "windows" => {}
        // DT_RPATH, unlike the newer DT_RUNPATH, also applies to libraries of libraries: OpenCV finds the FFmpeg beside it.
        Ok(folders) => println!("cargo::rustc-link-arg=-Wl,--disable-new-dtags,-rpath,{folders}"),
        Err(_) => println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}"),
    }
    if target_os == "linux" {
        // Nothing refers to libtorch.so itself, so without this the linker silently drops it, and CUDA with it.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
    Ok(lib)
}

/// Sets `MIEN_GIT_COMMIT` for the compiled code: the short hash of the current commit, or `unknown` outside a checkout.
pub fn record_commit() {
    println!("cargo::rustc-env=MIEN_GIT_COMMIT={}", commit().unwrap_or_else(|| "unknown".into()));
}

fn commit() -> Option<String> {
    // The log of HEAD changes with every commit and checkout, in a linked worktree too. A missing file would make
    // cargo run the script every time.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
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
