//! What a user can ask for: one file a verb, each with its arguments and a `run`.

#[cfg(feature = "vision")]
mod analyze;
mod average;
#[cfg(feature = "vision")]
mod bench;
mod card;
mod compare;
mod completions;
mod convert;
mod dataset;
#[cfg(feature = "vision")]
mod display;
#[cfg(feature = "vision")]
mod doctor;
mod evaluate;
mod export;
#[cfg(feature = "vision")]
mod headless;
#[cfg(feature = "vision")]
mod labels;
#[cfg(feature = "vision")]
mod live;
mod networks;
mod reading;
mod recipe;
#[cfg(feature = "vision")]
mod replay;
#[cfg(feature = "vision")]
mod score;
mod train;
#[cfg(feature = "vision")]
mod view;

use clap::{Parser, Subcommand};

#[cfg(feature = "vision")]
use self::analyze::AnalyzeArgs;
use self::average::AverageArgs;
#[cfg(feature = "vision")]
use self::bench::BenchArgs;
use self::compare::CompareArgs;
use self::completions::CompletionsArgs;
use self::convert::ConvertArgs;
use self::dataset::DatasetArgs;
#[cfg(feature = "vision")]
use self::doctor::DoctorArgs;
use self::evaluate::EvaluateArgs;
use self::export::ExportArgs;
#[cfg(feature = "vision")]
use self::live::LiveArgs;
use self::networks::NetworksArgs;
use self::recipe::RecipeArgs;
#[cfg(feature = "vision")]
use self::replay::ReplayArgs;
#[cfg(feature = "vision")]
use self::score::ScoreArgs;
use self::train::TrainArgs;
use crate::interrupt;

/// Reads displayed facial emotions in real time, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "mien", version, long_version = crate::version::long(), about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// The verbs. What `--help` says of each stands at its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "vision")]
    Live(LiveArgs),
    #[cfg(feature = "vision")]
    Replay(ReplayArgs),
    #[cfg(feature = "vision")]
    Analyze(AnalyzeArgs),
    #[cfg(feature = "vision")]
    Bench(BenchArgs),
    #[cfg(feature = "vision")]
    Score(ScoreArgs),
    Recipe(RecipeArgs),
    Train(TrainArgs),
    Evaluate(EvaluateArgs),
    Compare(CompareArgs),
    Dataset(DatasetArgs),
    Networks(NetworksArgs),
    Convert(ConvertArgs),
    Export(ExportArgs),
    Average(AverageArgs),
    #[cfg(feature = "vision")]
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever the verb failed with, worded for the user; `main` prints it once.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(feature = "vision")]
            Some(Command::Live(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Replay(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Analyze(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Bench(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Score(args)) => args.run(),
            Some(Command::Recipe(args)) => args.run(),
            Some(Command::Train(args)) => args.run(interrupt::catch()?),
            Some(Command::Evaluate(args)) => args.run(),
            Some(Command::Compare(args)) => args.run(),
            Some(Command::Dataset(args)) => args.run(),
            Some(Command::Networks(args)) => args.run(),
            Some(Command::Convert(args)) => args.run(),
            Some(Command::Export(args)) => args.run(),
            Some(Command::Average(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Doctor(args)) => args.run(),
            Some(Command::Completions(args)) => args.run(),
            #[cfg(feature = "vision")]
            None => LiveArgs::default().run(),
            #[cfg(not(feature = "vision"))]
            None => anyhow::bail!("this build is the lab alone; `mien --help` lists what it can do"),
        }
    }
}
