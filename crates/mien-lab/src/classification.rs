//! Training a classifier of 48×48 faces.

use std::sync::atomic::AtomicBool;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor, nn};

use super::calibration::{PriorOfTrainingError, shown_shares, training_prior};
use super::datasets::{Dataset, Examples, Target, draw_labels};
use super::evaluation::{evaluate, predict};
use super::history::EpochRecord;
use super::learner::{Learner, Teachers, same_classes};
use super::loss::{LossSpec, distillation};
use super::metrics::Confusion;
use super::plots;
use super::progress::Progress;
use super::recipe::{Asked, FROZEN, Recipe, Selection};
use super::sampling::Sampling;
use super::state::RunFolder;
use super::task::{Learnt, Lessons, Task};
use super::trainer::{TrainError, Trainer};
use mien_core::prior::Prior;
use mien_net::to_unit;
use mien_net::{ModelSource, Network, Pass, SpecError, TensorMap};

/// The training pictures' targets in a checkpoint, where teachers that were asked once have changed them: what they said stays
/// said, and a resumed training needn't ask for minutes again.
const TAUGHT: &str = "taught.targets";

/// A classifier's pictures, and the teachers beside them.
pub struct Classification {
    /// Those who are still to be asked: each step, or once before the first.
    teachers: Option<Teachers>,
    /// Whether what teachers said is part of the targets.
    taught: bool,
    /// Once teachers that are asked once were asked, their answers are part of its targets.
    training: Examples,
    public: Examples,
    judged: (Tensor, Vec<usize>),
    device: Device,
}

/// The steps of an epoch.
pub struct Lesson {
    rng: ChaCha8Rng,
    batches: Vec<Vec<i64>>,
    class_weights: Option<Tensor>,
}

impl Classification {
    /// Takes what the recipe asks for out of a data set, and loads its teachers.
    ///
    /// # Errors
    /// When the data or one of their sources lack it, or a teacher can't be loaded.
    pub fn new(recipe: &Recipe, data: &Dataset, device: Device) -> Result<Self, TrainError> {
        let rule = recipe.target.rule();
        let (training, public) = (data.training.examples(recipe.target)?, data.public.examples(recipe.target)?);
        let judged = data.public.judged(rule)?;
        // Whether each source has what is to be drawn of it.
        Sampling::of(recipe).times_shown(&training)?;
        let teachers = recipe.distillation.clone();
        let teachers = teachers.map(|spec| Teachers::load(spec, &recipe.classes, device)).transpose()?;
        Ok(Self { teachers, taught: false, training, public, judged, device })
    }

    /// Pictures learnt from in an epoch.
    pub fn pictures(&self) -> usize {
        self.training.targets.size()[0] as usize
    }
}

impl Trainer<Classification> {
    /// How often the network meets each class while it learns, by all that teachers have said so far.
    ///
    /// # Errors
    /// When the targets hold what is no probability.
    pub fn prior(&self) -> Result<Prior, PriorOfTrainingError> {
        training_prior(&self.task().training, Sampling::of(&self.state().recipe))
    }
}

impl Task for Classification {
    type Recipe = Recipe;
    type Network = Box<dyn Network>;
    type Record = EpochRecord;
    type Lesson = Lesson;
    type Shown = Confusion;

    fn network(recipe: &Recipe, path: &nn::Path<'_>) -> Result<Box<dyn Network>, SpecError> {
        let mut spec = recipe.network.clone();
        if recipe.backbone.as_ref().is_some_and(|backbone| backbone.rate().is_none()) {
            spec.parameters.insert(FROZEN.to_owned(), true.into());
        }
        spec.build(path, recipe.classes.len())
    }

    fn begin(&self, recipe: &Recipe, learner: &Learner<Box<dyn Network>>) -> Result<Option<String>, TrainError> {
        if let Some(weights) = recipe.backbone.as_ref().and_then(|backbone| backbone.weights.as_ref()) {
            learner.take_backbone(weights)?;
        }
        Ok(match &recipe.start_from {
            Some(start) => {
                let Ok(source) = start.parse::<ModelSource>();
                same_classes(&source, &recipe.classes)?;
                Some(learner.start_from(start)?)
            }
            None => None,
        })
    }

    /// Has teachers that are asked once say what they see in the training pictures, unless they have.
    fn prepare(
        &mut self,
        device: Device,
        stop: &AtomicBool,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, TrainError> {
        let Some(teachers) = self.teachers.as_ref().filter(|teachers| teachers.spec.asked == Asked::Once) else {
            return Ok(true);
        };
        let targets = teachers.mixed_into(&self.training, device, stop, on_progress)?;
        let Some(targets) = targets else { return Ok(false) };
        self.training.targets = targets;
        self.taught = true;
        self.teachers = None;
        Ok(true)
    }

    fn tensors(&self) -> TensorMap {
        let taught = self.taught.then(|| (TAUGHT.to_owned(), self.training.targets.shallow_clone()));
        taught.into_iter().collect()
    }

    fn restore(&mut self, tensors: &TensorMap) {
        if let Some(taught) = tensors.get(TAUGHT) {
            self.training.targets = taught.shallow_clone();
            self.taught = true;
            self.teachers = None;
        }
    }

    fn lesson(&mut self, recipe: &Recipe, epoch: usize, device: Device) -> Result<Lesson, TrainError> {
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        rng.set_stream(epoch as u64 + 1);
        let sampling = Sampling::of(recipe);
        let order = sampling.order(&self.training, &mut rng)?;
        let class_weights = recipe.balance.class_weights(shown_shares(&self.training, sampling)?.shares());
        let class_weights =
            class_weights.map(|weights| Tensor::from_slice(&weights).to_kind(Kind::Float).to_device(device));
        // Batch norm can't learn from one picture alone.
        let batches = order.chunks(recipe.batch_size).filter(|batch| batch.len() > 1).map(<[i64]>::to_vec).collect();
        Ok(Lesson { rng, batches, class_weights })
    }

    fn steps(lesson: &Lesson) -> usize {
        lesson.batches.len()
    }

    fn learn(
        &self,
        recipe: &Recipe,
        network: &Box<dyn Network>,
        Lesson { rng, batches, class_weights }: &mut Lesson,
        step: usize,
        pass: Pass,
    ) -> Result<Learnt, TrainError> {
        let batch = &batches[step];
        let rows = Tensor::from_slice(batch);
        let bytes = self.training.bytes.index_select(0, &rows).to_device(self.device);
        let targets = self.training.targets.index_select(0, &rows).to_device(self.device);
        let targets = if recipe.target == Target::Draw { draw_labels(&targets, rng) } else { targets };
        let lit = recipe.augmentation.relight(&to_unit(&bytes)?, rng);
        let faces = recipe.augmentation.apply(&recipe.normalization.apply_to_unit(&lit)?, rng);
        let (faces, targets) = recipe.augmentation.mix(faces, targets, rng);
        let logits = network.forward(&faces, pass)?;
        let mut loss = recipe.loss.compute(&logits, &targets, class_weights.as_ref());
        if let Some(teachers) = &self.teachers {
            let taught = teachers.probabilities(&faces, recipe.normalization)?;
            let weight = teachers.spec.weight;
            loss = loss * (1.0 - weight) + distillation(&logits, &taught, teachers.spec.temperature) * weight;
        }
        let right = logits.argmax(1, false).eq_tensor(&targets.argmax(1, false)).sum(Kind::Float).double_value(&[]);
        Ok(Learnt { loss, pictures: batch.len(), parts: vec![right / batch.len() as f64] })
    }

    fn told(parts: &[f64]) -> String {
        parts.first().map_or_else(String::new, |accuracy| format!("accuracy {:.1} %", 100.0 * accuracy))
    }

    fn measure(
        &self,
        recipe: &Recipe,
        learner: &Learner<Box<dyn Network>>,
        kept: &Learner<Box<dyn Network>>,
        lessons: Lessons,
    ) -> Result<(EpochRecord, Confusion), TrainError> {
        let pass = Pass { train: false, precision: recipe.precision };
        let network = learner.network.as_ref();
        let logits = predict(network, recipe.normalization, &self.public.bytes, pass, self.device)?;
        // Plain cross-entropy whatever is trained with, so that schedules and histories mean the same everywhere.
        let public_loss = LossSpec::default().compute(&logits, &self.public.targets, None).double_value(&[]);

        let (bytes, answers) = &self.judged;
        let logits = predict(kept.network.as_ref(), recipe.normalization, bytes, Pass::EVALUATE, self.device)?;
        let confusion = evaluate(&logits, answers, &recipe.classes)?;
        let record = EpochRecord {
            epoch: lessons.epoch,
            learning_rate: lessons.learning_rate,
            training_loss: lessons.loss,
            training_accuracy: lessons.parts.first().copied().unwrap_or_default(),
            public_loss,
            public_accuracy: confusion.accuracy(),
            public_balanced_accuracy: confusion.balanced_accuracy(),
            seconds: lessons.started.elapsed().as_secs_f64(),
        };
        Ok((record, confusion))
    }

    fn figure(recipe: &Recipe, record: &EpochRecord) -> f64 {
        match recipe.select_by {
            Selection::Accuracy => record.public_accuracy,
            Selection::BalancedAccuracy => record.public_balanced_accuracy,
        }
    }

    fn draw_best(
        &self,
        recipe: &Recipe,
        record: &EpochRecord,
        confusion: &Confusion,
        run: &RunFolder,
    ) -> Result<(), TrainError> {
        let (rule, n, epoch) = (recipe.target.rule().name(), self.judged.1.len(), record.epoch);
        let on = format!("PublicTest, rule {rule}, N {n}, epoch {epoch}");
        Ok(plots::confusion(&recipe.name, &on, confusion)?.save(&run.confusion())?)
    }

    fn draw_history(recipe: &Recipe, history: &[EpochRecord], best: usize, run: &RunFolder) -> Result<(), TrainError> {
        Ok(plots::curves(&recipe.name, history, best)?.save(&run.curves())?)
    }
}
