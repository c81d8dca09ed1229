//! The table of faces: one row for each face on each frame.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{ExportError, PartialFile};
use crate::emotion::Emotion;
use crate::pipeline::Scene;

/// The columns before those of the emotions. They are stable: new ones are only ever added at the end.
///
/// | column | meaning |
/// |---|---|
/// | `frame` | number of the frame in the source, from 0 |
/// | `time_s` | time of the frame since the start of the source, in seconds |
/// | `face` | the face's number, from 1; the same person keeps it from frame to frame |
/// | `x`, `y`, `width`, `height` | the box in the pixels of the frame |
/// | `score` | how sure the detector is of the box: the number of neighbouring hits |
/// | `label` | the emotion that leads after smoothing |
/// | `raw_angry` … `raw_neutral` | seven probabilities from this frame alone |
/// | `smoothed_angry` … `smoothed_neutral` | the same smoothed over time |
///
/// A frame without a face has no row.
pub const CSV_COLUMNS: [&str; 9] = ["frame", "time_s", "face", "x", "y", "width", "height", "score", "label"];

/// A table being written.
pub struct CsvTable {
    partial: PartialFile,
    writer: ::csv::Writer<File>,
}

impl CsvTable {
    /// Opens the table and writes its header.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn create(path: &Path) -> Result<Self, ExportError> {
        let (partial, file) = PartialFile::create(path)?;
        let mut table = Self { partial, writer: ::csv::Writer::from_writer(file) };
        let raw = Emotion::ALL.map(|emotion| format!("raw_{}", emotion.key()));
        let smoothed = Emotion::ALL.map(|emotion| format!("smoothed_{}", emotion.key()));
        table.row(CSV_COLUMNS.map(str::to_owned).into_iter().chain(raw).chain(smoothed))?;
        Ok(table)
    }

    /// Adds the faces of a frame.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, scene: &Scene) -> Result<(), ExportError> {
        let frame = [scene.frame.index.to_string(), format!("{:.4}", scene.frame.media_time.as_secs_f64())];
        for face in &scene.faces {
            let rect = [face.rect.x, face.rect.y, face.rect.width, face.rect.height].map(|edge| format!("{edge:.1}"));
            let label = face.smoothed.top().0.key().to_owned();
            let probabilities = face.raw.as_array().iter().chain(face.smoothed.as_array()).map(|p| format!("{p:.4}"));
            self.row(
                frame
                    .clone()
                    .into_iter()
                    .chain([face.id.0.to_string()])
                    .chain(rect)
                    .chain([format!("{:.1}", face.score), label])
                    .chain(probabilities),
            )?;
        }
        Ok(())
    }

    /// Gives the table its name and returns it.
    ///
    /// # Errors
    /// When the disk is full, or a file of that name has appeared meanwhile.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        let Self { partial, writer } = self;
        let written = writer.into_inner().map_err(::csv::IntoInnerError::into_error).and_then(|file| file.sync_all());
        match written {
            Ok(()) => partial.finish(),
            Err(reason) => Err(ExportError::Write { path: partial.destination().to_owned(), reason }),
        }
    }

    fn row(&mut self, fields: impl Iterator<Item = String>) -> Result<(), ExportError> {
        self.writer.write_record(fields).map_err(|error| ExportError::Write {
            path: self.partial.destination().to_owned(),
            reason: io_error(error),
        })
    }
}

/// The system's error without the csv crate's words around it.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::scene;

    #[test]
    fn a_row_for_each_face_can_be_read_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        let mut table = CsvTable::create(&path).unwrap();
        table.push(&scene(7, Emotion::Happy)).unwrap();
        table.push(&scene(8, Emotion::Sad)).unwrap();
        assert_eq!(table.finish().unwrap(), path);

        let mut reader = ::csv::Reader::from_path(&path).unwrap();
        let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(header.len(), CSV_COLUMNS.len() + 14);
        assert_eq!((header[9].as_str(), header[22].as_str()), ("raw_angry", "smoothed_neutral"));
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(&rows[0][0], "7");
        assert_eq!(&rows[0][8], "happy");
        assert_eq!(&rows[1][8], "sad");
        let raw_happy: f32 = rows[0][9 + Emotion::Happy.index()].parse().unwrap();
        assert!(raw_happy > 0.5);
    }

    #[test]
    fn a_table_that_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut table = CsvTable::create(&home.path().join("faces.csv")).unwrap();
        table.push(&scene(0, Emotion::Happy)).unwrap();
        drop(table);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
