//! What the readers of tables share.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::DataError;

/// Maximum number of bytes that are read of the first line; no known header is longer.
const HEADER_BYTES: u64 = 4096;

/// Converts a csv error to a [`DataError`].
pub(super) fn from_csv(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Io(io) => {
            DataError::Read { path: path.to_owned(), source: std::io::Error::new(io.kind(), io.to_string()) }
        }
        _ => DataError::Row { path: path.to_owned(), line, problem: error.to_string() },
    }
}

/// The column names of a file's first line, in lower case and without spaces around them.
///
/// # Errors
/// When the file can't be read.
pub(super) fn header(path: &Path) -> std::io::Result<Vec<String>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(HEADER_BYTES)).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_start_matches('\u{feff}');
    Ok(line.split(',').map(|name| name.trim().trim_matches('"').to_lowercase()).collect())
}
