//! Training and measuring face detectors: what differs from classifiers. The trainer is the same.

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
use super::state::RunFolder;
use super::task::{EpochTotals, StepResult, Task, WeightsOfOthers};
use super::trainer::TrainError;
use mien_net::Normalization;
use mien_net::faces::{DetectionNetwork, FindError, FoundFace, ScoreCalibration, faces_in};
use mien_net::{ModelSource, Pass, SpecError};

/// Least score of a face that counts as found during training.
pub const THRESHOLD: f32 = 0.5;
/// Least score of a box that counts in the average precision.
pub const LEAST_SCORE: f32 = 0.02;

/// The training of a detector: its pictures, and the cells that learn from them.
pub struct DetectorTask {
    training: Arc<Vec<Scene>>,
    validation: Vec<Scene>,
    device: Device,
    cells: Vec<Cell>,
}

impl DetectorTask {
    /// Creates the task from a recipe and its data.
    pub fn new(recipe: &FacesRecipe, data: FaceData, device: Device) -> Self {
        let cells = assign::cells(recipe.side, recipe.side);
        Self { training: data.training, validation: data.validation, device, cells }
    }

    /// Number of pictures from which those of an epoch are made.
    pub fn pictures(&self) -> usize {
        self.training.len()
    }
}

/// Finds faces in gray bytes `[N, 1, H, W]` with a network that isn't deployed.
fn find(
    network: &dyn DetectionNetwork,
    normalization: Normalization,
    pictures: &tch::Tensor,
) -> Result<Vec<Vec<FoundFace>>, FindError> {
    let plain = ScoreCalibration::default();
    let levels = tch::no_grad(|| network.forward(&normalization.apply(pictures)?, Pass::EVALUATE))?;
    faces_in(&levels, plain, plain.logit(LEAST_SCORE))
}

/// The batches of an epoch.
pub struct EpochData {
    batches: Receiver<Batch>,
    steps: usize,
}

/// The faces found in each validation picture, which are drawn when an epoch is the best so far.
pub struct Shown(Vec<Vec<FoundFace>>);

impl Task for DetectorTask {
    type Recipe = FacesRecipe;
    type Network = Box<dyn DetectionNetwork>;
    type Record = FacesRecord;
    type EpochData = EpochData;
    type Shown = Shown;

    fn network(recipe: &FacesRecipe, path: &nn::Path<'_>) -> Result<Self::Network, SpecError> {
        recipe.network.build_detector(path)
    }

    fn begin(&self, recipe: &FacesRecipe, learner: &Learner<Self::Network>) -> Result<WeightsOfOthers, TrainError> {
        let start = recipe.start_from.as_ref().map(|start| {
            let Ok(source) = start.parse::<ModelSource>();
            source.load_into(&learner.store)
        });
        Ok(WeightsOfOthers { start_sha256: start.transpose()?, ..WeightsOfOthers::default() })
    }

    fn epoch_data(&mut self, recipe: &FacesRecipe, epoch: usize) -> Result<EpochData, TrainError> {
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
        Ok(EpochData { batches, steps })
    }

    fn steps(data: &EpochData) -> usize {
        data.steps
    }

    fn learn(
        &self,
        recipe: &FacesRecipe,
        network: &Self::Network,
        data: &mut EpochData,
        _step: usize,
        pass: Pass,
    ) -> Result<StepResult, TrainError> {
        let Ok(Batch { pixels, targets }) = data.batches.recv() else { return Err(TrainError::NoPictures) };
        let pictures = evaluation::batch_of(&pixels, recipe.side, self.device);
        let levels = network.forward(&recipe.normalization.apply(&pictures)?, pass)?;
        let parts = loss::compare(&loss::flatten(&levels), &self.cells, &targets);
        let told = [&parts.score, &parts.rect, &parts.landmarks].map(|part| part.double_value(&[]));
        Ok(StepResult { loss: recipe.loss.sum(&parts), pictures: targets.len(), parts: told.to_vec() })
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
        totals: EpochTotals,
    ) -> Result<(FacesRecord, Shown), TrainError> {
        let network = kept.network.as_ref();
        let judged = find_in(&self.validation, recipe.measured_side, self.device, |pictures| {
            find(network, recipe.normalization, pictures)
        })?;
        let all = measure(&judged, THRESHOLD, &Range::ALL);
        let large = measure(&judged, THRESHOLD, &Range { sizes: [40.0, f32::INFINITY], rolls: None });
        let part = |index: usize| totals.parts.get(index).copied().unwrap_or_default();
        let record = FacesRecord {
            epoch: totals.epoch,
            learning_rate: totals.learning_rate,
            training_loss: totals.loss,
            score_loss: part(0),
            box_loss: part(1),
            landmark_loss: part(2),
            average_precision: all.figures.average_precision,
            recall: all.figures.recall,
            average_precision_from_40: large.figures.average_precision,
            recall_from_40: large.figures.recall,
            false_boxes_per_100: all.false_boxes_per_100,
            landmark_error: all.landmark_error,
            seconds: totals.time.seconds(),
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
