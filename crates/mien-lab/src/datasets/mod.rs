//! Data sets: pictures with labels or votes, split as their publishers split them, or else by person or at random.
//!
//! A new kind of data set is one file with a `Reader` and one line in `reader::READERS`.

mod cache;
mod ckplus;
mod class_folders;
mod error;
mod fer2013;
mod ferplus;
mod files;
mod jaffe;
mod joined;
mod kdef;
mod list;
mod named;
mod names;
mod origin;
mod reader;
mod split;
mod summary;
mod table;
mod target;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use cache::cache_folder;
pub use error::DataError;
pub use fer2013::{WITH_VOTES, without_votes};
pub use ferplus::{Votes, read_ferplus};
pub use joined::join;
pub use kdef::Angle;
pub use origin::Origin;
use reader::{About, Collection, Entry};
pub use reader::{ReadOptions, Skipped, Watch, read, read_undivided, takes_votes};
use split::Item;
pub use split::{Fold, SplitKind, SplitSpec};
pub use summary::{Across, Duplicates, RuleCount, SplitSummary, Summary};
pub use target::{ExampleSource, Examples, LabelRule, LabelShare, Target, draw_labels};

use super::faces::{FaceCounts, FaceFinding, LandmarkPlaces};
use mien_core::classes::Classes;
use mien_core::crop::{CROP_PIXELS, CROP_SIZE};

/// The `division` of a data set that its publishers split.
const OFFICIAL: &str = "official";

/// The part of a data set that a picture belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What networks learn from.
    Training,
    /// What epochs and settings are chosen on (PublicTest of FER2013).
    Public,
    /// What is read once, at the end (PrivateTest of FER2013).
    Private,
    /// All three together: for measuring on data that nothing was learnt from.
    All,
}

impl Split {
    /// The name in FER2013's column `Usage`.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Public => "PublicTest",
            Self::Private => "PrivateTest",
            Self::All => "all",
        }
    }
}

/// Pictures of one split with what is known about them, row by row.
#[derive(Debug)]
pub struct Pictures {
    /// The split that they are of.
    pub split: Split,
    /// The classes of their labels.
    pub classes: Classes,
    /// Gray bytes `[N, 1, 48, 48]`.
    pub bytes: Tensor,
    /// The data set's own labels, as indices into `classes`.
    pub labels: Vec<usize>,
    /// The FER+ votes on each picture, if there are any.
    pub votes: Vec<Option<Votes>>,
    /// The person in each picture, if known.
    pub subjects: Vec<Option<String>>,
    /// The source of each: its index in [`Dataset::sources`].
    pub sources: Vec<usize>,
    /// Where each picture comes from: a line of the table, or a path below the data set's folder.
    pub places: Vec<String>,
}

/// A data set in memory: 83 MB for FER2013.
#[derive(Debug)]
pub struct Dataset {
    /// Its name in reports, which also says how faces were cropped.
    pub name: String,
    /// How it was split: “official”, or by which rule and seed.
    pub division: String,
    /// SHA-256 of its files: one for all pictures of a folder or list, which comes first, and one for each table.
    pub sha256: Vec<String>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// How faces were found and cropped.
    pub faces: FaceCounts,
    /// Where landmarks were found in the faces.
    pub places: LandmarkPlaces,
    /// The data sets that it was joined from, or only itself.
    pub sources: Vec<SourceInfo>,
    /// What networks learn from.
    pub training: Pictures,
    /// What epochs and settings are chosen on.
    pub public: Pictures,
    /// What is used once, at the end.
    pub private: Pictures,
}

/// One of the data sets in a [`Dataset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name in the recipe, else its name in reports.
    pub name: String,
    /// Where its pictures come from.
    pub origin: Origin,
    /// How it was split.
    pub division: String,
    /// SHA-256 of the file that defines the official split, if there is one: the list, or else the pictures (their folders or rows define
    /// it).
    pub divided_by: String,
    /// SHA-256 of its files.
    pub sha256: Vec<String>,
    /// How faces were found and cropped: what the crops depend on besides the files.
    pub finding: String,
}

impl SourceInfo {
    /// Whether its publishers defined this split, so that it doesn't depend on the recipe.
    pub fn is_official(&self, split: Split) -> bool {
        // If only PrivateTest is official, `division` goes on after “official”.
        self.division == OFFICIAL || (split == Split::Private && self.division.starts_with(OFFICIAL))
    }

    /// Whether a training on data with these checksums has learnt nothing from this split, because it is official. That isn't
    /// certain if the training used the same pictures with another list, which may split them differently.
    pub fn is_kept_back(&self, split: Split, data_sha256: &[String]) -> bool {
        let are_pictures_known = self.sha256.first().is_some_and(|pictures| data_sha256.contains(pictures));
        // All forms of FER2013 have the same split. The pictures' own file defines it; FER+ votes don't change it.
        let is_division_known = !are_pictures_known || data_sha256.contains(&self.divided_by);
        self.is_official(split) && is_division_known
    }
}

impl Dataset {
    /// Whether the publishers of all its sources defined this split, so that it doesn't depend on the recipe.
    pub fn is_official(&self, split: Split) -> bool {
        self.sources.iter().all(|source| source.is_official(split))
    }

    /// The pictures of one split, or of all. A single split shares its memory with the data set.
    pub fn split(&self, split: Split) -> Pictures {
        match split {
            Split::Training => self.training.shallow_clone(),
            Split::Public => self.public.shallow_clone(),
            Split::Private => self.private.shallow_clone(),
            Split::All => Pictures { split, ..Pictures::joined(&[&self.training, &self.public, &self.private]) },
        }
    }
}

/// A data set in memory that isn't split yet. It can be split several times, in different ways.
#[derive(Debug)]
pub struct Undivided {
    collection: Collection,
    classes: Classes,
    origin: Origin,
    /// The index of the checksum of the file that defines the official split.
    divided_by: usize,
    finding: FaceFinding,
    path: PathBuf,
}

impl Undivided {
    /// SHA-256 of its files.
    pub fn sha256(&self) -> &[String] {
        &self.collection.about.sha256
    }

    /// How faces were found and cropped.
    pub fn faces(&self) -> FaceCounts {
        self.collection.about.faces
    }

    /// Splits it as its publishers did, else as `spec` says.
    ///
    /// # Errors
    /// When it can't be split as `spec` asks.
    pub fn divided(&self, spec: &SplitSpec) -> Result<Dataset, DataError> {
        let Collection { entries, pixels, about } = &self.collection;
        let mut entries = entries.clone();
        let cut = |problem| DataError::Split { path: self.path.clone(), problem };
        let division = complete_splits(&mut entries, pixels, spec).map_err(cut)?;
        let take = |split| Pictures::gathered(&self.classes, &entries, pixels, split);
        let About { name, sha256, skipped, faces, places } = about.clone();
        let source = SourceInfo {
            name,
            origin: self.origin,
            division: division.clone(),
            divided_by: sha256.get(self.divided_by).cloned().unwrap_or_default(),
            sha256: sha256.clone(),
            finding: self.finding.key(),
        };
        Ok(Dataset {
            sources: vec![source],
            name: about.told_name(),
            division,
            sha256,
            skipped,
            faces,
            places,
            training: take(Split::Training),
            public: take(Split::Public),
            private: take(Split::Private),
        })
    }
}

/// Gives every entry a split, and returns a description of how. Official splits are kept. If only training and test pictures
/// are published, the pictures to choose on are taken from the former.
fn complete_splits(entries: &mut [Entry], pixels: &[u8], spec: &SplitSpec) -> Result<String, &'static str> {
    let has = |split| entries.iter().any(|entry| entry.split == Some(split));
    let is_official = has(Split::Public) || has(Split::Private);
    // In a list, some rows may have no split: they are for training.
    let is_to_learn = |entry: &Entry| entry.split.is_none_or(|split| split == Split::Training);
    if is_official && (has(Split::Public) || !entries.iter().any(is_to_learn)) {
        entries.iter_mut().for_each(|entry| entry.split = entry.split.or(Some(Split::Training)));
        return Ok(OFFICIAL.to_owned());
    }
    let spec = if is_official { &SplitSpec { private: 0.0, fold: None, ..spec.clone() } } else { spec };
    let open: Vec<usize> = (0..entries.len()).filter(|i| entries[*i].split != Some(Split::Private)).collect();
    let items: Vec<Item<'_>> = open
        .iter()
        .map(|index| Item {
            label: entries[*index].label,
            subject: entries[*index].subject.as_deref(),
            pixels: &pixels[index * CROP_PIXELS..(index + 1) * CROP_PIXELS],
        })
        .collect();
    let (sides, how) = (spec.divide(&items)?, spec.describe(spec.is_by_subject(&items)?));
    open.into_iter().zip(sides).for_each(|(index, side)| entries[index].split = Some(side));
    Ok(if is_official { format!("{OFFICIAL} for private; the rest {how}") } else { how })
}

impl Pictures {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The gray bytes of all pictures, one after the other, row by row.
    pub fn pixels(&self) -> Vec<u8> {
        let mut pixels = vec![0; self.bytes.numel()];
        self.bytes.copy_data_u8(&mut pixels, self.bytes.numel());
        pixels
    }

    /// The same pictures, with shared pixels.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self {
            split: self.split,
            classes: self.classes.clone(),
            bytes: self.bytes.shallow_clone(),
            labels: self.labels.clone(),
            votes: self.votes.clone(),
            subjects: self.subjects.clone(),
            sources: self.sources.clone(),
            places: self.places.clone(),
        }
    }

    /// How many people they show, if everyone is known.
    pub fn people(&self) -> Option<usize> {
        let people: Option<BTreeSet<&String>> = self.subjects.iter().map(Option::as_ref).collect();
        people.map(|people| people.len()).filter(|count| *count > 0)
    }

    /// Concatenates pictures that have the same classes and, unless the caller changes that, are of the same split.
    fn joined(parts: &[&Self]) -> Self {
        let split = parts.first().map_or(Split::All, |part| part.split);
        let classes = parts.first().map(|part| part.classes.clone()).unwrap_or_default();
        let parts: Vec<&Self> = parts.iter().filter(|part| !part.is_empty()).copied().collect();
        let bytes: Vec<&Tensor> = parts.iter().map(|part| &part.bytes).collect();
        Self {
            split,
            classes,
            bytes: if bytes.is_empty() { bytes_tensor(&[]) } else { Tensor::cat(&bytes, 0) },
            labels: parts.iter().flat_map(|part| part.labels.iter().copied()).collect(),
            votes: parts.iter().flat_map(|part| part.votes.iter().copied()).collect(),
            subjects: parts.iter().flat_map(|part| part.subjects.iter().cloned()).collect(),
            sources: parts.iter().flat_map(|part| part.sources.iter().copied()).collect(),
            places: parts.iter().flat_map(|part| part.places.iter().cloned()).collect(),
        }
    }

    fn gathered(classes: &Classes, entries: &[Entry], pixels: &[u8], split: Split) -> Self {
        let members = || entries.iter().zip(pixels.chunks_exact(CROP_PIXELS)).filter(|(e, _)| e.split == Some(split));
        let bytes: Vec<u8> = members().flat_map(|(_, pixels)| pixels).copied().collect();
        Self {
            split,
            classes: classes.clone(),
            bytes: bytes_tensor(&bytes),
            labels: members().map(|(entry, _)| entry.label).collect(),
            votes: members().map(|(entry, _)| entry.votes).collect(),
            subjects: members().map(|(entry, _)| entry.subject.clone()).collect(),
            sources: members().map(|_| 0).collect(),
            places: members().map(|(entry, _)| entry.place.clone()).collect(),
        }
    }
}

fn bytes_tensor(bytes: &[u8]) -> Tensor {
    let side = CROP_SIZE as i64;
    Tensor::from_slice(bytes).view([(bytes.len() / CROP_PIXELS) as i64, 1, side, side])
}

#[cfg(test)]
pub(crate) mod tests;
