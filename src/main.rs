//! `mien`: parse, dispatch, print one error, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use mien::commands::Cli;
use mien::console::{describe, tell};
use mien::interrupt::{self, Interrupted};
use mien::{logging, torch};

fn main() -> ExitCode {
    mien::bench::process::mark_start();
    logging::start();
    let cli = Cli::parse();
    #[cfg(feature = "vision")]
    // SAFETY: no thread has been started yet.
    unsafe {
        mien::source::prepare_libraries(cli.reach());
    }
    match torch::guarded(|| cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            tell(&describe(&error));
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            tell(&format!("error: {}", describe(&error)));
            ExitCode::FAILURE
        }
    }
}
