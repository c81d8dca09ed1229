//! The lab as its users meet it: data sets, training by a recipe, measuring.
//!
//! A binary of its own: trainings that have to repeat themselves own libtorch's random generator and its number of threads,
//! which belong to the whole process. They take turns by [`generator`].
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

/// libtorch's random generator belongs to the whole process: trainings that have to repeat themselves run one at a time.
fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    // Threads that wait for each other cost more than they give on pictures this few, with other tests at work.
    tch::set_num_threads(1);
    alone
}
