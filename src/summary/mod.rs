//! What a file's faces showed, added up while its scenes go by: pure arithmetic, in memory that doesn't grow with the file.
//!
//! Three things keep it so: a face that has left for good is handed out and only the longest ones are kept; a timeline's
//! neighbouring moments are merged when it is full; of pictures only the strongest moments stay.

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

/// A face on a frame, as summaries see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Who.
    pub id: FaceId,
    /// The smoothed probabilities, by which the table's label goes.
    pub probabilities: Probabilities,
    /// Whether the picture says “unsure” of it: none leads clearly, or the face is too small.
    pub is_unsure: bool,
}

impl Sighting {
    /// Of a face.
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

    /// Probabilities of which `emotion` has this one and the others share the rest.
    pub fn probabilities(emotion: Emotion, probability: f32) -> Probabilities {
        let mut weights = [(1.0 - probability) / (COUNT - 1) as f32; COUNT];
        weights[emotion.index()] = probability;
        Probabilities::from_weights(&weights).unwrap()
    }

    pub fn sighting(id: u32, emotion: Emotion, probability: f32) -> Sighting {
        Sighting { id: FaceId(id), probabilities: probabilities(emotion, probability), is_unsure: false }
    }
}
