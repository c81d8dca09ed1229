//! The lab: data sets, training and measuring.

// Tests may fail loudly: that is what they are for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

mod acquaintance;
pub mod augment;
mod average;
pub mod balance;
mod calibration;
mod classifier;
mod compare;
mod corrections;
pub mod datasets;
pub mod detection;
mod evaluation;
pub mod faces;
mod history;
mod learner;
pub mod loss;
pub mod metrics;
mod optimizer;
pub mod pictures;
pub mod plots;
mod progress;
pub mod provenance;
pub mod recipe;
mod sampling;
mod schedule;
mod state;
mod statement;
mod task;
mod trainer;
mod variations;
mod work_time;

pub use acquaintance::Acquaintance;
pub use average::{AverageError, Part, average};
pub use calibration::{AccuracyNotKept, PriorOfTrainingError, fit as fit_calibration, training_prior};
pub use classifier::ClassifierTask;
pub use compare::{CompareError, ComparedRun, Figure, is_learnt_by_name, is_own, is_same_data, read_list, read_runs};
pub use evaluation::{ClassMeasures, KeyFigures, Measures, Scored, evaluate, predict};
pub use history::{EpochRecord, write_history};
pub use learner::{Learner, check_models};
pub use progress::{Progress, Step, TrainOutcome};
pub use sampling::Sampling;
pub use state::{RunFolder, TrainingState, lock_folder};
pub use statement::{Statement, data_names, listed};
pub use task::{EpochTotals, Plan, Planned, Record, StepResult, Task, WeightsOfOthers};
pub use trainer::{TrainError, Trainer};
pub use variations::varied;
pub use work_time::WorkTime;
