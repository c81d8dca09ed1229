//! What a training tells whoever watches it.

use mien_net::Ending;

/// What was done last.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Teachers that are asked once have answered to so many batches of the training pictures.
    Asked {
        /// Batches so far.
        batches: usize,
        /// Batches in all.
        of: usize,
    },
    /// The network has learnt from one more batch.
    Learnt(Step),
}

/// Where an epoch stands.
#[derive(Clone, Debug)]
pub struct Step {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Steps an epoch.
    pub steps: usize,
    /// Mean loss since the epoch began.
    pub loss: f64,
    /// What else there is to say since the epoch began.
    pub told: String,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainOutcome {
    /// It is over: see [`Ending`].
    Ended(Ending),
    /// The caller's limit of epochs was reached before the recipe's; the same training can be resumed.
    Paused,
    /// The caller raised the stop flag; the checkpoint of the last whole epoch stands.
    Interrupted,
}
