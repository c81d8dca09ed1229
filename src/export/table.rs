//! The tables of faces and of frames, in any format.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lines;
use super::parquet::ParquetTable;
use super::rows::{self, Cell, Kind, NAME_COLUMN};
use super::{ExportError, PartialFile};
use crate::classes::Classes;
use crate::face::Face;
use crate::pipeline::Scene;

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableFormat {
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object in each line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Jsonl, Self::Parquet];

    /// The extension of such files, with the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => ".csv",
            Self::Jsonl => ".jsonl",
            Self::Parquet => ".parquet",
        }
    }
}

/// A table of faces being written: a row for each face in each frame. Its columns are [`super::COLUMNS`], then those of the classes and the
/// landmarks, roll and quality.
pub struct FaceTable(Table);

/// A table of frames being written: a row for each frame that was analysed, with a face or without. Its columns are
/// [`super::FRAME_COLUMNS`].
pub struct FrameTable(Table);

/// A table of any columns being written.
pub(super) struct Table {
    partial: PartialFile,
    writer: Writer,
}

enum Writer {
    Csv(Box<csv::Writer<File>>),
    /// With the names of the columns, which every line repeats.
    Jsonl(BufWriter<File>, Vec<String>),
    Parquet(Box<ParquetTable>),
}

impl FaceTable {
    /// Opens a table of faces with these classes and writes its header, if the format has one.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn create(path: &Path, format: TableFormat, classes: &Classes) -> Result<Self, ExportError> {
        Table::create(path, format, &rows::columns(classes)).map(Self)
    }

    /// Opens a CSV table with a column of names at its end.
    ///
    /// # Errors
    /// Those of [`Self::create`].
    pub fn create_with_names(path: &Path, classes: &Classes) -> Result<Self, ExportError> {
        let columns: Vec<_> =
            rows::columns(classes).into_iter().chain([(NAME_COLUMN.to_owned(), Kind::Text)]).collect();
        Table::create(path, TableFormat::Csv, &columns).map(Self)
    }

    /// Adds the faces of a frame of `file`, which must have the table's classes.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, file: &str, scene: &Scene) -> Result<(), ExportError> {
        let row = |face| rows::row(file, scene.frame.index, scene.frame.media_time, face, &scene.classes);
        scene.faces.iter().try_for_each(|face| self.0.write(&row(face)))
    }

    /// Adds a face to a table with names. `frame` and `time` are the number and time of its frame in `file`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push_named(
        &mut self,
        file: &str,
        frame: u64,
        time: Duration,
        face: &Face,
        classes: &Classes,
        name: &str,
    ) -> Result<(), ExportError> {
        let mut row = rows::row(file, frame, time, face, classes);
        row.push(Cell::Text(name));
        self.0.write(&row)
    }

    /// Gives the table its name and returns its path.
    ///
    /// # Errors
    /// When the disk is full, or a file of that name has appeared meanwhile.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        self.0.finish()
    }
}

impl FrameTable {
    /// As [`FaceTable::create`].
    ///
    /// # Errors
    /// Those of [`FaceTable::create`].
    pub fn create(path: &Path, format: TableFormat) -> Result<Self, ExportError> {
        Table::create(path, format, &rows::frame_columns()).map(Self)
    }

    /// Adds a frame of `file`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, file: &str, scene: &Scene) -> Result<(), ExportError> {
        self.0.write(&rows::frame_row(file, scene.frame.index, scene.frame.media_time, scene.faces.len()))
    }

    /// As [`FaceTable::finish`].
    ///
    /// # Errors
    /// Those of [`FaceTable::finish`].
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        self.0.finish()
    }
}

impl Table {
    pub(super) fn create(path: &Path, format: TableFormat, columns: &[(String, Kind)]) -> Result<Self, ExportError> {
        let (partial, file) = PartialFile::create(path)?;
        let names = || columns.iter().map(|(name, _)| name.clone());
        let writer = match format {
            TableFormat::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(file))),
            TableFormat::Jsonl => Writer::Jsonl(BufWriter::new(file), names().collect()),
            TableFormat::Parquet => match ParquetTable::new(file, columns) {
                Ok(table) => Writer::Parquet(Box::new(table)),
                Err(reason) => return Err(ExportError::Write { path: path.to_owned(), reason }),
            },
        };
        let mut table = Self { partial, writer };
        if let Writer::Csv(writer) = &mut table.writer {
            let written = writer.write_record(names()).map_err(io_error);
            table.or_named(written)?;
        }
        Ok(table)
    }

    pub(super) fn write(&mut self, row: &[Cell<'_>]) -> Result<(), ExportError> {
        let written = self.writer.write(row);
        self.or_named(written)
    }

    pub(super) fn finish(self) -> Result<PathBuf, ExportError> {
        let Self { partial, writer } = self;
        let file = match writer {
            Writer::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error),
            Writer::Jsonl(writer, _) => writer.into_inner().map_err(io::IntoInnerError::into_error),
            Writer::Parquet(table) => table.into_inner(),
        };
        match file {
            Ok(_closed) => partial.finish(),
            Err(reason) => Err(ExportError::Write { path: partial.destination().to_owned(), reason }),
        }
    }

    /// Adds the file's name to an error.
    pub(super) fn or_named<T>(&self, written: io::Result<T>) -> Result<T, ExportError> {
        written.map_err(|reason| ExportError::Write { path: self.partial.destination().to_owned(), reason })
    }
}

impl Writer {
    fn write(&mut self, row: &[Cell<'_>]) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.write_record(row.iter().map(Cell::to_string)).map_err(io_error),
            Self::Jsonl(writer, header) => lines::write_line(writer, header, row),
            Self::Parquet(table) => table.write(row),
        }
    }
}

/// The system's error without the csv crate's words around it.
pub(super) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::COLUMNS;
    use crate::export::testing::scene;
    use crate::probabilities::Probabilities;

    fn written(format: TableFormat) -> String {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(format!("faces{}", format.ending()));
        let mut table = FaceTable::create(&path, format, &Classes::emotions()).unwrap();
        table.push("a, \"b\".mp4", &scene(7, Emotion::Happy)).unwrap();
        table.push("a, \"b\".mp4", &scene(8, Emotion::Sad)).unwrap();
        assert_eq!(table.finish().unwrap(), path);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_row_for_each_face_can_be_read_back() {
        let text = written(TableFormat::Csv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(header.len(), COLUMNS.len() + 14 + 12);
        assert_eq!((header[11].as_str(), header[24].as_str()), ("raw_angry", "smoothed_neutral"));
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0][0], &rows[0][1]), ("a, \"b\".mp4", "7"));
        assert_eq!((&rows[0][9], &rows[1][9], &rows[0][10]), ("happy", "sad", "happy"));
        let raw_happy: f32 = rows[0][11 + Emotion::Happy.index()].parse().unwrap();
        assert!(raw_happy > 0.5);
    }

    #[test]
    fn lines_of_json_say_what_the_csv_says() {
        let (csv, jsonl) = (written(TableFormat::Csv), written(TableFormat::Jsonl));
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        let objects: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(objects.len(), rows.len());
        for (object, row) in objects.iter().zip(&rows) {
            for (name, cell) in header.iter().zip(row) {
                match &object[name] {
                    Value::String(text) => assert_eq!(text, cell, "{name}"),
                    Value::Null => assert_eq!(cell, "", "{name}"),
                    value => assert_eq!(value.as_f64(), cell.parse().ok(), "{name}"),
                }
            }
        }
    }

    #[test]
    fn names_are_a_column_behind_all_others() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        let mut table = FaceTable::create_with_names(&path, &Classes::emotions()).unwrap();
        let face = scene(7, Emotion::Happy).faces[0];
        table.push_named("cam", 7, Duration::from_millis(280), &face, &Classes::emotions(), "Anna, \"A.\"").unwrap();
        table.finish().unwrap();
        let named = std::fs::read_to_string(path).unwrap();
        let mut plain = written(TableFormat::Csv).lines().next().unwrap().to_owned();
        plain.push_str(",name");
        assert_eq!(named.lines().next(), Some(plain.as_str()));
        let mut reader = csv::Reader::from_reader(named.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[1], &row[2], &row[37]), ("7", "0.2800", "Anna, \"A.\""));
    }

    #[test]
    fn a_label_that_leads_by_little_has_the_verdict_of_the_picture() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        let mut table = FaceTable::create(&path, TableFormat::Csv, &Classes::emotions()).unwrap();
        let mut scene = scene(0, Emotion::Happy);
        scene.faces[0].smoothed = Probabilities::from_weights(&[0.0, 0.0, 0.0, 0.52, 0.48, 0.0, 0.0]).unwrap();
        table.push("a.mp4", &scene).unwrap();
        table.finish().unwrap();
        let row = csv::Reader::from_path(&path).unwrap().into_records().next().unwrap().unwrap();
        assert_eq!((&row[9], &row[10]), ("happy", "unsure"));
    }

    #[test]
    fn own_classes_have_columns_that_no_other_column_is_called_like() {
        let classes = Classes::new(["frame", "wide awake", "x, \"y\""].map(str::to_owned).into()).unwrap();
        let probabilities = Probabilities::from_weights(&[0.25, 0.7, 0.05]).unwrap();
        let mut scene = scene(7, Emotion::Happy);
        let face = Face { raw: probabilities, smoothed: probabilities, ..scene.faces[0] };
        (scene.faces, scene.classes) = (vec![face], classes.clone());
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        let mut table = FaceTable::create(&path, TableFormat::Csv, &classes).unwrap();
        table.push("a.mp4", &scene).unwrap();
        table.finish().unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let probabilities =
            ["raw_frame", "raw_wide_awake", "raw_x___y_", "smoothed_frame", "smoothed_wide_awake", "smoothed_x___y_"];
        assert_eq!(header[11..17], probabilities);
        assert!((1..header.len()).all(|place| !header[..place].contains(&header[place])), "{header:?}");
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[9], &row[10], &row[12]), ("wide awake", "wide awake", "0.7000"));
    }

    #[test]
    fn a_frame_without_a_face_has_a_row_in_the_table_of_frames() {
        let home = tempfile::tempdir().unwrap();
        for format in [TableFormat::Csv, TableFormat::Jsonl] {
            let path = home.path().join(format!("frames{}", format.ending()));
            let mut table = FrameTable::create(&path, format).unwrap();
            table.push("a.mp4", &scene(7, Emotion::Happy)).unwrap();
            table.push("a.mp4", &Scene { faces: vec![], ..scene(8, Emotion::Happy) }).unwrap();
            table.finish().unwrap();
        }
        let text = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
        assert_eq!(text("frames.csv"), "file,frame,time_s,faces\na.mp4,7,0.2800,1\na.mp4,8,0.3200,0\n");
        let last: Value = serde_json::from_str(text("frames.jsonl").lines().last().unwrap()).unwrap();
        assert_eq!(last, serde_json::json!({ "file": "a.mp4", "frame": 8, "time_s": 0.32, "faces": 0 }));
    }

    #[test]
    fn a_table_that_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut table =
            FaceTable::create(&home.path().join("faces.csv"), TableFormat::Csv, &Classes::emotions()).unwrap();
        table.push("a.mp4", &scene(0, Emotion::Happy)).unwrap();
        drop(table);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
