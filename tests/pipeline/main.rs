//! The stages from the source to the labelled face and the drivers that run them, within the test process.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod batch;
mod detection;
mod framing;
mod live;
mod pictures;
mod recording;
#[path = "../support/mod.rs"]
mod support;
mod tap;
mod tracking;
mod video_files;
