//! Rows of the table of faces as JSON lines, for a program that reads them as they come.

use std::io::{self, Write};

use serde::Serializer as _;

use super::rows::{self, Cell};
use crate::classes::Classes;
use crate::pipeline::Scene;

/// Why lines can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The reader has closed the pipe, as `head` does. This is no fault.
    #[error("nobody reads the lines any more")]
    Closed,
    /// Writing failed.
    #[error("the lines can't be written: {0}")]
    Write(io::Error),
}

/// JSON lines, one for each face in each frame, with the names of the table's columns. The lines of a frame are written and flushed
/// together.
pub struct FaceLines<W> {
    out: W,
    header: Vec<String>,
    /// The lines of a frame before they are written.
    text: Vec<u8>,
}

impl<W: Write> FaceLines<W> {
    /// Writes lines to `out`, for faces with these classes.
    pub fn new(out: W, classes: &Classes) -> Self {
        Self { out, header: rows::header(classes), text: Vec::new() }
    }

    /// Writes the faces of a frame of `file`.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn push(&mut self, file: &str, scene: &Scene) -> Result<(), LinesError> {
        self.text.clear();
        for face in &scene.faces {
            let row = rows::row(file, scene.frame.index, scene.frame.media_time, face, &scene.classes);
            write_line(&mut self.text, &self.header, &row).map_err(LinesError::Write)?;
        }
        if self.text.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.text).and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => LinesError::Closed,
            _ => LinesError::Write(error),
        })
    }
}

/// Writes a row as a JSON object and a line feed.
pub(super) fn write_line(out: &mut impl Write, header: &[String], row: &[Cell<'_>]) -> io::Result<()> {
    serde_json::Serializer::new(&mut *out).collect_map(header.iter().zip(row))?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;

    /// Counts flushes.
    #[derive(Default)]
    struct Out {
        text: Vec<u8>,
        flushes: usize,
    }

    impl Write for &mut Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            Ok(())
        }
    }

    #[test]
    fn each_frame_is_flushed_and_a_frame_without_a_face_writes_nothing() {
        let mut out = Out::default();
        let mut lines = FaceLines::new(&mut out, &Classes::emotions());
        let mut empty = scene(1, Emotion::Sad);
        empty.faces.clear();
        for scene in [scene(0, Emotion::Happy), empty, scene(2, Emotion::Sad)] {
            lines.push("a.mp4", &scene).unwrap();
        }
        let text = String::from_utf8(out.text).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((rows.len(), out.flushes), (2, 2));
        assert_eq!((&rows[1]["frame"], &rows[1]["label"], &rows[1]["face"]), (&2.into(), &"sad".into(), &1.into()));
    }

    #[test]
    fn a_line_is_an_object_with_the_columns_in_their_order_and_null_for_what_is_not_known() {
        let header = ["file", "frame", "time_s", "score", "roll"].map(str::to_owned);
        let row = [
            Cell::Text("a \"b\"\n\u{e4}.mp4"),
            Cell::Count(u64::MAX),
            Cell::Decimal(0.280_04, 4),
            Cell::Decimal(f64::NAN, 4),
            Cell::Unknown,
        ];
        let mut line = Vec::new();
        write_line(&mut line, &header, &row).unwrap();
        let wanted = r#"{"file":"a \"b\"\nä.mp4","frame":18446744073709551615,"time_s":0.28,"score":null,"roll":null}"#;
        assert_eq!(String::from_utf8(line).unwrap(), format!("{wanted}\n"));
    }

    #[test]
    fn a_line_of_a_face_has_the_bytes_of_the_object_that_it_is_read_as() {
        let classes = Classes::emotions();
        let scene = scene(7, Emotion::Happy);
        let row = rows::row("a.mp4", 7, scene.frame.media_time, &scene.faces[0], &classes);
        let mut line = Vec::new();
        write_line(&mut line, &rows::header(&classes), &row).unwrap();
        let object: Map<String, Value> = serde_json::from_slice(&line).unwrap();
        assert_eq!(object.len(), row.len());
        assert_eq!(String::from_utf8(line).unwrap(), format!("{}\n", Value::Object(object)));
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_ended_is_told_from_a_disk_that_is_full() {
        let closed = FaceLines::new(Full, &Classes::emotions()).push("a.mp4", &scene(0, Emotion::Happy));
        assert!(matches!(closed, Err(LinesError::Closed)));
    }
}
