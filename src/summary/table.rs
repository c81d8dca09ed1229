//! The summary as a table: a row for each class of each face.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Counts, FaceFigures};
use crate::classes::Classes;
use crate::export::{ExportError, PartialFile};
use crate::whole;

/// The columns before `to_angry` … `to_neutral` and [`SUMMARY_END_COLUMNS`]; docs/tables.md explains them. With custom classes, the third
/// is `class`, and the `to_` columns are named after them.
pub const SUMMARY_COLUMNS: [&str; 9] =
    ["file", "face", "emotion", "frames", "seconds", "share", "mean_probability", "longest_start_s", "longest_s"];

/// The columns after all others. The last four describe the file as a whole, and are the same in each of its rows.
pub const SUMMARY_END_COLUMNS: [&str; 6] =
    ["unsure_frames", "unsure_seconds", "fps", "duration_s", "frames_analysed", "frames_with_face"];

/// What a summary says about the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FileFigures {
    /// Frames a second, as the video declares them.
    pub fps: Option<f64>,
    /// Declared duration of the video.
    pub duration: Option<Duration>,
    /// Frames that were analysed, or pictures.
    pub frames: u64,
    /// Those of them with a face.
    pub frames_with_face: u64,
}

/// A summary being written. Rows go to an unnamed file as faces leave, so memory stays bounded; `finish` copies them and adds the
/// columns known only at the end.
pub struct SummaryTable {
    classes: Classes,
    partial: PartialFile,
    file: File,
    waiting: csv::Writer<File>,
}

impl SummaryTable {
    /// Opens a table for these classes.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn create(path: &Path, classes: &Classes) -> Result<Self, ExportError> {
        let (partial, file) = PartialFile::create(path)?;
        let waiting = tempfile::tempfile_in(whole::folder_of(path))
            .map_err(|reason| ExportError::Write { path: path.to_owned(), reason })?;
        Ok(Self { classes: classes.clone(), partial, file, waiting: csv::Writer::from_writer(waiting) })
    }

    /// Adds a face of `file`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, file: &str, face: &FaceFigures) -> Result<(), ExportError> {
        for class in 0..self.classes.len() {
            let longest = face.longest(class);
            let secs =
                |time: Option<Duration>| time.map(|time| format!("{:.3}", time.as_secs_f64())).unwrap_or_default();
            let [start, length] = [secs(longest.map(|it| it.start)), secs(longest.map(|it| it.length))];
            let to = (0..self.classes.len()).map(|to| face.changes(class, to).to_string());
            let row = self.counted(file, &face.id.0.to_string(), &face.counts, class);
            self.write(row.into_iter().chain([start, length]).chain(to).chain(unsure(&face.counts, class)))?;
        }
        Ok(())
    }

    /// Adds rows that aren't about a single face: those of a video without a face, or of all faces in all pictures, with an empty `file`.
    /// In them, `face`, episodes and changes are empty.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push_faceless(&mut self, file: &str, counts: &Counts) -> Result<(), ExportError> {
        for class in 0..self.classes.len() {
            let empty = std::iter::repeat_n(String::new(), 2 + self.classes.len());
            let row = self.counted(file, "", counts, class).into_iter().chain(empty);
            self.write(row.chain(unsure(counts, class)))?;
        }
        Ok(())
    }

    /// Completes the rows with the file's figures, and gives the table its name.
    ///
    /// # Errors
    /// When the disk is full, or a file of that name has appeared meanwhile.
    pub fn finish(self, figures: &FileFigures) -> Result<PathBuf, ExportError> {
        let Self { classes, partial, file, waiting } = self;
        let waiting = waiting.into_inner().map_err(csv::IntoInnerError::into_error);
        match waiting.and_then(|waiting| write_whole(waiting, file, &classes, figures)) {
            Ok(()) => partial.finish(),
            Err(reason) => Err(ExportError::Write { path: partial.destination().to_owned(), reason }),
        }
    }

    /// The columns that faces and pictures have in common.
    fn counted(&self, file: &str, face: &str, counts: &Counts, class: usize) -> [String; 7] {
        [
            file.to_owned(),
            face.to_owned(),
            self.classes.key(class).to_owned(),
            counts.frames_of(class).to_string(),
            format!("{:.3}", counts.seconds_of(class)),
            format!("{:.4}", counts.share(class)),
            format!("{:.4}", counts.mean(class)),
        ]
    }

    fn write(&mut self, row: impl Iterator<Item = String>) -> Result<(), ExportError> {
        self.waiting.write_record(row).map_err(|reason| ExportError::Write {
            path: self.partial.destination().to_owned(),
            reason: io::Error::from(reason),
        })
    }
}

/// Writes the header, and the rows with the file's figures at the end of each.
fn write_whole(mut waiting: File, file: File, classes: &Classes, figures: &FileFigures) -> io::Result<()> {
    let FileFigures { fps, duration, frames, frames_with_face } = figures;
    let decimal = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
    let end = [
        decimal(*fps),
        decimal(duration.map(|duration| duration.as_secs_f64())),
        frames.to_string(),
        frames_with_face.to_string(),
    ];
    waiting.rewind()?;
    let mut writer = csv::Writer::from_writer(file);
    let to = classes.columns().map(|column| format!("to_{column}"));
    let names = SUMMARY_COLUMNS.map(|name| if name == "emotion" { classes.noun() } else { name });
    let names = names.into_iter().map(str::to_owned).chain(to);
    writer.write_record(names.chain(SUMMARY_END_COLUMNS.map(str::to_owned)))?;
    for row in csv::ReaderBuilder::new().has_headers(false).from_reader(waiting).into_byte_records() {
        writer.write_record(row?.iter().chain(end.iter().map(String::as_bytes)))?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(())
}

fn unsure(counts: &Counts, class: usize) -> [String; 2] {
    [counts.unsure_frames_of(class).to_string(), format!("{:.3}", counts.unsure_seconds_of(class))]
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::emotion::Emotion;
    use crate::face::FaceId;
    use crate::probabilities::Probabilities;
    use crate::summary::testing::sighting;
    use crate::summary::{Sighting, Summarizer};

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
        let mut table = SummaryTable::create(&path, &Classes::emotions()).unwrap();
        for face in &faces {
            table.push("a, b.mp4", face).unwrap();
        }
        let figures = FileFigures {
            fps: Some(10.0),
            duration: Some(Duration::from_millis(2500)),
            frames: 25,
            frames_with_face: 4,
        };
        table.finish(&figures).unwrap();
        let rows: Vec<_> = csv::Reader::from_path(&path).unwrap().records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        let happy: Vec<_> = rows[Emotion::Happy.index()].iter().collect();
        assert_eq!(
            happy,
            [
                "a, b.mp4", "3", "happy", "3", "0.300", "0.7500", "0.6792", "0.000", "0.200", "0", "0", "0", "0", "1",
                "0", "0", "0", "0.000", "10.000", "2.500", "25", "4"
            ]
        );
        assert_eq!(csv::Reader::from_path(&path).unwrap().headers().unwrap().len(), happy.len());
        assert_eq!(rows[Emotion::Fear.index()].iter().skip(3).take(6).collect::<Vec<_>>()[4..], ["", ""]);
    }

    #[test]
    fn a_file_without_a_face_says_how_many_frames_it_has() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("wall.summary.csv");
        let mut table = SummaryTable::create(&path, &Classes::emotions()).unwrap();
        table.push_faceless("wall.mp4", &Counts::default()).unwrap();
        table.finish(&FileFigures { frames: 9, ..FileFigures::default() }).unwrap();
        let rows: Vec<_> = csv::Reader::from_path(&path).unwrap().into_records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        assert_eq!((&rows[0][0], &rows[0][1], &rows[0][18]), ("wall.mp4", "", ""));
        assert_eq!((&rows[6][20], &rows[6][21]), ("9", "0"));
    }

    #[test]
    fn own_classes_have_rows_and_columns_of_their_own() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.summary.csv");
        let classes = Classes::new(["tired", "wide awake"].map(str::to_owned).into()).unwrap();
        let mut summarizer = Summarizer::new(Duration::from_secs(2));
        for (tenth, awake) in [0.1, 0.9, 0.9].into_iter().enumerate() {
            let probabilities = Probabilities::from_weights(&[1.0 - awake, awake]).unwrap();
            let seen = Sighting { id: FaceId(1), probabilities, is_unsure: false };
            summarizer
                .push(Duration::from_millis(100) * tenth as u32, vec![seen], |_| Ok::<_, Infallible>(()))
                .unwrap();
        }
        let mut table = SummaryTable::create(&path, &classes).unwrap();
        table.push("a.mp4", &summarizer.finish(None).1[0]).unwrap();
        table.finish(&FileFigures::default()).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let header = reader.headers().unwrap().clone();
        assert_eq!([&header[2], &header[9], &header[10]], ["class", "to_tired", "to_wide_awake"]);
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!([&rows[0][2], &rows[0][3], &rows[0][10]], ["tired", "1", "1"]);
        assert_eq!([&rows[1][2], &rows[1][3], &rows[1][10]], ["wide awake", "2", "0"]);
        assert_eq!((rows.len(), header.len()), (2, 9 + 2 + 6));
    }
}
