//! Mien in a browser and for other programs: every visitor's faces named by one network, and the server's own camera or video
//! shown to all of them.
//!
//! ```text
//! browser ─JPEG→ place ─turn→ find, track, crop ─┐
//! browser ─JPEG→ place ─turn→ find, track, crop ─┴─batch→ network ─→ smooth ─faces→ each its own
//! ```
//!
//! [`Server::bind`] takes a [`Setup`], [`Server::run`] answers until it is told to stop. What is let in is said in
//! [`access`], how much of it in [`limits`].

// Tests may fail loudly: that is what they are for.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

pub mod access;
mod app;
mod broadcast;
mod engine;
pub mod limits;
mod metrics;
mod picture;
pub mod protocol;
mod routes;
mod server;
mod tls;

pub use access::Token;
pub use app::{About, ModelReport};
pub use broadcast::{SourceObserver, SourceSetup};
pub use engine::RecordVisitor;
pub use protocol::ClassReport;
pub use server::{ServeError, Server, Setup};
pub use tls::{TlsChoice, qr_code};
