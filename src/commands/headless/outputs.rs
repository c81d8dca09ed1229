//! Where the faces of a watched camera are written.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::CameraJob;
use super::stream::LineStream;
use crate::classes::Classes;
use crate::export::{FaceTable, LinesError, TableFormat};
use crate::pipeline::Scene;

/// Whether a path means the standard output.
pub(super) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// What is written while the camera runs.
pub(super) struct Outputs {
    csv: Option<FaceTable>,
    jsonl: Option<FaceTable>,
    lines: Option<LineStream>,
    is_closed: bool,
}

/// The tables that are whole now, and what became of the lines.
#[derive(Debug, Serialize)]
pub(super) struct WrittenTables {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jsonl: Option<PathBuf>,
    /// Lines for the standard output that its reader was too slow for. Not in the JSON, which is never printed beside them.
    #[serde(skip)]
    pub lines_left_out: u64,
}

impl Outputs {
    /// Opens what the job asks for, for faces that show these classes.
    pub fn open(job: &CameraJob, classes: &Classes) -> anyhow::Result<Self> {
        let table = |path: Option<&Path>, format| path.map(|path| FaceTable::create(path, format, classes)).transpose();
        let file = job.jsonl.as_deref().filter(|_| !job.streams());
        let lines = job.streams().then(|| LineStream::start(io::stdout(), classes)).transpose();
        Ok(Self {
            csv: table(job.csv.as_deref(), TableFormat::Csv)?,
            jsonl: table(file, TableFormat::Jsonl)?,
            lines: lines.context("a thread can't be started; close other programs and try again")?,
            is_closed: false,
        })
    }

    /// Whether nobody reads the lines any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes the faces of a frame.
    pub fn push(&mut self, source: &str, scene: &Scene) -> anyhow::Result<()> {
        for table in [&mut self.csv, &mut self.jsonl].into_iter().flatten() {
            table.push(source, scene)?;
        }
        match self.lines.as_mut().map(|lines| lines.push(source, scene)) {
            Some(Err(LinesError::Closed)) => self.is_closed = true,
            Some(Err(error)) => return Err(error.into()),
            _ => {}
        }
        Ok(())
    }

    /// Gives the tables their names, and the reader of the lines some time for those that wait.
    pub fn finish(self) -> anyhow::Result<WrittenTables> {
        let finish = |table: Option<FaceTable>| table.map(FaceTable::finish).transpose();
        let (table, jsonl) = (finish(self.csv)?, finish(self.jsonl)?);
        let lines_left_out = match self.lines.filter(|_| !self.is_closed).map(LineStream::finish) {
            None | Some(Err(LinesError::Closed)) => 0,
            Some(left_out) => left_out?,
        };
        Ok(WrittenTables { table, jsonl, lines_left_out })
    }
}
