//! How far a batch has come: a bar for each file at work and one for all, on a terminal; a line a file elsewhere.

use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar};

use super::manifest::Results;
use crate::console::progress::frames_style;
use crate::console::tell;

/// Progress of a batch, on the standard error stream. Files count by their length in bytes: how many frames they have is only
/// known once they are open.
pub struct BatchProgress {
    screen: MultiProgress,
    total: ProgressBar,
}

/// Progress of a file in it.
pub struct FileProgress<'a> {
    batch: &'a BatchProgress,
    bar: ProgressBar,
    name: String,
    frames: Option<u64>,
    bytes: u64,
    counted: u64,
    began: Instant,
}

impl BatchProgress {
    /// Of a batch of so many bytes.
    pub fn new(bytes: u64) -> anyhow::Result<Self> {
        let screen = MultiProgress::new();
        let style = indicatif::ProgressStyle::with_template("all [{bar:32}] {percent} %, {elapsed}, {eta} left")?;
        let total = screen.add(ProgressBar::new(bytes).with_style(style));
        Ok(Self { screen, total })
    }

    /// Begins with a file of so many bytes and, if that is known, frames to analyse.
    pub fn begin(&self, name: &str, bytes: u64, frames: Option<u64>) -> FileProgress<'_> {
        let bar = frames.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_message(name.to_owned());
        let bar = self.screen.insert_before(&self.total, bar);
        if let Some(style) = frames_style(frames) {
            bar.set_style(style);
        }
        let (name, began) = (name.to_owned(), Instant::now());
        FileProgress { batch: self, bar, name, frames, bytes, counted: 0, began }
    }

    /// Passes over a file.
    pub fn pass_over(&self, bytes: u64) {
        self.total.inc(bytes);
    }

    /// Says something that stays.
    pub fn say(&self, line: &str) {
        self.screen.suspend(|| tell(line));
    }
}

impl FileProgress<'_> {
    /// One frame more is done.
    pub fn tick(&mut self) {
        self.bar.inc(1);
        if let Some(frames) = self.frames.filter(|frames| *frames > 0) {
            let share = (self.bar.position() as f64 / frames as f64).min(1.0);
            self.count((self.bytes as f64 * share) as u64);
        }
    }

    /// The file is done.
    pub fn done(&self, results: &Results) {
        let seconds = self.began.elapsed().as_secs_f64();
        let Results { frames, faces, notes, .. } = results;
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        let fps = if seconds > 0.0 { *frames as f64 / seconds } else { 0.0 };
        self.batch.say(&format!("{}: {frames} frames, {faces} faces, {seconds:.1} s, {fps:.0} fps{notes}", self.name));
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
