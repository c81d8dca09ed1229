//! The lab as users see it: data sets, training by a recipe, measuring.
//!
//! A separate binary: trainings that must be reproducible need libtorch's random generator and number of threads for themselves,
//! and these belong to the whole process. They take turns with [`generator`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod against;
mod classes;
mod dataset;
mod faces;
mod figures;
mod fixtures;
mod folds;
mod list;
mod refusals;
mod resume;
mod training;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks libtorch's random generator, which belongs to the whole process, so that reproducible trainings run one at a time.
fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    // With so few pictures and other tests running, waiting for each other would cost threads more than they gain.
    tch::set_num_threads(1);
    alone
}
