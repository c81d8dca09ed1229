//! Log lines, which go to standard error or a file, apart from messages for the user. The last lines are kept for crash reports.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// Environment variable that says how much is logged: `info`, `mien=debug`, …
pub const LEVEL_VARIABLE: &str = "RUST_LOG";

/// Warnings, except those of the window's libraries: the window or the exit code reports what matters of them (no file dialog, no display)
/// in clearer words.
const USUAL: &str = "warn,egui_system_font_provider=error,rfd=off,winit=error";

/// The default for a log file, where more lines disturb nobody.
const USUAL_IN_FILE: &str = "info";

/// Number of log lines in a crash report.
const KEPT_LINES: usize = 100;

static LAST_LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// The value of `--log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogChoice {
    /// How much to log, in the syntax of [`LEVEL_VARIABLE`].
    Level(String),
    /// Where to log, instead of standard error.
    File(PathBuf),
}

impl FromStr for LogChoice {
    type Err = Infallible;

    /// Parses a level or filter; anything else is the path of a file.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        let is_level = word.parse::<LevelFilter>().is_ok() || (word.contains('=') && EnvFilter::try_new(word).is_ok());
        Ok(if is_level { Self::Level(word.to_owned()) } else { Self::File(word.into()) })
    }
}

/// Starts logging: warnings to standard error, unless `choice` or [`LEVEL_VARIABLE`] says otherwise. An existing file is appended to.
///
/// # Errors
/// When the file can't be opened, or logging was started before.
pub fn start(choice: Option<&LogChoice>) -> anyhow::Result<()> {
    let said = std::env::var(LEVEL_VARIABLE);
    let (level, writer, in_colour) = match choice {
        Some(LogChoice::File(path)) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot log to {}", path.display()))?;
            (said.as_deref().unwrap_or(USUAL_IN_FILE), BoxMakeWriter::new(Mutex::new(file)), false)
        }
        Some(LogChoice::Level(level)) => (level.as_str(), BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
        None => (said.as_deref().unwrap_or(USUAL), BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(level);
    // Internal errors would be printed to standard error, which panics if it is closed.
    let shown = fmt::layer().log_internal_errors(false).with_ansi(in_colour).with_writer(writer).with_filter(filter);
    let kept = fmt::layer().log_internal_errors(false).with_ansi(false).with_writer(|| LastLines);
    let subscriber = tracing_subscriber::registry().with(shown).with(kept.with_filter(LevelFilter::INFO));
    subscriber.try_init().context("cannot start logging")
}

/// The last log lines, oldest first.
#[must_use]
pub fn last_lines() -> String {
    LAST_LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().map(String::as_str).collect()
}

/// Keeps the last lines. tracing-subscriber writes one line at a time.
struct LastLines;

impl io::Write for LastLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = LAST_LINES.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use io::Write as _;

    use super::*;

    #[test]
    fn levels_and_filters_are_told_from_files() {
        let choice = |word: &str| word.parse::<LogChoice>().unwrap();
        for level in ["debug", "WARN", "off", "mien=debug", "warn,mien_vision=trace"] {
            assert_eq!(choice(level), LogChoice::Level(level.to_owned()));
        }
        for file in ["mien.log", "./debug", "/tmp/a=b/mien.log", "deb"] {
            assert_eq!(choice(file), LogChoice::File(file.into()));
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        for number in 0..KEPT_LINES + 5 {
            LastLines.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let lines = last_lines();
        assert_eq!(lines.lines().count(), KEPT_LINES);
        assert!(lines.starts_with("line 5\n") && lines.ends_with("line 104\n"), "{lines}");
    }
}
