//! Data sets: pictures with labels or votes, split as their publishers split them.

mod fer2013;
mod ferplus;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use fer2013::read_fer2013;
pub use ferplus::{Votes, read_ferplus};

use crate::emotion::{self, Emotion};

/// The part of a data set that a picture belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What networks learn from.
    Training,
    /// What epochs and settings are chosen on (PublicTest of FER2013).
    Public,
    /// What is read once, at the end (PrivateTest of FER2013).
    Private,
}

impl Split {
    /// The name in FER2013's column `Usage`.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Public => "PublicTest",
            Self::Private => "PrivateTest",
        }
    }
}

/// Which label counts as right, and which pictures take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelRule {
    /// FER2013's own label; every picture takes part.
    Label,
    /// The emotion with more than half of all ten FER+ votes, contempt counted as neutral; pictures without one are left out.
    Majority,
}

impl LabelRule {
    /// The name in reports and cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Majority => "majority",
        }
    }
}

/// What a network is taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// FER2013's label.
    Label,
    /// The distribution of the FER+ votes.
    Votes,
}

/// Pictures of one split with what is known about them, row by row.
pub struct Pictures {
    /// Gray bytes `[N, 1, 48, 48]`.
    pub bytes: Tensor,
    /// FER2013's labels.
    pub labels: Vec<Emotion>,
    /// FER+ votes, if they were given.
    pub votes: Option<Vec<Votes>>,
}

/// A data set in memory: 83 MB for FER2013.
pub struct Dataset {
    /// What to call it in reports.
    pub name: String,
    /// Learnt from.
    pub training: Pictures,
    /// Chosen on.
    pub public: Pictures,
    /// Read once.
    pub private: Pictures,
}

/// Pictures and what the network should say of them.
pub struct Examples {
    /// Gray bytes `[N, 1, 48, 48]`.
    pub bytes: Tensor,
    /// Wanted probabilities `[N, 7]`, rows summing to 1.
    pub targets: Tensor,
}

impl Dataset {
    /// The pictures of one split.
    pub fn split(&self, split: Split) -> &Pictures {
        match split {
            Split::Training => &self.training,
            Split::Public => &self.public,
            Split::Private => &self.private,
        }
    }
}

impl Pictures {
    /// What a network is taught or measured against under `target`: votes that name nothing usable leave their
    /// picture out.
    ///
    /// # Errors
    /// When votes are asked for and there are none.
    pub fn examples(&self, target: Target) -> Result<Examples, DataError> {
        let wanted: Vec<Option<[f32; emotion::COUNT]>> = match target {
            Target::Label => self.labels.iter().map(|label| Some(one_hot(*label))).collect(),
            Target::Votes => self.votes()?.iter().map(Votes::distribution).collect(),
        };
        let rows: Vec<i64> = (0_i64..).zip(&wanted).filter(|(_, w)| w.is_some()).map(|(row, _)| row).collect();
        let targets: Vec<f32> = wanted.into_iter().flatten().flatten().collect();
        Ok(Examples {
            bytes: self.bytes.index_select(0, &Tensor::from_slice(&rows)),
            targets: Tensor::from_slice(&targets).view([-1, emotion::COUNT as i64]),
        })
    }

    /// The pictures that take part under `rule`, and their right answers.
    ///
    /// # Errors
    /// When the rule needs votes and there are none.
    pub fn judged(&self, rule: LabelRule) -> Result<(Tensor, Vec<Emotion>), DataError> {
        let answers: Vec<Option<Emotion>> = match rule {
            LabelRule::Label => self.labels.iter().copied().map(Some).collect(),
            LabelRule::Majority => self.votes()?.iter().map(Votes::majority).collect(),
        };
        let rows: Vec<i64> = (0_i64..).zip(&answers).filter(|(_, a)| a.is_some()).map(|(row, _)| row).collect();
        let bytes = self.bytes.index_select(0, &Tensor::from_slice(&rows));
        Ok((bytes, answers.into_iter().flatten().collect()))
    }

    fn votes(&self) -> Result<&[Votes], DataError> {
        self.votes.as_deref().ok_or(DataError::NoVotes)
    }
}

fn one_hot(emotion: Emotion) -> [f32; emotion::COUNT] {
    let mut row = [0.0; emotion::COUNT];
    row[emotion.index()] = 1.0;
    row
}

/// A data set can't be read. Names the file and, where there is one, the row.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file can't be opened or read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The first line isn't that of the format.
    #[error("{path} is no {format}: its first line has to name the columns {wanted}")]
    Header {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// The columns it should have.
        wanted: &'static str,
    },
    /// A row doesn't hold what its columns promise.
    #[error("{path}, line {line}: {problem}")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// No picture in a split that is needed.
    #[error("{path} holds no picture of the split {}", .split.usage())]
    EmptySplit {
        /// Which file.
        path: PathBuf,
        /// The split without pictures.
        split: Split,
    },
    /// The FER+ file doesn't stand row by row beside FER2013.
    #[error("{path} has {votes} rows where fer2013.csv has {pictures}: the two must belong together row by row")]
    RowCount {
        /// The FER+ file.
        path: PathBuf,
        /// Its rows.
        votes: usize,
        /// Rows of FER2013.
        pictures: usize,
    },
    /// Votes were asked for without the file that holds them.
    #[error("this needs the FER+ votes: give fer2013new.csv with --ferplus")]
    NoVotes,
}
