//! The program as a user starts it: its answers, its files and its exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod analyze;
mod analyze_killed;
mod bad_input;
mod bench;
mod blur;
mod cli;
mod cluster;
#[cfg(feature = "serve")]
mod docs;
mod headless;
mod hostile;
mod interrupted;
mod joined;
mod own_classes;
mod replay_recording;
mod reports;
mod score;
mod slurm;
#[path = "../support/mod.rs"]
mod support;
