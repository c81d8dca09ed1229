//! The server as browsers, programs and strangers meet it, and live results on their way to other programs.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod api;
mod browser;
mod client;
mod examples;
mod hostile;
mod outputs;
mod page;
mod recordings;
#[path = "../support/mod.rs"]
mod support;
