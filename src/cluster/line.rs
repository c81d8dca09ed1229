//! A line of a manifest: a video, a part of one or a picture, with what it is and how long it takes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::split::{Split, parts};
use crate::batch::{FileState, Input, PICTURES_NAME, Part, clock_begins_again};
use crate::source::{FrameSource as _, VideoSource};

/// Some drives store modification times in steps of two seconds, so copies of a file may differ by as much.
const TIME_TOLERANCE_MS: u64 = 2000;

/// Hexadecimal digits of an id: 64 bits, enough for billions of files.
const ID_DIGITS: usize = 16;

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// The first 16 digits of the SHA-256 of name, length, modification time and number of the part.
    pub id: String,
    /// Its path, on all machines.
    pub path: PathBuf,
    /// Its name in results.
    pub name: PathBuf,
    /// Video or picture.
    pub kind: Kind,
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: Option<u64>,
    /// Declared duration of the whole file, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Declared number of frames of the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Which part of it, if not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Why it can't be analysed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Videos are analysed one by one, pictures all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A video.
    Video,
    /// A still picture.
    Picture,
}

impl ManifestLine {
    /// The lines of an input: one for each part, if a film is cut. Films whose clock restarts aren't cut, and are added to `uncut`.
    pub(super) fn all_of(input: &Input, kind: Kind, split: Option<Split>, uncut: &mut Vec<PathBuf>) -> Vec<Self> {
        let line = Self::of(&input.path, &input.name, kind);
        if line.problem.is_some() || kind == Kind::Picture {
            return vec![line];
        }
        let source = match VideoSource::open(&input.path) {
            Ok(source) => source,
            Err(error) => return vec![line.with_problem(error.to_string())],
        };
        let info = source.info();
        let seconds = info.duration().map(|duration| duration.as_secs_f64());
        let line = Self { seconds, frames: info.frames(), ..line };
        let parts = split.map(|split| parts(info, split)).unwrap_or_default();
        if parts.is_empty() {
            return vec![line];
        }
        match clock_begins_again(&input.path) {
            Ok(false) => {}
            // Its declared length is that of one of its pieces.
            Ok(true) => {
                uncut.push(input.name.clone());
                return vec![line];
            }
            Err(error) => return vec![line.with_problem(format!("can't be read: {error}"))],
        }
        parts.into_iter().map(|part| Self { part: Some(part), ..line.clone() }.with_id()).collect()
    }

    /// The line of a file as it is now, without what only a decoder can tell.
    pub(super) fn of(path: &Path, name: &Path, kind: Kind) -> Self {
        let state = FileState::of(path);
        let (bytes, modified_ms) = state.map_or((0, None), |state| (state.bytes, state.modified_ms));
        // JSON can't hold other paths.
        let text = |path: &Path| PathBuf::from(path.to_string_lossy().into_owned());
        let line = Self {
            id: String::new(),
            path: text(path),
            name: text(name),
            kind,
            bytes,
            modified_ms,
            seconds: None,
            frames: None,
            part: None,
            problem: None,
        };
        if path.to_str().is_some() && name.to_str().is_some() {
            line.with_id()
        } else {
            line.with_problem("its name is not Unicode and can't be written to a manifest; rename it".to_owned())
        }
    }

    /// Marks the line as one that can't be analysed.
    pub(super) fn with_problem(mut self, problem: String) -> Self {
        self.problem = Some(problem);
        self.with_id()
    }

    /// Sets the id, which depends on the other fields.
    pub(super) fn with_id(mut self) -> Self {
        let Self { name, bytes, modified_ms, part, .. } = &self;
        let part = part.map_or(0, |part| part.number);
        let facts = format!("{}\0{bytes}\0{}\0{part}", name.display(), modified_ms.unwrap_or_default());
        let digest = format!("{:x}", Sha256::digest(facts));
        self.id = digest.chars().take(ID_DIGITS).collect();
        self
    }

    /// The name of its results.
    pub fn unit_name(&self) -> PathBuf {
        self.part.map_or_else(|| self.name.clone(), |part| part.name(&self.name))
    }

    /// The name of the results that include it: all pictures share one table.
    pub fn table_name(&self) -> PathBuf {
        if self.kind == Kind::Picture { PICTURES_NAME.into() } else { self.unit_name() }
    }

    /// What is wrong, if the file isn't the planned one any more.
    pub(super) fn changed_since(&self) -> Option<String> {
        let state = match FileState::of(&self.path) {
            Ok(state) => state,
            Err(error) => return Some(format!("can't be read: {error}")),
        };
        let words = "has changed since the manifest was made; make a new one with `mien plan`";
        (!self.is_as_planned(&state)).then(|| words.to_owned())
    }

    /// Whether a file in this state is the planned one: it has the same length and about the same modification time.
    pub fn is_as_planned(&self, state: &FileState) -> bool {
        let apart = self.modified_ms.zip(state.modified_ms).map_or(0, |(then, now)| then.abs_diff(now));
        state.bytes == self.bytes && apart <= TIME_TOLERANCE_MS
    }
}
