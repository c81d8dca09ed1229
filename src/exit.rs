//! Exit codes, which tell the caller what to do about an error.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | not done: something that was named can't be used; the same command would fail again |
//! | 2 | usage: an option is wrong ([`WrongUsage`], and what clap refuses) |
//! | 3 | done, but some inputs are bad, and trying again won't help ([`BadInputs`]) |
//! | 75 | try again: the disk is full, a camera or graphics card is in use ([`TryAgain`]) |
//! | 130 | interrupted ([`crate::interrupt`]) |

use std::io;

use crate::interrupt::{self, Interrupted};
#[cfg(feature = "vision")]
use crate::source::SourceError;

/// The code of clap's own errors.
const USAGE: u8 = 2;

/// Some inputs are bad; everything else was done.
const BAD_INPUTS: u8 = 3;

/// `EX_TEMPFAIL` of sysexits.h.
pub const TRY_AGAIN: u8 = 75;

/// Options are wrong, or don't go together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// Some inputs can't be processed, or only in part, and trying again won't help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInputs(pub String);

/// The error is temporary: the same command may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TryAgain(pub String);

/// The exit code of a command that ended with this error.
#[must_use]
pub fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Interrupted>() {
        interrupt::EXIT_CODE
    } else if error.is::<WrongUsage>() {
        USAGE
    } else if error.is::<BadInputs>() {
        BAD_INPUTS
    } else if is_temporary(error) {
        TRY_AGAIN
    } else {
        1
    }
}

/// Whether the same command may succeed later.
#[must_use]
pub fn is_temporary(error: &anyhow::Error) -> bool {
    error.is::<TryAgain>() || error.chain().any(may_pass)
}

fn may_pass(cause: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return is_passing(error.kind());
    }
    #[cfg(feature = "vision")]
    if let Some(error) = cause.downcast_ref::<SourceError>() {
        return error.is_busy();
    }
    // libtorch's errors have nothing but a message.
    crate::device::is_taken(&cause.to_string())
}

/// Whether the cause may pass, such as a full disk or an unreachable network drive.
fn is_passing(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        HostUnreachable, NetworkDown, NetworkUnreachable, OutOfMemory, QuotaExceeded, ResourceBusy,
        StaleNetworkFileHandle, StorageFull, TimedOut, WouldBlock,
    };
    matches!(
        kind,
        StorageFull
            | QuotaExceeded
            | ResourceBusy
            | WouldBlock
            | OutOfMemory
            | TimedOut
            | StaleNetworkFileHandle
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
    )
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_full_disk_asks_to_try_again_wherever_it_stands_among_the_causes() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(code(&anyhow::Error::new(full())), TRY_AGAIN);
        let wrapped = Err::<(), _>(full()).context("cannot write a.csv").unwrap_err();
        assert_eq!(code(&wrapped), TRY_AGAIN);
        #[cfg(feature = "vision")]
        {
            let error = crate::export::ExportError::Write { path: "a.csv".into(), reason: full() };
            assert_eq!(code(&error.into()), TRY_AGAIN);
        }
        assert_eq!(code(&TryAgain("later".to_owned()).into()), TRY_AGAIN);
        let busy = "CUDA error: CUDA-capable device(s) is/are busy or unavailable";
        for words in ["CUDA out of memory. Tried to allocate", "CUDA error: out of memory", busy] {
            assert_eq!(code(&anyhow!(words)), TRY_AGAIN, "{words}");
        }
    }

    #[cfg(feature = "vision")]
    #[test]
    fn a_camera_that_another_program_uses_may_be_free_later() {
        let busy = SourceError::CameraBusy { device: "/dev/video0".to_owned(), by: None };
        let opened = Err::<(), _>(busy).context("nothing to show").unwrap_err();
        assert_eq!(code(&opened), TRY_AGAIN);
        assert_eq!(code(&SourceError::NotCamera("/dev/null".to_owned()).into()), 1);
    }

    #[test]
    fn what_stays_bad_does_not_ask_to_try_again() {
        assert_eq!(code(&WrongUsage("--to has to be later".to_owned()).into()), USAGE);
        assert_eq!(code(&BadInputs("1 of 2".to_owned()).into()), BAD_INPUTS);
        assert_eq!(code(&io::Error::from(io::ErrorKind::NotFound).into()), 1);
        assert_eq!(code(&anyhow!("no such model")), 1);
        assert_eq!(code(&Interrupted("kept".to_owned()).into()), interrupt::EXIT_CODE);
    }
}
