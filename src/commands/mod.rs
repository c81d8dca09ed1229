//! What a user can ask for: one file a verb, each with its arguments and a `run`.

mod evaluate;
mod train;

use clap::{Parser, Subcommand};

use evaluate::EvaluateArgs;
use train::TrainArgs;

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
pub enum Command {
    Train(TrainArgs),
    Evaluate(EvaluateArgs),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever the verb failed with, worded for the user; `main` prints it once.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Some(Command::Train(args)) => args.run(&std::sync::atomic::AtomicBool::new(false)),
            Some(Command::Evaluate(args)) => args.run(),
            None => Ok(()),
        }
    }
}
