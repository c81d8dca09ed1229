//! The networks of a training: the one that learns, its moving average, and the teachers that it learns from.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, TchError, Tensor, nn};

use super::datasets::Examples;
use super::evaluation::BATCH;
use super::progress::Progress;
use super::recipe::{DistillationSpec, Recipe};
use super::trainer::TrainError;
use mien_core::classes::Classes;
use mien_net::{
    BackboneError, BackboneReport, Model, ModelError, ModelSource, Normalization, Pass, Precision, SpecError,
    load_backbone, variables,
};

/// A network and its variables.
pub struct Learner<N> {
    /// The variables.
    pub store: nn::VarStore,
    /// The network that they belong to.
    pub network: N,
}

impl<N> Learner<N> {
    /// Creates a network, with random weights from libtorch's generator.
    pub fn new(device: Device, build: impl FnOnce(&nn::Path<'_>) -> Result<N, SpecError>) -> Result<Self, SpecError> {
        let store = nn::VarStore::new(device);
        let network = build(&store.root())?;
        Ok(Self { store, network })
    }

    /// Loads the weights of another model. Returns the SHA-256 of their file.
    pub fn start_from(&self, model: &str) -> Result<String, ModelError> {
        let Ok(source) = model.parse::<ModelSource>();
        source.load_into(&self.store)
    }

    /// Loads the backbone's weights from a file.
    pub fn take_backbone(&self, path: &Path) -> Result<BackboneReport, BackboneError> {
        load_backbone(&variables(&self.store), path)
    }

    /// Moves this average towards `learner`. `keep` is the decay, which is reduced in the first steps so that the random start
    /// is soon forgotten.
    pub fn follow(&self, learner: &Self, keep: f64, step: i64) {
        let keep = keep.min((1.0 + step as f64) / (10.0 + step as f64));
        let targets = variables(&learner.store);
        tch::no_grad(|| {
            for (name, tensor) in variables(&self.store) {
                if let Some(target) = targets.get(&name) {
                    let _ = tensor.shallow_clone().lerp_(target, 1.0 - keep);
                }
            }
        });
    }
}

/// Checks that a model has the classes `classes`.
pub(super) fn same_classes(source: &ModelSource, classes: &Classes) -> Result<(), TrainError> {
    let its = source.card()?.labels;
    if its == *classes {
        return Ok(());
    }
    Err(TrainError::OtherClasses { model: source.clone(), its, classes: classes.clone() })
}

/// Checks by their cards that a recipe's teachers and the model that it starts from exist and fit it, before anything is read or learnt.
///
/// # Errors
/// When one doesn't exist, has no card that can be used, or has other classes or, to start from, another network than the recipe.
pub fn check_models(recipe: &Recipe) -> Result<(), TrainError> {
    let teachers = recipe.distillation.iter().flat_map(|distillation| &distillation.teachers);
    for model in recipe.start_from.iter().chain(teachers) {
        let Ok(source) = model.parse::<ModelSource>();
        same_classes(&source, &recipe.classes)?;
    }
    let Some(start) = &recipe.start_from else { return Ok(()) };
    let Ok(model) = start.parse::<ModelSource>();
    let (its, network) = (model.card()?.network.architecture, recipe.network.architecture.clone());
    if its == network { Ok(()) } else { Err(TrainError::OtherNetwork { model, its, network }) }
}

/// Models whose answers the network learns.
pub(super) struct Teachers {
    models: Vec<Model>,
    pub spec: DistillationSpec,
}

impl Teachers {
    /// Loads the models, which must have the classes `classes`.
    pub fn load(spec: DistillationSpec, classes: &Classes, device: Device) -> Result<Self, TrainError> {
        let models = spec.teachers.iter().map(|name| {
            let Ok(source) = name.parse::<ModelSource>();
            same_classes(&source, classes)?;
            Ok(Model::load(&source, device, Precision::F32)?)
        });
        Ok(Self { models: models.collect::<Result<_, TrainError>>()?, spec })
    }

    /// SHA-256 of each model's weights file, in hexadecimal.
    pub fn sha256(&self) -> Vec<String> {
        self.models.iter().map(|model| model.sha256.clone()).collect()
    }

    /// The targets of `examples`, `[N, classes]`, with the teachers' answers mixed into `rows`. The teachers see these pictures
    /// without augmentation. `None` if `stop` was raised meanwhile.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn mixed_into(
        &self,
        examples: &Examples,
        rows: &Tensor,
        device: Device,
        stop: &AtomicBool,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Tensor>, TchError> {
        let plain = Normalization::default();
        let batches = examples.bytes.f_index_select(0, rows)?.f_split(BATCH, 0)?;
        let mut answers = Vec::with_capacity(batches.len());
        for bytes in &batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let pictures = plain.apply(&bytes.f_to_device(device)?)?;
            answers.push(self.probabilities(&pictures, plain)?.f_to_device(Device::Cpu)?);
            on_progress(Progress::Asked { batches: answers.len(), of: batches.len() });
        }
        let answers = Tensor::f_cat(&answers, 0)?.f_mul_scalar(self.spec.weight)?;
        let mixed = examples.targets.f_index_select(0, rows)?.f_mul_scalar(1.0 - self.spec.weight)?.f_add(&answers)?;
        examples.targets.f_index_copy(0, rows, &mixed).map(Some)
    }

    /// The teachers' mean probabilities `[N, classes]`, softened by the temperature, for pictures as the learner sees them:
    /// varied, and normalised by `normalization`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn probabilities(&self, pictures: &Tensor, normalization: Normalization) -> Result<Tensor, TchError> {
        tch::no_grad(|| {
            let answers = self
                .models
                .iter()
                .map(|teacher| {
                    let theirs = teacher.card.input.normalization;
                    let pictures = theirs.apply_to_unit(&normalization.revert(pictures)?)?;
                    let logits = teacher.network.forward(&pictures, Pass::EVALUATE)?;
                    logits.f_div_scalar(self.spec.temperature)?.f_softmax(1, Kind::Float)
                })
                .collect::<Result<Vec<_>, _>>()?;
            Tensor::f_stack(&answers, 0)?.f_mean_dim([0].as_slice(), false, Kind::Float)
        })
    }
}
