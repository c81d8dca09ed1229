//! Ctrl-C: a command that is asked to stop finishes its current step, leaves nothing half done and exits with code 130.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The exit code of an interrupted command, by shell convention: 128 plus the number of SIGINT.
pub const EXIT_CODE: u8 = 130;

/// A second signal within this time belongs to the first request: the system sends SIGTERM and SIGHUP when a login session ends, and a
/// shell and the system both send SIGHUP when a terminal is closed.
const ONE_REQUEST: Duration = Duration::from_secs(1);

static STOP: AtomicBool = AtomicBool::new(false);
/// When the user first asked to stop.
static ASKED: OnceLock<Instant> = OnceLock::new();
static CAUGHT: OnceLock<()> = OnceLock::new();
static WAKE: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// A command stopped because the user asked for it. [`crate::exit::code`] turns it into [`EXIT_CODE`].
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub struct Interrupted(
    /// What became of the work: what was kept and what was not.
    pub String,
);

/// Handles Ctrl-C and termination signals from now on, and returns the flag that they set.
///
/// Another signal at least a second later ends the process at once, in case something is stuck. Under `nohup`, closing the terminal has no
/// effect.
///
/// # Errors
/// When the handler can't be installed.
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

/// Whether a signal ends the process at once, given how long ago the user first asked to stop.
fn is_insisted_on(asked: Option<Duration>) -> bool {
    asked.is_some_and(|ago| ago >= ONE_REQUEST)
}

/// Whether SIGHUP is ignored, which is all that `nohup` does. Other signals aren't checked: shells ignore SIGINT in whatever a script
/// starts in the background, and it must still be possible to stop that.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    // SAFETY: an all-zero `sigaction` is valid, and without a new action the call only writes the current one into it.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}

/// Ignores SIGHUP again, because `ctrlc` has replaced the setting.
#[cfg(unix)]
fn ignore_hang_up() {
    // SAFETY: the call takes two numbers and installs none of our code. The signal is valid, so the call can't fail.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

/// Sets a function to call when Ctrl-C is caught, for a command that sleeps until something happens. Only the first call has an effect: a
/// process runs one command.
pub fn wake_with(wake: impl Fn() + Send + Sync + 'static) {
    WAKE.set(Box::new(wake)).ok();
}

/// Sets the flag to stop, as Ctrl-C does.
pub fn request() {
    ASKED.set(Instant::now()).ok();
    STOP.store(true, Ordering::SeqCst);
}

/// Whether the command was asked to stop.
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
