//! Mien reads displayed facial emotions in real time, and contains the lab that trains and measures its networks.
//!
//! The journey of a frame. Each stage is a plain struct that takes the output of the stage before it:
//!
//! ```text
//! source ─Frame→ detect ─boxes→ track ─ids→ crop ─48×48→ classify ─probabilities→ smooth ─Scene→ app · export
//! ```
//!
//! See `ARCHITECTURE.md` for the map of the modules and the reasons behind it.

// Tests may panic and print.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

// Modules that are separate crates, so that the compiler enforces their boundaries.
pub use mien_core::{
    bounded, classes, columns, contrast, crop, detection, digits, emotion, face, landmarks, pixels, prior,
    probabilities, quality, smooth, track, verdict, whole,
};
pub use mien_lab as lab;
pub use mien_net::{self as net, classify, device, torch};
#[cfg(feature = "vision")]
pub use mien_vision::{detect, frame, pipeline, source};

#[cfg(feature = "gui")]
pub mod app;
pub mod bench;
pub mod clock;
pub mod commands;
pub mod console;
pub mod crash;
pub mod demo;
pub mod exit;
pub mod interrupt;
pub mod logging;
pub mod network;
pub mod process;
pub mod source_summary;
pub mod version;

#[cfg(feature = "vision")]
pub mod batch;
#[cfg(feature = "vision")]
pub mod blur;
#[cfg(feature = "vision")]
pub mod cluster;
#[cfg(feature = "vision")]
pub mod export;
#[cfg(feature = "vision")]
pub mod recording;
#[cfg(feature = "vision")]
pub mod report;
#[cfg(feature = "vision")]
pub mod score;
#[cfg(feature = "vision")]
pub mod stages;
#[cfg(feature = "vision")]
pub mod summary;

#[cfg(all(test, unix, feature = "vision"))]
mod full_disk;
