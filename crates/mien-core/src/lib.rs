//! Shared by all parts of Mien: faces, boxes and crops, classes and their probabilities, face tracking and smoothing.
//! Independent of libtorch, OpenCV and egui.

// Tests may fail loudly: that is what they are for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

pub mod bounded;
pub mod classes;
pub mod columns;
pub mod contrast;
pub mod crop;
pub mod detection;
pub mod digits;
pub mod emotion;
pub mod face;
pub mod jpeg;
pub mod landmarks;
pub mod numbers;
pub mod pixels;
pub mod prior;
pub mod probabilities;
pub mod quality;
pub mod resample;
pub mod smooth;
pub mod track;
mod upright;
pub mod verdict;
pub mod whole;
