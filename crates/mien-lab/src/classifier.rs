//! Training a classifier of 48×48 faces.

use std::sync::atomic::AtomicBool;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, TchError, Tensor, nn};

use super::augment::Grays;
use super::calibration::{PriorOfTrainingError, shown_shares, training_prior};
use super::corrections::corrections;
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
use super::task::{EpochTotals, StepResult, Task, WeightsOfOthers};
use super::trainer::{TrainError, Trainer};
use mien_core::prior::Prior;
use mien_net::to_unit;
use mien_net::{ModelSource, Network, Pass, SpecError, TensorMap};

/// Name in a checkpoint of the training targets after teachers that are asked once have answered. A resumed training reuses
/// them instead of asking again, which takes minutes.
const TAUGHT: &str = "taught.targets";

/// The training of a classifier: its pictures and its teachers.
pub struct ClassifierTask {
    /// The teachers that are still to be asked: at each step, or once before the first epoch.
    teachers: Option<Teachers>,
    /// For each source, whether teachers are asked about its pictures.
    asked_about: Vec<bool>,
    /// Whether teachers that are asked once have answered.
    taught: bool,
    /// The training pictures. If `taught`, the targets include the teachers' answers.
    training: Examples,
    public: Examples,
    judged: (Tensor, Vec<usize>),
    /// How faces were found in each source.
    finding: Vec<String>,
    device: Device,
}

/// The steps of an epoch.
pub struct EpochData {
    rng: ChaCha8Rng,
    batches: Vec<Vec<i64>>,
    class_weights: Option<Tensor>,
    /// What is added to the logits of each source's pictures, `[sources, classes]`.
    corrections: Option<Tensor>,
}

/// The batch of a step: varied faces `[N, 1, 48, 48]`, and the network's logits and the target probabilities, both `[N, classes]`.
struct Answers {
    faces: Tensor,
    logits: Tensor,
    targets: Tensor,
}

impl Answers {
    /// The rows at these positions of the batch.
    fn at(&self, places: &[i64]) -> Result<Self, TchError> {
        let places = Tensor::f_from_slice(places)?.f_to_device(self.logits.device())?;
        let at = |tensor: &Tensor| tensor.f_index_select(0, &places);
        Ok(Self { faces: at(&self.faces)?, logits: at(&self.logits)?, targets: at(&self.targets)? })
    }
}

impl ClassifierTask {
    /// Selects from a data set what the recipe needs, and loads the teachers.
    ///
    /// # Errors
    /// When the data set or one of its sources lacks what is needed, or a teacher can't be loaded.
    pub fn new(recipe: &Recipe, data: &Dataset, device: Device) -> Result<Self, TrainError> {
        let rule = recipe.target.rule();
        let (training, public) = (data.training.examples(recipe.target)?, data.public.examples(recipe.target)?);
        let judged = data.public.judged(rule)?;
        // Fail early if a source can't be sampled as the recipe asks.
        Sampling::of(recipe).times_shown(&training)?;
        let teachers = recipe.distillation.clone();
        let teachers = teachers.map(|spec| Teachers::load(spec, &recipe.classes, device)).transpose()?;
        let asked_about = recipe.asked_about();
        let finding = data.sources.iter().map(|source| source.finding.clone()).collect();
        Ok(Self { teachers, asked_about, taught: false, training, public, judged, finding, device })
    }

    /// The positions in `rows` (rows of the training pictures) that teachers are asked about.
    fn asked(&self, rows: &[i64]) -> Vec<i64> {
        let is_asked = |row: i64| {
            let source = self.training.sources[row as usize].index;
            self.asked_about.get(source).copied().unwrap_or(true)
        };
        (0..).zip(rows).filter(|(_, row)| is_asked(**row)).map(|(place, _)| place).collect()
    }

    /// The source indices `[N]` of these rows of the training pictures.
    fn sources(&self, rows: &[i64]) -> Tensor {
        let sources: Vec<i64> = rows.iter().map(|row| self.training.sources[*row as usize].index as i64).collect();
        Tensor::from_slice(&sources)
    }

    /// The loss of a batch, including the teachers' share if they are asked at each step.
    fn loss(
        &self,
        recipe: &Recipe,
        answers: &Answers,
        class_weights: Option<&Tensor>,
        batch: &[i64],
    ) -> Result<Tensor, TrainError> {
        let by_targets = |of: &Answers| recipe.loss.compute(&of.logits, &of.targets, class_weights);
        let Some(teachers) = &self.teachers else { return Ok(by_targets(answers)) };
        let asked = self.asked(batch);
        let others: Vec<i64> = (0..batch.len() as i64).filter(|place| !asked.contains(place)).collect();
        let share = |places: &[i64]| places.len() as f64 / batch.len() as f64;
        let mut loss = Tensor::zeros([], (Kind::Float, self.device));
        if !asked.is_empty() {
            let of = answers.at(&asked)?;
            let taught = teachers.probabilities(&of.faces, recipe.normalization)?;
            let (weight, temperature) = (teachers.spec.weight, teachers.spec.temperature);
            let both = by_targets(&of) * (1.0 - weight) + distillation(&of.logits, &taught, temperature) * weight;
            loss += both * share(&asked);
        }
        if !others.is_empty() {
            loss += by_targets(&answers.at(&others)?) * share(&others);
        }
        Ok(loss)
    }

    /// Number of training pictures.
    pub fn pictures(&self) -> usize {
        self.training.targets.size()[0] as usize
    }
}

impl Trainer<ClassifierTask> {
    /// The prior of training, with the teachers' answers so far; see [`training_prior`].
    ///
    /// # Errors
    /// When the targets aren't probabilities.
    pub fn prior(&self) -> Result<Prior, PriorOfTrainingError> {
        training_prior(&self.task().training, Sampling::of(&self.state().recipe))
    }
}

impl Task for ClassifierTask {
    type Recipe = Recipe;
    type Network = Box<dyn Network>;
    type Record = EpochRecord;
    type EpochData = EpochData;
    type Shown = Confusion;

    fn network(recipe: &Recipe, path: &nn::Path<'_>) -> Result<Box<dyn Network>, SpecError> {
        let mut spec = recipe.network.clone();
        if recipe.backbone_rate().is_none() {
            spec.parameters.insert(FROZEN.to_owned(), true.into());
        }
        spec.build(path, recipe.classes.len())
    }

    fn begin(&self, recipe: &Recipe, learner: &Learner<Box<dyn Network>>) -> Result<WeightsOfOthers, TrainError> {
        let backbone_sha256 = match recipe.backbone.as_ref().and_then(|backbone| backbone.weights.as_ref()) {
            Some(weights) => Some(learner.take_backbone(weights)?.sha256),
            None => None,
        };
        let start_sha256 = match &recipe.start_from {
            Some(start) => {
                let Ok(source) = start.parse::<ModelSource>();
                same_classes(&source, &recipe.classes)?;
                Some(learner.start_from(start)?)
            }
            None => None,
        };
        let teachers_sha256 = self.teachers.as_ref().map(Teachers::sha256).unwrap_or_default();
        Ok(WeightsOfOthers { start_sha256, backbone_sha256, teachers_sha256 })
    }

    fn finding(&self) -> &[String] {
        &self.finding
    }

    /// Asks teachers that are asked once about the training pictures, unless they have answered already.
    fn prepare(&mut self, stop: &AtomicBool, on_progress: &mut dyn FnMut(Progress)) -> Result<bool, TrainError> {
        let Some(teachers) = self.teachers.as_ref().filter(|teachers| teachers.spec.asked == Asked::Once) else {
            return Ok(true);
        };
        let all: Vec<i64> = (0..self.pictures() as i64).collect();
        let rows = Tensor::from_slice(&self.asked(&all));
        let targets = teachers.mixed_into(&self.training, &rows, self.device, stop, on_progress)?;
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

    fn epoch_data(&mut self, recipe: &Recipe, epoch: usize) -> Result<EpochData, TrainError> {
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        rng.set_stream(epoch as u64 + 1);
        let sampling = Sampling::of(recipe);
        let order = sampling.order(&self.training, &mut rng)?;
        let class_weights = recipe.balance.class_weights(shown_shares(&self.training, sampling)?.shares());
        let class_weights =
            class_weights.map(|weights| Tensor::from_slice(&weights).to_kind(Kind::Float).to_device(self.device));
        // Batch norm needs more than one picture.
        let batches = order.chunks(recipe.batch_size).filter(|batch| batch.len() > 1).map(<[i64]>::to_vec).collect();
        let corrections = corrections(&self.training, sampling)?;
        Ok(EpochData { rng, batches, class_weights, corrections })
    }

    fn steps(data: &EpochData) -> usize {
        data.batches.len()
    }

    fn learn(
        &self,
        recipe: &Recipe,
        network: &Box<dyn Network>,
        EpochData { rng, batches, class_weights, corrections }: &mut EpochData,
        step: usize,
        pass: Pass,
    ) -> Result<StepResult, TrainError> {
        let batch = &batches[step];
        let rows = Tensor::from_slice(batch);
        let bytes = self.training.bytes.index_select(0, &rows).to_device(self.device);
        let targets = self.training.targets.index_select(0, &rows).to_device(self.device);
        let targets = if recipe.target == Target::Draw { draw_labels(&targets, rng) } else { targets };
        let lit = recipe.augmentation.relight(&to_unit(&bytes)?, rng);
        let faces = recipe.normalization.apply_to_unit(&lit)?;
        let faces = recipe.augmentation.apply(&faces, Grays::of(recipe.normalization), rng);
        let (faces, targets) = recipe.augmentation.mix(faces, targets, rng);
        let logits = network.forward(&faces, pass)?;
        let logits = match corrections {
            Some(corrections) => &logits + corrections.f_index_select(0, &self.sources(batch))?.to_device(self.device),
            None => logits,
        };
        let answers = Answers { faces, logits, targets };
        let loss = self.loss(recipe, &answers, class_weights.as_ref(), batch)?;
        let right = answers
            .logits
            .argmax(1, false)
            .eq_tensor(&answers.targets.argmax(1, false))
            .sum(Kind::Float)
            .double_value(&[]);
        Ok(StepResult { loss, pictures: batch.len(), parts: vec![right / batch.len() as f64] })
    }

    fn told(parts: &[f64]) -> String {
        parts.first().map_or_else(String::new, |accuracy| format!("accuracy {:.1} %", 100.0 * accuracy))
    }

    fn measure(
        &self,
        recipe: &Recipe,
        kept: &Learner<Box<dyn Network>>,
        totals: EpochTotals,
    ) -> Result<(EpochRecord, Confusion), TrainError> {
        let pass = Pass { train: false, precision: recipe.precision };
        let network = kept.network.as_ref();
        let logits = predict(network, recipe.normalization, &self.public.bytes, pass, self.device)?;
        // Always plain cross-entropy, whatever the training loss, so that schedules and histories are comparable.
        let public_loss = LossSpec::default().compute(&logits, &self.public.targets, None).double_value(&[]);

        let (bytes, answers) = &self.judged;
        let logits = predict(network, recipe.normalization, bytes, Pass::EVALUATE, self.device)?;
        let confusion = evaluate(&logits, answers, &recipe.classes)?;
        let record = EpochRecord {
            epoch: totals.epoch,
            learning_rate: totals.learning_rate,
            training_loss: totals.loss,
            training_accuracy: totals.parts.first().copied().unwrap_or_default(),
            public_loss,
            public_accuracy: confusion.accuracy(),
            public_balanced_accuracy: confusion.balanced_accuracy(),
            seconds: totals.time.seconds(),
        };
        Ok((record, confusion))
    }

    fn figure(recipe: &Recipe, record: &EpochRecord) -> f64 {
        match recipe.select_by {
            Selection::Accuracy => record.public_accuracy,
            Selection::BalancedAccuracy => record.public_balanced_accuracy,
            Selection::Loss => -record.public_loss,
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
