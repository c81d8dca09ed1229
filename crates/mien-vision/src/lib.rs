//! From a camera or a file to labelled faces: sources, detectors and the schedule of searches, and the drivers that
//! take frames through all stages.

// Tests may fail loudly: that is what they are for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

pub mod detect;
pub mod frame;
pub mod pipeline;
pub mod source;
