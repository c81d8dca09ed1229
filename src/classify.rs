//! From face crops to calibrated probabilities.

use crate::emotion::Probabilities;
use crate::preprocess::FaceCrop;

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
