//! What tells one kind of training from another. The trainer does the rest: steps, schedule, average, checkpoints.

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

/// What every recipe says, whatever is learnt.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What to call the model.
    pub name: &'a str,
    /// Seed of every random choice.
    pub seed: u64,
    /// The most epochs to run.
    pub epochs: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// The epochs without a better figure after which training ends.
    pub patience: usize,
    /// Number format of the convolutions while training.
    pub precision: Precision,
    /// Share that a moving average of the weights keeps at each step; 0 is no average.
    pub average: f64,
    /// A model whose weights the training begins with.
    pub start_from: Option<&'a str>,
    /// How weights follow gradients.
    pub optimizer: &'a OptimizerSpec,
    /// How the learning rate changes.
    pub schedule: &'a ScheduleSpec,
    /// What the backbone's learning rate is multiplied by.
    pub backbone_rate: f64,
}

/// The plan of a recipe: its fields have the same names in recipes of all kinds.
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
    /// Adds what is wrong with values that are of the right type.
    pub(crate) fn check(&self, found: &mut Problems) {
        let is_plain = !self.name.is_empty() && !self.name.contains(['/', '\\']) && !self.name.starts_with('.');
        found.check("name", is_plain, "has to be a plain file name");
        found.check("seed", i64::try_from(self.seed).is_ok(), "has to be at most 9223372036854775807, as in all TOML");
        found.check("epochs", self.epochs > 0, "has to be at least 1");
        found.check("batch_size", self.batch_size > 1, "has to be at least 2: batch norm needs more than one picture");
        found.check("average", (0.0..1.0).contains(&self.average), "has to be at least 0 and less than 1");
        found.check("patience", self.patience > 0, "has to be at least 1");
        self.optimizer.check(found);
        self.schedule.check(found);
    }
}

/// A recipe of any kind.
pub trait Planned: Clone + PartialEq + Serialize + DeserializeOwned {
    /// What it has in common with all others.
    fn plan(&self) -> Plan<'_>;

    /// The recipe as a card holds it.
    ///
    /// # Errors
    /// When it holds a number that TOML can't.
    fn to_table(&self) -> Result<toml::Table, toml::ser::Error> {
        toml::Table::try_from(self)
    }

    /// The fields in which another recipe differs, as `optimizer.learning_rate`, each with its value here and there. Fields that
    /// don't decide what the training gives are left out.
    ///
    /// # Errors
    /// When one of the recipes can't be written as TOML.
    fn differences(&self, other: &Self) -> Result<Vec<Difference>, toml::ser::Error> {
        Ok(differences(self.to_table()?, other.to_table()?))
    }
}

/// What happened in an epoch of any kind.
pub trait Record: Clone + Serialize + DeserializeOwned {
    /// Counted from 1.
    fn epoch(&self) -> usize;

    /// Time worked on it.
    fn seconds(&self) -> f64;

    /// The loss that a `plateau` schedule watches.
    fn watched_loss(&self) -> f64;
}

/// What a step gave.
pub struct StepResult {
    /// To be minimised.
    pub loss: Tensor,
    /// Pictures in the step.
    pub pictures: usize,
    /// Further numbers, whose means the task gets when the epoch ends.
    pub parts: Vec<f64>,
}

/// All steps of an epoch together.
pub struct EpochTotals {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub learning_rate: f64,
    /// Mean loss.
    pub loss: f64,
    /// Means of [`StepResult::parts`].
    pub parts: Vec<f64>,
    /// The time that is worked on it.
    pub time: WorkTime,
}

/// One kind of training.
pub trait Task: Sized {
    /// Everything that decides what a training gives.
    type Recipe: Planned;
    /// What is trained.
    type Network;
    /// What is kept of an epoch.
    type Record: Record;
    /// What one epoch learns from.
    type EpochData;
    /// What a measurement leaves to be drawn.
    type Shown;

    /// Creates the recipe's network with random weights from libtorch's generator.
    ///
    /// # Errors
    /// When the network can't be built.
    fn network(recipe: &Self::Recipe, path: &nn::Path<'_>) -> Result<Self::Network, SpecError>;

    /// Fills a new network with what the recipe begins with; gives the SHA-256 of a model that it was.
    ///
    /// # Errors
    /// When the weights can't be used.
    fn begin(&self, recipe: &Self::Recipe, learner: &Learner<Self::Network>) -> Result<Option<String>, TrainError>;

    /// How faces were found in the pictures of each source and cut out; empty if none were.
    fn finding(&self) -> &[String] {
        &[]
    }

    /// Does what has to be done once before the first epoch; false if it was interrupted.
    ///
    /// # Errors
    /// When libtorch fails.
    fn prepare(&mut self, _stop: &AtomicBool, _on_progress: &mut dyn FnMut(Progress)) -> Result<bool, TrainError> {
        Ok(true)
    }

    /// Tensors that a resume needs besides weights and moments.
    fn tensors(&self) -> TensorMap {
        TensorMap::new()
    }

    /// Takes back what [`Self::tensors`] gave, from among all tensors of a checkpoint.
    fn restore(&mut self, _tensors: &TensorMap) {}

    /// What an epoch learns from, counted from 0. Everything random in it follows from seed and epoch, so that a resumed run
    /// repeats it.
    ///
    /// # Errors
    /// When the data can't be used.
    fn epoch_data(&mut self, recipe: &Self::Recipe, epoch: usize) -> Result<Self::EpochData, TrainError>;

    /// Steps of an epoch.
    fn steps(data: &Self::EpochData) -> usize;

    /// Has the network look at a step's pictures.
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

    /// What to show of a step besides the loss, in a few words.
    fn told(parts: &[f64]) -> String;

    /// Measures after an epoch. `kept` is what would be saved: the average if the recipe keeps one. The second is what is drawn of
    /// it if it is the best.
    ///
    /// # Errors
    /// When the network can't be measured.
    fn measure(
        &self,
        recipe: &Self::Recipe,
        kept: &Learner<Self::Network>,
        totals: EpochTotals,
    ) -> Result<(Self::Record, Self::Shown), TrainError>;

    /// The figure by which the best epoch is chosen.
    fn figure(recipe: &Self::Recipe, record: &Self::Record) -> f64;

    /// Draws what shows how good the best weights so far are.
    ///
    /// # Errors
    /// When the pictures can't be drawn or written.
    fn draw_best(
        &self,
        recipe: &Self::Recipe,
        record: &Self::Record,
        shown: &Self::Shown,
        run: &RunFolder,
    ) -> Result<(), TrainError>;

    /// Draws the history.
    ///
    /// # Errors
    /// When the picture can't be drawn or written.
    fn draw_history(
        recipe: &Self::Recipe,
        history: &[Self::Record],
        best: usize,
        run: &RunFolder,
    ) -> Result<(), TrainError>;
}
