//! `mien replay`: the window on a video.

use std::path::PathBuf;
#[cfg(feature = "gui")]
use std::sync::Arc;

use clap::Args;

use super::display;
use super::headless::VideoJob;
use super::output::tell;
use super::view::ViewArgs;
#[cfg(feature = "gui")]
use crate::app::{self, Launch, machine::ThisMachine, session::Source};
#[cfg(feature = "gui")]
use crate::source::VideoSource;

/// Show a video with faces boxed, named and charted
///
/// Without a display, or with --headless, it works the video off instead: it writes a copy with the boxes drawn in and a
/// table of all faces, and prints a summary.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The video
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How fast: 2 is twice its own speed
    #[arg(long, value_name = "X", value_parser = speed)]
    pub speed: Option<f64>,

    /// Start again at the end
    #[arg(long = "loop")]
    pub repeat: bool,

    /// Open no window: write an annotated video and a table (what happens without a display anyway)
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

impl ReplayArgs {
    /// Opens the window on the video and returns when it is closed; or works the video off without a window.
    ///
    /// # Errors
    /// When the file is no video that can be read, or the device or model asked for can't be had (before any window
    /// opens), or a result can't be written.
    pub fn run(self) -> anyhow::Result<()> {
        let asked = self.headless || self.output.is_some() || self.json;
        let no_display = display::why_none();
        if asked || no_display.is_some() {
            if let Some(why) = no_display.filter(|_| !asked) {
                tell(&format!("No window: {why}. Working the video off to files instead."));
            }
            let Self { file, output, json, view, .. } = self;
            return VideoJob { file, output, json, choices: view.labels.stages() }.run();
        }
        self.show()
    }

    #[cfg(feature = "gui")]
    fn show(&self) -> anyhow::Result<()> {
        // Opened once to refuse a wrong file here, where the answer is an exit code.
        drop(VideoSource::open(&self.file)?);
        self.view.labels.check()?;
        Ok(app::run(self.launch(), Arc::new(ThisMachine))?)
    }

    #[cfg(not(feature = "gui"))]
    fn show(&self) -> anyhow::Result<()> {
        anyhow::bail!(display::NO_WINDOW_IN_BUILD)
    }

    #[cfg(feature = "gui")]
    fn launch(&self) -> Launch {
        let source = Source::Video(self.file.clone());
        Launch { speed: self.speed, repeat: self.repeat, ..self.view.launch(Some(source)) }
    }
}

fn speed(word: &str) -> Result<f64, String> {
    word.parse()
        .ok()
        .filter(|speed| (1.0 / 16.0..=16.0).contains(speed))
        .ok_or_else(|| "must be a number from 0.0625 to 16".to_owned())
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
