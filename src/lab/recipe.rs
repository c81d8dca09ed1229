//! A recipe: everything that decides what a training gives, as TOML.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::datasets::Target;
use super::optimizer::OptimizerSpec;
use super::schedule::ScheduleSpec;
use crate::net::{NetworkSpec, Precision};
use crate::preprocess::Normalization;

/// A training, from the architecture to the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What to call the model.
    pub name: String,
    /// What the model is, in a sentence: goes into its card.
    pub description: String,
    /// What the network is taught.
    pub target: Target,
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
    /// The epochs without a better PublicTest accuracy after which training ends.
    pub patience: usize,
    /// The architecture.
    pub network: NetworkSpec,
    /// From bytes to numbers.
    #[serde(default)]
    pub normalization: Normalization,
    /// How weights follow gradients.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: ScheduleSpec,
    /// How pictures are varied.
    #[serde(default)]
    pub augmentation: Augmentation,
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
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// When the file can't be read, holds unknown or missing fields, or a number out of range.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let recipe: Self = toml::from_str(&text)
            .map_err(|source| RecipeError::Format { path: path.to_owned(), source: Box::new(source) })?;
        match recipe.problem() {
            Some(problem) => Err(RecipeError::Range { path: path.to_owned(), problem }),
            None => Ok(recipe),
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
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, problem)| problem)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
            let recipe = Recipe::read(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), recipe.name);
            count += 1;
        }
        assert!(count > 0);
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
