//! Output on the terminal: results, warnings, progress.

#[cfg(feature = "vision")]
pub mod progress;

use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::torch;

/// An error with its causes in one line, for the user. Causes that the text already contains are left out.
#[must_use]
pub fn describe(error: &anyhow::Error) -> String {
    let words = |cause: &(dyn Error + 'static)| cause.downcast_ref().map_or_else(|| cause.to_string(), torch::said);
    error.chain().map(|cause| in_one_line(&words(cause))).fold(String::new(), |text, cause| {
        if text.is_empty() {
            cause
        } else if text.contains(&cause) {
            text
        } else {
            text + ": " + &cause
        }
    })
}

/// Joins several lines into one, without the excerpt that TOML's errors draw between position and message.
fn in_one_line(text: &str) -> String {
    let is_margin = |text: &str| text.trim().bytes().all(|byte| byte.is_ascii_digit());
    let is_drawn = |line: &&str| line.split_once('|').is_some_and(|(margin, _)| is_margin(margin));
    text.lines().filter(|line| !line.trim().is_empty() && !is_drawn(line)).collect::<Vec<_>>().join(": ")
}

/// `1 face`, `3 faces`.
#[must_use]
pub fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// A file's name for messages and lists, as [`visible`] text.
#[must_use]
pub fn shown(name: &Path) -> String {
    visible(&name.to_string_lossy())
}

/// Text with its control characters escaped, for one line of a message or list. A line feed, as names may have, would look like the next
/// entry, and others change the terminal's colours.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::new();
    for letter in text.chars() {
        if letter.is_control() {
            visible.extend(letter.escape_default());
        } else {
            visible.push(letter);
        }
    }
    visible
}

/// Writes `text` to standard output. A closed pipe, as after `head`, is no error.
///
/// # Errors
/// When it can't be written for another reason, as on a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to the standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error, for the user. Errors are ignored: a closed pipe, or a log on a full disk, must not end the work, as it
/// would with `eprintln!`.
pub fn tell(line: &str) {
    std::io::stderr().lock().write_all(format!("{line}\n").as_bytes()).ok();
}

/// Writes `value` as indented JSON and a line feed to the standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value).context("cannot write the result as JSON")?;
    print(&(json + "\n"))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let error = anyhow!("no such file").context("can't read a.csv: no such file").context("can't train");
        assert_eq!(describe(&error), "can't train: can't read a.csv: no such file");
    }

    #[test]
    fn a_name_is_shown_in_one_line_and_without_control_characters() {
        assert_eq!(shown(Path::new("a/b\nc\u{1b}[31m.mp4")), "a/b\\nc\\u{1b}[31m.mp4");
        assert_eq!(shown(Path::new("Ærø “1”.mp4")), "Ærø “1”.mp4");
    }

    #[test]
    fn what_libtorch_says_is_told_once_and_without_its_stack() {
        let source =
            tch::TchError::Torch("DefaultCPUAllocator: can't allocate memory: 9 bytes\nframe #0: c10".to_owned());
        let error = anyhow::Error::new(crate::classify::ClassifyError::from(source));
        assert_eq!(describe(&error), "the network failed: there is not enough memory");
    }

    #[test]
    fn an_error_in_toml_is_told_in_one_line() {
        let source = toml::from_str::<toml::Table>("a = 1\nb = = 2").unwrap_err();
        let error = anyhow::Error::new(source).context("can't read the recipe");
        let told = describe(&error);
        assert!(told.starts_with("can't read the recipe: TOML parse error at line 2, column 5: "), "{told}");
        assert!(!told.contains(['\n', '|', '^']), "{told}");
    }
}
