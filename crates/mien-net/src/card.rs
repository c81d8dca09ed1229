//! Model cards: what a model is, how its input is made, where it comes from, and how good it was measured to be.

use serde::{Deserialize, Serialize};

use super::{Calibration, NetworkSpec};
use crate::Normalization;
use mien_core::classes::Classes;
use mien_core::crop::{CROP_SIZE, Framing};
use mien_core::prior::StandardPrior;

/// Version of the card's layout that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Largest size of a card in bytes. Those of Mien's own models have less than 20,000.
pub const MOST_CARD_BYTES: u64 = 4 << 20;

/// Description of a model. Stored as TOML beside the weights, with the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Layout of the card, [`FORMAT`].
    pub format: u32,
    /// Name of the model.
    pub name: String,
    /// Description in one sentence.
    pub description: String,
    /// What it is meant for.
    pub intended_use: String,
    /// What it can't do.
    pub limits: String,
    /// The classes, in the order of the network's outputs: the seven emotions, or the recipe's own.
    pub labels: Classes,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// The architecture and its parameters.
    pub network: NetworkSpec,
    /// How a face becomes the network's input.
    pub input: InputSpec,
    /// How the weights were trained. For the mean of several models, how the first of them was trained.
    pub training: Training,
    /// The models whose weights were averaged. Empty if the weights come directly from a training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean_of: Vec<MeanPart>,
    /// How logits become probabilities.
    #[serde(default, skip_serializing_if = "is_default")]
    pub calibration: Calibration,
    /// Measurements, one for each data set, split, rule and prior.
    #[serde(default)]
    pub evaluation: Vec<Evaluation>,
}

fn is_default(calibration: &Calibration) -> bool {
    *calibration == Calibration::default()
}

/// A model whose weights went into an average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanPart {
    /// Name of the model.
    pub name: String,
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Its weight in the average, relative to the others.
    pub counts: f64,
}

/// How a face becomes the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Side of the square gray picture in pixels.
    pub size: usize,
    /// Which part of a picture the network sees.
    #[serde(default, skip_serializing_if = "Framing::is_default")]
    pub crop: Framing,
    /// How bytes become the network's numbers.
    pub normalization: Normalization,
}

/// How weights were trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The data set, with its splits as used.
    pub data: String,
    /// SHA-256 of the files, in the order of `data`. For the mean of several models, files that only the others learnt from follow.
    pub data_sha256: Vec<String>,
    /// SHA-256 of the weights of the model that training started from, if any (`start_from` in the recipe).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_sha256: Option<String>,
    /// SHA-256 of the file with the backbone's weights, if any (`backbone.weights` in the recipe). `None` in cards written before this
    /// field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone_sha256: Option<String>,
    /// SHA-256 of the teachers' weights, in the recipe's order. Empty without teachers, and in cards written before this field existed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teachers_sha256: Vec<String>,
    /// The training target: `label` or `votes`.
    pub target: String,
    /// Number of training pictures.
    pub pictures: usize,
    /// Epochs run.
    pub epochs: usize,
    /// The epoch whose weights these are.
    pub best_epoch: usize,
    /// Seed of all randomness.
    pub seed: u64,
    /// Version of Mien that trained it.
    pub mien_version: String,
    /// Its git commit.
    pub git_commit: String,
    /// Where it was trained: device and number of threads.
    pub machine: String,
    /// Time spent on training in seconds, over all resumed runs.
    pub wall_seconds: f64,
    /// Why it ended. `None` while it hasn't, and in cards written before this field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The data sets that were joined. Empty in cards written before this field existed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<TrainingSource>,
    /// The complete recipe.
    pub recipe: toml::Table,
}

impl Training {
    /// Whether this is a training with the same weights as `other`: same epoch, recipe and data, and the same weights of other models.
    pub fn has_weights_of(&self, other: &Self) -> bool {
        let of_others = |it: &Self| (it.start_sha256.clone(), it.backbone_sha256.clone(), it.teachers_sha256.clone());
        let weights = |it: &Self| (it.best_epoch, it.data_sha256.clone(), of_others(it), it.recipe.clone());
        weights(self) == weights(other)
    }

    /// Whether it learnt from any file with one of these SHA-256 checksums.
    pub fn learnt_from_any(&self, sha256: &[String]) -> bool {
        sha256.iter().any(|sum| self.data_sha256.contains(sum))
    }

    /// Whether it learnt from all files with these SHA-256 checksums, that is, from exactly this version of the data.
    pub fn learnt_from_all(&self, sha256: &[String]) -> bool {
        sha256.iter().all(|sum| self.data_sha256.contains(sum))
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All epochs of the recipe were run.
    Finished,
    /// The figure that selects the best epoch hadn't improved for the recipe's patience.
    StoppedEarly,
    /// The time budget was spent.
    BudgetSpent,
}

/// A data set that a network learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingSource {
    /// Its name in the recipe.
    pub name: String,
    /// Number of pictures in Training.
    pub training: usize,
    /// Number of pictures in PublicTest.
    pub public: usize,
    /// Number of pictures in PrivateTest.
    pub private: usize,
    /// Number of people in Training, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<usize>,
    /// Its share of each batch, if the recipe sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What was shown equally often, if not each picture: `emotions`, `classes` or `people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evenly_over: Option<String>,
    /// How evenly: a group of n pictures was shown in proportion to n to the power of 1 − evenness. `None` means equally often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evenness: Option<f64>,
    /// How it was split.
    pub division: String,
    /// SHA-256 of its files.
    pub sha256: Vec<String>,
}

/// A measurement of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The data set.
    pub data: String,
    /// Its split.
    pub split: String,
    /// Which label counts as correct, and which pictures are included.
    pub rule: String,
    /// Number of pictures.
    pub n: usize,
    /// Whether several views of a picture were averaged (test-time augmentation).
    pub test_time_augmentation: bool,
    /// The prior that was assumed: `training`, `uniform`, or a file.
    #[serde(default = "training_prior")]
    pub prior: String,
    /// If faces were found by the app's detector: the share of pictures in which it found one. The others aren't counted in `n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<f64>,
    /// Whether each picture was varied once, in the ways that cameras vary them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varied: bool,
    /// Share of pictures classified correctly.
    pub accuracy: f64,
    /// Mean F1 over the classes that occur.
    pub macro_f1: f64,
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: f64,
    /// Expected calibration error with 15 bins, without the card's temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece: Option<f64>,
    /// The same with the card's temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece_scaled: Option<f64>,
}

impl Evaluation {
    /// Whether the data set's pictures were used as they are, neither cropped by the detector nor varied.
    pub fn is_of_pictures_as_they_are(&self) -> bool {
        self.found.is_none() && !self.varied
    }
}

/// The prior of measurements in cards written before this field existed.
fn training_prior() -> String {
    StandardPrior::Training.name().to_owned()
}

/// The card can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// Not a card, or a damaged one.
    #[error("the model card is damaged: {0}")]
    Format(#[from] Box<toml::de::Error>),
    /// Written by a newer Mien.
    #[error("the model card has format {found}, this Mien reads {FORMAT}; a newer Mien is needed")]
    Newer {
        /// The card's format.
        found: u32,
    },
    /// A card of another kind of model.
    #[error("it is the card of a {is}, not of a {wanted}")]
    OtherTask {
        /// What the model is.
        is: &'static str,
        /// What was wanted.
        wanted: &'static str,
    },
    /// The card holds values that this program can't use.
    #[error("the model card asks for what Mien can't do: {0}")]
    Unfit(String),
}

impl Card {
    /// Whether its weights are those of the training `other`, which a mean of several models never has.
    pub fn has_weights_of(&self, other: &Training) -> bool {
        self.mean_of.is_empty() && self.training.has_weights_of(other)
    }

    /// Reads and checks a card.
    ///
    /// # Errors
    /// When the text isn't a classifier's card, has a newer format, or holds values that Mien can't use.
    pub fn from_toml(text: &str) -> Result<Self, CardError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
            /// Only a detector's card has this field.
            task: Option<toml::Value>,
        }
        let Version { format, task } = toml::from_str(text).map_err(Box::new)?;
        if format > FORMAT {
            return Err(CardError::Newer { found: format });
        }
        if task.is_some() {
            return Err(CardError::OtherTask { is: "detector", wanted: "classifier" });
        }
        let mut card: Self = toml::from_str(text).map_err(Box::new)?;
        if let Some(prior) = card.calibration.training_prior {
            let ordered = prior.in_order_of(&card.labels);
            let problem =
                || CardError::Unfit(format!("its prior of training isn't one of its labels, {}", card.labels));
            card.calibration.training_prior = Some(ordered.ok_or_else(problem)?);
        }
        if card.input.size != CROP_SIZE {
            return Err(CardError::Unfit(format!("its input has {0}×{0} pixels, not 48×48", card.input.size)));
        }
        match card.input.normalization.problem().or_else(|| card.calibration.problem()) {
            Some(problem) => Err(CardError::Unfit(problem)),
            None => Ok(card),
        }
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
pub(crate) mod tests {
    use super::*;
    use mien_core::prior::Prior;

    pub(crate) fn example() -> Card {
        Card {
            format: FORMAT,
            name: "example".into(),
            description: "A network for tests.".into(),
            intended_use: "Tests.".into(),
            limits: "Everything else.".into(),
            labels: Classes::emotions(),
            parameters: 1,
            network: toml::from_str("architecture = \"cnn4\"").unwrap(),
            input: InputSpec { size: CROP_SIZE, crop: Framing::Box, normalization: Normalization::default() },
            mean_of: vec![],
            training: Training {
                data: "none".into(),
                data_sha256: vec![],
                start_sha256: None,
                backbone_sha256: None,
                teachers_sha256: vec![],
                target: "label".into(),
                pictures: 0,
                epochs: 0,
                best_epoch: 0,
                seed: 0,
                mien_version: "0".into(),
                git_commit: "unknown".into(),
                machine: "none".into(),
                wall_seconds: 0.0,
                ending: None,
                sources: vec![],
                recipe: toml::Table::new(),
            },
            calibration: Calibration::default(),
            evaluation: vec![],
        }
    }

    #[test]
    fn a_card_comes_back_as_it_was_written() {
        let mut card = example();
        card.calibration.fitted_on = "PublicTest".into();
        card.calibration.training_prior = Some(Prior::uniform(&card.labels));
        card.training.backbone_sha256 = Some("ab".into());
        card.training.teachers_sha256 = vec!["cd".into(), "ef".into()];
        assert_eq!(Card::from_toml(&card.to_toml().unwrap()).unwrap(), card);
    }

    fn own_classes() -> Classes {
        Classes::new(vec!["tired".to_owned(), "awake".to_owned()]).unwrap()
    }

    #[test]
    fn a_card_of_own_classes_keeps_their_order_and_that_of_its_prior() {
        let mut card = example();
        card.labels = own_classes();
        card.calibration.training_prior = Some(Prior::from_weights(&card.labels, &[3.0, 1.0]).unwrap());
        assert_eq!(Card::from_toml(&card.to_toml().unwrap()).unwrap(), card);
    }

    #[test]
    fn a_card_that_names_no_crop_means_the_box() {
        let mut card = example();
        let older = card.to_toml().unwrap();
        assert!(!older.contains("crop ="), "{older}");
        assert_eq!(Card::from_toml(&older).unwrap().input.crop, Framing::Box);
        card.input.crop = Framing::Upright;
        let newer = card.to_toml().unwrap();
        assert!(newer.contains("crop = \"upright\""), "{newer}");
        assert_eq!(Card::from_toml(&newer).unwrap(), card);
        assert!(Card::from_toml(&newer.replace("upright", "sideways")).is_err());
    }

    #[test]
    fn cards_that_would_be_misread_are_refused() {
        let mut newer = example();
        newer.format = FORMAT + 1;
        assert!(matches!(Card::from_toml(&newer.to_toml().unwrap()), Err(CardError::Newer { .. })));
        let mut foreign = example();
        foreign.calibration.training_prior = Some(Prior::uniform(&own_classes()));
        assert!(matches!(Card::from_toml(&foreign.to_toml().unwrap()), Err(CardError::Unfit(_))));
        let once = example().to_toml().unwrap();
        let twice = once.replace("\"neutral\"", "\"angry\"");
        assert!(once != twice && matches!(Card::from_toml(&twice), Err(CardError::Format(_))));
        let mut flat = example();
        flat.input.normalization.std = 0.0;
        assert!(matches!(Card::from_toml(&flat.to_toml().unwrap()), Err(CardError::Unfit(_))));
        let mut frozen = example();
        frozen.calibration.temperature.training = 0.0;
        assert!(matches!(Card::from_toml(&frozen.to_toml().unwrap()), Err(CardError::Unfit(_))));
        assert!(matches!(Card::from_toml("no card"), Err(CardError::Format(_))));
    }
}
