//! Links libtorch and records the versions that the program reports.

// Cargo reads a build script's instructions from standard output.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::Path;

fn main() {
    mien_build::run(|| {
        let libtorch = mien_build::link_libtorch()?;
        println!("cargo::rustc-env=MIEN_LIBTORCH_VERSION={}", libtorch_version(Path::new(&libtorch)));
        mien_build::record_commit();
        Ok(())
    });
}

/// The version, such as `2.11.0` or `2.11.0+cu130`, from the file beside `lib`: `build-version` in a libtorch, `version.py` in an installed
/// torch.
fn libtorch_version(lib: &Path) -> String {
    let build_version = lib.with_file_name("build-version");
    let python = lib.with_file_name("version.py");
    let file = if build_version.exists() { &build_version } else { &python };
    let Ok(text) = fs::read_to_string(file) else { return "unknown".into() };
    println!("cargo::rerun-if-changed={}", file.display());
    let of_python = text.lines().find_map(|line| line.strip_prefix("__version__ = '")?.strip_suffix('\''));
    of_python.unwrap_or(text.trim()).to_owned()
}
