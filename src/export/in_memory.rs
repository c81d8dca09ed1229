//! Results that are made in memory.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use opencv::core::{Mat, Vector};
use opencv::imgcodecs;

use super::{Existing, ExportError, PartialFile};

/// Writes a file, completely or not at all.
///
/// # Errors
/// When the folder can't be written to, a file of that name exists and must be kept, or the disk is full. An existing file stays as it was.
pub fn write_file(path: &Path, bytes: &[u8], existing: Existing) -> Result<PathBuf, ExportError> {
    let (partial, mut file) = PartialFile::begin(path, existing)?;
    let written = file.write_all(bytes);
    written.map_err(|reason| ExportError::Write { path: partial.destination().to_owned(), reason })?;
    drop(file);
    partial.finish()
}

/// Encodes a picture in the format of `ending`, an extension without the dot. The bytes are written separately, because OpenCV's `imwrite`
/// doesn't support Unicode paths on Windows.
///
/// # Errors
/// When OpenCV can't encode it.
pub fn encoded(picture: &Mat, ending: &str) -> opencv::Result<Vec<u8>> {
    let mut bytes = Vector::new();
    imgcodecs::imencode(&format!(".{ending}"), picture, &mut bytes, &Vector::new())?;
    Ok(bytes.into())
}
