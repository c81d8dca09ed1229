//! Benchmarks: how fast the whole pipeline is, what was run on which machine, and reasons to doubt the figures.

mod report;
mod result;
mod warnings;

#[cfg(feature = "vision")]
mod repeat;
#[cfg(feature = "vision")]
mod stopwatch;

#[cfg(feature = "vision")]
pub use repeat::RepeatedSource;
pub use report::Report;
pub use result::{BenchResult, Breakdown, MeasuredVideo, ModelSummary, Scope, StageSummary};
#[cfg(feature = "vision")]
pub use stopwatch::Stopwatch;
pub use warnings::{Conditions, Warning};
