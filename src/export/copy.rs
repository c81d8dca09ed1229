//! Rows of tables as text, read from any format and written in the same, so that single cells can be changed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use serde_json::{Map, Value};

use super::table::{Table, io_error};
use super::{ExportError, TableFormat, rows};
use crate::export::rows::{Cell, Kind};

/// The rows of a table, one after another, each as the texts of its cells. Missing values are empty.
pub struct TableRows {
    columns: Vec<String>,
    source: Source,
}

enum Source {
    Csv(Box<csv::Reader<File>>),
    Jsonl(Peekable<io::Lines<BufReader<File>>>),
    Parquet(Box<RowIter<'static>>),
}

/// A table that is written from rows of texts.
pub struct TableCopy {
    table: Table,
    kinds: Vec<Kind>,
}

impl TableRows {
    /// Opens a table.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(path: &Path, format: TableFormat) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(match format {
            TableFormat::Csv => {
                let mut reader = csv::Reader::from_reader(file);
                let columns = reader.headers().map_err(io_error)?.iter().map(str::to_owned).collect();
                Self { columns, source: Source::Csv(Box::new(reader)) }
            }
            TableFormat::Jsonl => {
                let mut lines = BufReader::new(file).lines().peekable();
                let columns = match lines.peek() {
                    Some(Ok(first)) => serde_json::from_str::<Map<String, Value>>(first)?.keys().cloned().collect(),
                    _ => Vec::new(),
                };
                Self { columns, source: Source::Jsonl(lines) }
            }
            TableFormat::Parquet => {
                let reader = SerializedFileReader::new(file)?;
                let columns = reader.metadata().file_metadata().schema_descr().columns();
                let columns = columns.iter().map(|column| column.name().to_owned()).collect();
                let rows = RowIter::from_file_into(Box::new(reader));
                Self { columns, source: Source::Parquet(Box::new(rows)) }
            }
        })
    }

    /// The names of the columns; empty for JSON lines without a row.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next_row(&mut self) -> Option<io::Result<Vec<String>>> {
        match &mut self.source {
            Source::Csv(reader) => {
                let mut record = csv::StringRecord::new();
                match reader.read_record(&mut record) {
                    Ok(false) => None,
                    Ok(true) => Some(Ok(record.iter().map(str::to_owned).collect())),
                    Err(error) => Some(Err(io_error(error))),
                }
            }
            Source::Jsonl(lines) => {
                let columns = &self.columns;
                lines.next().map(|line| {
                    let object: Map<String, Value> = serde_json::from_str(&line?)?;
                    Ok(columns.iter().map(|name| object.get(name).map(text_of).unwrap_or_default()).collect())
                })
            }
            Source::Parquet(rows) => rows.next().map(|row| {
                let row = row?;
                row.get_column_iter().map(|(_, field)| text_of_field(field)).collect()
            }),
        }
    }
}

impl Iterator for TableRows {
    type Item = io::Result<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row()
    }
}

impl TableCopy {
    /// Starts a table with these columns, of faces or of frames.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn create(path: &Path, format: TableFormat, columns: &[String]) -> Result<Self, ExportError> {
        let columns: Vec<_> = columns.iter().map(|name| (name.clone(), rows::kind(name))).collect();
        let kinds = columns.iter().map(|(_, kind)| *kind).collect();
        Ok(Self { table: Table::create(path, format, &columns)?, kinds })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When a cell isn't of its column's kind, or the disk is full.
    pub fn push(&mut self, row: &[String]) -> Result<(), ExportError> {
        let cells = row.iter().zip(&self.kinds).map(|(text, kind)| cell(text, *kind)).collect::<io::Result<Vec<_>>>();
        let cells = self.table.or_named(cells)?;
        self.table.write(&cells)
    }

    /// Gives the table its name and returns its path.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        self.table.finish()
    }
}

/// Parses the cell that was written as this text.
fn cell(text: &str, kind: Kind) -> io::Result<Cell<'_>> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, format!("“{text}” should be a number"));
    Ok(match kind {
        Kind::Text => Cell::Text(text),
        Kind::Count => Cell::Count(text.parse().ok().ok_or_else(odd)?),
        Kind::MaybeDecimal if text.is_empty() => Cell::Unknown,
        Kind::Decimal | Kind::MaybeDecimal => {
            let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
            Cell::Decimal(text.parse().ok().ok_or_else(odd)?, digits)
        }
    })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text_of_field(field: &Field) -> io::Result<String> {
    match field {
        Field::Null => Ok(String::new()),
        Field::Str(text) => Ok(text.clone()),
        Field::Long(number) => Ok(number.to_string()),
        Field::Double(number) => Ok(number.to_string()),
        other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("“{other}” is not a type that Mien writes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::emotion::Emotion;
    use crate::export::FaceTable;
    use crate::export::testing::scene;
    use crate::landmarks::Landmarks;

    #[test]
    fn a_table_that_is_copied_row_by_row_has_the_same_bytes_in_each_format() {
        let home = tempfile::tempdir().unwrap();
        for format in [TableFormat::Csv, TableFormat::Jsonl, TableFormat::Parquet] {
            let path = home.path().join(format!("a{}", format.ending()));
            let mut table = FaceTable::create(&path, format, &Classes::emotions()).unwrap();
            for index in 0..5 {
                let mut scene = scene(index, Emotion::Happy);
                if index % 2 == 0 {
                    scene.faces[0].landmarks = Some(Landmarks::from_points([[1.0, 2.25]; 5]));
                }
                table.push("a, \"b\".mp4", &scene).unwrap();
            }
            table.finish().unwrap();
            let rows = TableRows::open(&path, format).unwrap();
            let copy = home.path().join(format!("copy{}", format.ending()));
            let mut table = TableCopy::create(&copy, format, rows.columns()).unwrap();
            for row in rows {
                table.push(&row.unwrap()).unwrap();
            }
            table.finish().unwrap();
            assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap(), "{format:?}");
        }
    }
}
