//! The label of a face, or `unsure`.

use crate::classes::Classes;
use crate::crop::CROP_SIZE;
use crate::digits::{PIXEL_DIGITS, PROBABILITY_DIGITS, QUALITY_DIGITS, rounded};
use crate::face::Face;
use crate::quality::LOWEST_QUALITY;

/// Below this lead over the second class the label would be a coin toss.
pub const SMALLEST_MARGIN: f64 = 0.10;

/// Smallest width of a face in pixels of its frame: two thirds of the network's input. Below it, more than half of the
/// input's pixels are interpolated.
pub const SMALLEST_FACE: f64 = CROP_SIZE as f64 * 2.0 / 3.0;

/// The word for [`Verdict::Unsure`], in tables and pictures.
pub const UNSURE: &str = "unsure";

/// The label of a face, if it has a clear one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// One class leads, with this probability.
    Leads(usize, f32),
    /// No class leads clearly, or the face is too small or its picture too poor.
    Unsure,
}

impl Verdict {
    /// The verdict on a face, from its smoothed probabilities, width and quality, all rounded as in tables. The verdict in a table can
    /// therefore be recomputed from its row, and the export of a recording gives the recorded verdicts.
    pub fn of(face: &Face) -> Self {
        let written = |value: f32, digits| rounded(value.into(), digits);
        let (class, probability) = face.smoothed.top();
        let second = face.smoothed.second();
        let lead = written(probability, PROBABILITY_DIGITS) - written(second, PROBABILITY_DIGITS);
        let is_narrow = rounded(lead, PROBABILITY_DIGITS) < SMALLEST_MARGIN;
        let is_small = written(face.rect.width, PIXEL_DIGITS) < SMALLEST_FACE;
        let is_poor = face.quality.is_some_and(|quality| written(quality, QUALITY_DIGITS) < LOWEST_QUALITY);
        if is_narrow || is_small || is_poor { Self::Unsure } else { Self::Leads(class, probability) }
    }

    /// The verdict in words: `Happy 87 %`, or `Happy` without `percent`, or `unsure`.
    pub fn words(self, classes: &Classes, percent: bool) -> String {
        match self {
            Self::Leads(class, probability) if percent => {
                format!("{} {}", classes.name(class), percentage(probability))
            }
            Self::Leads(class, _) => classes.name(class),
            Self::Unsure => UNSURE.to_owned(),
        }
    }

    /// The verdict in tables: the class's key, or `unsure`.
    pub fn key(self, classes: &Classes) -> &str {
        match self {
            Self::Leads(class, _) => classes.key(class),
            Self::Unsure => UNSURE,
        }
    }
}

/// A probability as the window shows it: `87 %`.
pub fn percentage(probability: f32) -> String {
    format!("{:.0} %", probability * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{COUNT, Emotion};
    use crate::face::FaceId;
    use crate::face::FaceRect;
    use crate::probabilities::Probabilities;

    fn face(width: f32, happy: f32, sad: f32) -> Face {
        let mut weights = [0.0; COUNT];
        weights[Emotion::Happy.index()] = happy;
        weights[Emotion::Sad.index()] = sad;
        let smoothed = Probabilities::from_weights(&weights).unwrap();
        let rect = FaceRect { x: 0.0, y: 0.0, width, height: width };
        Face { id: FaceId(1), rect, score: 5.0, landmarks: None, quality: None, raw: smoothed, smoothed }
    }

    #[test]
    fn a_clear_lead_is_named_with_its_percentage() {
        let verdict = Verdict::of(&face(100.0, 0.87, 0.13));
        assert_eq!(verdict.words(&Classes::emotions(), true), "Happy 87 %");
        assert_eq!(verdict.words(&Classes::emotions(), false), "Happy");
    }

    #[test]
    fn a_narrow_lead_is_unsure() {
        assert_eq!(Verdict::of(&face(100.0, 0.52, 0.48)), Verdict::Unsure);
        assert_eq!(Verdict::Unsure.words(&Classes::emotions(), true), "unsure");
    }

    #[test]
    fn a_tiny_face_is_unsure_however_strong_its_lead() {
        assert_eq!(Verdict::of(&face(SMALLEST_FACE as f32 - 1.0, 1.0, 0.0)), Verdict::Unsure);
        assert_ne!(Verdict::of(&face(SMALLEST_FACE as f32, 1.0, 0.0)), Verdict::Unsure);
    }

    #[test]
    fn a_poor_picture_is_unsure_and_one_of_unknown_quality_is_not() {
        let of = |quality| Verdict::of(&Face { quality, ..face(100.0, 1.0, 0.0) });
        assert_eq!(of(Some(LOWEST_QUALITY as f32 - 0.01)), Verdict::Unsure);
        assert_ne!(of(Some(LOWEST_QUALITY as f32)), Verdict::Unsure);
        assert_ne!(of(None), Verdict::Unsure);
    }

    #[test]
    fn the_verdict_is_that_of_the_figures_as_they_are_written() {
        let is_unsure = |face: Face| Verdict::of(&face) == Verdict::Unsure;
        let of_quality = |quality| is_unsure(Face { quality: Some(quality), ..face(100.0, 1.0, 0.0) });
        assert!(!of_quality(0.1451) && of_quality(0.1449), "written 0.15 and 0.14");
        let of_width = |width| is_unsure(face(width, 1.0, 0.0));
        assert!(!of_width(31.96) && of_width(31.94), "written 32.0 and 31.9");
        let of_lead = |lead: f32| is_unsure(face(100.0, (1.0 + lead) / 2.0, (1.0 - lead) / 2.0));
        assert!(!of_lead(0.099_92) && of_lead(0.099_88), "written 0.5500 and 0.4500, 0.5499 and 0.4501");
    }
}
