//! The history of a training, epoch by epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::task::Record;
use mien_core::whole::{self, Existing};

/// One epoch. The figures on PublicTest are those of the weights that would be saved: the moving average if the recipe keeps one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Mean loss over the epoch's training pictures, with augmentation.
    pub training_loss: f64,
    /// Share of training pictures classified correctly, with augmentation and dropout.
    pub training_accuracy: f64,
    /// Mean cross-entropy on PublicTest.
    pub public_loss: f64,
    /// Accuracy on PublicTest under the recipe's selection rule: `label` for labels, `majority` for votes.
    pub public_accuracy: f64,
    /// Mean recall over the classes, on the same pictures.
    pub public_balanced_accuracy: f64,
    /// Time spent on the epoch, in seconds; in the first, this includes asking teachers that are asked once. A resume doesn't reproduce it.
    pub seconds: f64,
}

impl Record for EpochRecord {
    fn epoch(&self) -> usize {
        self.epoch
    }

    fn seconds(&self) -> f64 {
        self.seconds
    }

    fn watched_loss(&self) -> f64 {
        self.public_loss
    }
}

/// Writes the history as CSV, atomically.
///
/// # Errors
/// When the file can't be written.
pub fn write_history(path: &Path, history: &[impl Record]) -> Result<(), std::io::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in history {
        writer.serialize(record).map_err(std::io::Error::other)?;
    }
    let bytes = writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))?;
    whole::write(path, &bytes, Existing::Replace)
}
