//! A detector's recipe: everything that decides what its training gives, as TOML.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::augment::FacesAugmentation;
use super::loss::FacesLoss;
use crate::optimizer::OptimizerSpec;
use crate::recipe::RecipeError;
use crate::schedule::{Schedule, ScheduleSpec};
use crate::task::{Plan, Planned};
use mien_net::Normalization;
use mien_net::faces::{COARSEST, FacesTask};
use mien_net::{NetworkSpec, Precision};

/// The training of a detector, from the architecture to the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesRecipe {
    /// `faces`: tells it from a classifier's recipe.
    pub task: FacesTask,
    /// What to call the model.
    pub name: String,
    /// What the model is, in a sentence: goes into its card.
    pub description: String,
    /// The data that it was made for, in words.
    pub data: String,
    /// Who drew the boxes and landmarks.
    pub teacher: String,
    /// A detector of the same architecture whose weights the training begins with instead of random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// The most epochs to run.
    pub epochs: usize,
    /// Pictures made for an epoch.
    pub pictures: usize,
    /// Side of each in pixels, a multiple of the coarsest stride.
    pub side: usize,
    /// Longer side that the pictures to measure on are brought to.
    pub measured_side: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// Number format of the convolutions while training.
    #[serde(default)]
    pub precision: Precision,
    /// Share that a moving average of the weights keeps at each step (0 is no average).
    #[serde(default)]
    pub average: f64,
    /// The epochs without a better average precision after which training ends.
    pub patience: usize,
    /// The architecture.
    pub network: NetworkSpec,
    /// From bytes to numbers.
    #[serde(default)]
    pub normalization: Normalization,
    /// What training makes small.
    #[serde(default)]
    pub loss: FacesLoss,
    /// How weights follow gradients.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: ScheduleSpec,
    /// How pictures are made.
    #[serde(default)]
    pub augmentation: FacesAugmentation,
}

impl Planned for FacesRecipe {
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
            backbone_rate: 1.0,
        }
    }
}

impl FacesRecipe {
    /// Whether a recipe's text is a detector's, as far as can be told.
    pub fn is_in(text: &str) -> bool {
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("task"))
    }

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
        let is_side = |side: usize| side > 0 && side.is_multiple_of(COARSEST as usize);
        let checks = [
            (self.name.is_empty() || self.name.contains(['/', '\\']), "`name` has to be a plain file name"),
            (self.epochs == 0, "`epochs` has to be at least 1"),
            (self.batch_size < 2, "`batch_size` has to be at least 2, batch norm needs more than one picture"),
            (self.pictures < self.batch_size, "`pictures` has to be at least `batch_size`"),
            (!is_side(self.side), "`side` has to be a multiple of 32"),
            (!is_side(self.measured_side), "`measured_side` has to be a multiple of 32"),
            (!(0.0..1.0).contains(&self.average), "`average` has to be at least 0 and less than 1"),
            (self.patience == 0, "`patience` has to be at least 1"),
            (self.normalization.std <= 0.0, "`normalization.std` has to be greater than 0"),
            (self.optimizer.learning_rate <= 0.0, "`optimizer.learning_rate` has to be greater than 0"),
        ];
        let simple = checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, problem)| problem);
        simple
            .or_else(|| self.loss.problem())
            .or_else(|| Schedule::problem(&self.schedule))
            .or_else(|| self.augmentation.problem())
    }
}
