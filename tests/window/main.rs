//! The window as a user drives it: clicked, typed at and read through its accessibility tree, with a camera, videos and
//! a network of the test's own making behind it. No display is needed.

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
