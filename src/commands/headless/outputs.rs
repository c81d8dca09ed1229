//! Where the faces of a watched camera are written.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::CameraJob;
use super::stream::LineStream;
use crate::classes::Classes;
use crate::console::describe;
use crate::export::{ExportError, LinesError, LiveTable};
use crate::pipeline::Scene;

/// Whether a path means the standard output.
pub(super) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// The outputs that are written while the camera runs.
pub(super) struct Outputs {
    csv: Option<LiveTable>,
    jsonl: Option<LiveTable>,
    lines: Option<LineStream>,
    is_closed: bool,
}

/// Where the tables are, and what became of the lines.
#[derive(Debug, Serialize)]
pub(super) struct WrittenTables {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jsonl: Option<PathBuf>,
    /// Lines for standard output that were dropped because their reader was too slow. Not in the JSON, which is never printed beside lines.
    #[serde(skip)]
    pub lines_left_out: u64,
}

impl Outputs {
    /// Opens the outputs that the job asks for, for faces with these classes.
    pub fn open(job: &CameraJob, classes: &Classes) -> anyhow::Result<Self> {
        let file = job.jsonl.as_deref().filter(|_| !job.streams());
        let lines = job.streams().then(|| LineStream::start(io::stdout(), classes)).transpose();
        Ok(Self {
            csv: job.csv.as_deref().map(|path| LiveTable::csv(path, classes)).transpose()?,
            jsonl: file.map(|path| LiveTable::jsonl(path, classes)).transpose()?,
            lines: lines.context("a thread can't be started; close other programs and try again")?,
            is_closed: false,
        })
    }

    /// Whether the reader of the lines has gone.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes the faces of a frame.
    pub fn push(&mut self, source: &str, scene: &Scene) -> anyhow::Result<()> {
        // If one of them can't be written, the others still get their rows.
        let tables = [&mut self.csv, &mut self.jsonl].into_iter().flatten();
        let of_tables = tables.map(|table| table.push(source, scene)).fold(Ok(()), Result::and);
        let of_lines = match self.lines.as_mut().map(|lines| lines.push(source, scene)) {
            Some(Err(LinesError::Closed)) => {
                self.is_closed = true;
                Ok(())
            }
            Some(result) => result,
            None => Ok(()),
        };
        of_tables.map_err(anyhow::Error::from).and(of_lines.map_err(anyhow::Error::from))
    }

    /// Completes the tables, and gives the reader of the lines some time for those that wait. Returns the first error; the tables are kept
    /// even then.
    pub fn finish(self) -> (WrittenTables, anyhow::Result<()>) {
        let ((table, of_csv), (jsonl, of_jsonl)) = (finish(self.csv), finish(self.jsonl));
        let (lines_left_out, of_lines) = match self.lines.filter(|_| !self.is_closed).map(LineStream::finish) {
            None | Some(Err(LinesError::Closed)) => (0, Ok(())),
            Some(Ok(left_out)) => (left_out, Ok(())),
            Some(Err(error)) => (0, Err(error)),
        };
        let tables = WrittenTables { table, jsonl, lines_left_out };
        let result = of_csv.and(of_jsonl).map_err(anyhow::Error::from).and(of_lines.map_err(anyhow::Error::from));
        let result = result.map_err(|error| tables.say_where(error));
        (tables, result)
    }
}

/// Completes a table; returns its path, and what failed.
fn finish(table: Option<LiveTable>) -> (Option<PathBuf>, Result<(), ExportError>) {
    let Some(table) = table else { return (None, Ok(())) };
    let (path, result) = table.finish();
    (Some(path), result)
}

impl WrittenTables {
    /// Adds the tables' paths to an error that ended them early.
    pub fn say_where(&self, error: anyhow::Error) -> anyhow::Error {
        let paths: Vec<_> = self.table.iter().chain(&self.jsonl).map(|path| path.display().to_string()).collect();
        if paths.is_empty() {
            return error;
        }
        let words = format!("{}; what was seen up to then is in {}", describe(&error), paths.join(" and "));
        error.context(words)
    }
}
