//! The window as a user drives it: clicked, typed into and read through its accessibility tree. Camera, videos and network
//! are fakes. No display is needed.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod cameras;
mod controls;
mod crowd;
mod driver;
mod faces;
mod fake;
mod layout;
mod recording;
mod recordings;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod videos;
