//! Tables of live sources, which can't be recorded again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::rows::{self, Cell};
use super::table::io_error;
use super::{ExportError, PartialFile, lines};
use crate::classes::Classes;
use crate::pipeline::Scene;
use crate::whole;

/// A table of a camera's faces, with the rows of [`super::FaceTable`]. The rows of each frame are written at once, and the table is kept
/// whatever fails, because the same can't be recorded again.
pub struct LiveTable {
    partial: PartialFile,
    file: File,
    /// Length of the file, up to the last complete frame.
    length: u64,
    /// Names of the columns, which each JSON line repeats; `None` for CSV.
    names: Option<Vec<String>>,
}

impl LiveTable {
    /// Opens a CSV table of faces with these classes and writes its header.
    ///
    /// # Errors
    /// When the folder can't be written to, a file of that name exists, or the disk is full.
    pub fn csv(path: &Path, classes: &Classes) -> Result<Self, ExportError> {
        let mut table = Self::create(path, None)?;
        table.append(as_csv([rows::header(classes)]))?;
        Ok(table)
    }

    /// Opens a table with a JSON object in each line.
    ///
    /// # Errors
    /// When the folder can't be written to, or a file of that name exists.
    pub fn jsonl(path: &Path, classes: &Classes) -> Result<Self, ExportError> {
        Self::create(path, Some(rows::header(classes)))
    }

    fn create(path: &Path, names: Option<Vec<String>>) -> Result<Self, ExportError> {
        let (partial, file) = PartialFile::create(path)?;
        Ok(Self { partial, file, length: 0, names })
    }

    /// Adds the faces of a frame of `file`, which must have the table's classes.
    ///
    /// # Errors
    /// When the disk is full. The table then has no row of this frame.
    pub fn push(&mut self, file: &str, scene: &Scene) -> Result<(), ExportError> {
        let row = |face| rows::row(file, scene.frame.index, scene.frame.media_time, face, &scene.classes);
        let mut rows = scene.faces.iter().map(row);
        let text = match &self.names {
            Some(names) => {
                let mut text = Vec::new();
                rows.try_for_each(|row| lines::write_line(&mut text, names, &row)).map(|()| text)
            }
            None => as_csv(rows.map(|row| row.iter().map(Cell::to_string).collect::<Vec<_>>())),
        };
        self.append(text)
    }

    fn append(&mut self, text: io::Result<Vec<u8>>) -> Result<(), ExportError> {
        let appended = text.and_then(|text| whole::append(&mut self.file, self.length, &text));
        let failed = |reason| ExportError::Write { path: self.partial.destination().to_owned(), reason };
        self.length = appended.map_err(failed)?;
        Ok(())
    }

    /// Gives the table its name, or a numbered one if a file of that name has appeared meanwhile. Returns the table's path, and what
    /// failed.
    pub fn finish(self) -> (PathBuf, Result<(), ExportError>) {
        let Self { partial, file, .. } = self;
        drop(file);
        partial.keep()
    }
}

fn as_csv(records: impl IntoIterator<Item = Vec<String>>) -> io::Result<Vec<u8>> {
    let mut text = csv::Writer::from_writer(Vec::new());
    for record in records {
        text.write_record(record).map_err(io_error)?;
    }
    text.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;
    use crate::export::{FaceTable, TableFormat};

    #[test]
    fn a_table_of_a_camera_has_the_bytes_of_one_of_a_file() {
        let home = tempfile::tempdir().unwrap();
        let classes = Classes::emotions();
        let [csv, jsonl] = ["live.csv", "live.jsonl"].map(|name| home.path().join(name));
        let live = [LiveTable::csv(&csv, &classes).unwrap(), LiveTable::jsonl(&jsonl, &classes).unwrap()];
        for (mut live, format) in live.into_iter().zip([TableFormat::Csv, TableFormat::Jsonl]) {
            let path = home.path().join("file");
            let mut table = FaceTable::create(&path, format, &classes).unwrap();
            let mut empty = scene(1, Emotion::Happy);
            empty.faces.clear();
            for scene in [scene(0, Emotion::Happy), empty, scene(2, Emotion::Sad)] {
                live.push("a, \"b\"", &scene).unwrap();
                table.push("a, \"b\"", &scene).unwrap();
            }
            let (kept, result) = live.finish();
            result.unwrap();
            table.finish().unwrap();
            assert_eq!(std::fs::read_to_string(kept).unwrap(), std::fs::read_to_string(&path).unwrap());
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_table_whose_name_was_taken_meanwhile_is_beside_that_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("day.csv");
        let mut table = LiveTable::csv(&path, &Classes::emotions()).unwrap();
        table.push("a camera", &scene(0, Emotion::Happy)).unwrap();
        std::fs::write(&path, "precious").unwrap();
        let (kept, result) = table.finish();
        assert!(matches!(result, Err(ExportError::Exists(taken)) if taken == path));
        assert_eq!(kept, home.path().join("day-2.csv"));
        assert_eq!(std::fs::read_to_string(&kept).unwrap().lines().count(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    /// Runs itself once more, in a process whose files can't grow beyond some KiB.
    #[cfg(unix)]
    #[test]
    fn on_a_full_disk_the_whole_frames_are_kept() {
        const FOLDER: &str = "MIEN_TEST_FULL_DISK";
        const KIBIBYTES: usize = 8;
        if let Some(folder) = std::env::var_os(FOLDER) {
            let folder = Path::new(&folder);
            let classes = Classes::emotions();
            let csv = LiveTable::csv(&folder.join("day.csv"), &classes).unwrap();
            let jsonl = LiveTable::jsonl(&folder.join("day.jsonl"), &classes).unwrap();
            for mut table in [csv, jsonl] {
                let mut pushed = (0..1000).map(|index| table.push("a camera", &scene(index, Emotion::Happy)));
                let full = pushed.find_map(Result::err).unwrap();
                assert!(matches!(full, ExportError::Write { .. }), "{full}");
                table.finish().1.unwrap();
            }
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let test = "export::live::tests::on_a_full_disk_the_whole_frames_are_kept";
        crate::full_disk::test_again(test, FOLDER, home.path(), KIBIBYTES);
        let text = |name: &str| {
            let text = std::fs::read_to_string(home.path().join(name)).unwrap();
            assert!(text.ends_with('\n') && text.len() <= KIBIBYTES * 1024, "{text}");
            text
        };
        let csv = text("day.csv");
        let rows = csv::Reader::from_reader(csv.as_bytes()).into_records().map(Result::unwrap);
        let of_csv: Vec<u64> = rows.map(|row| row[1].parse().unwrap()).collect();
        let jsonl = text("day.jsonl");
        let objects = jsonl.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_jsonl: Vec<u64> = objects.map(|object| object["frame"].as_u64().unwrap()).collect();
        for frames in [of_csv, of_jsonl] {
            assert!(frames.len() > 3 && frames.iter().copied().eq(0..frames.len() as u64), "{frames:?}");
        }
    }
}
