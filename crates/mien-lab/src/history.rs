//! What happened epoch by epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::task::Record;
use mien_core::whole::{self, Existing};

/// One epoch. Accuracies are of the weights that would be saved: the moving average if the recipe keeps one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Mean loss over the epoch's training pictures, as augmented.
    pub training_loss: f64,
    /// Share of training pictures named right, as augmented and with dropout.
    pub training_accuracy: f64,
    /// Mean loss on PublicTest.
    pub public_loss: f64,
    /// Accuracy on PublicTest under the recipe's selection rule: `label` for labels, `majority` for votes.
    pub public_accuracy: f64,
    /// Mean recall over the classes, same pictures.
    pub public_balanced_accuracy: f64,
    /// Time worked on the epoch in seconds; in the first also on asking teachers that are asked once. Not part of what a resume reproduces.
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

/// Writes the history as CSV, whole or not at all.
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
