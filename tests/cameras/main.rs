//! What happens in real time: emulated cameras that send 30 frames a second, and a window on a virtual display.
//!
//! A separate binary, so that other tests, such as batches that keep every core busy, don't run at the same time.
#![cfg(all(feature = "vision", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod devices;
mod record;
#[path = "../support/mod.rs"]
mod support;
mod window_on_display;
