//! Adds up what a file's faces show, scene by scene: pure arithmetic, in memory that doesn't grow with the file.
//!
//! Three things bound the memory: faces that have left for good are handed out, and only the longest are kept; a full timeline merges
//! neighbouring stretches; pictures are kept only of the strongest moments.

mod counts;
mod face;
mod file;
mod strongest;
mod table;
mod timeline;

use crate::face::{Face, FaceId};
use crate::probabilities::Probabilities;
use crate::verdict::Verdict;

pub use counts::Counts;
pub use face::{Episode, FaceFigures, FaceSummary};
pub use file::{FileSummary, Summarizer};
pub use strongest::{Moment, Strongest};
pub use table::{FileFigures, SUMMARY_COLUMNS, SUMMARY_END_COLUMNS, SummaryTable};
pub use timeline::{Bucket, Timeline};

/// A face in a frame, as summaries see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Which face.
    pub id: FaceId,
    /// The smoothed probabilities, which determine the table's label.
    pub probabilities: Probabilities,
    /// Whether its verdict is “unsure”: none leads clearly, or the face is too small or its picture too poor.
    pub is_unsure: bool,
}

impl Sighting {
    /// The sighting of a face.
    pub fn of(face: &Face) -> Self {
        Self { id: face.id, probabilities: face.smoothed, is_unsure: Verdict::of(face) == Verdict::Unsure }
    }
}

#[cfg(test)]
mod testing {
    use super::Sighting;
    use crate::emotion::{COUNT, Emotion};
    use crate::face::FaceId;
    use crate::probabilities::Probabilities;

    /// Gives `emotion` this probability, while the others share the rest.
    pub fn probabilities(emotion: Emotion, probability: f32) -> Probabilities {
        let mut weights = [(1.0 - probability) / (COUNT - 1) as f32; COUNT];
        weights[emotion.index()] = probability;
        Probabilities::from_weights(&weights).unwrap()
    }

    pub fn sighting(id: u32, emotion: Emotion, probability: f32) -> Sighting {
        Sighting { id: FaceId(id), probabilities: probabilities(emotion, probability), is_unsure: false }
    }
}
