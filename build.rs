//! What the program needs to know at compile time: how to link libtorch, and versions to report.

// How Cargo is spoken to.
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
