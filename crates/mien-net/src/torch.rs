//! libtorch's errors in one line for the reader, and its number of threads.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::{io, thread};

use tch::TchError;

/// libtorch failed, without further context.
#[derive(Debug, thiserror::Error)]
#[error("libtorch failed: {}", said(.0))]
pub struct TorchError(#[from] TchError);

/// Makes libtorch use this many threads when it is called from the current thread.
///
/// OpenMP keeps the number per thread, but a thread's first call into libtorch overwrites it with what any thread set last. Reading the
/// number back makes that first call now, so our number stays.
pub fn use_threads(threads: i32) {
    tch::set_num_threads(threads);
    let _kept = tch::get_num_threads();
}

/// Runs `work` on a new thread. If it changes libtorch's number of threads, as detectors do, that affects only the new thread.
///
/// # Errors
/// When no thread can be started.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, work)?;
        Ok(worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

thread_local! {
    /// `Some` while this thread is guarded. It holds the message of tch's panic, if there was one.
    static SAID: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// Runs a command, and turns tch's panics into errors. Networks return errors themselves. The lab also uses tch's plain calls, for
/// example for losses and optimisers, and these panic when libtorch fails, mostly because memory is full. Other panics stay panics.
///
/// Call it on the main thread before others are started.
///
/// # Errors
/// When `run` fails, or libtorch does.
pub fn guarded(run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_kept = SAID.with_borrow_mut(|said| match (said, said_by_tch(info)) {
            (Some(said), Some(words)) => {
                *said = Some(words);
                true
            }
            _ => false,
        });
        if !is_kept {
            usual(info);
        }
    }));
    SAID.set(Some(None));
    // The error ends the program, so nothing that a panic left half done is used.
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    match (result, SAID.take().flatten()) {
        (Ok(result), _) => result,
        // The full message stays among the causes, because it tells whether a retry may help.
        (Err(_), Some(said)) => Err(TorchError(TchError::Torch(said)).into()),
        (Err(panic), None) => panic::resume_unwind(panic),
    }
}

/// Returns libtorch's full message if the panic is tch's, whose plain calls unwrap the results of the fallible ones.
fn said_by_tch(info: &PanicHookInfo<'_>) -> Option<String> {
    let is_of_tch = info.location().is_some_and(|location| location.file().contains("/tch-"));
    said_in(info.payload_as_str().filter(|_| is_of_tch)?)
}

/// Extracts libtorch's message from the `Debug` format of its error, which ends with `")` and escapes line ends and quotes.
fn said_in(panic: &str) -> Option<String> {
    let (_, said) = panic.split_once("Torch(\"")?;
    Some(said.strip_suffix("\")").unwrap_or(said).replace("\\n", "\n").replace("\\\"", "\""))
}

/// Returns libtorch's message, without the C++ stack that follows its first line.
pub fn said(error: &TchError) -> String {
    match error {
        TchError::Torch(text) => first_line(text),
        other => first_line(&other.to_string()),
    }
}

/// Parts of libtorch's messages about full memory: from the CPU's allocator, from CUDA's, and from C++ itself.
const FULL: [&str; 3] = ["DefaultCPUAllocator: can't allocate memory", "out of memory", "std::bad_alloc"];

fn first_line(text: &str) -> String {
    if FULL.iter().any(|full| text.contains(full)) {
        return "there is not enough memory".to_owned();
    }
    text.lines().next().unwrap_or("for an unknown reason").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn full_memory_is_called_so() {
        // More than any machine has: 2 exabytes.
        let error = Tensor::f_zeros([1 << 59], (Kind::Float, Device::Cpu)).unwrap_err();
        assert_eq!(said(&error), "there is not enough memory");
    }

    #[test]
    fn a_plain_call_that_fails_is_an_error_of_one_line() {
        let error = guarded(|| {
            drop(Tensor::zeros([1 << 59], (Kind::Float, Device::Cpu)));
            Ok(())
        });
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "libtorch failed: there is not enough memory");
        assert!(error.chain().any(|cause| cause.to_string().contains("can't allocate memory")), "{error:?}");
        let error = guarded(|| {
            drop(Tensor::from_slice(&[1.0; 2]).matmul(&Tensor::from_slice(&[1.0; 3])));
            Ok(())
        });
        let told = error.unwrap_err().to_string();
        assert!(told.contains("size") && !told.contains('\n') && told.len() < 200, "{told}");
        assert!(guarded(|| Ok(())).is_ok());
        assert!(panic::catch_unwind(|| guarded(|| panic!("ours"))).is_err());
    }

    #[test]
    fn a_panic_of_tch_gives_the_words_of_libtorch_as_they_were() {
        let unwrapped =
            |text: &str| format!("called `Result::unwrap()` on an `Err` value: {:?}", TchError::Torch(text.to_owned()));
        for text in ["no operator \"add\"", "in one line", "the first line\nand \"another\"\n"] {
            assert_eq!(said_in(&unwrapped(text)).as_deref(), Some(text));
        }
        assert_eq!(said_in("index out of bounds"), None);
    }

    #[test]
    fn of_other_errors_the_first_line_is_told() {
        let error = Tensor::from_slice(&[1.0; 2]).f_matmul(&Tensor::from_slice(&[1.0; 3])).unwrap_err();
        let told = said(&error);
        assert!(told.contains("size") && !told.contains('\n'), "{told}");
    }
}
