//! What happens in real time: emulated cameras that send 30 frames a second, and a window on a virtual display.
//!
//! A binary of its own: what runs in other binaries, such as batches that keep every core busy, doesn't run beside it.
#![cfg(all(feature = "vision", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod devices;
mod record;
#[path = "../support/mod.rs"]
mod support;
mod window_on_display;
