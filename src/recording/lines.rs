//! Reads the rows of a table that may end in the middle of one.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

use super::OpenError;
use crate::bounded::Rows;

/// Reads the rows of a table one by one. Columns are found by name; those that weren't requested are ignored.
pub(super) struct Lines {
    reader: Rows<File>,
    path: PathBuf,
    columns: Vec<usize>,
    /// Columns that the table may lack.
    optional: Vec<Option<usize>>,
    /// Whether the last row may be incomplete.
    may_be_cut: bool,
    /// Whether the file ends within a row.
    open_end: bool,
    cut: bool,
    record: ByteRecord,
    /// The next row, which tells whether the current one is the last.
    ahead: Option<ByteRecord>,
}

impl Lines {
    /// Opens a table and finds its columns, of which it may lack those in `optional`. `may_be_cut`: its writer was killed.
    ///
    /// # Errors
    /// When the file can't be read, or lacks a column.
    pub(super) fn open(
        path: &Path,
        columns: &[String],
        optional: &[&str],
        may_be_cut: bool,
    ) -> Result<Self, OpenError> {
        let unreadable = |reason| OpenError::Unreadable { path: path.to_owned(), reason };
        let mut file = File::open(path).map_err(unreadable)?;
        let open_end = !ends_with_line_end(&mut file).map_err(unreadable)?;
        let mut lines = Self {
            // Flexible, because `Fields` checks the length itself: a short row is an error with its line, or the cut one at the end.
            reader: Rows::new(ReaderBuilder::new().flexible(true), file),
            path: path.to_owned(),
            columns: Vec::with_capacity(columns.len()),
            optional: vec![None; optional.len()],
            may_be_cut,
            open_end,
            cut: false,
            record: ByteRecord::new(),
            ahead: None,
        };
        let header = lines.reader.headers().map_err(|error| lines_error(path, 1, &error))?.clone();
        if header.is_empty() && may_be_cut {
            // Killed before the header was on the disk.
            lines.columns = (0..columns.len()).collect();
            lines.cut = true;
            return Ok(lines);
        }
        lines.ahead = lines.read(ByteRecord::new())?;
        for column in columns {
            let place = header.iter().position(|name| name == column);
            let place = place.ok_or_else(|| lines.error(1, format!("there is no column “{column}”")))?;
            lines.columns.push(place);
        }
        lines.optional = optional.iter().map(|column| header.iter().position(|name| name == *column)).collect();
        Ok(lines)
    }

    /// The next row, parsed from its fields; `None` at the end.
    ///
    /// # Errors
    /// When a row can't be parsed, unless it is the last one of a table that may be cut.
    pub(super) fn next<T>(
        &mut self,
        parse: impl FnOnce(&Fields<'_>) -> Result<T, String>,
    ) -> Result<Option<T>, OpenError> {
        let Some(record) = self.ahead.take() else { return Ok(None) };
        let spare = std::mem::take(&mut self.record);
        self.ahead = self.read(spare)?;
        let line = record.position().map_or(0, csv::Position::line);
        let parsed = parse(&Fields { record: &record, columns: &self.columns, optional: &self.optional });
        let is_last = self.may_be_cut && self.ahead.is_none();
        let row = match parsed {
            // Its last number may lack digits, which can't be noticed.
            Ok(_) if is_last && self.open_end => None,
            Ok(row) => Some(row),
            Err(_) if is_last => None,
            Err(reason) => return Err(self.error(line, reason)),
        };
        self.cut |= row.is_none();
        self.record = record;
        Ok(row)
    }

    /// Reads the next row without parsing it, into the memory of an old one.
    fn read(&mut self, mut into: ByteRecord) -> Result<Option<ByteRecord>, OpenError> {
        let line = self.reader.line();
        let more = self.reader.read_bytes(&mut into).map_err(|error| lines_error(&self.path, line, &error))?;
        Ok(more.then_some(into))
    }

    /// Whether an incomplete row was left out at the end.
    pub(super) fn cut(&self) -> bool {
        self.cut
    }

    fn error(&self, line: u64, reason: String) -> OpenError {
        OpenError::Row { path: self.path.clone(), line, reason }
    }
}

/// The requested fields of a row, in the order of the request.
pub(super) struct Fields<'a> {
    record: &'a ByteRecord,
    columns: &'a [usize],
    optional: &'a [Option<usize>],
}

impl Fields<'_> {
    /// A field as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, column: usize, name: &str) -> Result<T, String> {
        let field = self.columns.get(column).and_then(|place| self.record.get(*place));
        let field = field.ok_or_else(|| format!("the row ends before the column “{name}”"))?;
        let text = String::from_utf8_lossy(field);
        text.trim().parse().ok().ok_or_else(|| format!("“{text}” in the column “{name}” is no number that fits there"))
    }

    /// An optional field as a finite number; `None` if the table lacks the column, or the field is empty.
    pub(super) fn maybe(&self, column: usize, name: &str) -> Result<Option<f32>, String> {
        let field = self.optional.get(column).copied().flatten().and_then(|place| self.record.get(place));
        let text = field.map(String::from_utf8_lossy).unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value = text.trim().parse().ok().filter(|value: &f32| value.is_finite());
        value.map(Some).ok_or_else(|| format!("“{text}” in the column “{name}” is no number"))
    }
}

fn lines_error(path: &Path, line: u64, error: &csv::Error) -> OpenError {
    let line = error.position().map_or(line, csv::Position::line);
    OpenError::Row { path: path.to_owned(), line, reason: error.to_string() }
}

/// True for an empty file too.
fn ends_with_line_end(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.rewind()?;
    Ok(last == [b'\n'])
}
