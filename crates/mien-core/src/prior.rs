//! How often each emotion is assumed to be shown, before a face is looked at.
//!
//! A network answers as if emotions were as frequent as in what it learnt from. Where they aren't, its probabilities can be
//! divided by that prior and multiplied by another: logit adjustment (Menon et al. 2021, “Long-tail learning via logit
//! adjustment”, section 4.2).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::emotion::{COUNT, Emotion};

/// Bytes that a file with a prior may have: seven numbers, with room for remarks.
const MOST_BYTES: u64 = 1 << 20;

/// The least share of an emotion that counts as seen. Below it the correction for its rareness would be larger than any
/// evidence that a network gives.
const LEAST_SHARE: f64 = 1e-3;

/// A share of each emotion, summing to 1. One that was never seen has none. In TOML a table of emotions and weights of any sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Emotion, f64>", into = "BTreeMap<Emotion, f64>")]
pub struct Prior([f64; COUNT]);

impl Prior {
    /// Every emotion as often as any other.
    pub const UNIFORM: Self = Self([1.0 / COUNT as f64; COUNT]);

    /// Normalises weights in FER2013 order to sum 1. An emotion of no weight can never be named.
    ///
    /// # Errors
    /// When one is negative or not finite, or none is above 0.
    pub fn from_weights(weights: [f64; COUNT]) -> Result<Self, WeightError> {
        if weights == [0.0; COUNT] {
            return Err(WeightError::Nothing);
        }
        let wrong = |weight: f64| !(weight.is_finite() && weight >= 0.0);
        if let Some((emotion, weight)) = Emotion::ALL.into_iter().zip(weights).find(|(_, weight)| wrong(*weight)) {
            return Err(WeightError::Range { emotion, weight });
        }
        // Weights near the end of the range don't overflow when the largest is 1.
        let largest = weights.into_iter().fold(f64::MIN_POSITIVE, f64::max);
        let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
        Ok(Self(weights.map(|weight| weight / largest / sum)))
    }

    /// The shares seen in data. One that is rarer than a thousandth counts as a thousandth; one that is missing stays missing.
    ///
    /// # Errors
    /// When one is negative or not finite, or none is above 0.
    pub fn observed(shares: [f64; COUNT]) -> Result<Self, WeightError> {
        let sum: f64 = shares.iter().sum();
        let floored = shares.map(|share| match share / sum {
            share if share > 0.0 => share.max(LEAST_SHARE),
            share => share,
        });
        Self::from_weights(if sum > 0.0 { floored } else { shares })
    }

    /// The shares in FER2013 order.
    pub fn shares(&self) -> &[f64; COUNT] {
        &self.0
    }

    /// The emotions that have no share.
    pub fn absent(&self) -> impl Iterator<Item = Emotion> + '_ {
        Emotion::ALL.into_iter().filter(|emotion| self.0[emotion.index()] <= 0.0)
    }

    /// Reads a prior from a file: TOML (`happy = 3.5`, one line an emotion) or, if its name ends in `.csv`, the columns
    /// `emotion,weight`. All seven emotions have to be named, with weights above 0.
    ///
    /// # Errors
    /// When the file can't be read, names an unknown emotion, one twice, or not all, or gives a weight that is none.
    pub fn read(path: &Path) -> Result<Self, PriorError> {
        let text = bounded::read_text(path, MOST_BYTES)
            .map_err(|source| PriorError::Read { path: path.to_owned(), source })?;
        let no_prior = |problem| PriorError::Weights { path: path.to_owned(), problem };
        let prior: Self = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            from_csv(&text).map_err(no_prior)?
        } else {
            toml::from_str(&text).map_err(|source| PriorError::Toml { path: path.to_owned(), source: source.into() })?
        };
        match prior.absent().next() {
            Some(emotion) => Err(no_prior(WeightError::Range { emotion, weight: 0.0 }.to_string())),
            None => Ok(prior),
        }
    }
}

fn from_csv(text: &str) -> Result<Prior, String> {
    #[derive(Deserialize)]
    struct Row {
        emotion: String,
        weight: f64,
    }
    let mut weights = BTreeMap::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut rows = reader.deserialize::<Row>();
    while let Some(row) = rows.next() {
        // The reader's own messages name line and column.
        let Row { emotion, weight } = row.map_err(|error| error.to_string())?;
        let line = rows.reader().position().line().saturating_sub(1);
        let emotion: Emotion = emotion.parse().map_err(|error| format!("line {line}: {error}"))?;
        if weights.insert(emotion, weight).is_some() {
            return Err(format!("line {line}: {emotion} is named twice"));
        }
    }
    Prior::try_from(weights).map_err(|error| error.to_string())
}

impl TryFrom<BTreeMap<Emotion, f64>> for Prior {
    type Error = WeightError;

    fn try_from(weights: BTreeMap<Emotion, f64>) -> Result<Self, WeightError> {
        let weight = |emotion| weights.get(&emotion).copied().ok_or(WeightError::Missing(emotion));
        let mut all = [0.0; COUNT];
        for emotion in Emotion::ALL {
            all[emotion.index()] = weight(emotion)?;
        }
        Self::from_weights(all)
    }
}

impl From<Prior> for BTreeMap<Emotion, f64> {
    fn from(prior: Prior) -> Self {
        // Six digits: more than any data set tells apart.
        Emotion::ALL.into_iter().zip(prior.0.map(|share| (share * 1e6).round() / 1e6)).collect()
    }
}

/// Weights that are no prior.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// An emotion has no weight.
    #[error("{0} has no weight; all seven emotions need one")]
    Missing(Emotion),
    /// All weights are 0.
    #[error("no emotion has a weight above 0")]
    Nothing,
    /// A weight is 0 where that makes no sense, negative or no number.
    #[error("the weight of {emotion} is {weight}; it has to be a number above 0")]
    Range {
        /// Of which emotion.
        emotion: Emotion,
        /// What it is.
        weight: f64,
    },
}

/// A prior can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PriorError {
    /// No such file, and no word for a prior.
    #[error("can't read the prior {path}: {source}; give `uniform`, `training`, or a file of emotions and weights")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or no prior.
    #[error("{path} is no prior: {source}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Not CSV, or weights that no user can mean.
    #[error("{path} is no prior: {problem}")]
    Weights {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// The model doesn't say under which prior it learnt.
    #[error(
        "the model's card doesn't say how often each emotion was in what it learnt from, so no other prior can be assumed; \
         `mien evaluate MODEL DATA --calibrate` writes it"
    )]
    Unknown,
}

/// What a report says of emotions that a model never names, if there are any.
pub fn never_named(emotions: &[Emotion]) -> Option<String> {
    let names: Vec<_> = emotions.iter().map(|emotion| emotion.key()).collect();
    let names = names.join(", ");
    (!names.is_empty()).then(|| format!("never named, because the model's training had none of it: {names}"))
}

/// One of the two priors that every calibrated model knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandardPrior {
    /// That of what the network learnt from: the highest accuracy on data like these.
    #[default]
    Training,
    /// All emotions alike: no emotion is passed over because it was rare.
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

/// What a user asks to be assumed.
#[derive(Clone, Debug, PartialEq)]
pub enum PriorChoice {
    /// One of the two that every calibrated model knows.
    Standard(StandardPrior),
    /// The user's own.
    Given {
        /// Where it was read.
        path: PathBuf,
        /// What it is.
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

    const ALL_SEVEN: &str = "angry = 1\ndisgust = 1\nfear = 1\nhappy = 3\nsad = 1\nsurprise = 1\nneutral = 2.0\n";

    fn read(name: &str, text: &str) -> Result<PriorChoice, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().parse::<PriorChoice>().map_err(|error| error.to_string())
    }

    fn shares(choice: &PriorChoice) -> [f64; COUNT] {
        match choice {
            PriorChoice::Given { prior, .. } => *prior.shares(),
            PriorChoice::Standard(_) => panic!("no file"),
        }
    }

    #[test]
    fn a_file_in_either_form_is_normalised() {
        let wanted = [0.1, 0.1, 0.1, 0.3, 0.1, 0.1, 0.2];
        let table = format!("emotion,weight\n{}", ALL_SEVEN.replace(" = ", ", ").replace("happy", "Happy"));
        for (name, text) in [("a.toml", ALL_SEVEN), ("a.csv", &table)] {
            let shares = shares(&read(name, text).unwrap());
            assert!(shares.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
        }
    }

    #[test]
    fn files_that_are_no_prior_are_refused_with_the_reason() {
        let lacking = ALL_SEVEN.replace("fear = 1\n", "");
        let foreign = ALL_SEVEN.replace("fear", "contempt");
        let zero = ALL_SEVEN.replace("fear = 1", "fear = 0");
        let cases = [
            ("a.toml", lacking.as_str(), "Fear has no weight"),
            ("a.toml", &foreign, "contempt"),
            ("a.toml", &zero, "the weight of Fear is 0"),
            ("a.toml", "fear = ", "line 1"),
            ("a.csv", "emotion,weight\nangry,1\nangry,2\n", "line 3: Angry is named twice"),
            ("a.csv", "emotion,weight\nglad,1\n", "line 2: “glad”"),
            ("a.csv", "emotion,weight\nangry,much\n", "line: 2"),
            ("a.csv", "emotion,weight\n", "Angry has no weight"),
        ];
        for (name, text, reason) in cases {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(reason) && error.contains(name), "{text}: {error}");
        }
        let error = "no/such/file".parse::<PriorChoice>().unwrap_err().to_string();
        assert!(error.contains("no/such/file") && error.contains("uniform"), "{error}");
    }

    #[test]
    fn an_emotion_that_data_lack_stays_absent_and_a_rare_one_counts_as_a_thousandth() {
        let observed = Prior::observed([10.0, 0.0, 0.000_1, 50.0, 10.0, 10.0, 20.0]).unwrap();
        assert_eq!(observed.absent().collect::<Vec<_>>(), [Emotion::Disgust]);
        assert!((observed.shares()[2] - LEAST_SHARE).abs() < 1e-5, "{observed:?}");
        // A card keeps it so.
        let read: Prior = toml::from_str(&toml::to_string(&observed).unwrap()).unwrap();
        assert_eq!(read.absent().collect::<Vec<_>>(), [Emotion::Disgust]);
        assert!(Prior::observed([0.0; COUNT]).is_err());
        assert!(Prior::observed([f64::NAN; COUNT]).is_err());
        assert!(Prior::observed([-1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]).is_err());
    }

    #[test]
    fn weights_of_any_size_make_a_prior() {
        let prior = Prior::from_weights([f64::MAX; COUNT]).unwrap();
        assert!(prior.shares().iter().all(|share| (share - 1.0 / 7.0).abs() < 1e-12));
    }

    #[test]
    fn a_prior_comes_back_as_it_was_written_to_six_digits() {
        let prior = Prior::from_weights([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        let text = toml::to_string(&prior).unwrap();
        let read: Prior = toml::from_str(&text).unwrap();
        assert!(read.shares().iter().zip(prior.shares()).all(|(a, b)| (a - b).abs() < 1e-6), "{text}");
        assert!(text.starts_with("angry"), "FER2013 order: {text}");
    }
}
