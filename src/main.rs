//! `mien`: parse, dispatch, print one error, exit code.

use std::process::ExitCode;

use mien::commands::Cli;
use mien::console::{describe, tell};
use mien::interrupt::Interrupted;
use mien::{crash, exit, logging, torch};

fn main() -> ExitCode {
    mien::process::mark_start();
    crash::report_panics();
    let cli = Cli::read();
    #[cfg(feature = "vision")]
    // SAFETY: no thread has been started yet.
    unsafe {
        mien::source::prepare_libraries(cli.reach());
    }
    let run = || {
        logging::start(cli.log.as_ref())?;
        cli.run()
    };
    match torch::guarded(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let is_error = !error.is::<Interrupted>();
            tell(&format!("{}{}", if is_error { "error: " } else { "" }, describe(&error)));
            ExitCode::from(exit::code(&error))
        }
    }
}
