//! Progress of a batch: on a terminal a bar for each file in progress and one for all, elsewhere a line for each file, for programs JSON
//! events.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::outcome::Problem;
use super::record::Results;
use crate::console::progress::frames_style;
use crate::console::{counted, print, shown, tell, visible};

/// Least time between two progress events of a file.
const EVENT_INTERVAL: Duration = Duration::from_secs(1);

/// How a batch reports its progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// Bars on a terminal, a line for each file elsewhere
    #[default]
    Bars,
    /// JSON lines on standard output, which gets nothing else
    Json,
}

impl ProgressForm {
    /// Whether progress is reported to a program.
    #[must_use]
    pub fn is_json(self) -> bool {
        self == Self::Json
    }

    /// Reports that the batch is over.
    ///
    /// # Errors
    /// When the event can't be written.
    pub fn end(self, new: usize, before: usize, complaints: &[String]) -> anyhow::Result<()> {
        self.event(&json!({ "event": "end", "analysed": new, "done_before": before, "complaints": complaints }))
    }

    fn event(self, event: &Value) -> anyhow::Result<()> {
        if self.is_json() { print(&format!("{event}\n")) } else { Ok(()) }
    }
}

/// Progress of a batch: bars and lines on standard error, events for programs on standard output. Files count by their length in bytes,
/// because their number of frames is only known once they are open.
pub struct BatchProgress {
    form: ProgressForm,
    screen: MultiProgress,
    total: ProgressBar,
}

/// Progress of a file in a batch.
pub struct FileProgress<'a> {
    batch: &'a BatchProgress,
    bar: ProgressBar,
    name: String,
    frames: Option<u64>,
    bytes: u64,
    counted: u64,
    began: Instant,
    last_event: Instant,
}

impl BatchProgress {
    /// Starts with the number of files and their bytes.
    pub fn new(form: ProgressForm, files: usize, bytes: u64) -> anyhow::Result<Self> {
        form.event(&json!({ "event": "begin", "files": files, "bytes": bytes }))?;
        let screen = MultiProgress::new();
        if form.is_json() {
            screen.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let style = indicatif::ProgressStyle::with_template("all [{bar:32}] {percent} %, {elapsed}, {eta} left")?;
        let total = screen.add(ProgressBar::new(bytes).with_style(style));
        Ok(Self { form, screen, total })
    }

    /// Starts a file, with its bytes and, if known, the number of frames to analyse.
    pub fn begin(&self, name: &str, bytes: u64, frames: Option<u64>) -> FileProgress<'_> {
        let bar = frames.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_message(shown(Path::new(name)));
        let bar = self.screen.insert_before(&self.total, bar);
        if let Some(style) = frames_style(frames) {
            bar.set_style(style);
        }
        let (name, began) = (name.to_owned(), Instant::now());
        self.tell(&json!({ "event": "file-begin", "file": name, "frames": frames, "bytes": bytes }));
        FileProgress { batch: self, bar, name, frames, bytes, counted: 0, began, last_event: began }
    }

    /// Skips a file.
    pub fn pass_over(&self, bytes: u64) {
        self.total.inc(bytes);
    }

    /// Reports that a file has failed.
    pub fn failed(&self, problem: &Problem) {
        let Problem { name, reason, try_again } = problem;
        self.say(&format!("{}: {}", shown(name), visible(reason)));
        self.tell(&json!({ "event": "file-failed", "file": name.to_string_lossy(), "reason": reason, "try_again": try_again }));
    }

    /// Prints a line above the bars.
    fn say(&self, line: &str) {
        if !self.form.is_json() {
            self.screen.suspend(|| tell(line));
        }
    }

    /// Sends an event to the program. If it no longer listens, the work goes on.
    fn tell(&self, event: &Value) {
        if let Err(error) = self.form.event(event) {
            tracing::debug!("{error}");
        }
    }
}

impl FileProgress<'_> {
    /// Counts a frame.
    pub fn tick(&mut self) {
        self.bar.inc(1);
        if let Some(frames) = self.frames.filter(|frames| *frames > 0) {
            let share = (self.bar.position() as f64 / frames as f64).min(1.0);
            self.count((self.bytes as f64 * share) as u64);
        }
        if self.last_event.elapsed() >= EVENT_INTERVAL {
            self.last_event = Instant::now();
            let (done, seconds) = (self.bar.position(), self.began.elapsed().as_secs_f64());
            self.batch.tell(&json!({
                "event": "file-progress", "file": self.name, "frames_done": done, "frames": self.frames, "seconds": seconds,
            }));
        }
    }

    /// Reports that the file is done.
    pub fn done(&self, results: &Results) {
        let seconds = self.began.elapsed().as_secs_f64();
        let Results { frames, faces, notes, .. } = results;
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        let fps = if seconds > 0.0 { *frames as f64 / seconds } else { 0.0 };
        let (all, seen) = (counted(*frames, "frame", "frames"), counted(*faces, "face", "faces"));
        let name = shown(Path::new(&self.name));
        self.batch.say(&format!("{name}: {all}, {seen}, {seconds:.1} s, {fps:.0} fps{notes}"));
        self.batch.tell(&json!({
            "event": "file-done", "file": self.name, "frames": frames, "faces": faces, "seconds": seconds,
        }));
    }

    fn count(&mut self, bytes: u64) {
        self.batch.total.inc(bytes.saturating_sub(self.counted));
        self.counted = self.counted.max(bytes);
    }
}

impl Drop for FileProgress<'_> {
    fn drop(&mut self) {
        self.count(self.bytes);
        self.bar.finish_and_clear();
    }
}

impl Drop for BatchProgress {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}
