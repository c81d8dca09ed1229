//! A file as it was when it was analysed or written, to notice later changes.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::products::Product;
use crate::lab::provenance::sha256;

/// A file in a certain state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Its path.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970; `None` where the system doesn't say.
    pub modified_ms: Option<u64>,
}

impl FileState {
    /// The present state of a file.
    ///
    /// # Errors
    /// When the file can't be accessed.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let modified = metadata.modified().ok().and_then(since_1970);
        let modified_ms = modified.and_then(|time| u64::try_from(time.as_millis()).ok());
        Ok(Self { path: path.to_owned(), bytes: metadata.len(), modified_ms })
    }
}

/// A result as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its product; missing in records of schema 1.
    #[serde(default)]
    pub product: Option<Product>,
    /// The file.
    #[serde(flatten)]
    pub file: FileState,
    /// SHA-256 of its contents; missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Output {
    /// Describes a file as it is now.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(product: Product, path: &Path) -> std::io::Result<Self> {
        Ok(Self { product: Some(product), file: FileState::of(path)?, sha256: Some(sha256(path)?) })
    }

    /// Whether the file has the recorded contents.
    pub fn is_as_noted(&self) -> bool {
        self.sha256.as_ref().is_some_and(|sum| sha256(&self.file.path).is_ok_and(|now| now == *sum))
    }

    /// Whether the file, in its present state `now`, is as it was written. The contents are read only if its time has changed, as it also
    /// has in a folder that was copied. Without a recorded checksum, the length decides.
    pub fn is_as_written(&self, now: &FileState) -> bool {
        let FileState { bytes, modified_ms, .. } = &self.file;
        now.bytes == *bytes && (now.modified_ms == *modified_ms || self.sha256.is_none() || self.is_as_noted())
    }
}
