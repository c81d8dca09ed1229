//! What a user changed about a recording: who a face is, who is hidden, what is marked. The recorded tables stay as they
//! are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Mark, SavedMark};
use crate::bounded;
use crate::face::{Face, FaceId};
use crate::whole::{self, Existing};

/// Changes when a field changes its meaning.
const EDITS_SCHEMA: u32 = 1;

/// Bytes that the file may have. That of a recording with a hundred people has 5000.
const MOST_BYTES: u64 = 8 << 20;

/// Characters that a name may have: it is drawn on each frame.
const LONGEST_NAME: usize = 200;

/// Faces that may be named, merged or hidden. A recording of a day in a busy street has fewer.
const MOST_PEOPLE: usize = 20_000;

/// The changes, which are applied to what was recorded whenever it is shown or exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    schema: u32,
    /// What people are called, by the number that they keep.
    #[serde(default)]
    names: BTreeMap<u32, String>,
    /// The faces that are somebody else's, and whose. Never a chain: a target is never merged itself.
    #[serde(default)]
    merged: BTreeMap<u32, u32>,
    /// People who aren't shown.
    #[serde(default)]
    hidden: BTreeSet<u32>,
    /// All marks, once one was added, changed or taken away; until then those recorded hold.
    #[serde(default)]
    marks: Option<Vec<SavedMark>>,
}

impl Default for Edits {
    fn default() -> Self {
        Self::new()
    }
}

impl Edits {
    /// No changes.
    pub const fn new() -> Self {
        Self {
            schema: EDITS_SCHEMA,
            names: BTreeMap::new(),
            merged: BTreeMap::new(),
            hidden: BTreeSet::new(),
            marks: None,
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whose face a recorded face is.
    pub fn person(&self, face: FaceId) -> FaceId {
        self.merged.get(&face.0).map_or(face, |other| FaceId(*other))
    }

    /// The name given to somebody.
    pub fn name(&self, face: FaceId) -> Option<&str> {
        self.names.get(&self.person(face).0).map(String::as_str)
    }

    /// What to call somebody where the name stands alone: the name, else `Face 3`.
    pub fn title(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| format!("Face {}", self.person(face).0), str::to_owned)
    }

    /// What to call somebody within a sentence: the name, else `face 3`.
    pub fn words(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| format!("face {}", self.person(face).0), str::to_owned)
    }

    /// What to call somebody on a picture: the name, else the bare number.
    pub fn short(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| self.person(face).0.to_string(), str::to_owned)
    }

    /// Whether somebody isn't shown.
    pub fn is_hidden(&self, face: FaceId) -> bool {
        self.hidden.contains(&self.person(face).0)
    }

    /// The recorded faces that were merged into somebody, without the own one.
    pub fn merged_into(&self, person: FaceId) -> Vec<FaceId> {
        self.merged.iter().filter(|(_, other)| **other == person.0).map(|(face, _)| FaceId(*face)).collect()
    }

    /// Names somebody; nothing but spaces takes the name away, and what is beyond [`LONGEST_NAME`] is left out.
    pub fn rename(&mut self, face: FaceId, name: &str) {
        let person = self.person(face).0;
        let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_NAME).collect();
        if name.is_empty() {
            self.names.remove(&person);
        } else {
            self.names.insert(person, name);
        }
    }

    /// Hides somebody or shows them again.
    pub fn set_hidden(&mut self, face: FaceId, hidden: bool) {
        let person = self.person(face).0;
        if hidden {
            self.hidden.insert(person);
        } else {
            self.hidden.remove(&person);
        }
    }

    /// Makes all faces of `face`'s person those of `other`'s person, whose number and name are kept; a name that only the
    /// former has is taken over.
    pub fn merge(&mut self, face: FaceId, other: FaceId) {
        let (from, into) = (self.person(face).0, self.person(other).0);
        if from == into {
            return;
        }
        for target in self.merged.values_mut().filter(|target| **target == from) {
            *target = into;
        }
        self.merged.insert(from, into);
        if let Some(name) = self.names.remove(&from) {
            self.names.entry(into).or_insert(name);
        }
        self.hidden.remove(&from);
    }

    /// The marks: those recorded, unless they were changed.
    pub fn marks(&self, recorded: &[Mark]) -> Vec<Mark> {
        match &self.marks {
            Some(marks) => marks.iter().map(SavedMark::to_mark).collect(),
            None => recorded.to_vec(),
        }
    }

    /// Puts these in place of all marks.
    pub fn set_marks(&mut self, mut marks: Vec<Mark>, recorded: &[Mark]) {
        marks.sort_by_key(|mark| mark.time);
        self.marks = (marks != recorded).then(|| marks.iter().map(SavedMark::from).collect());
    }

    /// A recorded face as it is listed: with the number of its person.
    pub fn apply(&self, face: Face) -> Face {
        Face { id: self.person(face.id), ..face }
    }

    /// The faces of a frame as they are shown: nobody hidden, and each person once. Where two boxes of one person were
    /// recorded on a frame (a face that was lost keeps its box for a moment), the one that the detector believed more
    /// is shown.
    pub fn shown(&self, recorded: &[Face]) -> Vec<Face> {
        let mut people: BTreeMap<FaceId, Face> = BTreeMap::new();
        for face in recorded.iter().filter(|face| !self.is_hidden(face.id)).map(|face| self.apply(*face)) {
            people
                .entry(face.id)
                .and_modify(|known| {
                    if face.score > known.score {
                        *known = face;
                    }
                })
                .or_insert(face);
        }
        people.into_values().collect()
    }

    /// Why these edits can't have been made by the methods above.
    fn unsound(&self) -> Option<String> {
        if self.merged.values().any(|target| self.merged.contains_key(target)) {
            return Some("a face is merged into one that is merged itself".to_owned());
        }
        if self.names.values().any(|name| name.chars().count() > LONGEST_NAME) {
            return Some(format!("a name has more than {LONGEST_NAME} characters"));
        }
        let people = self.names.len().max(self.merged.len()).max(self.hidden.len());
        (people > MOST_PEOPLE).then(|| format!("it names, merges or hides more than {MOST_PEOPLE} faces"))
    }
}

/// Where edits are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditsFile {
    path: PathBuf,
    /// What was read from it or written to it last; `None` for no file.
    known: Option<Vec<u8>>,
}

impl EditsFile {
    /// The file at `path`, with what is in it; no file is no edits.
    pub(super) fn open(path: &Path) -> Result<(Self, Edits), String> {
        let known = bytes_in(path).map_err(|error| problem_with(path, &error.to_string()))?;
        let edits = edits_of(known.as_deref()).map_err(|reason| problem_with(path, &reason))?;
        Ok((Self { path: path.to_owned(), known }, edits))
    }

    /// Saves edits: the file is the old one or the new one, whatever happens meanwhile. If somebody else changed the file since it was
    /// read or saved here, it stays as it is, and the edits in it are returned: they hold from now on.
    ///
    /// # Errors
    /// When the folder can't be written to, or somebody else put something there that can't be understood.
    pub fn save(&mut self, edits: &Edits) -> io::Result<Option<Edits>> {
        let found = bytes_in(&self.path)?;
        if found.is_none() && !whole::folder_of(&self.path).is_dir() {
            // A stick that was pulled out isn't somebody who removed all edits.
            return Err(io::ErrorKind::NotFound.into());
        }
        if found != self.known {
            let theirs = edits_of(found.as_deref()).map_err(|reason| problem_with(&self.path, &reason));
            let theirs = theirs.map_err(io::Error::other)?;
            self.known = found;
            return Ok(Some(theirs));
        }
        if edits.is_empty() {
            if found.is_some() {
                fs::remove_file(&self.path)?;
            }
            self.known = None;
            return Ok(None);
        }
        let mut text = serde_json::to_vec_pretty(edits)?;
        text.push(b'\n');
        whole::write(&self.path, &text, Existing::Replace)?;
        self.known = Some(text);
        Ok(None)
    }
}

/// What is in a file, if there is one.
fn bytes_in(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match bounded::read(path, MOST_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The edits that a file's contents are, or why they are none.
fn edits_of(bytes: Option<&[u8]>) -> Result<Edits, String> {
    let Some(bytes) = bytes else { return Ok(Edits::default()) };
    let edits: Edits = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if edits.schema != EDITS_SCHEMA {
        return Err(format!("it has format {}, and this Mien knows format {EDITS_SCHEMA}", edits.schema));
    }
    edits.unsound().map_or(Ok(edits), Err)
}

fn problem_with(path: &Path, reason: &str) -> String {
    format!("{}: {reason}; move it away to see the recording as it was made", path.display())
}

#[cfg(test)]
mod tests;
