//! A table of pictures, with the columns `path` and `label` and optionally `subject` and `split`, as spreadsheets write it. Paths are relative to the
//! table's folder. Labels are the emotions' names in any usual spelling, or the recipe's classes.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::files::{PictureFile, PictureFiles, SkipCounter, file_stem};
use super::names::{self, no_class, no_split};
use super::reader::{Reader, Source};
use super::table::{first_line, from_csv};
use super::{DataError, ReadOptions};
use crate::faces::FaceMode;
use mien_core::bounded::Rows;
use mien_core::classes::Classes;
use mien_core::columns::{is_called, reader, separator};

/// Names that the column of paths may have.
const PATH_COLUMNS: [&str; 5] = ["path", "file", "filename", "image", "picture"];
/// Names that the column of labels may have.
const LABEL_COLUMNS: [&str; 3] = ["label", "emotion", "class"];
/// The columns that it needs.
const NEEDED: [&[&str]; 2] = [&PATH_COLUMNS, &LABEL_COLUMNS];
/// The columns, for messages.
const COLUMNS: &str = "path, label";

/// The reader of tables of paths and labels.
pub(super) struct List;

impl Reader for List {
    fn kind(&self) -> &'static str {
        "a list of pictures"
    }

    /// The list's checksum, which follows that of the pictures.
    fn divided_by(&self) -> usize {
        1
    }

    fn takes_classes(&self) -> bool {
        true
    }

    fn recognises(&self, path: &Path, _classes: &Classes) -> Result<bool, DataError> {
        if path.is_dir() {
            return Ok(false);
        }
        let line = first_line(path)?;
        let mut rows = Rows::new(&reader(separator(line.as_bytes(), &NEEDED)), line.as_bytes());
        // A line that can't be read isn't that of a list.
        Ok(rows.headers().is_ok_and(|names| names.iter().any(|name| is_called(name, &PATH_COLUMNS))))
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let separator = separator(first_line(path)?.as_bytes(), &NEEDED);
        let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let mut rows = Rows::new(&reader(separator), file);
        let header = rows.headers().map_err(|e| from_csv(path, &e))?.clone();
        let column = |names: &[&str]| header.iter().position(|column| is_called(column, names));
        let no_header = || DataError::Header { path: path.to_owned(), format: "list of pictures", wanted: COLUMNS };
        let picture_column = column(&PATH_COLUMNS).ok_or_else(no_header)?;
        let label_column = column(&LABEL_COLUMNS).ok_or_else(no_header)?;
        let (subject_column, split_column) = (column(&["subject", "person"]), column(&["split", "usage"]));

        let root = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut skipped = SkipCounter::default();
        let mut files = Vec::new();
        let mut record = csv::StringRecord::new();
        while rows.read(&mut record).map_err(|e| from_csv(path, &e))? {
            // Spreadsheets leave empty rows at the end.
            if record.iter().all(str::is_empty) {
                continue;
            }
            let line = record.position().map_or(0, csv::Position::line);
            let wrong = |problem: String| DataError::Row { path: path.to_owned(), line, problem };
            let filled = |column: Option<usize>| column.and_then(|c| record.get(c)).filter(|text| !text.is_empty());
            let picture = filled(Some(picture_column)).ok_or_else(|| wrong("names no picture".to_owned()))?;
            let word = filled(Some(label_column)).ok_or_else(|| wrong("the row is cut off: no label".to_owned()))?;
            let split =
                filled(split_column).map(|word| names::split(word).ok_or_else(|| wrong(no_split(word)))).transpose()?;
            let meant = options.classes.word(word).ok_or_else(|| wrong(no_class(&options.classes, word)))?;
            let Some(label) = skipped.label_of(meant) else { continue };
            let (path, subject) = (root.join(PathBuf::from(picture)), filled(subject_column).map(str::to_owned));
            files.push(PictureFile { path, label, subject, split, line: Some(line) });
        }
        Ok(Box::new(PictureFiles {
            name: file_stem(path),
            root,
            list: Some(path.to_owned()),
            files,
            classes: options.classes.clone(),
            skipped: skipped.into_list(),
            faces: options.finding(FaceMode::Whole),
            pixels: options.pixels,
        }))
    }
}
