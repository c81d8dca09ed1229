//! Progress reports of a training.

use mien_net::Ending;

/// The latest step of a training.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Teachers that are asked once have answered for one more batch of the training pictures.
    Asked {
        /// Batches so far.
        batches: usize,
        /// Batches in total.
        of: usize,
    },
    /// The network has been trained on one more batch.
    Learnt(Step),
}

/// Progress within an epoch.
#[derive(Clone, Debug)]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Steps per epoch.
    pub steps: usize,
    /// Mean loss since the epoch began.
    pub loss: f64,
    /// Further figures since the epoch began, in words.
    pub told: String,
}

/// How [`crate::Trainer::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainOutcome {
    /// The training is over; [`Ending`] says why.
    Ended(Ending),
    /// The caller's limit of epochs was reached before the recipe's. The training can be resumed.
    Paused,
    /// The caller raised the stop flag; the checkpoint of the last complete epoch remains.
    Interrupted,
}
