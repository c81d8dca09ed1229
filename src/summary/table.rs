//! The summary as a table: a row for each emotion of each face.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Counts, FaceFigures};
use crate::emotion::Emotion;
use crate::export::{ExportError, PartialFile};

/// The columns before `to_angry` … `to_neutral`; docs/tables.md says what they mean.
pub const SUMMARY_COLUMNS: [&str; 9] =
    ["file", "face", "emotion", "frames", "seconds", "share", "mean_probability", "longest_start_s", "longest_s"];

/// A summary being written. Faces are written when they are known to be gone, so it holds all of them, however many.
pub struct SummaryTable {
    partial: PartialFile,
    writer: csv::Writer<File>,
}

impl SummaryTable {
    /// Opens the table and writes its header.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn create(path: &Path) -> Result<Self, ExportError> {
        let (partial, file) = PartialFile::create(path)?;
        let mut table = Self { partial, writer: csv::Writer::from_writer(file) };
        let to = Emotion::ALL.map(|emotion| format!("to_{}", emotion.key()));
        let header = SUMMARY_COLUMNS.into_iter().map(str::to_owned).chain(to);
        table.write(header)?;
        Ok(table)
    }

    /// Adds a face of `file`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, file: &str, face: &FaceFigures) -> Result<(), ExportError> {
        for emotion in Emotion::ALL {
            let longest = face.longest(emotion);
            let secs = |time: Option<std::time::Duration>| {
                time.map(|time| format!("{:.3}", time.as_secs_f64())).unwrap_or_default()
            };
            let [start, length] = [secs(longest.map(|it| it.start)), secs(longest.map(|it| it.length))];
            let to = Emotion::ALL.map(|to| face.changes(emotion, to).to_string());
            let row = counted(file, &face.id.0.to_string(), &face.counts, emotion);
            self.write(row.into_iter().chain([start, length]).chain(to))?;
        }
        Ok(())
    }

    /// Adds all faces of all pictures together: there `file`, `face`, episodes and changes are empty.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push_pictures(&mut self, counts: &Counts) -> Result<(), ExportError> {
        for emotion in Emotion::ALL {
            let empty = std::iter::repeat_n(String::new(), 2 + Emotion::ALL.len());
            self.write(counted("", "", counts, emotion).into_iter().chain(empty))?;
        }
        Ok(())
    }

    /// Gives the table its name.
    ///
    /// # Errors
    /// When the disk is full, or a file of that name has appeared meanwhile.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        let Self { partial, writer } = self;
        match writer.into_inner().map_err(csv::IntoInnerError::into_error) {
            Ok(_closed) => partial.finish(),
            Err(reason) => Err(ExportError::Write { path: partial.destination().to_owned(), reason }),
        }
    }

    fn write(&mut self, row: impl Iterator<Item = String>) -> Result<(), ExportError> {
        self.writer.write_record(row).map_err(|reason| ExportError::Write {
            path: self.partial.destination().to_owned(),
            reason: io::Error::from(reason),
        })
    }
}

/// The columns that faces and pictures have in common.
fn counted(file: &str, face: &str, counts: &Counts, emotion: Emotion) -> [String; 7] {
    [
        file.to_owned(),
        face.to_owned(),
        emotion.key().to_owned(),
        counts.frames_of(emotion).to_string(),
        format!("{:.3}", counts.seconds_of(emotion)),
        format!("{:.4}", counts.share(emotion)),
        format!("{:.4}", counts.mean(emotion)),
    ]
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::*;
    use crate::summary::Summarizer;
    use crate::summary::testing::sighting;

    #[test]
    fn each_face_has_a_row_for_each_emotion() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.summary.csv");
        let mut summarizer = Summarizer::new(Duration::from_secs(2));
        for (tenth, emotion) in [Emotion::Happy, Emotion::Happy, Emotion::Sad, Emotion::Happy].into_iter().enumerate() {
            let time = Duration::from_millis(100) * tenth as u32;
            summarizer.push(time, vec![sighting(3, emotion, 0.9)], |_| Ok::<_, Infallible>(())).unwrap();
        }
        let (_, faces) = summarizer.finish(None);
        let mut table = SummaryTable::create(&path).unwrap();
        for face in &faces {
            table.push("a, b.mp4", face).unwrap();
        }
        table.finish().unwrap();
        let rows: Vec<_> = csv::Reader::from_path(&path).unwrap().records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        let happy: Vec<_> = rows[Emotion::Happy.index()].iter().collect();
        assert_eq!(
            happy,
            [
                "a, b.mp4", "3", "happy", "3", "0.300", "0.7500", "0.6792", "0.000", "0.200", "0", "0", "0", "0", "1",
                "0", "0"
            ]
        );
        assert_eq!(rows[Emotion::Fear.index()].iter().skip(3).take(6).collect::<Vec<_>>()[4..], ["", ""]);
    }
}
