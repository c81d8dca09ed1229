//! Files for the program to refuse, and its answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder of files that goes away with the test.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Checks that a program failed with one line of error, its last, that contains all of `said`.
#[track_caller]
pub fn assert_one_error(output: &Output, said: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let errors: Vec<_> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "not one error:\n{err}");
    assert_eq!(err.lines().last(), Some(errors[0]), "something came after the error:\n{err}");
    assert!(!err.contains("panicked"), "{err}");
    for words in said {
        assert!(errors[0].contains(words), "“{words}” is not in: {}", errors[0]);
    }
}
