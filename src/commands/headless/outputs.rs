//! Where the faces of a watched camera are written.

use std::io::{self, Stdout};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::CameraJob;
use crate::classes::Classes;
use crate::export::{FaceLines, FaceTable, LinesError, TableFormat};
use crate::pipeline::Scene;

/// Whether a path means the standard output.
pub(super) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// What is written while the camera runs.
pub(super) struct Outputs {
    csv: Option<FaceTable>,
    jsonl: Option<FaceTable>,
    lines: Option<FaceLines<Stdout>>,
    is_closed: bool,
}

/// The tables that are whole now.
#[derive(Debug, Serialize)]
pub(super) struct WrittenTables {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jsonl: Option<PathBuf>,
}

impl Outputs {
    /// Opens what the job asks for, for faces that show these classes.
    pub fn open(job: &CameraJob, classes: &Classes) -> anyhow::Result<Self> {
        let table = |path: Option<&Path>, format| path.map(|path| FaceTable::create(path, format, classes)).transpose();
        let file = job.jsonl.as_deref().filter(|_| !job.streams());
        Ok(Self {
            csv: table(job.csv.as_deref(), TableFormat::Csv)?,
            jsonl: table(file, TableFormat::Jsonl)?,
            lines: job.streams().then(|| FaceLines::new(io::stdout(), classes)),
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

    /// Gives the tables their names.
    pub fn finish(self) -> anyhow::Result<WrittenTables> {
        let finish = |table: Option<FaceTable>| table.map(FaceTable::finish).transpose();
        Ok(WrittenTables { table: finish(self.csv)?, jsonl: finish(self.jsonl)? })
    }
}
