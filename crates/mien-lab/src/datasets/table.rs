//! What the readers of tables share.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::DataError;
use mien_core::columns::{NOT_UTF8, is_utf16};

/// Maximum number of bytes that are read of the first line; no known header is longer.
const HEADER_BYTES: u64 = 4096;

/// Converts a csv error to a [`DataError`].
pub(super) fn from_csv(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Io(io) => {
            DataError::Read { path: path.to_owned(), source: io::Error::new(io.kind(), io.to_string()) }
        }
        _ => DataError::Row { path: path.to_owned(), line, problem: error.to_string() },
    }
}

/// A table's first line.
///
/// # Errors
/// When the file can't be read, or is UTF-16 text.
pub(super) fn first_line(path: &Path) -> Result<String, DataError> {
    let mut line = Vec::new();
    let read = File::open(path)
        .and_then(|file| BufReader::new(file.take(HEADER_BYTES)).read_until(b'\n', &mut line))
        .and_then(|_| if is_utf16(&line) { Err(io::Error::new(io::ErrorKind::InvalidData, NOT_UTF8)) } else { Ok(()) });
    read.map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The names of columns that commas separate in a file's first line, in lower case and without spaces around them.
///
/// # Errors
/// When the file can't be read.
pub(super) fn header(path: &Path) -> Result<Vec<String>, DataError> {
    let line = first_line(path)?;
    let line = line.trim_start_matches('\u{feff}');
    Ok(line.split(',').map(|name| name.trim().trim_matches('"').to_lowercase()).collect())
}
