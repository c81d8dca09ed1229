//! Measures of a classifier's answers and probabilities.

mod confusion;
mod interval;
mod paired;
mod ranking;
mod reliability;

pub use confusion::{ClassMetrics, Confusion};
pub use interval::wilson_interval;
pub use paired::Paired;
pub use ranking::roc_auc;
pub use reliability::Reliability;
