//! Ctrl-C: asked to stop, a command finishes what it is doing, leaves nothing half done and exits with code 130.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The exit code of a command that was interrupted, as shells have it: 128 and the number of SIGINT.
pub const EXIT_CODE: u8 = 130;

/// A second signal that comes sooner is part of the first request: the system sends SIGTERM and SIGHUP when a login session ends, and a
/// shell and the system both send SIGHUP when a terminal is closed.
const ONE_REQUEST: Duration = Duration::from_secs(1);

static STOP: AtomicBool = AtomicBool::new(false);
/// When the user first asked to stop.
static ASKED: OnceLock<Instant> = OnceLock::new();
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
/// A second Ctrl-C, a second later or more, ends the process at once, for the case that something is stuck. Under `nohup`, a terminal
/// that is closed asks for nothing.
///
/// # Errors
/// When the system lets no handler be installed.
pub fn catch() -> Result<&'static AtomicBool, ctrlc::Error> {
    if CAUGHT.set(()).is_ok() {
        #[cfg(unix)]
        let has_nohup = ignores_hang_up();
        ctrlc::set_handler(|| {
            if is_insisted_on(ASKED.get().map(Instant::elapsed)) {
                std::process::exit(i32::from(EXIT_CODE));
            }
            request();
            if let Some(wake) = WAKE.get() {
                wake();
            }
        })?;
        #[cfg(unix)]
        if has_nohup {
            ignore_hang_up();
        }
    }
    Ok(&STOP)
}

/// Whether another signal ends the process at once, by how long ago the user first asked to stop.
fn is_insisted_on(asked: Option<Duration>) -> bool {
    asked.is_some_and(|ago| ago >= ONE_REQUEST)
}

/// Whether SIGHUP is ignored, which is all that `nohup` does. Nobody asks this of other signals: SIGINT is ignored in whatever a script
/// starts in the background, and that has to be possible to stop.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    // SAFETY: all zeros is an action, and without a new one the call only writes the present one to it.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}

/// Takes SIGHUP back from `ctrlc`, which replaces what was set.
#[cfg(unix)]
fn ignore_hang_up() {
    // SAFETY: takes two numbers and installs no code of ours. The signal is known, so it can't fail.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

/// Calls this when Ctrl-C is caught, for a command that sleeps until something happens. One process runs one command, so a second
/// call changes nothing.
pub fn wake_with(wake: impl Fn() + Send + Sync + 'static) {
    WAKE.set(Box::new(wake)).ok();
}

/// Asks to stop, as Ctrl-C does.
pub fn request() {
    ASKED.set(Instant::now()).ok();
    STOP.store(true, Ordering::SeqCst);
}

/// Whether the user asked to stop since [`catch`].
#[must_use]
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_together_are_one_request() {
        assert!(!is_insisted_on(None));
        assert!(!is_insisted_on(Some(Duration::ZERO)) && !is_insisted_on(Some(ONE_REQUEST / 2)));
        assert!(is_insisted_on(Some(ONE_REQUEST)));
    }
}
