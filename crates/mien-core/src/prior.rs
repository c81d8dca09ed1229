//! Priors: how often each class is assumed to occur.
//!
//! A network answers as if classes were as frequent as in its training data. Where they aren't, its probabilities can be
//! divided by that prior and multiplied by another: logit adjustment (Menon et al. 2021, “Long-tail learning via logit
//! adjustment”, section 4.2).

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::classes::{Classes, ClassesError};
use crate::emotion::COUNT;

/// Smallest share of a class that occurs at all. With a smaller one, the correction for rarity would outweigh any
/// evidence from the network.
pub const LEAST_SHARE: f64 = 1e-3;

/// The share of each class, summing to 1; 0 for a class that never occurred. In TOML it is a table of classes and weights of any sum.
/// Reading the table loses the classes' order, unless they are the emotions: see [`Self::in_order_of`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, f64>")]
pub struct Prior {
    classes: Classes,
    shares: Vec<f64>,
}

impl Prior {
    /// The same share for every class.
    pub fn uniform(classes: &Classes) -> Self {
        Self { classes: classes.clone(), shares: vec![1.0 / classes.len() as f64; classes.len()] }
    }

    /// Normalises weights in the order of `classes` to sum 1. A class with weight 0 can never be named.
    ///
    /// # Errors
    /// When their number isn't that of the classes, one is negative or not finite, or none is above 0.
    pub fn from_weights(classes: &Classes, weights: &[f64]) -> Result<Self, WeightError> {
        if let Some(class) = (weights.len()..classes.len()).next() {
            return Err(WeightError::Missing(classes.name(class)));
        }
        if weights.len() > classes.len() {
            return Err(WeightError::TooMany { weights: weights.len(), classes: classes.len() });
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(WeightError::Nothing);
        }
        let wrong = |weight: f64| !(weight.is_finite() && weight >= 0.0);
        if let Some((class, weight)) = weights.iter().enumerate().find(|(_, weight)| wrong(**weight)) {
            return Err(WeightError::Range { class: classes.name(class), weight: *weight });
        }
        // Divide by the largest first, so that the sum of very large weights doesn't overflow.
        let largest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
        Ok(Self { classes: classes.clone(), shares: weights.iter().map(|weight| weight / largest / sum).collect() })
    }

    /// Takes the shares observed in data. A share below a thousandth is raised to a thousandth; 0 stays 0.
    ///
    /// # Errors
    /// Those of [`Self::from_weights`].
    pub fn observed(classes: &Classes, shares: &[f64]) -> Result<Self, WeightError> {
        let sum: f64 = shares.iter().sum();
        let floored = |share: &f64| match share / sum {
            share if share > 0.0 => share.max(LEAST_SHARE),
            share => share,
        };
        let floored: Vec<f64> = if sum > 0.0 { shares.iter().map(floored).collect() } else { shares.to_vec() };
        Self::from_weights(classes, &floored)
    }

    /// The classes that have these shares.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The shares in the order of [`Self::classes`].
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The same prior in the order of `classes`; `None` if those are different classes.
    pub fn in_order_of(&self, classes: &Classes) -> Option<Self> {
        let share =
            |key: &str| self.classes.keys().zip(&self.shares).find(|(own, _)| *own == key).map(|(_, share)| *share);
        let shares: Vec<f64> = classes.keys().map(share).collect::<Option<_>>()?;
        (shares.len() == self.shares.len()).then(|| Self { classes: classes.clone(), shares })
    }

    /// The names of the classes that have no share.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        self.classes.keys().zip(&self.shares).filter(|(_, share)| **share <= 0.0).map(|(key, _)| key)
    }
}

impl TryFrom<BTreeMap<String, f64>> for Prior {
    type Error = TableError;

    fn try_from(weights: BTreeMap<String, f64>) -> Result<Self, TableError> {
        let emotions = Classes::emotions();
        let are_emotions =
            weights.len() == COUNT && weights.keys().all(|key| emotions.keys().any(|known| known == key));
        let classes = if are_emotions { emotions } else { Classes::new(weights.keys().cloned().collect())? };
        let weights: Vec<f64> = classes.keys().filter_map(|key| weights.get(key).copied()).collect();
        Ok(Self::from_weights(&classes, &weights)?)
    }
}

impl Serialize for Prior {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Six decimal places: finer than any data set resolves.
        serializer.collect_map(self.classes.keys().zip(self.shares.iter().map(|share| (share * 1e6).round() / 1e6)))
    }
}

/// Why a table isn't a prior.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    /// The names can't be classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// The weights are invalid.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// Why weights don't make a prior.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// A class has no weight.
    #[error("{0} has no weight; each needs one")]
    Missing(String),
    /// More weights than classes.
    #[error("there are {weights} weights for {classes} classes; each needs one")]
    TooMany {
        /// How many weights.
        weights: usize,
        /// How many classes.
        classes: usize,
    },
    /// All weights are 0.
    #[error("nothing has a weight above 0")]
    Nothing,
    /// A weight is negative or not finite, or 0 where each class needs one above 0.
    #[error("the weight of {class} is {weight}; it has to be a number above 0")]
    Range {
        /// The class.
        class: String,
        /// Its weight.
        weight: f64,
    },
}

/// Why a prior can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PriorError {
    /// Neither a word for a prior nor a file that can be read.
    #[error("can't read the prior {path}: {source}; give `uniform`, `training`, or a file of emotions and weights")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not a prior.
    #[error("{path} is not a prior: {source}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Not CSV, or not weights that make a prior.
    #[error("{path} is not a prior: {problem}")]
    Weights {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// The model's card doesn't give its training prior.
    #[error(
        "the model's card doesn't say how frequent each class was in its training, so no other prior can be assumed; \
         `mien evaluate MODEL DATA --calibrate` writes it"
    )]
    Unknown,
    /// The classes of the file aren't those of the model.
    #[error("{path} is a prior of {given}, and the model tells apart {classes}")]
    OtherClasses {
        /// Which file.
        path: PathBuf,
        /// The file's classes.
        given: String,
        /// The model's classes.
        classes: String,
    },
}

/// The note in reports about classes that a model never names; `None` if there are none.
pub fn never_named(classes: &[String]) -> Option<String> {
    let names = classes.join(", ");
    (!names.is_empty()).then(|| format!("never named, because the model's training had none of it: {names}"))
}

/// One of the two priors that every calibrated model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandardPrior {
    /// The prior of the training data: the highest accuracy on similar data.
    #[default]
    Training,
    /// The same share for every class: none is missed because it was rare in training.
    Uniform,
}

impl StandardPrior {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Training, Self::Uniform];

    /// The word on the command line and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Uniform => "uniform",
        }
    }
}

/// The prior that a user chooses.
#[derive(Clone, Debug, PartialEq)]
pub enum PriorChoice {
    /// One of the two that every calibrated model has.
    Standard(StandardPrior),
    /// A prior from the user's file.
    Given {
        /// The file.
        path: PathBuf,
        /// The prior.
        prior: Prior,
    },
}

impl FromStr for PriorChoice {
    type Err = PriorError;

    fn from_str(word: &str) -> Result<Self, PriorError> {
        match StandardPrior::ALL.into_iter().find(|prior| prior.name() == word) {
            Some(standard) => Ok(Self::Standard(standard)),
            None => Ok(Self::Given { path: word.into(), prior: Prior::read(Path::new(word))? }),
        }
    }
}

impl fmt::Display for PriorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(prior) => f.write_str(prior.name()),
            Self::Given { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn observed(shares: [f64; COUNT]) -> Result<Prior, WeightError> {
        Prior::observed(&Classes::emotions(), &shares)
    }

    #[test]
    fn a_class_that_data_lack_stays_absent_and_a_rare_one_counts_as_a_thousandth() {
        let prior = observed([10.0, 0.0, 0.000_1, 50.0, 10.0, 10.0, 20.0]).unwrap();
        assert_eq!(prior.absent().collect::<Vec<_>>(), ["disgust"]);
        assert!((prior.shares()[2] - LEAST_SHARE).abs() < 1e-5, "{prior:?}");
        // A card keeps it absent.
        let read: Prior = toml::from_str(&toml::to_string(&prior).unwrap()).unwrap();
        assert_eq!(read.absent().collect::<Vec<_>>(), ["disgust"]);
        assert!(observed([0.0; COUNT]).is_err());
        assert!(observed([f64::NAN; COUNT]).is_err());
        assert!(observed([-1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]).is_err());
    }

    #[test]
    fn weights_of_any_size_make_a_prior() {
        let prior = Prior::from_weights(&Classes::emotions(), &[f64::MAX; COUNT]).unwrap();
        assert!(prior.shares().iter().all(|share| (share - 1.0 / 7.0).abs() < 1e-12));
    }

    #[test]
    fn a_prior_comes_back_as_it_was_written_to_six_digits() {
        let prior = Prior::from_weights(&Classes::emotions(), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        let text = toml::to_string(&prior).unwrap();
        let read: Prior = toml::from_str(&text).unwrap();
        assert!(read.shares().iter().zip(prior.shares()).all(|(a, b)| (a - b).abs() < 1e-6), "{text}");
        let keys: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(keys, Emotion::ALL.map(Emotion::key), "FER2013 order");
    }

    #[test]
    fn a_prior_of_other_classes_is_brought_to_their_order() {
        let classes = Classes::new(vec!["tired".to_owned(), "awake".to_owned()]).unwrap();
        let prior = Prior::from_weights(&classes, &[3.0, 1.0]).unwrap();
        let read: Prior = toml::from_str(&toml::to_string(&prior).unwrap()).unwrap();
        assert_eq!(read.classes().to_string(), "awake, tired", "a table has no order");
        assert_eq!(read.in_order_of(&classes).unwrap(), prior);
        assert_eq!(read.in_order_of(&Classes::emotions()), None);
        assert!(toml::from_str::<Prior>("tired = 1.0").unwrap_err().to_string().contains("at least two"));
        assert!(matches!(Prior::from_weights(&classes, &[1.0]), Err(WeightError::Missing(name)) if name == "Awake"));
        let too_many = Prior::from_weights(&classes, &[1.0, 2.0, 3.0]).unwrap_err();
        assert_eq!(too_many.to_string(), "there are 3 weights for 2 classes; each needs one");
    }
}
