//! Mien as a server for browsers and other programs: one network labels the faces of all visitors, and everybody can watch the server's own
//! camera or video.
//!
//! ```text
//! browser ─JPEG→ place ─turn→ find, track, crop ─┐
//! browser ─JPEG→ place ─turn→ find, track, crop ─┴─batch→ network ─→ smooth ─faces→ each its own
//! ```
//!
//! [`Server::bind`] takes a [`Setup`], and [`Server::run`] serves until it is stopped. [`access`] decides who may connect, and [`limits`]
//! how much they may send.

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
