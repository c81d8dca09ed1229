//! Exports a recording without a window: the recorded results, with the edits stored beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::summary::{Seen, Tally};
use super::video::DEFAULT_FOLDER;
use crate::blur::Blur;
use crate::console::progress::Progress;
use crate::console::{print, print_json, tell};
use crate::interrupt::{self, Interrupted};
use crate::network::NetworkInUse;
use crate::recording::{Export, ExportProblem, Exported, Recording};
use crate::source_summary::SourceSummary;
use crate::version::Versions;

/// A recording to export.
#[derive(Clone, Debug)]
pub struct RecordingJob {
    /// The recording.
    pub recording: Arc<Recording>,
    /// Folder for the results; `None` means `mien-results` in the current folder.
    pub output: Option<PathBuf>,
    /// What to blur in the video.
    pub blur: Option<Blur>,
    /// Whether to print the summary as one JSON object.
    pub json: bool,
}

/// The result of an export.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    seen: Seen,
    /// Rows in the table, including hidden people.
    rows: usize,
    /// When the recording began.
    recorded: String,
    /// The network that labelled the faces.
    #[serde(flatten)]
    network: NetworkInUse,
    source: SourceSummary,
    video: PathBuf,
    table: PathBuf,
    marks: PathBuf,
    versions: Versions,
}

impl RecordingJob {
    /// Exports the recording and prints the summary.
    ///
    /// # Errors
    /// When its edits can't be read, a result can't be written, or the user interrupted it. No result is left behind then.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let recording = &self.recording;
        for notice in &recording.notices {
            tell(&format!("{notice}."));
        }
        // Without its edits, the export would silently differ from what the user edited.
        let (_, edits) = recording.edits().map_err(anyhow::Error::msg)?;
        let folder = self.output.as_deref().unwrap_or(Path::new(DEFAULT_FOLDER)).to_owned();
        let export = Export { recording: Arc::clone(recording), edits, blur: self.blur, folder };
        let mut tally = Tally::default();
        let progress = Progress::new(&recording.name(), Some(recording.frames.len() as u64));
        let exported = export.run(stop, |scene| {
            tally.add(scene);
            progress.tick();
        });
        drop(progress);
        let Exported { video, table, marks, complaints } = match exported {
            Err(problem @ ExportProblem::Stopped(_)) => return Err(Interrupted(problem.to_string()).into()),
            exported => exported?,
        };
        for complaint in complaints {
            tell(&format!("warning: {complaint}"));
        }
        let metadata = &recording.metadata;
        let outcome = Outcome {
            seen: tally.seen(),
            rows: recording.faces.rows().len(),
            recorded: metadata.started.clone(),
            network: metadata.network(),
            source: SourceSummary {
                name: recording.name(),
                width: recording.video.width,
                height: recording.video.height,
                fps: recording.frames.rate(),
                codec: recording.video.fourcc.clone(),
            },
            video,
            table,
            marks,
            versions: Versions::here(),
        };
        if self.json { print_json(&outcome) } else { print(&outcome.text()) }
    }
}

impl Outcome {
    fn text(&self) -> String {
        let SourceSummary { name, width, height, .. } = &self.source;
        format!(
            "{name} ({width}×{height}), recorded results of {}\n\n{}\n  Model     {}\n  Video     {}\n  Table     {} ({} rows)\n  \
             Marks     {}\n",
            self.recorded,
            self.seen.text(),
            self.network,
            self.video.display(),
            self.table.display(),
            self.rows,
            self.marks.display(),
        )
    }
}
