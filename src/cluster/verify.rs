//! Checks results against their records.

use std::path::PathBuf;

use anyhow::bail;

use super::found::Found;
use super::merge::folders_in_words;
use crate::batch::{FileState, Output};
use crate::console::shown;
use crate::lab::provenance::sha256;

/// The outcome of the check.
#[derive(Debug, Default)]
pub struct Verified {
    /// Results that match their records.
    pub good: usize,
    /// Those of which only the length could be checked: older versions recorded no checksum.
    pub by_length: usize,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Checks whether all results in some folders exist and have the contents that their records say.
///
/// # Errors
/// When a folder doesn't exist or can't be read, or nothing in them was written by Mien.
pub fn verify(folders: &[PathBuf]) -> anyhow::Result<Verified> {
    let found = Found::search(folders)?;
    if found.records.is_empty() && found.joined.is_empty() && found.unreadable.is_empty() {
        bail!("there are no results of Mien in {}", folders_in_words(folders));
    }
    let mut verified = Verified::default();
    let damaged = found.unreadable.iter().map(|(path, error)| format!("{}: {error}", shown(path)));
    verified.faults.extend(damaged);
    for record in found.records.values().flatten().chain(&found.joined) {
        match record.results() {
            None => verified.faults.push(format!("{}: the run that wrote it didn't finish", shown(&record.path))),
            Some(results) => results.outputs.iter().for_each(|output| verified.look_at(output)),
        }
    }
    Ok(verified)
}

impl Verified {
    fn look_at(&mut self, output: &Output) {
        let path = &output.file.path;
        let state = FileState::of(path);
        let fault = match (&state, &output.sha256) {
            (Err(error), _) => Some(format!("can't be read: {error}")),
            (Ok(now), _) if now.bytes != output.file.bytes => {
                Some(format!("has {} bytes instead of {}", now.bytes, output.file.bytes))
            }
            (Ok(_), None) => {
                self.by_length += 1;
                None
            }
            (Ok(_), Some(sum)) => match sha256(path) {
                Err(error) => Some(format!("can't be read: {error}")),
                Ok(now) => (now != *sum).then(|| "its contents have changed".to_owned()),
            },
        };
        match fault {
            Some(fault) => self.faults.push(format!("{}: {fault}", shown(path))),
            None => self.good += 1,
        }
    }
}
