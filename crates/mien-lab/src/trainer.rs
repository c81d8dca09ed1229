//! The training loop: epochs of steps, a checkpoint after each epoch, and the best weights saved. A [`Task`] defines what is trained.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, TchError};

use super::calibration::PriorOfTrainingError;
use super::datasets::DataError;
use super::faces::key_in_words;
use super::history::write_history;
use super::learner::Learner;
use super::optimizer::Optimizer;
use super::plots::PlotError;
use super::progress::{Progress, Step, TrainOutcome};
use super::recipe::Difference;
use super::schedule::Schedule;
use super::state::{RunFolder, TrainingState};
use super::task::{EpochTotals, Planned as _, Record as _, StepResult, Task, WeightsOfOthers};
use super::work_time::{WorkClock, WorkTime};
use mien_core::classes::Classes;
use mien_net::classify::ClassifyError;
use mien_net::faces::FindError;
use mien_net::torch;
use mien_net::{
    BackboneError, CheckpointError, Ending, ModelError, ModelSource, Pass, SpecError, TensorMap, WeightKind, assign,
    save_weights, variables,
};

/// A training run. Callers see it only between two epochs.
pub struct Trainer<T: Task> {
    state: TrainingState<T::Recipe, T::Record>,
    run: RunFolder,
    learner: Learner<T::Network>,
    /// The moving average of the learner's weights, if the recipe keeps one.
    average: Option<Learner<T::Network>>,
    optimizer: Optimizer,
    task: T,
    clock: WorkClock,
    /// Seconds of training after which no new epoch starts.
    budget: Option<f64>,
}

/// A training can't start or continue.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data lack what the recipe asks for.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network can't be built.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A model to start from or a teacher can't be loaded.
    #[error("can't learn from another model: {0}")]
    Model(#[from] ModelError),
    /// A model to start from or a teacher has other classes than the recipe.
    #[error("can't learn from another model: {model} tells apart {its}, and the recipe {classes}")]
    OtherClasses {
        /// Which model.
        model: ModelSource,
        /// The model's classes.
        its: Classes,
        /// The recipe's classes.
        classes: Classes,
    },
    /// A model to start from has another network than the recipe.
    #[error("can't start from {model}: its network is {its}, and the recipe's {network}")]
    OtherNetwork {
        /// Which model.
        model: ModelSource,
        /// The model's architecture.
        its: String,
        /// The recipe's architecture.
        network: String,
    },
    /// The backbone's weights can't be used.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// Weights or checkpoint can't be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run folder can't be used.
    #[error("can't use the run folder {path}: {source}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds a run on another data set.
    #[error("{path} holds a run on another data set; choose another folder with --run, or remove it to start over")]
    OtherData {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder holds a run whose faces were found or cropped in another way.
    #[error(
        "{path} holds a run on the same pictures, in which faces were found in another way (--faces, or another version of \
         the detector): “{there}” there and “{here}” here; choose another folder with --run, or remove it to start over"
    )]
    OtherFaces {
        /// Which folder.
        path: PathBuf,
        /// How that run found and cropped them.
        there: String,
        /// How they are found and cropped now.
        here: String,
    },
    /// The folder holds a run that took weights of other models which have changed since.
    #[error(
        "{path} holds a run with other weights: what `{field}` names has changed since; choose another folder with --run, or remove \
         it to start over"
    )]
    OtherWeights {
        /// Which folder.
        path: PathBuf,
        /// The field of the recipe that names the weights.
        field: &'static str,
    },
    /// The folder holds a run with another recipe.
    #[error(
        "{path} holds a run by another recipe: {}; choose another folder with --run, or remove it to start over",
        .differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    OtherRecipe {
        /// Which folder.
        path: PathBuf,
        /// The fields that differ.
        differences: Vec<Difference>,
    },
    /// The recipe can't be written into a model card.
    #[error("the recipe can't be written into a model card: {0}")]
    Recipe(#[from] toml::ser::Error),
    /// The loss became infinite or NaN.
    #[error("the loss is no longer a number in epoch {epoch}{}. Lower the learning rate", kept_before(*.epoch))]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
    },
    /// The classes in the training pictures can't be counted.
    #[error(transparent)]
    Prior(#[from] PriorOfTrainingError),
    /// The network can't be evaluated.
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    /// libtorch failed, for example because memory is full.
    #[error("the training failed: {}", torch::said(.0))]
    Torch(#[from] TchError),
    /// The detector can't be evaluated.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The thread that counts working time can't be started.
    #[error("can't start the thread that counts the time: {0}")]
    Clock(#[source] std::io::Error),
    /// The thread that makes the pictures of each step can't be started.
    #[error("can't start the thread that makes the pictures: {0}")]
    Thread(#[source] std::io::Error),
    /// That thread ended before the epoch did.
    #[error("the pictures of the next step could not be made")]
    NoPictures,
    /// Curves or confusion matrix can't be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

/// The part of the message that names the remaining checkpoint; empty if `epoch` is the first.
fn kept_before(epoch: usize) -> String {
    if epoch > 1 { format!("; the checkpoint of epoch {} is kept", epoch - 1) } else { String::new() }
}

/// The field of the recipe whose weights have changed since the run `there`. A checksum that a checkpoint lacks isn't compared.
fn changed_weights<R, E>(there: &TrainingState<R, E>, here: &TrainingState<R, E>) -> Option<&'static str> {
    let sums = [
        ("start_from", there.start_sha256.as_slice(), here.start_sha256.as_slice()),
        ("backbone.weights", there.backbone_sha256.as_slice(), here.backbone_sha256.as_slice()),
        ("distillation.teachers", there.teachers_sha256.as_slice(), here.teachers_sha256.as_slice()),
    ];
    sums.into_iter().find_map(|(field, there, here)| (!there.is_empty() && there != here).then_some(field))
}

impl<T: Task> Trainer<T> {
    /// Prepares a training in the folder `run`. If that holds a checkpoint, the training resumes after its last complete epoch.
    ///
    /// # Errors
    /// When the data or the recipe can't be used, or the folder holds a different run.
    pub fn new(
        task: T,
        recipe: T::Recipe,
        data_sha256: Vec<String>,
        run: &Path,
        device: Device,
    ) -> Result<Self, TrainError> {
        let plan = recipe.plan();
        tch::manual_seed(plan.seed as i64);
        let learner = Learner::new(device, |path| T::network(&recipe, path))?;
        let average =
            if plan.average > 0.0 { Some(Learner::new(device, |path| T::network(&recipe, path))?) } else { None };
        let WeightsOfOthers { start_sha256, backbone_sha256, teachers_sha256 } = task.begin(&recipe, &learner)?;
        if let Some(average) = &average {
            assign(&variables(&average.store), &variables(&learner.store))?;
        }
        let optimizer = Optimizer::new(&learner.store, plan.optimizer, plan.backbone_rate);
        let schedule = Schedule::new(plan.schedule.clone(), plan.optimizer.learning_rate, plan.epochs);
        // Fail now rather than after the training if the recipe can't be written into a card.
        recipe.to_table()?;
        let clock = WorkClock::start().map_err(TrainError::Clock)?;
        // Created only now, so that an unusable recipe or data set leaves no folder behind.
        let folder_error = |source| TrainError::Folder { path: run.to_owned(), source };
        let folder = RunFolder::create(run, plan.name).map_err(folder_error)?;
        let finding = task.finding().to_vec();
        let state = TrainingState {
            recipe,
            data_sha256,
            finding,
            start_sha256,
            backbone_sha256,
            teachers_sha256,
            schedule,
            history: vec![],
            steps: 0,
            best_epoch: 0,
        };
        let mut trainer = Self { state, run: folder, learner, average, optimizer, task, clock, budget: None };
        trainer.resume(run)?;
        Ok(trainer)
    }

    /// Starts no new epoch after this many seconds of training, earlier sessions included.
    #[must_use]
    pub fn within(mut self, budget: Option<f64>) -> Self {
        self.budget = budget;
        self
    }

    fn resume(&mut self, folder: &Path) -> Result<(), TrainError> {
        let Some((state, tensors)) = self.run.read_checkpoint()? else { return Ok(()) };
        let state: TrainingState<T::Recipe, T::Record> = state;
        let path = folder.to_owned();
        let differences = state.recipe.differences(&self.state.recipe)?;
        if !differences.is_empty() {
            return Err(TrainError::OtherRecipe { path, differences });
        }
        if state.data_sha256 != self.state.data_sha256 {
            return Err(TrainError::OtherData { path });
        }
        let finding = self.state.finding.clone();
        if let Some((there, here)) = state.finding.iter().zip(&finding).find(|(there, here)| there != here) {
            return Err(TrainError::OtherFaces { path, there: key_in_words(there), here: key_in_words(here) });
        }
        if let Some(field) = changed_weights(&state, &self.state) {
            return Err(TrainError::OtherWeights { path, field });
        }
        self.task.restore(&tensors);
        assign(&self.tensors(), &tensors)?;
        self.optimizer.set_steps(state.steps);
        // Keep the current recipe and `finding`: descriptive fields may have changed, and older checkpoints have no `finding`.
        let recipe = self.state.recipe.clone();
        self.state = TrainingState { recipe, finding, ..state };
        // A run that was killed right after its last checkpoint has the weights of an earlier epoch, or none.
        if self.state.history.last().is_some_and(|record| record.epoch() == self.state.best_epoch) {
            self.save_kept()?;
        }
        // Its history file lacks that epoch too.
        self.write_history()
    }

    /// The network whose weights are saved: the average if the recipe keeps one.
    fn kept(&self) -> &Learner<T::Network> {
        self.average.as_ref().unwrap_or(&self.learner)
    }

    /// Saves the current weights of `kept` as the model's.
    fn save_kept(&self) -> Result<(), CheckpointError> {
        save_weights(&self.kept().store, &self.run.model(), WeightKind::F16)
    }

    /// All tensors that a resume needs, under names that don't collide.
    fn tensors(&self) -> TensorMap {
        let mut all = self.task.tensors();
        let mut add = |prefix: &str, map: TensorMap| {
            all.extend(map.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        };
        add("network", variables(&self.learner.store));
        add("optimizer", self.optimizer.moments());
        if let Some(average) = &self.average {
            add("average", variables(&average.store));
        }
        all
    }

    /// The training's current state.
    pub fn state(&self) -> &TrainingState<T::Recipe, T::Record> {
        &self.state
    }

    /// The task: what is trained, and on what.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// The folder that the training writes to.
    pub fn run_folder(&self) -> &RunFolder {
        &self.run
    }

    /// Trainable parameters of the network.
    pub fn parameters(&self) -> usize {
        mien_net::parameter_count(&self.learner.store)
    }

    /// Why the training is over; `None` if another epoch follows.
    pub fn ending(&self) -> Option<Ending> {
        let (done, plan) = (self.state.history.len(), self.state.recipe.plan());
        if done >= plan.epochs {
            Some(Ending::Finished)
        } else if done - self.state.best_epoch >= plan.patience {
            Some(Ending::StoppedEarly)
        } else if self.budget.is_some_and(|budget| done > 0 && self.state.wall_seconds() >= budget) {
            Some(Ending::BudgetSpent)
        } else {
            None
        }
    }

    /// Runs epochs until the recipe's last one is done, there are `limit` in total, the patience or the time budget is used up, or `stop`
    /// is raised. Calls `on_progress` after each batch, and `on_epoch` after each epoch once its checkpoint is written.
    ///
    /// # Errors
    /// When the loss becomes infinite or NaN, the network can't be trained or evaluated, or a file can't be written.
    pub fn run(
        &mut self,
        limit: Option<usize>,
        stop: &AtomicBool,
        mut on_progress: impl FnMut(Progress),
        mut on_epoch: impl FnMut(&Self),
    ) -> Result<TrainOutcome, TrainError> {
        loop {
            if let Some(ending) = self.ending() {
                return Ok(TrainOutcome::Ended(ending));
            }
            let done = self.state.history.len();
            if limit.is_some_and(|limit| done >= limit) {
                return Ok(TrainOutcome::Paused);
            }
            let time = self.clock.begin();
            if !self.task.prepare(stop, &mut on_progress)? {
                return Ok(TrainOutcome::Interrupted);
            }
            let Some(totals) = self.epoch(done, time, stop, &mut on_progress)? else {
                return Ok(TrainOutcome::Interrupted);
            };
            self.close_epoch(totals)?;
            on_epoch(self);
        }
    }

    /// Runs one pass over the training pictures. `None` if it was interrupted.
    fn epoch(
        &mut self,
        epoch: usize,
        time: WorkTime,
        stop: &AtomicBool,
        on_progress: &mut impl FnMut(Progress),
    ) -> Result<Option<EpochTotals>, TrainError> {
        let recipe = &self.state.recipe;
        let plan = recipe.plan();
        let pass = Pass { train: true, precision: plan.precision };
        tch::manual_seed(plan.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64) as i64);

        let mut data = self.task.epoch_data(recipe, epoch)?;
        let steps = T::steps(&data);
        let (mut seen, mut loss_sum, mut sums) = (0.0, 0.0, Vec::<f64>::new());
        let mean = |sums: &[f64], seen: f64| sums.iter().map(|sum| sum / seen).collect::<Vec<_>>();
        for step in 0..steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let StepResult { loss, pictures, parts } =
                self.task.learn(recipe, &self.learner.network, &mut data, step, pass)?;
            self.optimizer.zero_grad();
            loss.backward();
            let position = epoch as f64 + step as f64 / steps as f64;
            self.optimizer.step(self.state.schedule.rate(position));
            self.state.steps += 1;
            if let Some(average) = &self.average {
                average.follow(&self.learner, plan.average, self.state.steps);
            }

            let count = pictures as f64;
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch: epoch + 1 });
            }
            seen += count;
            loss_sum += loss * count;
            sums.resize(parts.len(), 0.0);
            sums.iter_mut().zip(&parts).for_each(|(sum, part)| *sum += part * count);
            on_progress(Progress::Learnt(Step {
                epoch: epoch + 1,
                step: step + 1,
                steps,
                loss: loss_sum / seen,
                told: T::told(&mean(&sums, seen)),
            }));
        }
        let learning_rate = self.state.schedule.rate_at_end(epoch);
        let (loss, parts) = (loss_sum / seen, mean(&sums, seen));
        Ok(Some(EpochTotals { epoch: epoch + 1, learning_rate, loss, parts, time }))
    }

    /// Evaluates the epoch; writes the checkpoint, then the weights if they are the best so far, then the history.
    fn close_epoch(&mut self, totals: EpochTotals) -> Result<(), TrainError> {
        let recipe = &self.state.recipe;
        let (record, shown) = self.task.measure(recipe, self.kept(), totals)?;
        let figure = |record: &T::Record| T::figure(recipe, record);
        let is_best = self.state.best().is_none_or(|best| figure(&record) > figure(best));
        if is_best {
            self.task.draw_best(recipe, &record, &shown, &self.run)?;
            self.state.best_epoch = record.epoch();
        }
        self.state.schedule.epoch_ended(record.watched_loss());
        self.state.history.push(record);
        // The checkpoint comes first: if the weights can't be written because of a kill, a resume writes them from it. In the
        // other order, the folder could hold weights of an epoch without a checkpoint beside the card of an earlier epoch.
        self.run.write_checkpoint(&self.state, &self.tensors())?;
        if is_best {
            self.save_kept()?;
        }
        self.write_history()
    }

    /// Writes the history as a plot and as a table.
    fn write_history(&self) -> Result<(), TrainError> {
        T::draw_history(&self.state.recipe, &self.state.history, self.state.best_epoch, &self.run)?;
        let path = self.run.history();
        write_history(&path, &self.state.history).map_err(|source| TrainError::Folder { path, source })
    }
}
