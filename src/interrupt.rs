//! Ctrl-C: asked to stop, a command finishes what it is doing, leaves nothing half done and exits with code 130.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a command that was interrupted, as shells have it: 128 and the number of SIGINT.
pub const EXIT_CODE: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);
static CAUGHT: OnceLock<()> = OnceLock::new();
static WAKE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// A command stopped because the user asked for it. `main` turns it into [`EXIT_CODE`].
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub struct Interrupted(
    /// What became of the work: what was kept and what was not.
    pub String,
);

/// Catches Ctrl-C, and requests to terminate, from now on, and gives the flag that they set.
///
/// A second Ctrl-C ends the process at once, for the case that something is stuck.
///
/// # Errors
/// When the system lets no handler be installed.
pub fn catch() -> Result<&'static AtomicBool, ctrlc::Error> {
    if CAUGHT.set(()).is_ok() {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(EXIT_CODE));
            }
            if let Some(wake) = WAKE.get() {
                wake();
            }
        })?;
    }
    Ok(&STOP)
}

/// Calls this when Ctrl-C is caught, for a command that sleeps until something happens. One process runs one command, so a second
/// call changes nothing.
pub fn wake_with(wake: impl Fn() + Send + Sync + 'static) {
    WAKE.set(Box::new(wake)).ok();
}

/// Asks to stop, as Ctrl-C does.
pub fn request() {
    STOP.store(true, Ordering::SeqCst);
}

/// Whether the user asked to stop since [`catch`].
#[must_use]
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
