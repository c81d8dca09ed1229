//! A detector's recipe, as TOML: everything that determines the result of its training.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::augment::FacesAugmentation;
use super::loss::FacesLoss;
use crate::optimizer::OptimizerSpec;
use crate::recipe::{Problems, RecipeError, is_positive, read_text, read_whole};
use crate::schedule::ScheduleSpec;
use crate::task::{Plan, Planned, plan_of};
use mien_net::Normalization;
use mien_net::faces::{COARSEST, FacesTask};
use mien_net::{NetworkSpec, Precision};

/// The training of a detector, from the architecture to the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesRecipe {
    /// `faces`, which distinguishes it from a classifier's recipe.
    pub task: FacesTask,
    /// Name of the model.
    pub name: String,
    /// Description of the model in one sentence, for its card.
    pub description: String,
    /// The data that it was made for, in words.
    pub data: String,
    /// Who drew the boxes and landmarks.
    pub teacher: String,
    /// A detector of the same architecture. Training starts from its weights instead of random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Pictures made per epoch.
    pub pictures: usize,
    /// Side of each in pixels, a multiple of the coarsest stride.
    pub side: usize,
    /// Longer side to which validation pictures are scaled, in pixels.
    pub measured_side: usize,
    /// Pictures per step.
    pub batch_size: usize,
    /// Number format of the convolutions while training.
    #[serde(default)]
    pub precision: Precision,
    /// Share that a moving average of the weights keeps at each step (0 means no average).
    #[serde(default)]
    pub average: f64,
    /// Training ends after this many epochs without a better average precision.
    pub patience: usize,
    /// The architecture.
    pub network: NetworkSpec,
    /// How bytes become the network's numbers.
    #[serde(default)]
    pub normalization: Normalization,
    /// Weights of the parts of the loss.
    #[serde(default)]
    pub loss: FacesLoss,
    /// How gradients change the weights.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: ScheduleSpec,
    /// How pictures are made.
    #[serde(default)]
    pub augmentation: FacesAugmentation,
}

impl Planned for FacesRecipe {
    fn plan(&self) -> Plan<'_> {
        plan_of!(self, backbone_rate: 1.0)
    }
}

impl FacesRecipe {
    /// Whether the recipe in a file looks like a detector's: it has a `task`. Nothing else is checked.
    pub fn is_at(path: &Path) -> bool {
        let table = read_text(path).ok().and_then(|text| text.parse::<toml::Table>().ok());
        table.is_some_and(|table| table.contains_key("task"))
    }

    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// When the file can't be read, holds unknown or missing fields, or numbers out of range.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        read_whole(path, Self::problems)
    }

    fn problems(&self) -> Problems {
        let mut found = Problems::default();
        let is_side = |side: usize| side > 0 && side.is_multiple_of(COARSEST as usize);
        self.plan().check(&mut found);
        found.check("pictures", self.pictures >= self.batch_size, "has to be at least `batch_size`");
        found.check("side", is_side(self.side), "has to be a multiple of 32");
        found.check("measured_side", is_side(self.measured_side), "has to be a multiple of 32");
        found.check("normalization.std", is_positive(self.normalization.std), "has to be greater than 0");
        self.loss.check(&mut found);
        self.augmentation.check(&mut found);
        found
    }
}
