//! What the user changed about a recording: names, merges, hidden people and marks. The recorded tables stay unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Mark, SavedMark};
use crate::bounded;
use crate::face::{Face, FaceId};
use crate::whole::{self, Existing};

/// Schema of the file. Changes when the meaning of a field changes.
const EDITS_SCHEMA: u32 = 1;

/// Maximum size of the file in bytes. That of a recording with a hundred people has 5000.
const MOST_BYTES: u64 = 8 << 20;

/// Maximum number of characters in a name, which is drawn on each frame.
const LONGEST_NAME: usize = 200;

/// Maximum number of faces that are named, merged or hidden. A recording of a day in a busy street has fewer.
const MOST_PEOPLE: usize = 20_000;

/// The changes, which are applied whenever the recording is shown or exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    schema: u32,
    /// Names by the people's numbers.
    #[serde(default)]
    names: BTreeMap<u32, String>,
    /// Merged faces, and the person each belongs to. Never a chain: a target is never merged itself.
    #[serde(default)]
    merged: BTreeMap<u32, u32>,
    /// People who aren't shown.
    #[serde(default)]
    hidden: BTreeSet<u32>,
    /// All marks, once one was added, changed or removed; `None` while the recorded ones apply.
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

    /// The person to whom a recorded face belongs.
    pub fn person(&self, face: FaceId) -> FaceId {
        self.merged.get(&face.0).map_or(face, |other| FaceId(*other))
    }

    /// The name given to a face's person.
    pub fn name(&self, face: FaceId) -> Option<&str> {
        self.names.get(&self.person(face).0).map(String::as_str)
    }

    /// The name of a face's person where it stands alone, else `Face 3`.
    pub fn title(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| format!("Face {}", self.person(face).0), str::to_owned)
    }

    /// The name of a face's person within a sentence, else `face 3`.
    pub fn words(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| format!("face {}", self.person(face).0), str::to_owned)
    }

    /// The name of a face's person on a picture, else the bare number.
    pub fn short(&self, face: FaceId) -> String {
        self.name(face).map_or_else(|| self.person(face).0.to_string(), str::to_owned)
    }

    /// Whether a face's person is hidden.
    pub fn is_hidden(&self, face: FaceId) -> bool {
        self.hidden.contains(&self.person(face).0)
    }

    /// The recorded faces that were merged into `person`, without that person's own.
    pub fn merged_into(&self, person: FaceId) -> Vec<FaceId> {
        self.merged.iter().filter(|(_, other)| **other == person.0).map(|(face, _)| FaceId(*face)).collect()
    }

    /// Names a face's person. A blank name removes it, and what exceeds `LONGEST_NAME` is cut off.
    pub fn rename(&mut self, face: FaceId, name: &str) {
        let person = self.person(face).0;
        let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_NAME).collect();
        if name.is_empty() {
            self.names.remove(&person);
        } else {
            self.names.insert(person, name);
        }
    }

    /// Hides a face's person, or shows them again.
    pub fn set_hidden(&mut self, face: FaceId, hidden: bool) {
        let person = self.person(face).0;
        if hidden {
            self.hidden.insert(person);
        } else {
            self.hidden.remove(&person);
        }
    }

    /// Merges `face`'s person into `other`'s, whose number and name are kept. If only the former has a name, it is taken over.
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

    /// The recorded marks, unless they were changed.
    pub fn marks(&self, recorded: &[Mark]) -> Vec<Mark> {
        match &self.marks {
            Some(marks) => marks.iter().map(SavedMark::to_mark).collect(),
            None => recorded.to_vec(),
        }
    }

    /// Replaces all marks. If they equal the recorded ones, nothing counts as changed.
    pub fn set_marks(&mut self, mut marks: Vec<Mark>, recorded: &[Mark]) {
        marks.sort_by_key(|mark| mark.time);
        self.marks = (marks != recorded).then(|| marks.iter().map(SavedMark::from).collect());
    }

    /// A recorded face with the number of its person.
    pub fn apply(&self, face: Face) -> Face {
        Face { id: self.person(face.id), ..face }
    }

    /// The faces of a frame to show: without hidden people, and each person once. If a frame has two boxes of one person (a
    /// face that was lost keeps its box for a moment), the one with the higher score is shown.
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

/// The file in which edits are saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditsFile {
    path: PathBuf,
    /// Its contents when it was last read or written; `None` for no file.
    known: Option<Vec<u8>>,
}

impl EditsFile {
    /// Opens the file at `path`, and returns it with the edits in it. A missing file has no edits.
    pub(super) fn open(path: &Path) -> Result<(Self, Edits), String> {
        let known = bytes_in(path).map_err(|error| problem_with(path, &error.to_string()))?;
        let edits = edits_of(known.as_deref()).map_err(|reason| problem_with(path, &reason))?;
        Ok((Self { path: path.to_owned(), known }, edits))
    }

    /// Saves edits atomically. If the file was changed elsewhere since it was last read or saved here, it is left
    /// unchanged, and its edits are returned, which apply from now on.
    ///
    /// # Errors
    /// When the file can't be read or written, or its new contents can't be parsed.
    pub fn save(&mut self, edits: &Edits) -> io::Result<Option<Edits>> {
        let found = bytes_in(&self.path)?;
        if found.is_none() && !whole::folder_of(&self.path).is_dir() {
            // If the folder is gone too, the disk was unplugged: nobody has removed the edits.
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

/// The contents of a file; `None` if it doesn't exist.
fn bytes_in(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match bounded::read(path, MOST_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Parses the contents of an edits file, or returns what is wrong with them.
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
