//! What goes to the standard error stream beside the messages for the user: log lines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable that says how much is logged, in the syntax of `RUST_LOG`: `info`, `mien=debug`, …
pub const LEVEL_VARIABLE: &str = "MIEN_LOG";

/// Starts logging: warnings, unless [`LEVEL_VARIABLE`] says otherwise.
pub fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var(LEVEL_VARIABLE)
        .from_env_lossy();
    let started = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    if let Err(error) = started {
        eprintln!("warning: no log will be written: {error}");
    }
}
