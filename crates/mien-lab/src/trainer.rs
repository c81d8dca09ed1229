//! Training: epochs of steps, a checkpoint after each, the best weights kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, TchError, Tensor};

use super::calibration::{PriorOfTrainingError, shown_shares, training_prior};
use super::datasets::{DataError, Dataset, Examples, Target, draw_labels};
use super::evaluation::{evaluate, predict};
use super::history::{EpochRecord, write_history};
use super::learner::{Learner, Teachers};
use super::loss::{LossSpec, distillation};
use super::optimizer::Optimizer;
use super::plots::{self, PlotError};
use super::progress::{Progress, Step, TrainOutcome};
use super::recipe::{Asked, BackboneSpec, Difference, Recipe, Selection};
use super::sampling::Sampling;
use super::schedule::Schedule;
use super::state::{RunFolder, TrainingState};
use mien_core::emotion::Emotion;
use mien_core::prior::Prior;
use mien_net::classify::ClassifyError;
use mien_net::to_unit;
use mien_net::torch;
use mien_net::{
    BackboneError, CheckpointError, ModelError, Pass, SpecError, TensorMap, WeightKind, assign, save_weights, variables,
};

/// The training pictures' targets in a checkpoint, where teachers that were asked once have changed them: what they said stays
/// said, and a resumed training needn't ask for minutes again.
const TAUGHT: &str = "taught.targets";

/// A training that stands between two epochs.
pub struct Trainer {
    state: TrainingState,
    run: RunFolder,
    device: Device,
    learner: Learner,
    /// Its moving average, if the recipe keeps one.
    average: Option<Learner>,
    /// Those who are still to be asked: each step, or once before the first.
    teachers: Option<Teachers>,
    optimizer: Optimizer,
    /// Once teachers that are asked once were asked, their answers are part of its targets.
    training: Examples,
    public: Examples,
    judged: (Tensor, Vec<Emotion>),
}

/// A training can't go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data lack what the recipe asks for.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network can't be built.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A model to begin with or to learn from can't be loaded.
    #[error("can't learn from another model: {0}")]
    Model(#[from] ModelError),
    /// The backbone's weights can't be used.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// Weights or checkpoint can't be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run folder can't be used.
    #[error("can't write to the run folder {path}: {source}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds a run on other data.
    #[error("{path} holds a run on another data set; choose another folder with --run, or remove it to start anew")]
    OtherData {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder holds a run by another recipe.
    #[error(
        "{path} holds a run by another recipe: {}; choose another folder with --run, or remove it to start anew",
        .differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    OtherRecipe {
        /// Which folder.
        path: PathBuf,
        /// In which fields.
        differences: Vec<Difference>,
    },
    /// A card can't hold the recipe.
    #[error("the recipe can't be written into a model card: {0}")]
    Recipe(#[from] toml::ser::Error),
    /// The loss became infinite or NaN.
    #[error("the loss is no longer a number in epoch {epoch}; the checkpoint of epoch {} is kept. Lower the learning rate", .epoch - 1)]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
    },
    /// The emotions in the training pictures can't be counted.
    #[error(transparent)]
    Prior(#[from] PriorOfTrainingError),
    /// The network can't be measured.
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    /// libtorch fails, as when memory is full.
    #[error("the training broke off: {}", torch::said(.0))]
    Torch(#[from] TchError),
    /// Curves or confusion matrix can't be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

impl Trainer {
    /// Prepares a training in the folder `run`: from the start, or after the last whole epoch if one is there.
    ///
    /// # Errors
    /// When data or recipe don't fit, or the folder holds another run.
    pub fn new(
        recipe: Recipe,
        data: &Dataset,
        data_sha256: Vec<String>,
        run: &std::path::Path,
        device: Device,
    ) -> Result<Self, TrainError> {
        let rule = recipe.target.rule();
        let (training, public) = (data.training.examples(recipe.target)?, data.public.examples(recipe.target)?);
        let judged = data.public.judged(rule)?;

        tch::manual_seed(recipe.seed as i64);
        let learner = Learner::new(&recipe, device)?;
        let average = if recipe.average > 0.0 { Some(Learner::new(&recipe, device)?) } else { None };
        if let Some(weights) = recipe.backbone.as_ref().and_then(|backbone| backbone.weights.as_ref()) {
            learner.take_backbone(weights)?;
        }
        let start_sha256 = recipe.start_from.as_ref().map(|start| learner.start_from(start)).transpose()?;
        if let Some(average) = &average {
            assign(&variables(&average.store), &variables(&learner.store))?;
        }
        let teachers = recipe.distillation.clone().map(|spec| Teachers::load(spec, device)).transpose()?;
        let backbone_rate = recipe.backbone.as_ref().and_then(BackboneSpec::rate).unwrap_or(1.0);
        let optimizer = Optimizer::new(&learner.store, &recipe.optimizer, backbone_rate);
        let schedule = Schedule::new(recipe.schedule.clone(), recipe.optimizer.learning_rate, recipe.epochs);
        // A model that couldn't have a card would be found useless only after its training.
        recipe.to_table()?;
        Sampling::of(&recipe).times_shown(&training)?;
        // Only now, so that a recipe or data that can't be used leaves no folder behind.
        let folder_error = |source| TrainError::Folder { path: run.to_owned(), source };
        let folder = RunFolder::create(run, &recipe.name).map_err(folder_error)?;
        let state =
            TrainingState { recipe, data_sha256, start_sha256, schedule, history: vec![], steps: 0, best_epoch: 0 };
        let mut trainer =
            Self { state, run: folder, device, learner, average, teachers, optimizer, training, public, judged };
        trainer.resume(run)?;
        Ok(trainer)
    }

    fn resume(&mut self, folder: &std::path::Path) -> Result<(), TrainError> {
        let Some((state, tensors)) = self.run.read_checkpoint()? else { return Ok(()) };
        let path = folder.to_owned();
        let differences = state.recipe.differences(&self.state.recipe)?;
        if !differences.is_empty() {
            return Err(TrainError::OtherRecipe { path, differences });
        }
        if state.data_sha256 != self.state.data_sha256 {
            return Err(TrainError::OtherData { path });
        }
        if let Some(taught) = tensors.get(TAUGHT) {
            self.training.targets = taught.shallow_clone();
            self.teachers = None;
        }
        assign(&self.tensors(), &tensors)?;
        self.optimizer.set_steps(state.steps);
        // What the recipe says in words may have been worded anew.
        let recipe = self.state.recipe.clone();
        self.state = TrainingState { recipe, ..state };
        Ok(())
    }

    /// All tensors that a resume needs, under names that don't collide.
    fn tensors(&self) -> TensorMap {
        let mut all = TensorMap::new();
        let mut add = |prefix: &str, map: TensorMap| {
            all.extend(map.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        };
        add("network", variables(&self.learner.store));
        add("optimizer", self.optimizer.moments());
        if let Some(average) = &self.average {
            add("average", variables(&average.store));
        }
        if self.state.recipe.distillation.is_some() && self.teachers.is_none() {
            all.insert(TAUGHT.to_owned(), self.training.targets.shallow_clone());
        }
        all
    }

    /// Where the training stands.
    pub fn state(&self) -> &TrainingState {
        &self.state
    }

    /// The folder that it writes to.
    pub fn run_folder(&self) -> &RunFolder {
        &self.run
    }

    /// Pictures learnt from in an epoch.
    pub fn pictures(&self) -> usize {
        self.training.targets.size()[0] as usize
    }

    /// Trainable parameters of the network.
    pub fn parameters(&self) -> usize {
        mien_net::parameter_count(&self.learner.store)
    }

    /// How often the network meets each emotion while it learns, by all that teachers have said so far.
    ///
    /// # Errors
    /// When the targets hold what is no probability.
    pub fn prior(&self) -> Result<Prior, PriorOfTrainingError> {
        training_prior(&self.training, Sampling::of(&self.state.recipe))
    }

    /// Runs epochs until the recipe's end, `limit` epochs in all, a lack of progress or the stop flag. Teachers that are asked once are
    /// asked before the first one. Calls `on_progress` after each batch and `on_epoch` after each epoch, when its checkpoint is
    /// written.
    ///
    /// # Errors
    /// When the loss is no number any more or something can't be written.
    pub fn run(
        &mut self,
        limit: Option<usize>,
        stop: &AtomicBool,
        mut on_progress: impl FnMut(Progress),
        mut on_epoch: impl FnMut(&Self),
    ) -> Result<TrainOutcome, TrainError> {
        loop {
            let done = self.state.history.len();
            if done >= self.state.recipe.epochs {
                return Ok(TrainOutcome::Finished);
            }
            if done - self.state.best_epoch >= self.state.recipe.patience {
                return Ok(TrainOutcome::StoppedEarly);
            }
            if limit.is_some_and(|limit| done >= limit) {
                return Ok(TrainOutcome::Paused);
            }
            if !self.ask_once(stop, &mut on_progress)? {
                return Ok(TrainOutcome::Interrupted);
            }
            let started = Instant::now();
            let Some((training_loss, training_accuracy)) = self.epoch(done, stop, &mut on_progress)? else {
                return Ok(TrainOutcome::Interrupted);
            };
            self.close_epoch(training_loss, training_accuracy, started)?;
            on_epoch(self);
        }
    }

    /// Has teachers that are asked once say what they see in the training pictures, unless they have; false if it was interrupted.
    fn ask_once(&mut self, stop: &AtomicBool, on_progress: &mut impl FnMut(Progress)) -> Result<bool, TchError> {
        let Some(teachers) = self.teachers.as_ref().filter(|teachers| teachers.spec.asked == Asked::Once) else {
            return Ok(true);
        };
        let targets = teachers.mixed_into(&self.training, self.device, stop, on_progress)?;
        let Some(targets) = targets else { return Ok(false) };
        self.training.targets = targets;
        self.teachers = None;
        Ok(true)
    }

    /// One pass over the training pictures: mean loss and accuracy, or `None` if it was interrupted.
    fn epoch(
        &mut self,
        epoch: usize,
        stop: &AtomicBool,
        on_progress: &mut impl FnMut(Progress),
    ) -> Result<Option<(f64, f64)>, TrainError> {
        let recipe = &self.state.recipe;
        let pass = Pass { train: true, precision: recipe.precision };
        // Everything random in an epoch follows from seed and epoch, so a resumed run repeats it.
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        rng.set_stream(epoch as u64 + 1);
        tch::manual_seed(recipe.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64) as i64);

        let sampling = Sampling::of(recipe);
        let order = sampling.order(&self.training, &mut rng)?;
        let class_weights = recipe.balance.class_weights(*shown_shares(&self.training, sampling)?.shares());
        let class_weights = class_weights.map(|w| Tensor::from_slice(&w.map(|w| w as f32)).to_device(self.device));
        // Batch norm can't learn from one picture alone.
        let batches: Vec<&[i64]> = order.chunks(recipe.batch_size).filter(|batch| batch.len() > 1).collect();
        let (mut seen, mut loss_sum, mut right) = (0.0, 0.0, 0.0);
        for (step, batch) in batches.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let rows = Tensor::from_slice(batch);
            let bytes = self.training.bytes.index_select(0, &rows).to_device(self.device);
            let targets = self.training.targets.index_select(0, &rows).to_device(self.device);
            let targets = if recipe.target == Target::Draw { draw_labels(&targets, &mut rng) } else { targets };
            let lit = recipe.augmentation.relight(&to_unit(&bytes)?, &mut rng);
            let faces = recipe.augmentation.apply(&recipe.normalization.apply_to_unit(&lit)?, &mut rng);
            let (faces, targets) = recipe.augmentation.mix(faces, targets, &mut rng);
            let logits = self.learner.network.forward(&faces, pass)?;
            let mut loss = recipe.loss.compute(&logits, &targets, class_weights.as_ref());
            if let Some(teachers) = &self.teachers {
                let taught = teachers.probabilities(&faces, recipe.normalization)?;
                let weight = teachers.spec.weight;
                loss = loss * (1.0 - weight) + distillation(&logits, &taught, teachers.spec.temperature) * weight;
            }
            self.optimizer.zero_grad();
            loss.backward();
            let position = epoch as f64 + step as f64 / batches.len() as f64;
            self.optimizer.step(self.state.schedule.rate(position));
            self.state.steps += 1;
            if let Some(average) = &self.average {
                average.follow(&self.learner, recipe.average, self.state.steps);
            }

            let count = batch.len() as f64;
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch: epoch + 1 });
            }
            seen += count;
            loss_sum += loss * count;
            right += logits.argmax(1, false).eq_tensor(&targets.argmax(1, false)).sum(Kind::Float).double_value(&[]);
            on_progress(Progress::Learnt(Step {
                epoch: epoch + 1,
                step: step + 1,
                steps: batches.len(),
                loss: loss_sum / seen,
                accuracy: right / seen,
            }));
        }
        Ok(Some((loss_sum / seen, right / seen)))
    }

    /// Measures on PublicTest, keeps the weights if they are the best, writes history and checkpoint.
    fn close_epoch(&mut self, training_loss: f64, training_accuracy: f64, started: Instant) -> Result<(), TrainError> {
        let recipe = &self.state.recipe;
        let pass = Pass { train: false, precision: recipe.precision };
        let network = self.learner.network.as_ref();
        let logits = predict(network, recipe.normalization, &self.public.bytes, pass, self.device)?;
        // Plain cross-entropy whatever is trained with, so that schedules and histories mean the same everywhere.
        let public_loss = LossSpec::default().compute(&logits, &self.public.targets, None).double_value(&[]);

        let kept = self.average.as_ref().unwrap_or(&self.learner);
        let (bytes, answers) = &self.judged;
        let logits = predict(kept.network.as_ref(), recipe.normalization, bytes, Pass::EVALUATE, self.device)?;
        let confusion = evaluate(&logits, answers)?;

        let epoch = self.state.history.len() + 1;
        let learning_rate = self.state.schedule.rate(epoch as f64);
        let record = EpochRecord {
            epoch,
            learning_rate,
            training_loss,
            training_accuracy,
            public_loss,
            public_accuracy: confusion.accuracy(),
            public_balanced_accuracy: confusion.balanced_accuracy(),
            seconds: started.elapsed().as_secs_f64(),
        };
        let measure = |record: &EpochRecord| match recipe.select_by {
            Selection::Accuracy => record.public_accuracy,
            Selection::BalancedAccuracy => record.public_balanced_accuracy,
        };
        if self.state.best().is_none_or(|best| measure(&record) > measure(best)) {
            save_weights(&kept.store, &self.run.model(), WeightKind::F16)?;
            let on = format!("PublicTest, rule {}, N {}, epoch {epoch}", recipe.target.rule().name(), answers.len());
            plots::confusion(&recipe.name, &on, &confusion)?.save(&self.run.confusion())?;
            self.state.best_epoch = epoch;
        }
        self.state.schedule.epoch_ended(public_loss);
        self.state.history.push(record);
        self.run.write_checkpoint(&self.state, &self.tensors())?;
        plots::curves(&self.state.recipe.name, &self.state.history, self.state.best_epoch)?.save(&self.run.curves())?;
        let path = self.run.history();
        write_history(&path, &self.state.history).map_err(|source| TrainError::Folder { path, source })
    }
}
