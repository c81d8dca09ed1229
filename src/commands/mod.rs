//! What a user can ask for: one file a verb, each with its arguments and a `run`.

mod evaluate;
#[cfg(feature = "gui")]
mod live;
#[cfg(feature = "gui")]
mod replay;
mod train;
#[cfg(feature = "gui")]
mod view;

use clap::{Parser, Subcommand};

use evaluate::EvaluateArgs;
#[cfg(feature = "gui")]
use live::LiveArgs;
#[cfg(feature = "gui")]
use replay::ReplayArgs;
use train::TrainArgs;

/// Reads displayed facial emotions in real time, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "mien", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// The verbs. What `--help` says of each stands at its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "gui")]
    Live(LiveArgs),
    #[cfg(feature = "gui")]
    Replay(ReplayArgs),
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
            #[cfg(feature = "gui")]
            Some(Command::Live(args)) => args.run(),
            #[cfg(feature = "gui")]
            Some(Command::Replay(args)) => args.run(),
            #[cfg(feature = "gui")]
            None => LiveArgs::default().run(),
            #[cfg(not(feature = "gui"))]
            None => Ok(()),
        }
    }
}
