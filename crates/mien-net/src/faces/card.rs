//! Detectors' cards: what a detector is, where it comes from, and how good it was measured to be.

use serde::{Deserialize, Serialize};

use super::super::{CARD_FORMAT, CardError, NetworkSpec, Training};
use crate::Normalization;

/// Description of a detector. Stored as TOML beside the weights, with the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FacesCard {
    /// Layout of the card, [`CARD_FORMAT`].
    pub format: u32,
    /// The model's task, `faces`, which distinguishes its card from a classifier's.
    pub task: FacesTask,
    /// Name of the model.
    pub name: String,
    /// Description in one sentence.
    pub description: String,
    /// What it is meant for.
    pub intended_use: String,
    /// What it can't do.
    pub limits: String,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Multiply-adds for a picture of 320×192 pixels.
    pub multiply_adds: u64,
    /// The architecture and its parameters.
    pub network: NetworkSpec,
    /// How bytes become the network's numbers.
    pub normalization: Normalization,
    /// Who drew the boxes and landmarks that it learnt from.
    pub teacher: String,
    /// From the network's logit to a probability.
    #[serde(default)]
    pub score: ScoreCalibration,
    /// How the weights were trained.
    pub training: Training,
    /// Measurements, one for each data set and working size.
    #[serde(default)]
    pub evaluation: Vec<FacesEvaluation>,
}

/// Distinguishes a detector's card from a classifier's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FacesTask {
    /// It finds faces.
    #[default]
    Faces,
}

/// Platt's scaling (1999): the probability is the logistic function of `slope · logit + shift`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreCalibration {
    /// What the logit is multiplied by, above 0.
    pub slope: f32,
    /// What is added.
    pub shift: f32,
}

impl Default for ScoreCalibration {
    fn default() -> Self {
        Self { slope: 1.0, shift: 0.0 }
    }
}

impl ScoreCalibration {
    /// The probability for a logit.
    pub fn probability(self, logit: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * logit + self.shift)).exp())
    }

    /// The logit at which the probability is `probability`: −∞ for 0, ∞ for 1.
    pub fn logit(self, probability: f32) -> f32 {
        ((probability / (1.0 - probability)).ln() - self.shift) / self.slope
    }
}

/// A measurement of the detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FacesEvaluation {
    /// The pictures.
    pub data: String,
    /// Longer side in pixels to which each picture was scaled.
    pub side: usize,
    /// Least probability of a face.
    pub threshold: f32,
    /// Number of pictures.
    pub pictures: usize,
    /// False boxes per 100 pictures.
    pub false_boxes_per_100: f64,
    /// Mean distance of a landmark from its marked position, in distances between the eyes; `None` if nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landmark_error: Option<f64>,
    /// Figures for all faces that count, then for those of each size.
    pub sizes: Vec<SizeFigures>,
}

/// Figures for the faces of a range of sizes, in pixels of a picture whose longer side is 640.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeFigures {
    /// Where the range begins.
    pub from: f32,
    /// Where it ends; `None` if it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f32>,
    /// The figures.
    #[serde(flatten)]
    pub figures: FacesFigures,
}

/// How many faces were found, and with which precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FacesFigures {
    /// Number of faces to find.
    pub faces: usize,
    /// Share found at the threshold.
    pub recall: f64,
    /// Average precision at an overlap of one half.
    pub average_precision: f64,
}

impl FacesCard {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// When the text isn't a detector's card, has a newer format, or holds values that can't be used.
    pub fn from_toml(text: &str) -> Result<Self, CardError> {
        #[derive(Deserialize)]
        struct Kind {
            format: u32,
            task: Option<FacesTask>,
        }
        let Kind { format, task } = toml::from_str(text).map_err(Box::new)?;
        if format > CARD_FORMAT {
            return Err(CardError::Newer { found: format });
        }
        if task.is_none() {
            return Err(CardError::OtherTask { is: "classifier", wanted: "detector" });
        }
        let card: Self = toml::from_str(text).map_err(Box::new)?;
        if let Some(problem) = card.normalization.problem() {
            return Err(CardError::Unfit(problem));
        }
        let ScoreCalibration { slope, shift } = card.score;
        if !(shift.is_finite() && slope.is_finite() && slope > 0.0) {
            return Err(CardError::Unfit(format!("its score has slope {slope} and shift {shift}")));
        }
        Ok(card)
    }

    /// Whether a card's text looks like a detector's: it has a `task`. Nothing else is checked.
    pub fn is_in(text: &str) -> bool {
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("task"))
    }

    /// Returns the card as TOML.
    ///
    /// # Errors
    /// Never, for cards made by [`Self::from_toml`] or by training.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../models/faces.toml");

    #[test]
    fn a_card_comes_back_as_it_was_written() {
        let mut card = FacesCard::from_toml(SHIPPED).unwrap();
        card.evaluation = vec![FacesEvaluation {
            data: "none".into(),
            side: 320,
            threshold: 0.5,
            pictures: 1,
            false_boxes_per_100: 0.0,
            landmark_error: None,
            sizes: vec![SizeFigures { from: 20.0, to: None, figures: FacesFigures::default() }],
        }];
        assert_eq!(FacesCard::from_toml(&card.to_toml().unwrap()).unwrap(), card);
    }

    #[test]
    fn cards_that_would_be_misread_are_refused() {
        let refused = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            FacesCard::from_toml(&SHIPPED.replacen(from, to, 1)).unwrap_err()
        };
        assert!(matches!(refused("format = 1", "format = 99"), CardError::Newer { .. }));
        assert!(matches!(refused("task = \"faces\"", ""), CardError::OtherTask { .. }));
        assert!(matches!(refused("std = 0.25", "std = 0.0"), CardError::Unfit(_)));
        assert!(matches!(refused("slope = ", "slope = -"), CardError::Unfit(_)));
        assert!(matches!(FacesCard::from_toml("no card"), Err(CardError::Format(_))));
    }

    #[test]
    fn a_probability_and_its_logit_belong_together() {
        let score = ScoreCalibration { slope: 1.7, shift: 0.4 };
        for probability in [0.01, 0.5, 0.99] {
            assert!((score.probability(score.logit(probability)) - probability).abs() < 1e-5);
        }
        assert_eq!(score.logit(0.0), f32::NEG_INFINITY);
    }
}
