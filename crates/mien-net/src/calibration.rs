//! From logits to calibrated probabilities under an assumed prior.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use mien_core::classes::Classes;
use mien_core::prior::{Prior, PriorChoice, PriorError, StandardPrior};

/// How a model's logits become probabilities. The defaults change nothing.
///
/// Under the uniform prior, adjusted logits are `logits + strength · (ln uniform − ln training)`, divided by the temperature of the
/// operating point. A prior from a file multiplies the probabilities under the uniform prior by its shares. A class
/// that was absent from training stays impossible under any prior, because the network knows nothing about it. The temperature (Guo et
/// al. 2017, “On calibration of modern neural networks”) changes how sure the answers are, but never which class leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// The prior assumed by default.
    pub default_prior: StandardPrior,
    /// How much of the difference between two priors is applied, 0 to [`Self::MAX_STRENGTH`]. 1 is what theory gives for a
    /// perfect network.
    pub strength: f64,
    /// What strength and temperatures were fitted on: split, rule and number of pictures. Empty if they weren't fitted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fitted_on: String,
    /// The prior of training, which the network's answers assume: as a rule the share of each class in the pictures that it was shown,
    /// times any class weights of the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_prior: Option<Prior>,
    /// What the logits are divided by, for each operating point.
    pub temperature: Temperatures,
}

/// One temperature for each prior that a model knows by name. Priors from files build on the uniform one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Temperatures {
    /// Under the prior of training.
    pub training: f64,
    /// Under the uniform prior.
    pub uniform: f64,
}

impl Default for Temperatures {
    fn default() -> Self {
        Self { training: 1.0, uniform: 1.0 }
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            default_prior: StandardPrior::Training,
            strength: 1.0,
            fitted_on: String::new(),
            training_prior: None,
            temperature: Temperatures::default(),
        }
    }
}

impl Calibration {
    /// The greatest strength that a card may hold. With more, the prior drowns out the picture.
    pub const MAX_STRENGTH: f64 = 2.0;

    /// Temperatures that a card may hold. No network that learnt anything lies outside this range.
    pub const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

    /// Whether strength and temperatures were fitted.
    pub fn is_fitted(&self) -> bool {
        !self.fitted_on.is_empty()
    }

    /// Returns the adjustment of the logits under `choice`, or under the model's default.
    ///
    /// # Errors
    /// When a prior other than that of training is chosen and the training prior is unknown, or the chosen one is for other classes.
    pub fn assume(&self, choice: Option<&PriorChoice>) -> Result<Assumed, PriorError> {
        let usual = PriorChoice::Standard(self.default_prior);
        let choice = choice.unwrap_or(&usual);
        let adjustment = match choice {
            PriorChoice::Standard(StandardPrior::Training) => {
                let trained = self.training_prior.as_ref();
                let plain = trained.map_or(Adjustment::NONE, |prior| Adjustment::between(prior, prior, 0.0));
                plain.with_temperature(self.temperature.training)
            }
            PriorChoice::Standard(StandardPrior::Uniform) => self.uniform(self.trained()?),
            PriorChoice::Given { path, prior } => {
                let trained = self.trained()?;
                let Some(prior) = prior.in_order_of(trained.classes()) else {
                    let words = |classes: &Classes| {
                        if classes.are_emotions() { "the seven emotions".to_owned() } else { classes.to_string() }
                    };
                    let (given, classes) = (words(prior.classes()), words(trained.classes()));
                    return Err(PriorError::OtherClasses { path: path.clone(), given, classes });
                };
                self.uniform(trained).weighted(&prior)
            }
        };
        Ok(Assumed { prior: choice.clone(), adjustment })
    }

    fn trained(&self) -> Result<&Prior, PriorError> {
        self.training_prior.as_ref().ok_or(PriorError::Unknown)
    }

    fn uniform(&self, trained: &Prior) -> Adjustment {
        let uniform = Prior::uniform(trained.classes());
        Adjustment::between(trained, &uniform, self.strength).with_temperature(self.temperature.uniform)
    }

    /// Returns the classes that were absent from training and are therefore never named.
    pub fn never_named(&self) -> Vec<String> {
        self.training_prior.iter().flat_map(Prior::absent).map(str::to_owned).collect()
    }

    /// Describes the first invalid value, if any.
    pub(super) fn problem(&self) -> Option<String> {
        let Temperatures { training, uniform } = self.temperature;
        let wrong = [training, uniform].into_iter().find(|value| !Self::TEMPERATURES.contains(value));
        if let Some(temperature) = wrong {
            return Some(format!("its calibration has the temperature {temperature}"));
        }
        if !(0.0..=Self::MAX_STRENGTH).contains(&self.strength) {
            return Some(format!("its calibration has the strength {}", self.strength));
        }
        (self.default_prior == StandardPrior::Uniform && self.training_prior.is_none())
            .then(|| "its calibration assumes the uniform prior without naming the one of training".to_owned())
    }
}

/// An operating point of a model: the assumed prior, and what it does to the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Assumed {
    /// The assumed prior.
    pub prior: PriorChoice,
    /// The adjustment of the logits.
    pub adjustment: Adjustment,
}

/// What is added to logits, and what they are then divided by.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// One offset for each class, in the order of the outputs. Negative infinity makes a class impossible. Empty if nothing is added.
    pub offsets: Vec<f64>,
    /// Above 0.
    pub temperature: f64,
}

impl Adjustment {
    /// Leaves logits as they are.
    pub const NONE: Self = Self { offsets: Vec::new(), temperature: 1.0 };

    /// Returns the adjustment from the training prior to an assumed prior over the same classes, at temperature 1. `strength` is the
    /// share of the difference that is applied. A class that either prior lacks is impossible.
    pub fn between(trained: &Prior, assumed: &Prior, strength: f64) -> Self {
        let offset = |(trained, assumed): (&f64, &f64)| {
            if *trained > 0.0 && *assumed > 0.0 { strength * (assumed / trained).ln() } else { f64::NEG_INFINITY }
        };
        Self { offsets: trained.shares().iter().zip(assumed.shares()).map(offset).collect(), temperature: 1.0 }
    }

    /// Returns the adjustment that multiplies the probabilities by the shares of a prior over the same classes, as Bayes' theorem does
    /// with probabilities under the uniform prior. A class with the share 0 is impossible.
    #[must_use]
    pub fn weighted(&self, prior: &Prior) -> Self {
        let count = prior.shares().len() as f64;
        let offset = |(class, share): (usize, &f64)| self.offset(class) + self.temperature * (share * count).ln();
        Self { offsets: prior.shares().iter().enumerate().map(offset).collect(), temperature: self.temperature }
    }

    /// Returns the same offsets with another temperature.
    #[must_use]
    pub fn with_temperature(&self, temperature: f64) -> Self {
        Self { offsets: self.offsets.clone(), temperature }
    }

    /// Returns adjusted logits `[N, classes]`, in 32 bits, on the device of `logits`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn apply(&self, logits: &Tensor) -> Result<Tensor, tch::TchError> {
        if self.offsets.is_empty() {
            return logits.f_div_scalar(self.temperature);
        }
        let offsets = Tensor::from_slice(&self.offsets).to_kind(Kind::Float).f_to_device(logits.device())?;
        logits.f_add(&offsets)?.f_div_scalar(self.temperature)
    }

    /// Returns one row of logits, adjusted.
    pub fn row(&self, logits: &[f64]) -> Vec<f64> {
        let adjusted = |(class, logit): (usize, &f64)| (logit + self.offset(class)) / self.temperature;
        logits.iter().enumerate().map(adjusted).collect()
    }

    /// Returns what is added to the logit of a class.
    pub fn offset(&self, class: usize) -> f64 {
        self.offsets.get(class).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::emotion::{COUNT, Emotion};

    fn prior(weights: [f64; COUNT]) -> Prior {
        Prior::observed(&Classes::emotions(), &weights).unwrap()
    }

    fn skewed() -> Calibration {
        Calibration {
            default_prior: StandardPrior::Uniform,
            strength: 1.0,
            fitted_on: "PublicTest, majority, N 10".to_owned(),
            training_prior: Some(prior([1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 1.0])),
            temperature: Temperatures { training: 2.0, uniform: 1.0 },
        }
    }

    fn choice(word: &str) -> PriorChoice {
        word.parse().unwrap()
    }

    #[test]
    fn full_strength_divides_probabilities_by_the_prior_of_training() {
        let logits = Tensor::from_slice2(&[[0.0_f32, 0.0, 0.0, 4.0_f32.ln(), 0.0, 0.0, 0.0]]);
        let adjusted = skewed().assume(None).unwrap().adjustment.apply(&logits).unwrap().softmax(1, Kind::Float);
        let spread: f64 = (adjusted - 1.0 / 7.0).abs().max().double_value(&[]);
        assert!(spread < 1e-6, "{spread}");
    }

    #[test]
    fn under_the_prior_of_training_only_the_temperature_counts() {
        let row = skewed().assume(Some(&choice("training"))).unwrap().adjustment.row(&[2.0; COUNT]);
        assert_eq!(row, [1.0; COUNT]);
    }

    #[test]
    fn assuming_the_prior_of_training_by_hand_changes_no_leader() {
        let prior = skewed().training_prior.unwrap();
        let given = PriorChoice::Given { path: "same.toml".into(), prior };
        let adjustment = skewed().assume(Some(&given)).unwrap().adjustment;
        assert!(adjustment.offsets.iter().all(|offset| offset.abs() < 1e-12));
    }

    #[test]
    fn a_prior_from_a_file_multiplies_the_probabilities_under_the_uniform_one_whatever_was_fitted() {
        let weights = [1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 8.0];
        let calibration =
            Calibration { strength: 0.9, temperature: Temperatures { training: 1.0, uniform: 0.5 }, ..skewed() };
        let given = PriorChoice::Given { path: "own.toml".into(), prior: prior(weights) };
        let odds = |choice: &PriorChoice| {
            let row = calibration.assume(Some(choice)).unwrap().adjustment.row(&[0.3, -1.0, 2.0, 0.0, 1.5, -0.5, 0.7]);
            row.iter().map(|logit| (logit - row[0]).exp()).collect::<Vec<_>>()
        };
        let (uniform, own) = (odds(&choice("uniform")), odds(&given));
        for class in 0..COUNT {
            assert!((own[class] / uniform[class] - weights[class]).abs() < 1e-9, "{class}: {own:?}, {uniform:?}");
        }
    }

    #[test]
    fn an_emotion_that_training_never_had_is_named_under_no_prior() {
        let trained = prior([3.0, 0.0, 1.0, 2.0, 1.0, 1.0, 0.0]);
        let calibration = Calibration { training_prior: Some(trained), strength: 0.0, ..skewed() };
        assert_eq!(calibration.never_named(), ["disgust", "neutral"]);
        let given = PriorChoice::Given { path: "mine.toml".into(), prior: prior([1.0; COUNT]) };
        for strength in [0.0, 1.0, 2.0] {
            let calibration = Calibration { strength, ..calibration.clone() };
            for choice in [choice("training"), choice("uniform"), given.clone()] {
                // The untrained outputs of a network may be anything.
                let logits = Tensor::from_slice2(&[[1.0_f32, 9.0, 1.0, 4.0, 1.0, 1.0, 9.0]]);
                let adjusted = calibration.assume(Some(&choice)).unwrap().adjustment.apply(&logits).unwrap();
                let named = crate::classify::probabilities(&adjusted).unwrap()[0];
                assert_eq!(
                    (named.of(Emotion::Disgust.index()), named.of(Emotion::Neutral.index())),
                    (0.0, 0.0),
                    "{choice}"
                );
                assert_eq!(named.top().0, Emotion::Happy.index(), "{choice} at {strength}");
            }
        }
    }

    #[test]
    fn without_the_prior_of_training_no_other_can_be_assumed() {
        let plain = Calibration::default();
        assert_eq!(plain.assume(None).unwrap().adjustment, Adjustment::NONE);
        assert!(matches!(plain.assume(Some(&choice("uniform"))), Err(PriorError::Unknown)));
    }

    #[test]
    fn a_prior_of_the_emotions_is_refused_by_a_model_of_other_classes() {
        let classes = Classes::new(vec!["tired".to_owned(), "awake".to_owned()]).unwrap();
        let trained = Prior::from_weights(&classes, &[3.0, 1.0]).unwrap();
        let calibration = Calibration { training_prior: Some(trained), ..skewed() };
        let given = PriorChoice::Given { path: "mine.toml".into(), prior: prior([1.0; COUNT]) };
        let error = calibration.assume(Some(&given)).unwrap_err().to_string();
        assert!(error.contains("mine.toml") && error.contains("tired, awake"), "{error}");
        let own =
            Prior::from_weights(&Classes::new(vec!["awake".to_owned(), "tired".to_owned()]).unwrap(), &[3.0, 1.0])
                .unwrap();
        let given = PriorChoice::Given { path: "mine.toml".into(), prior: own };
        let own = calibration.assume(Some(&given)).unwrap().adjustment;
        assert!((own.offset(1) - own.offset(0) - 9.0_f64.ln()).abs() < 1e-12, "in the model's order: {own:?}");
        let uniform = calibration.assume(Some(&choice("uniform"))).unwrap().adjustment;
        assert!((uniform.offset(1) - uniform.offset(0) - 3.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn cards_with_impossible_numbers_are_told() {
        let broken: [fn(&mut Calibration); 4] = [
            |c| c.temperature.uniform = 0.0,
            |c| c.temperature.training = f64::NAN,
            |c| c.strength = -1.0,
            |c| c.training_prior = None,
        ];
        assert_eq!(skewed().problem(), None);
        for change in broken {
            let mut calibration = skewed();
            change(&mut calibration);
            assert!(calibration.problem().is_some(), "{calibration:?}");
        }
    }
}
