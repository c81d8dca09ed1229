//! A recipe: everything that decides what a training gives, as TOML.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::balance::BalanceSpec;
use super::datasets::{SplitSpec, Target};
use super::loss::LossSpec;
use super::optimizer::OptimizerSpec;
use super::schedule::{Schedule, ScheduleSpec};
use super::task::{Plan, Planned};
use mien_core::bounded;
use mien_core::crop::Framing;
use mien_net::Normalization;
use mien_net::{NetworkSpec, Precision, SpecError};

/// Bytes that a recipe may have; Mien's own have less than 3000.
const MOST_BYTES: u64 = 1 << 20;

/// A training, from the architecture to the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What to call the model.
    pub name: String,
    /// What the model is, in a sentence: goes into its card.
    pub description: String,
    /// The data set that it was made for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the network is taught.
    pub target: Target,
    /// A model of the same architecture whose weights the training begins with instead of random ones: the name of a shipped
    /// one, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// The most epochs to run.
    pub epochs: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// Number format of the convolutions while training.
    #[serde(default)]
    pub precision: Precision,
    /// Share that a moving average of the weights keeps at each step (0 is no average). The average is what is
    /// measured and saved.
    #[serde(default)]
    pub average: f64,
    /// By which measure on PublicTest the best epoch is chosen.
    #[serde(default)]
    pub select_by: Selection,
    /// The epochs without a better PublicTest figure after which training ends.
    pub patience: usize,
    /// Which crops of larger pictures it learns from. Pictures that are nothing but a face are taken as they are.
    #[serde(default, skip_serializing_if = "Framing::is_default")]
    pub crop: Framing,
    /// How the data set is divided where its publishers didn't do it.
    #[serde(default, skip_serializing_if = "is_default_split")]
    pub split: SplitSpec,
    /// The experiment that this recipe retraces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The architecture.
    pub network: NetworkSpec,
    /// Where a transfer network's backbone comes from and how it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneSpec>,
    /// From bytes to numbers.
    #[serde(default)]
    pub normalization: Normalization,
    /// What is done about rare emotions.
    #[serde(default)]
    pub balance: BalanceSpec,
    /// What training makes small.
    #[serde(default)]
    pub loss: LossSpec,
    /// Other models whose answers are learnt too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<DistillationSpec>,
    /// How weights follow gradients.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: ScheduleSpec,
    /// How pictures are varied.
    #[serde(default)]
    pub augmentation: Augmentation,
}

/// A measure on PublicTest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Share named right.
    #[default]
    Accuracy,
    /// Mean recall over the emotions.
    BalancedAccuracy,
}

/// An experiment that others published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The figure as they give it, with what it was measured on.
    pub figure: String,
    /// The figure as a share, for comparison.
    pub value: f64,
    /// Where it stands.
    pub source: String,
    /// What to keep in mind when comparing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A transfer network's backbone: the variables whose names begin with [`mien_net::BACKBONE`]. What is said here about its
/// rate only holds for one that has weights: a random one has to learn like the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneSpec {
    /// A safetensors file with its weights. Without one the network learns from scratch, and its card says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Whether it stays as it is.
    #[serde(default)]
    pub frozen: bool,
    /// What its learning rate is multiplied by when it isn't frozen.
    #[serde(default = "one")]
    pub learning_rate_factor: f64,
}

impl BackboneSpec {
    /// What the backbone's learning rate is multiplied by; `None` if it stays as it is.
    pub fn rate(&self) -> Option<f64> {
        match (&self.weights, self.frozen) {
            (None, _) => Some(1.0),
            (Some(_), true) => None,
            (Some(_), false) => Some(self.learning_rate_factor),
        }
    }
}

fn is_default_split(split: &SplitSpec) -> bool {
    *split == SplitSpec::default()
}

fn one() -> f64 {
    1.0
}

/// Learning from other models' answers (Hinton et al. 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillationSpec {
    /// Shipped models by name, others by path; their probabilities are averaged.
    pub teachers: Vec<String>,
    /// The teachers' share of the loss, 0 to 1.
    pub weight: f64,
    /// What the logits are divided by, so that small probabilities count too.
    #[serde(default = "one")]
    pub temperature: f64,
    /// When the teachers are asked.
    #[serde(default)]
    pub asked: Asked,
}

/// When teachers answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// At each step, about the pictures as they were varied for it.
    #[default]
    EachStep,
    /// Once, about the pictures as they are: large teachers cost next to nothing so, and what variation hides of a picture isn't
    /// hidden from them. Their answers are mixed into the targets.
    Once,
}

/// A recipe can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file can't be read.
    #[error("can't read the recipe {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not what a recipe holds.
    #[error("the recipe {path} doesn't fit: {source}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A number out of its range.
    #[error("the recipe {path} doesn't fit: {problem}")]
    Range {
        /// Which file.
        path: PathBuf,
        /// Which number, and what it may be.
        problem: &'static str,
    },
    /// Its network can't be built.
    #[error("the recipe {path} doesn't fit: {source}")]
    Network {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: SpecError,
    },
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// When the file can't be read, holds unknown or missing fields, or a number out of range.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = bounded::read_text(path, MOST_BYTES)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let recipe: Self = toml::from_str(&text)
            .map_err(|source| RecipeError::Format { path: path.to_owned(), source: Box::new(source) })?;
        match recipe.problem() {
            Some(problem) => Err(RecipeError::Range { path: path.to_owned(), problem }),
            // Before hours of reading data: what can't be built is told now.
            None => match recipe.network.cost() {
                Ok(_) => Ok(recipe),
                Err(source) => Err(RecipeError::Network { path: path.to_owned(), source }),
            },
        }
    }

    fn problem(&self) -> Option<&'static str> {
        let checks = [
            (self.name.is_empty() || self.name.contains(['/', '\\']), "`name` has to be a plain file name"),
            (self.epochs == 0, "`epochs` has to be at least 1"),
            (self.batch_size < 2, "`batch_size` has to be at least 2, batch norm needs more than one picture"),
            (!(0.0..1.0).contains(&self.average), "`average` has to be at least 0 and less than 1"),
            (self.patience == 0, "`patience` has to be at least 1"),
            (self.normalization.std <= 0.0, "`normalization.std` has to be greater than 0"),
            (self.optimizer.learning_rate <= 0.0, "`optimizer.learning_rate` has to be greater than 0"),
            (
                !(0.0..1.0).contains(&self.optimizer.momentum),
                "`optimizer.momentum` has to be at least 0 and less than 1",
            ),
            (self.optimizer.clip_norm.is_some_and(|n| n <= 0.0), "`optimizer.clip_norm` has to be greater than 0"),
            (
                self.backbone.as_ref().is_some_and(|b| b.learning_rate_factor < 0.0),
                "`backbone.learning_rate_factor` has to be at least 0",
            ),
        ];
        let simple = checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, problem)| problem);
        simple
            .or_else(|| self.balance.problem())
            .or_else(|| self.loss.problem())
            .or_else(|| Schedule::problem(&self.schedule))
            .or_else(|| self.augmentation.problem())
            .or_else(|| self.distillation.as_ref().and_then(DistillationSpec::problem))
    }
}

impl Planned for Recipe {
    fn plan(&self) -> Plan<'_> {
        Plan {
            name: &self.name,
            seed: self.seed,
            epochs: self.epochs,
            patience: self.patience,
            precision: self.precision,
            average: self.average,
            start_from: self.start_from.as_deref(),
            optimizer: &self.optimizer,
            schedule: &self.schedule,
            backbone_rate: self.backbone.as_ref().and_then(BackboneSpec::rate).unwrap_or(1.0),
        }
    }
}

impl DistillationSpec {
    fn problem(&self) -> Option<&'static str> {
        if self.teachers.is_empty() {
            Some("`distillation.teachers` has to name a model")
        } else if !(0.0..=1.0).contains(&self.weight) {
            Some("`distillation.weight` has to be from 0 to 1")
        } else if self.temperature <= 0.0 {
            Some("`distillation.temperature` has to be greater than 0")
        } else if self.asked == Asked::Once && self.temperature != 1.0 {
            Some("`distillation.temperature` has to be 1 where teachers are asked once")
        } else {
            None
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::detection::FacesRecipe;

    /// A recipe small enough for tests.
    pub(crate) fn small() -> Recipe {
        toml::from_str(
            r#"
            name = "small"
            description = "For tests."
            target = "label"
            seed = 7
            epochs = 2
            batch_size = 8
            average = 0.9
            patience = 5
            network = { architecture = "cnn4", dropout_conv = 0.1 }
            optimizer = { kind = "adam", learning_rate = 0.001 }
            schedule = { kind = "plateau", factor = 0.5, patience = 1, min_learning_rate = 1e-6 }
            augmentation = { flip = true, rotation_degrees = 10.0, shift = 0.1 }
            "#,
        )
        .unwrap()
    }

    #[test]
    fn shipped_recipes_are_complete() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/recipes");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_detector = FacesRecipe::is_in(&std::fs::read_to_string(&path).unwrap());
            let name =
                if is_detector { FacesRecipe::read(&path).unwrap().name } else { Recipe::read(&path).unwrap().name };
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), name);
            count += 1;
        }
        assert!(count > 0);
    }

    #[test]
    fn a_network_that_is_too_large_is_refused_when_the_recipe_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recipe = small();
        recipe.network = toml::from_str("architecture = \"mien\"\nblocks = [1, 1000000, 1, 1]").unwrap();
        std::fs::write(file.path(), toml::to_string(&recipe).unwrap()).unwrap();
        let error = Recipe::read(file.path()).unwrap_err();
        assert!(matches!(error, RecipeError::Network { .. }), "{error}");
    }

    #[test]
    fn a_number_out_of_range_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recipe = small();
        recipe.batch_size = 1;
        std::fs::write(file.path(), toml::to_string(&recipe).unwrap()).unwrap();
        assert!(Recipe::read(file.path()).unwrap_err().to_string().contains("`batch_size`"));
    }
}
