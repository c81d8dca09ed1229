//! Progress of a run: a bar on a terminal, otherwise a line now and then, as for a log.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::tell;

/// Most lines in a log from one run.
const LINES: u64 = 4;

/// Progress through a number of frames, on the standard error stream.
pub struct Progress {
    bar: ProgressBar,
    name: String,
    logs: bool,
}

impl Progress {
    /// Starts with `frames` frames, if their number is known.
    pub fn new(name: &str, frames: Option<u64>) -> Self {
        let bar = frames.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_message(name.to_owned());
        if let Some(style) = frames_style(frames) {
            bar.set_style(style);
        }
        Self { bar, name: name.to_owned(), logs: true }
    }

    /// Prints nothing without a terminal.
    pub fn without_log(mut self) -> Self {
        self.logs = false;
        self
    }

    /// Counts a frame.
    pub fn tick(&self) {
        self.bar.inc(1);
        if !self.logs || !self.bar.is_hidden() {
            return;
        }
        let (done, all) = (self.bar.position(), self.bar.length());
        if let Some(all) = all.filter(|all| done % all.div_ceil(LINES).max(1) == 0) {
            tell(&format!("{}: {done} of {all} frames", self.name));
        }
    }
}

/// The style of progress through frames, depending on whether their number is known.
pub fn frames_style(frames: Option<u64>) -> Option<ProgressStyle> {
    let template = match frames {
        Some(_) => "{msg} [{bar:32}] {pos}/{len} frames, {per_sec}, {eta} left",
        None => "{msg} {spinner} {pos} frames, {per_sec}",
    };
    // Numbers such as 93.4567/s are hard to read while they change.
    let per_sec = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Nothing can be done about a line on a terminal that can't be written.
        write!(out, "{:.0} fps", state.per_sec()).ok();
    };
    Some(ProgressStyle::with_template(template).ok()?.with_key("per_sec", per_sec))
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
