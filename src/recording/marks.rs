//! Moments that the user marked.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::whole;

/// Maximum size of a list of marks in bytes: some hundred thousand marks.
const MOST_BYTES: u64 = 8 << 20;

/// A marked moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Time since the recording began.
    pub time: Duration,
    /// What the user wrote; may be empty.
    pub text: String,
}

/// Why marks can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The file can't be written.
    #[error("can't write to {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: std::io::Error,
    },
    /// The file can't be read, or has an invalid row.
    #[error("can't read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: csv::Error,
    },
}

/// A mark as stored in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedMark {
    time_s: f64,
    text: String,
}

impl SavedMark {
    /// The names of its fields, for a table without a row.
    pub(super) const COLUMNS: [&str; 2] = ["time_s", "text"];

    pub(super) fn to_mark(&self) -> Mark {
        Mark { time: Duration::try_from_secs_f64(self.time_s).unwrap_or_default(), text: self.text.clone() }
    }
}

impl From<&Mark> for SavedMark {
    fn from(mark: &Mark) -> Self {
        Self { time_s: mark.time.as_secs_f64(), text: mark.text.clone() }
    }
}

/// Adds a mark to the file at `path`, which is created if necessary. The mark is on the disk when this returns.
///
/// # Errors
/// When the file can't be written.
pub fn append_mark(path: &Path, mark: &Mark) -> Result<(), MarkError> {
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        let mut rows = csv::WriterBuilder::new().has_headers(length == 0).from_writer(Vec::new());
        rows.serialize(SavedMark::from(mark)).map_err(std::io::Error::from)?;
        let row = rows.into_inner().map_err(csv::IntoInnerError::into_error)?;
        // In one piece or not at all: half a row would make the whole list unreadable.
        whole::append(&mut file, length, &row)?;
        file.sync_data()
    };
    write().map_err(|reason| MarkError::Write { path: path.to_owned(), reason })
}

/// Reads the marks in a file, ordered by time; none if there is no file.
///
/// # Errors
/// When the file or a row can't be read.
pub fn read_marks(path: &Path) -> Result<Vec<Mark>, MarkError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let read = || {
        let mut marks = Vec::new();
        for row in csv::Reader::from_reader(bounded::read(path, MOST_BYTES)?.as_slice()).deserialize() {
            let row: SavedMark = row?;
            marks.push(row.to_mark());
        }
        marks.sort_by_key(|mark| mark.time);
        Ok(marks)
    };
    read().map_err(|reason| MarkError::Read { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_in_order_of_time_with_any_text() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("marks.csv");
        assert_eq!(read_marks(&path).unwrap(), []);
        let mark = |millis, text: &str| Mark { time: Duration::from_millis(millis), text: text.to_owned() };
        let (first, second) = (mark(1500, "laughs, \"loudly\"\nand long"), mark(12_250, ""));
        append_mark(&path, &second).unwrap();
        append_mark(&path, &first).unwrap();
        assert_eq!(read_marks(&path).unwrap(), [first, second]);
    }

    /// Runs itself again, in a process whose files can't grow beyond some KiB.
    #[cfg(unix)]
    #[test]
    fn on_a_full_disk_the_marks_before_are_kept() {
        const FILE: &str = "MIEN_TEST_FULL_DISK_MARKS";
        const KIBIBYTES: usize = 8;
        let mark = Mark { time: Duration::from_millis(1500), text: "laughs, loudly and long; ".repeat(20) };
        if let Some(path) = std::env::var_os(FILE) {
            let full = (0..1000).find_map(|_| append_mark(Path::new(&path), &mark).err()).unwrap();
            assert!(matches!(full, MarkError::Write { .. }), "{full}");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("marks.csv");
        let test = "recording::marks::tests::on_a_full_disk_the_marks_before_are_kept";
        crate::full_disk::test_again(test, FILE, &path, KIBIBYTES);
        let marks = read_marks(&path).unwrap();
        assert!(marks.len() > 3 && marks.iter().all(|kept| *kept == mark), "{marks:?}");
    }

    #[test]
    fn a_broken_row_is_named_by_its_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("marks.csv");
        std::fs::write(&path, "time_s,text\n1,a\nx,b\n").unwrap();
        let error = read_marks(&path).unwrap_err().to_string();
        assert!(error.contains("marks.csv") && error.contains("line: 3"), "{error}");
    }
}
