//! From face crops to calibrated probabilities.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::{Kind, Tensor};

use crate::{Assumed, Model, Pass};
use mien_core::crop::{CROP_PIXELS, FaceCrop};
use mien_core::emotion::{self, Probabilities};
use mien_core::prior::{PriorChoice, PriorError};

/// Names the emotion of faces.
pub trait Classifier: Send {
    /// Probabilities for each crop, in the order of the crops. All go through the network in one batch; no crop gives
    /// no probabilities.
    ///
    /// # Errors
    /// When the network can't be run.
    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError>;
}

/// The network can't be run.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// libtorch gave an error.
    #[error("the network failed: {0}")]
    Torch(#[from] tch::TchError),
    /// libtorch gave an error, or a network broke off, where only a panic can tell.
    #[error("the network failed: {0}")]
    Panicked(String),
    /// The model can't answer under the prior asked for.
    #[error(transparent)]
    Prior(#[from] PriorError),
    /// The network's output is no probability: NaN or infinite.
    #[error("the network gave a result that is not a number; its weights are damaged")]
    NotANumber,
}

/// A model that names faces, under a prior.
pub struct TorchClassifier {
    model: Model,
    assumed: Assumed,
}

/// Passes before the first face: the first one makes libtorch choose and compile its kernels, the second is fast.
const WARM_UPS: usize = 2;

impl TorchClassifier {
    /// Takes a model and warms it up, so that the first face doesn't wait. Without a `prior` the model's own default is
    /// assumed.
    ///
    /// # Errors
    /// When the model doesn't know enough to assume that prior, when the network can't be run, or when it gives no
    /// probabilities even for a gray picture.
    pub fn new(model: Model, prior: Option<&PriorChoice>) -> Result<Self, ClassifyError> {
        let assumed = model.card.calibration.assume(prior)?;
        let mut classifier = Self { model, assumed };
        let gray = FaceCrop::from_pixels(vec![128; CROP_PIXELS]).into_iter().collect::<Vec<_>>();
        for _ in 0..WARM_UPS {
            classifier.classify(&gray)?;
        }
        Ok(classifier)
    }

    /// The model that answers.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The prior that it answers under.
    pub fn prior(&self) -> &PriorChoice {
        &self.assumed.prior
    }
}

impl Classifier for TorchClassifier {
    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if crops.is_empty() {
            return Ok(Vec::new());
        }
        let Model { card, network, device, .. } = &self.model;
        let logits = guarded(|| {
            let faces = card.input.normalization.to_input(crops, *device);
            tch::no_grad(|| network.forward(&faces, Pass::EVALUATE))
        })?;
        probabilities(&self.assumed.adjustment.apply(&logits)?)
    }
}

/// Runs a network. Its forward pass is made of tch's plain calls, which panic where libtorch fails, as when a graphics
/// card's memory is full: that is an error for the user and no reason to end the program.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, ClassifyError> {
    // After a panic nothing half-done is left: weights aren't written, and what was computed is dropped.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| ClassifyError::Panicked(reason(panic.as_ref())))
}

/// What a panic says, without the stack of C++ that libtorch adds below its first line.
fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("for an unknown reason");
    // tch unwraps: what libtorch said stands in quotes, its line ends written as `\\n`.
    let said = text.split_once("Torch(\"").map_or(text, |(_, said)| said);
    said.split("\\n").next().unwrap_or(said).lines().next().unwrap_or(said).trim_end_matches("\")").to_owned()
}

/// Softmax of logits `[N, 7]`, row by row.
///
/// # Errors
/// When a row holds a number that isn't finite.
pub fn probabilities(logits: &Tensor) -> Result<Vec<Probabilities>, ClassifyError> {
    let softmax = logits.f_softmax(1, Kind::Float)?.to_device(tch::Device::Cpu).contiguous();
    let values: Vec<f32> = softmax.f_view([-1])?.try_into()?;
    values
        .chunks_exact(emotion::COUNT)
        .map(|row| {
            let row = row.try_into().ok().and_then(Probabilities::from_weights);
            row.ok_or(ClassifyError::NotANumber)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::emotion::Emotion;

    #[test]
    fn logits_become_probabilities_in_the_order_of_the_rows() {
        let mut rows = [[0.0_f32; 7]; 2];
        rows[0][Emotion::Sad.index()] = 5.0;
        rows[1][Emotion::Happy.index()] = 5.0;
        let named = probabilities(&Tensor::from_slice2(&rows)).unwrap();
        assert_eq!(named[0].top().0, Emotion::Sad);
        assert_eq!(named[1].top().0, Emotion::Happy);
    }

    #[test]
    fn a_failing_call_of_libtorch_is_an_error_of_one_line() {
        let error =
            guarded(|| Tensor::from_slice(&[1.0_f32; 2]).matmul(&Tensor::from_slice(&[1.0_f32; 3]))).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("the network failed: ") && told.contains("size"), "{told}");
        assert!(!told.contains('\n') && !told.contains("\\n") && told.len() < 200, "{told}");
        assert!(matches!(guarded(|| 3), Ok(3)));
    }

    #[test]
    fn under_another_prior_a_shipped_model_is_refused_unless_its_card_knows_its_own() {
        for name in crate::ModelSource::shipped_names() {
            let load = || {
                let source = crate::ModelSource::Shipped(name);
                Model::load(&source, tch::Device::Cpu, crate::Precision::F32).unwrap()
            };
            let uniform: PriorChoice = "uniform".parse().unwrap();
            let knows = load().card.calibration.training_prior.is_some();
            assert_eq!(TorchClassifier::new(load(), Some(&uniform)).is_ok(), knows, "{name}");
            assert!(TorchClassifier::new(load(), None).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_network_that_gives_nan_is_an_error_and_no_label() {
        let logits = Tensor::from_slice2(&[[f32::NAN; 7]]);
        assert!(matches!(probabilities(&logits), Err(ClassifyError::NotANumber)));
    }
}
