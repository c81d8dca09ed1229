//! The server as browsers, programs and strangers meet it, and live results on their way to other programs.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod api;
mod browser;
mod client;
mod examples;
mod hostile;
mod outputs;

#[path = "../support/drawn_face.rs"]
mod drawn_face;
#[path = "../support/emulated_cameras.rs"]
mod emulated_cameras;
#[path = "../support/ffmpeg.rs"]
mod ffmpeg;
#[path = "../support/program.rs"]
mod program;
