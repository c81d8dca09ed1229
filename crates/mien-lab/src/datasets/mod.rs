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
mod kdef;
mod list;
mod names;
mod reader;
mod split;
mod summary;
mod table;
mod target;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use cache::cache_folder;
pub use error::DataError;
pub use ferplus::{Votes, read_ferplus};
pub use kdef::Angle;
use reader::{Collection, Entry};
pub use reader::{ReadOptions, Skipped, read};
use split::Item;
pub use split::{SplitKind, SplitSpec};
pub use summary::{Across, Duplicates, RuleCount, SplitSummary, Summary};
pub use target::{Examples, LabelRule, LabelShare, Target, draw_labels};

use super::faces::FaceCounts;
use mien_core::crop::{CROP_PIXELS, CROP_SIZE};
use mien_core::emotion::Emotion;

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
    /// Gray bytes `[N, 1, 48, 48]`.
    pub bytes: Tensor,
    /// The data set's own labels.
    pub labels: Vec<Emotion>,
    /// FER+ votes, if they were given.
    pub votes: Option<Vec<Votes>>,
    /// Who each picture shows, where that is known of all of them.
    pub subjects: Option<Vec<String>>,
    /// Where each picture comes from: a line of the table, or a path below the data set's folder.
    pub places: Vec<String>,
}

/// A data set in memory: 83 MB for FER2013.
#[derive(Debug)]
pub struct Dataset {
    /// What to call it in reports; says how faces were cut out of larger pictures.
    pub name: String,
    /// How it was split: “official”, or by what rule and seed.
    pub division: String,
    /// SHA-256 of its files: one for each table, one for all pictures of a folder.
    pub sha256: Vec<String>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// How faces were cut out of its pictures.
    pub faces: FaceCounts,
    /// Learnt from.
    pub training: Pictures,
    /// Chosen on.
    pub public: Pictures,
    /// Read once.
    pub private: Pictures,
}

impl Dataset {
    /// The pictures of one split, or of all. Those of one share their memory with the data set.
    pub fn split(&self, split: Split) -> Pictures {
        match split {
            Split::Training => self.training.shallow_clone(),
            Split::Public => self.public.shallow_clone(),
            Split::Private => self.private.shallow_clone(),
            Split::All => Pictures::joined(&[&self.training, &self.public, &self.private]),
        }
    }

    /// Splits what a reader found.
    fn new(collection: Collection, spec: &SplitSpec, path: &Path) -> Result<Self, DataError> {
        let Collection { mut entries, pixels, about } = collection;
        let cut = |problem| DataError::Split { path: path.to_owned(), problem };
        let division = complete_splits(&mut entries, &pixels, spec).map_err(cut)?;
        let take = |split| Pictures::gathered(&entries, &pixels, split);
        Ok(Self {
            name: about.told_name(),
            division,
            sha256: about.sha256,
            skipped: about.skipped,
            faces: about.faces,
            training: take(Split::Training),
            public: take(Split::Public),
            private: take(Split::Private),
        })
    }
}

/// Gives every entry a split, and says how. Official splits stay; where pictures are published for learning and for
/// testing alone, those to choose on are taken from the former.
fn complete_splits(entries: &mut [Entry], pixels: &[u8], spec: &SplitSpec) -> Result<String, &'static str> {
    let has = |split| entries.iter().any(|entry| entry.split == Some(split));
    let is_official = has(Split::Public) || has(Split::Private);
    if is_official && (has(Split::Public) || !has(Split::Training)) {
        // A list may leave the split of a few rows open.
        entries.iter_mut().for_each(|entry| entry.split = entry.split.or(Some(Split::Training)));
        return Ok("official".to_owned());
    }
    let spec = if is_official { &SplitSpec { private: 0.0, ..spec.clone() } } else { spec };
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
    Ok(if is_official { format!("official for private; the rest {how}") } else { how })
}

impl Pictures {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The gray bytes one picture after the other, row by row.
    pub fn pixels(&self) -> Vec<u8> {
        let mut pixels = vec![0; self.bytes.numel()];
        self.bytes.copy_data_u8(&mut pixels, self.bytes.numel());
        pixels
    }

    /// The same pictures, the pixels shared.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self {
            bytes: self.bytes.shallow_clone(),
            labels: self.labels.clone(),
            votes: self.votes.clone(),
            subjects: self.subjects.clone(),
            places: self.places.clone(),
        }
    }

    /// Pictures one after the other; votes and subjects where all parts with pictures have them.
    fn joined(parts: &[&Self]) -> Self {
        let parts: Vec<&Self> = parts.iter().filter(|part| !part.is_empty()).copied().collect();
        let bytes: Vec<&Tensor> = parts.iter().map(|part| &part.bytes).collect();
        Self {
            bytes: if bytes.is_empty() { bytes_tensor(&[]) } else { Tensor::cat(&bytes, 0) },
            labels: parts.iter().flat_map(|part| part.labels.iter().copied()).collect(),
            votes: parts.iter().map(|part| part.votes.clone()).collect::<Option<Vec<_>>>().map(|votes| votes.concat()),
            subjects: parts.iter().map(|part| part.subjects.clone()).collect::<Option<Vec<_>>>().map(|s| s.concat()),
            places: parts.iter().flat_map(|part| part.places.iter().cloned()).collect(),
        }
    }

    fn gathered(entries: &[Entry], pixels: &[u8], split: Split) -> Self {
        let members = || entries.iter().zip(pixels.chunks_exact(CROP_PIXELS)).filter(|(e, _)| e.split == Some(split));
        let bytes: Vec<u8> = members().flat_map(|(_, pixels)| pixels).copied().collect();
        Self {
            bytes: bytes_tensor(&bytes),
            labels: members().map(|(entry, _)| entry.label).collect(),
            votes: members().map(|(entry, _)| entry.votes).collect(),
            subjects: members().map(|(entry, _)| entry.subject.clone()).collect(),
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
