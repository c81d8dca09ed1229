//! From face crops to calibrated probabilities.

use tch::{Kind, Tensor};

use crate::emotion::{self, Probabilities};
use crate::net::{Model, Pass};
use crate::preprocess::{CROP_PIXELS, FaceCrop};

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
    /// The network's output is no probability: NaN or infinite.
    #[error("the network gave a result that is not a number; its weights are damaged")]
    NotANumber,
}

/// A model that names faces.
pub struct TorchClassifier {
    model: Model,
}

/// Passes before the first face: the first one makes libtorch choose and compile its kernels, the second is fast.
const WARM_UPS: usize = 2;

impl TorchClassifier {
    /// Takes a model and warms it up, so that the first face doesn't wait.
    ///
    /// # Errors
    /// When the network can't be run or gives no probabilities even for a gray picture.
    pub fn new(model: Model) -> Result<Self, ClassifyError> {
        let mut classifier = Self { model };
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
}

impl Classifier for TorchClassifier {
    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if crops.is_empty() {
            return Ok(Vec::new());
        }
        let Model { card, network, device, .. } = &self.model;
        let faces = card.input.normalization.to_input(crops, *device);
        let logits = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE));
        probabilities(&logits)
    }
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
    use crate::emotion::Emotion;

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
    fn a_network_that_gives_nan_is_an_error_and_no_label() {
        let logits = Tensor::from_slice2(&[[f32::NAN; 7]]);
        assert!(matches!(probabilities(&logits), Err(ClassifyError::NotANumber)));
    }
}
