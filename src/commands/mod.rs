//! What a user can ask for: one file a verb, each with its arguments and a `run`.

use clap::{Parser, Subcommand};

/// Reads displayed facial emotions in real time, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "mien", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever the verb failed with, worded for the user; `main` prints it once.
    pub fn run(self) -> anyhow::Result<()> {
        Ok(())
    }
}
