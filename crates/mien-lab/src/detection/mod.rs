//! Training and measuring detectors of faces: what differs from classifiers. The trainer is the same.

mod assign;
mod augment;
mod calibration;
mod data;
mod evaluation;
mod history;
mod light;
mod loader;
mod loss;
pub mod metrics;
mod occlude;
mod recipe;
mod sheet;
mod split;
mod table;
mod targets;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Receiver;
use tch::{Device, nn};

pub use augment::{FacesAugmentation, Pool, Sample, make};
pub use calibration::fit_score;
pub use data::{Face, FaceData, FaceDataError, GrayLevel, Pyramid, Scene};
pub use evaluation::find_in;
pub use history::FacesRecord;
pub use light::Light;
pub use loss::FacesLoss;
pub use recipe::FacesRecipe;
pub use sheet::found_and_missed;
pub use table::found_by_table;
pub use targets::Target;

use self::assign::Cell;
use self::loader::{Batch, Order};
use self::metrics::{Judged, Range, measure};
use super::learner::Learner;
use super::progress::Progress;
use super::state::RunFolder;
use super::task::{Learnt, Lessons, Task};
use super::trainer::TrainError;
use mien_core::landmarks::FoundFace;
use mien_net::Normalization;
use mien_net::faces::{DetectionNetwork, FindError, NMS_OVERLAP, ScoreCalibration, read_levels, suppress};
use mien_net::{ModelSource, Pass, SpecError, TensorMap};

/// Least score of a face that is counted as found while training.
pub const THRESHOLD: f32 = 0.5;
/// Least score of what goes into the average precision.
pub const LEAST_SCORE: f32 = 0.02;

/// A detector's pictures.
pub struct Detection {
    training: Arc<Vec<Scene>>,
    validation: Vec<Scene>,
    device: Device,
    cells: Vec<Cell>,
}

impl Detection {
    /// Takes the data over.
    pub fn new(recipe: &FacesRecipe, data: FaceData, device: Device) -> Self {
        let cells = assign::cells(recipe.side, recipe.side);
        Self { training: data.training, validation: data.validation, device, cells }
    }

    /// Pictures that those of an epoch are made of.
    pub fn pictures(&self) -> usize {
        self.training.len()
    }

    /// Pictures to measure on.
    pub fn validation(&self) -> &[Scene] {
        &self.validation
    }
}

/// What a network that isn't deployed finds in gray bytes `[N, 1, H, W]`.
fn find(
    network: &dyn DetectionNetwork,
    normalization: Normalization,
    pictures: &tch::Tensor,
) -> Result<Vec<Vec<FoundFace>>, FindError> {
    let plain = ScoreCalibration::default();
    let levels = tch::no_grad(|| network.forward(&normalization.apply(pictures)?, Pass::EVALUATE))?;
    let faces = read_levels(&levels, plain.logit(LEAST_SCORE))?.into_iter().map(|candidates| {
        let faces = candidates.into_iter().map(|face| FoundFace {
            rect: face.rect,
            score: plain.probability(face.logit),
            landmarks: face.landmarks,
        });
        suppress(faces.collect(), NMS_OVERLAP)
    });
    Ok(faces.collect())
}

/// The steps of an epoch.
pub struct Lesson {
    batches: Receiver<Batch>,
    steps: usize,
}

/// What a measurement leaves to be drawn: what was found in each validation picture.
pub struct Shown(Vec<Vec<FoundFace>>);

impl Task for Detection {
    type Recipe = FacesRecipe;
    type Network = Box<dyn DetectionNetwork>;
    type Record = FacesRecord;
    type Lesson = Lesson;
    type Shown = Shown;

    fn network(recipe: &FacesRecipe, path: &nn::Path<'_>) -> Result<Self::Network, SpecError> {
        recipe.network.build_detector(path)
    }

    fn begin(&self, recipe: &FacesRecipe, learner: &Learner<Self::Network>) -> Result<Option<String>, TrainError> {
        let start = recipe.start_from.as_ref().map(|start| {
            let Ok(source) = start.parse::<ModelSource>();
            source.load_into(&learner.store)
        });
        Ok(start.transpose()?)
    }

    fn prepare(
        &mut self,
        _device: Device,
        _stop: &AtomicBool,
        _on_progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, TrainError> {
        Ok(true)
    }

    fn tensors(&self) -> TensorMap {
        TensorMap::new()
    }

    fn restore(&mut self, _tensors: &TensorMap) {}

    fn lesson(&mut self, recipe: &FacesRecipe, epoch: usize, _device: Device) -> Result<Lesson, TrainError> {
        let steps = recipe.pictures / recipe.batch_size;
        let order = Order {
            augmentation: recipe.augmentation,
            side: recipe.side,
            batch_size: recipe.batch_size,
            batches: steps,
            seed: recipe.seed,
            epoch,
        };
        let batches = loader::start(Arc::clone(&self.training), order).map_err(TrainError::Thread)?;
        Ok(Lesson { batches, steps })
    }

    fn steps(lesson: &Lesson) -> usize {
        lesson.steps
    }

    fn learn(
        &self,
        recipe: &FacesRecipe,
        network: &Self::Network,
        lesson: &mut Lesson,
        _step: usize,
        pass: Pass,
    ) -> Result<Learnt, TrainError> {
        let Ok(Batch { pixels, targets }) = lesson.batches.recv() else { return Err(TrainError::NoPictures) };
        let pictures = evaluation::batch_of(&pixels, recipe.side, self.device);
        let levels = network.forward(&recipe.normalization.apply(&pictures)?, pass)?;
        let parts = loss::compare(&loss::flatten(&levels), &self.cells, &targets);
        let told = [&parts.score, &parts.rect, &parts.landmarks].map(|part| part.double_value(&[]));
        Ok(Learnt { loss: recipe.loss.sum(&parts), pictures: targets.len(), parts: told.to_vec() })
    }

    fn told(parts: &[f64]) -> String {
        match parts {
            [score, rect, landmarks] => format!("score {score:.3}, box {rect:.3}, landmarks {landmarks:.4}"),
            _ => String::new(),
        }
    }

    fn measure(
        &self,
        recipe: &FacesRecipe,
        kept: &Learner<Self::Network>,
        lessons: Lessons,
    ) -> Result<(FacesRecord, Shown), TrainError> {
        let network = kept.network.as_ref();
        let judged = find_in(&self.validation, recipe.measured_side, self.device, |pictures| {
            find(network, recipe.normalization, pictures)
        })?;
        let all = measure(&judged, THRESHOLD, &Range::ALL);
        let large = measure(&judged, THRESHOLD, &Range { sizes: [40.0, f32::INFINITY], rolls: None });
        let part = |index: usize| lessons.parts.get(index).copied().unwrap_or_default();
        let record = FacesRecord {
            epoch: lessons.epoch,
            learning_rate: lessons.learning_rate,
            training_loss: lessons.loss,
            score_loss: part(0),
            box_loss: part(1),
            landmark_loss: part(2),
            average_precision: all.figures.average_precision,
            recall: all.figures.recall,
            average_precision_from_40: large.figures.average_precision,
            recall_from_40: large.figures.recall,
            false_boxes_per_100: all.false_boxes_per_100,
            landmark_error: all.landmark_error,
            seconds: lessons.time.seconds(),
        };
        Ok((record, Shown(judged.into_iter().map(|picture| picture.found).collect())))
    }

    fn figure(_recipe: &FacesRecipe, record: &FacesRecord) -> f64 {
        record.average_precision
    }

    fn draw_best(
        &self,
        recipe: &FacesRecipe,
        record: &FacesRecord,
        Shown(found): &Shown,
        run: &RunFolder,
    ) -> Result<(), TrainError> {
        let judged: Vec<Judged<'_>> =
            self.validation.iter().zip(found).map(|(scene, found)| Judged::new(scene, found.clone())).collect();
        let on = format!("validation, epoch {}", record.epoch);
        Ok(found_and_missed(&recipe.name, &on, &self.validation, &judged, THRESHOLD)?.save(&run.found_and_missed())?)
    }

    fn draw_history(
        recipe: &FacesRecipe,
        history: &[FacesRecord],
        best: usize,
        run: &RunFolder,
    ) -> Result<(), TrainError> {
        Ok(history::curves(&recipe.name, history, best)?.save(&run.curves())?)
    }
}
