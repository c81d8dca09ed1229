//! What goes to the standard error stream beside the messages for the user: log lines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::console::tell;

/// The variable that says how much is logged, in the syntax of `RUST_LOG`: `info`, `mien=debug`, …
pub const LEVEL_VARIABLE: &str = "MIEN_LOG";

/// Warnings, but not those of the window's libraries: what matters of them (no file dialog, no display) the window or
/// the exit code says in better words.
const USUAL: &str = "warn,rfd=off,winit=error";

/// Starts logging: warnings, unless [`LEVEL_VARIABLE`] says otherwise.
pub fn start() {
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_else(|_| USUAL.to_owned());
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(level);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would tell of a closed standard error stream there, and panic.
        .log_internal_errors(false);
    let started = subscriber.try_init();
    if let Err(error) = started {
        tell(&format!("warning: no log will be written: {error}"));
    }
}
