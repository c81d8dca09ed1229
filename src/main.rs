//! `mien`: parse, dispatch, print one error, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use mien::commands::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
