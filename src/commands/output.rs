//! Printing what a command was asked for.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;
use serde::Serialize;

/// An error with its causes in one line, for the user. A cause whose words the error repeats already is left out.
#[must_use]
pub fn describe(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.is_empty() {
            cause
        } else if text.contains(&cause) {
            text
        } else {
            text + ": " + &cause
        }
    })
}

/// Writes `text` to the standard output. A reader who has gone, as `head` does, is no error: there is nobody to tell.
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

/// Writes `value` as indented JSON and a line feed to the standard output.
///
/// # Errors
/// As [`print`].
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
}
