//! Mien reads displayed facial emotions in real time, and holds the lab that trains and measures its networks.
//!
//! A frame's journey, each stage a plain struct that takes what the stage before it gave:
//!
//! ```text
//! source ─Frame→ detect ─boxes→ track ─ids→ preprocess ─48×48→ classify ─probabilities→ smooth ─Scene→ app · export
//! ```
//!
//! See `ARCHITECTURE.md` for the map of the rooms and the reasons behind it.

// Tests may fail loudly: that is what they are for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

#[cfg(feature = "gui")]
pub mod app;
pub mod bench;
pub mod classify;
#[cfg(feature = "vision")]
pub mod clock;
pub mod commands;
pub mod contrast;
pub mod demo;
pub mod device;
pub mod emotion;
pub mod interrupt;
pub mod lab;
pub mod logging;
pub mod net;
pub mod preprocess;
pub mod prior;
pub mod version;

#[cfg(feature = "vision")]
pub mod detect;
#[cfg(feature = "vision")]
pub mod export;
#[cfg(feature = "vision")]
pub mod frame;
#[cfg(feature = "vision")]
pub mod pipeline;
#[cfg(feature = "vision")]
pub mod recording;
#[cfg(feature = "vision")]
pub mod report;
#[cfg(feature = "vision")]
pub mod score;
#[cfg(feature = "vision")]
pub mod smooth;
#[cfg(feature = "vision")]
pub mod source;
#[cfg(feature = "vision")]
pub mod summary;
#[cfg(feature = "vision")]
pub mod track;
#[cfg(feature = "vision")]
pub mod verdict;
