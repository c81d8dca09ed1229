//! `mien replay`: the window on a video or a recording.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use clap::Args;

use super::display;
use super::headless::{RecordingJob, VideoJob};
use super::numbers::within;
use super::view::ViewArgs;
#[cfg(feature = "gui")]
use crate::app::{
    self, Launch,
    machine::ThisMachine,
    session::{Results, Source},
};
use crate::console::tell;
use crate::pipeline::SourceRequest;
use crate::recording::{Recording, folder_of};

/// Show a video or a recording with faces boxed, labelled and charted
///
/// A recording is shown with the results that were recorded; names, merges and hidden faces are kept beside it.
/// Without a display, or with --headless, a video is processed instead, and a recording exported: a copy with the boxes
/// drawn in and a table of all faces are written, and a summary is printed.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The video, or the folder of a recording
    #[arg(value_name = "FILE|FOLDER")]
    pub file: PathBuf,

    /// With a recording: find and label the faces again, instead of showing what was recorded
    #[arg(long)]
    pub again: bool,

    /// Playback speed: 2 is twice as fast
    #[arg(long, value_name = "X", value_parser = speed)]
    pub speed: Option<f64>,

    /// Start again at the end
    #[arg(long = "loop")]
    pub repeat: bool,

    /// Open no window: write an annotated video and a table (also the default when there is no display)
    #[arg(long, conflicts_with_all = ["speed", "repeat"])]
    pub headless: bool,

    /// Folder for the results without a window; implies --headless [default: mien-results]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Print the summary as one JSON object; implies --headless
    #[arg(long)]
    pub json: bool,

    /// What is the same for a camera and a video
    #[command(flatten)]
    pub view: ViewArgs,
}

/// What was named on the command line.
enum Chosen {
    Video(PathBuf),
    Recording(Arc<Recording>),
}

impl Chosen {
    fn request(&self) -> SourceRequest {
        match self {
            Self::Video(path) => SourceRequest::Video(path.clone()),
            Self::Recording(recording) => recording.request(),
        }
    }
}

impl ReplayArgs {
    /// Opens the window and returns when it is closed; without one, processes the video or exports the recording.
    ///
    /// # Errors
    /// When the file is no video or the folder no recording that can be read, when the device or model can't be used (before any window
    /// opens), when a result can't be written, or when it was ended with Ctrl-C.
    pub fn run(self) -> anyhow::Result<()> {
        let source = self.source()?;
        let asked = self.headless || self.output.is_some() || self.json;
        let no_display = display::why_none();
        if asked || no_display.is_some() {
            if let Some(why) = no_display.filter(|_| !asked) {
                let instead = match source {
                    Chosen::Recording(_) if !self.again => "Exporting the recording to files",
                    _ => "Processing the video to files",
                };
                tell(&format!("No window: {why}. {instead} instead."));
            }
            let Self { output, json, view, again, .. } = self;
            return match source {
                Chosen::Recording(recording) if !again => {
                    ensure!(
                        !view.labels.are_given(),
                        "options for the network, smoothing and finding faces have no effect on what was recorded; add --again to \
                         find and label the faces again"
                    );
                    RecordingJob { recording, output, blur: view.blur, json }.run()
                }
                chosen => {
                    VideoJob { source: chosen.request(), output, blur: view.blur, json, choices: view.labels.stages() }
                        .run()
                }
            };
        }
        self.show(&source)
    }

    /// What was named.
    fn source(&self) -> anyhow::Result<Chosen> {
        if let Some(folder) = folder_of(&self.file).or_else(|| self.file.is_dir().then(|| self.file.clone())) {
            return Ok(Chosen::Recording(Arc::new(Recording::open(&folder)?)));
        }
        ensure!(
            !self.again,
            "{} is a video, not a recording, and is always analysed; leave out --again",
            self.file.display()
        );
        Ok(Chosen::Video(self.file.clone()))
    }

    #[cfg(feature = "gui")]
    fn show(&self, source: &Chosen) -> anyhow::Result<()> {
        // Open it once here, where an unusable file results in an exit code.
        drop(source.request().open()?);
        self.view.labels.check(app::last_model)?;
        app::run(self.launch(source), Arc::new(ThisMachine::default()))
    }

    #[cfg(not(feature = "gui"))]
    fn show(&self, _source: &Chosen) -> anyhow::Result<()> {
        anyhow::bail!(display::NO_WINDOW_IN_BUILD)
    }

    #[cfg(feature = "gui")]
    fn launch(&self, source: &Chosen) -> Launch {
        let source = match source {
            Chosen::Recording(recording) => Source::Recording {
                folder: recording.folder().to_owned(),
                results: if self.again { Results::Anew } else { Results::Recorded },
            },
            Chosen::Video(path) => Source::Video(path.clone()),
        };
        Launch { speed: self.speed, repeat: self.repeat, ..self.view.launch(Some(source)) }
    }
}

fn speed(word: &str) -> Result<f64, String> {
    within(word, 1.0 / 16.0..=16.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_that_no_video_can_play_at_are_refused() {
        assert_eq!(speed("2"), Ok(2.0));
        for word in ["0", "-1", "NaN", "100", "fast"] {
            assert!(speed(word).is_err(), "{word}");
        }
    }
}
