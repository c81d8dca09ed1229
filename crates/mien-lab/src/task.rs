//! What differs between kinds of training. The trainer does the rest: steps, schedule, moving average, checkpoints.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::{Tensor, nn};

use super::learner::Learner;
use super::optimizer::OptimizerSpec;
use super::progress::Progress;
use super::recipe::{Difference, Problems, differences};
use super::schedule::ScheduleSpec;
use super::state::RunFolder;
use super::trainer::TrainError;
use super::work_time::WorkTime;
use mien_net::{Pass, Precision, SpecError, TensorMap};

/// The settings that recipes of all kinds share.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The model's name.
    pub name: &'a str,
    /// Seed of every random choice.
    pub seed: u64,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Pictures per step.
    pub batch_size: usize,
    /// The number of epochs without a better figure after which training ends.
    pub patience: usize,
    /// Number format of the convolutions during training.
    pub precision: Precision,
    /// Decay of the moving average of the weights: the share that it keeps at each step. 0 for no average.
    pub average: f64,
    /// A model whose weights the training starts from.
    pub start_from: Option<&'a str>,
    /// The optimiser and its settings.
    pub optimizer: &'a OptimizerSpec,
    /// The schedule of the learning rate.
    pub schedule: &'a ScheduleSpec,
    /// Factor on the backbone's learning rate.
    pub backbone_rate: f64,
}

/// The [`Plan`] of a recipe of any kind: the shared fields have the same names in all of them.
macro_rules! plan_of {
    ($recipe:expr, backbone_rate: $backbone_rate:expr) => {
        Plan {
            name: &$recipe.name,
            seed: $recipe.seed,
            epochs: $recipe.epochs,
            batch_size: $recipe.batch_size,
            patience: $recipe.patience,
            precision: $recipe.precision,
            average: $recipe.average,
            start_from: $recipe.start_from.as_deref(),
            optimizer: &$recipe.optimizer,
            schedule: &$recipe.schedule,
            backbone_rate: $backbone_rate,
        }
    };
}
pub(crate) use plan_of;

impl Plan<'_> {
    /// Adds a problem to `found` for each value that has the right type but can't be used.
    pub(crate) fn check(&self, found: &mut Problems) {
        let is_plain = !self.name.is_empty() && !self.name.contains(['/', '\\']) && !self.name.starts_with('.');
        found.check("name", is_plain, "has to be a plain file name");
        found.check("seed", i64::try_from(self.seed).is_ok(), "has to be at most 9223372036854775807, as in all TOML");
        found.check("epochs", self.epochs > 0, "has to be at least 1");
        found.check("batch_size", self.batch_size > 1, "has to be at least 2: batch norm needs more than one picture");
        found.check("average", (0.0..1.0).contains(&self.average), "has to be at least 0 and less than 1");
        found.check("patience", self.patience > 0, "has to be at least 1");
        self.optimizer.check(found);
        self.schedule.check(self.epochs, found);
    }
}

/// A recipe of any kind.
pub trait Planned: Clone + PartialEq + Serialize + DeserializeOwned {
    /// The settings that it shares with recipes of other kinds.
    fn plan(&self) -> Plan<'_>;

    /// The recipe as a table for a model card.
    ///
    /// # Errors
    /// When it holds a number that TOML can't represent.
    fn to_table(&self) -> Result<toml::Table, toml::ser::Error> {
        toml::Table::try_from(self)
    }

    /// The fields in which `other` differs, with names such as `optimizer.learning_rate` and both values. Leaves out fields
    /// that don't affect the result of a training.
    ///
    /// # Errors
    /// When one of the recipes can't be written as TOML.
    fn differences(&self, other: &Self) -> Result<Vec<Difference>, toml::ser::Error> {
        Ok(differences(self.to_table()?, other.to_table()?))
    }
}

/// What is recorded of an epoch, in any kind of training.
pub trait Record: Clone + Serialize + DeserializeOwned {
    /// The epoch's number, counted from 1.
    fn epoch(&self) -> usize;

    /// Time spent on the epoch, in seconds.
    fn seconds(&self) -> f64;

    /// The loss that a `plateau` schedule watches.
    fn watched_loss(&self) -> f64;
}

/// The result of a step.
pub struct StepResult {
    /// The loss to minimise.
    pub loss: Tensor,
    /// Pictures in the step.
    pub pictures: usize,
    /// Further figures. Their means over the epoch's pictures go into [`EpochTotals::parts`].
    pub parts: Vec<f64>,
}

/// Totals over all steps of an epoch.
pub struct EpochTotals {
    /// The epoch's number, counted from 1.
    pub epoch: usize,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Mean loss.
    pub loss: f64,
    /// Means of [`StepResult::parts`].
    pub parts: Vec<f64>,
    /// Measures the time spent on the epoch.
    pub time: WorkTime,
}

/// SHA-256 of the weights of other models that a training depends on, in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightsOfOthers {
    /// Those of the model that it starts from.
    pub start_sha256: Option<String>,
    /// The file with the backbone's.
    pub backbone_sha256: Option<String>,
    /// Those of the teachers, in the recipe's order.
    pub teachers_sha256: Vec<String>,
}

/// One kind of training.
pub trait Task: Sized {
    /// The recipe: everything that determines the result of a training.
    type Recipe: Planned;
    /// The network that is trained.
    type Network;
    /// What is recorded of an epoch.
    type Record: Record;
    /// The training data of one epoch.
    type EpochData;
    /// What [`Self::measure`] hands over to [`Self::draw_best`].
    type Shown;

    /// Creates the recipe's network with random weights from libtorch's generator.
    ///
    /// # Errors
    /// When the network can't be built.
    fn network(recipe: &Self::Recipe, path: &nn::Path<'_>) -> Result<Self::Network, SpecError>;

    /// Loads the weights that the recipe starts from into a new network. Returns the checksums of all weights of other models that the
    /// training depends on.
    ///
    /// # Errors
    /// When the weights can't be used.
    fn begin(&self, recipe: &Self::Recipe, learner: &Learner<Self::Network>) -> Result<WeightsOfOthers, TrainError>;

    /// How faces were found and cropped, for each source; empty if they weren't.
    fn finding(&self) -> &[String] {
        &[]
    }

    /// Called before each epoch, for work that has to be done once before the first. Returns false if it was interrupted.
    ///
    /// # Errors
    /// When libtorch fails.
    fn prepare(&mut self, _stop: &AtomicBool, _on_progress: &mut dyn FnMut(Progress)) -> Result<bool, TrainError> {
        Ok(true)
    }

    /// Tensors that a resume needs besides weights and moments of the optimiser.
    fn tensors(&self) -> TensorMap {
        TensorMap::new()
    }

    /// Restores what [`Self::tensors`] returned, given all tensors of a checkpoint.
    fn restore(&mut self, _tensors: &TensorMap) {}

    /// The training data of `epoch`, counted from 0. Everything random in them follows from seed and epoch, so that a resumed
    /// run repeats them.
    ///
    /// # Errors
    /// When the data can't be used.
    fn epoch_data(&mut self, recipe: &Self::Recipe, epoch: usize) -> Result<Self::EpochData, TrainError>;

    /// Number of steps in an epoch.
    fn steps(data: &Self::EpochData) -> usize;

    /// Runs the network on a step's pictures and computes the loss.
    ///
    /// # Errors
    /// When the data can't be used.
    fn learn(
        &self,
        recipe: &Self::Recipe,
        network: &Self::Network,
        data: &mut Self::EpochData,
        step: usize,
        pass: Pass,
    ) -> Result<StepResult, TrainError>;

    /// A few words to show besides the loss, given the means of [`StepResult::parts`] since the epoch began.
    fn told(parts: &[f64]) -> String;

    /// Evaluates the network after an epoch. `kept` is what would be saved: the moving average if the recipe keeps one. The
    /// second result goes to [`Self::draw_best`] if the epoch is the best so far.
    ///
    /// # Errors
    /// When the network can't be evaluated.
    fn measure(
        &self,
        recipe: &Self::Recipe,
        kept: &Learner<Self::Network>,
        totals: EpochTotals,
    ) -> Result<(Self::Record, Self::Shown), TrainError>;

    /// The figure by which the best epoch is chosen; higher is better.
    fn figure(recipe: &Self::Recipe, record: &Self::Record) -> f64;

    /// Draws plots that show how good the best weights so far are.
    ///
    /// # Errors
    /// When a plot can't be drawn or written.
    fn draw_best(
        &self,
        recipe: &Self::Recipe,
        record: &Self::Record,
        shown: &Self::Shown,
        run: &RunFolder,
    ) -> Result<(), TrainError>;

    /// Plots the history.
    ///
    /// # Errors
    /// When the plot can't be drawn or written.
    fn draw_history(
        recipe: &Self::Recipe,
        history: &[Self::Record],
        best: usize,
        run: &RunFolder,
    ) -> Result<(), TrainError>;
}
