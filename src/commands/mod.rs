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
mod man;
#[cfg(feature = "vision")]
mod merge;
mod networks;
mod numbers;
#[cfg(feature = "vision")]
mod plan;
mod reading;
mod recipe;
#[cfg(feature = "vision")]
mod replay;
#[cfg(feature = "vision")]
mod score;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "vision")]
mod times;
mod train;
#[cfg(feature = "vision")]
mod verify;
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
use self::man::ManArgs;
#[cfg(feature = "vision")]
use self::merge::MergeArgs;
use self::networks::NetworksArgs;
#[cfg(feature = "vision")]
use self::plan::PlanArgs;
use self::recipe::RecipeArgs;
#[cfg(feature = "vision")]
use self::replay::ReplayArgs;
#[cfg(feature = "vision")]
use self::score::ScoreArgs;
#[cfg(feature = "serve")]
use self::serve::ServeArgs;
use self::train::TrainArgs;
#[cfg(feature = "vision")]
use self::verify::VerifyArgs;
use crate::interrupt;
use crate::logging::LogChoice;
#[cfg(feature = "vision")]
use crate::source::{CameraDevice, Reach};

/// Reads displayed facial emotions in real time, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "mien", version, long_version = crate::version::long(), about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// How much is logged (error, warn, info, debug, trace, or a filter such as mien=debug), or a file to log to
    ///
    /// A file gets what RUST_LOG asks for, or else everything from level info up. Without this option, standard error gets what RUST_LOG
    /// asks for, or else warnings.
    #[arg(long, global = true, value_name = "FILE|LEVEL")]
    pub log: Option<LogChoice>,
}

/// The verbs. What `--help` says of each stands at its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "vision")]
    Live(LiveArgs),
    #[cfg(feature = "vision")]
    Replay(ReplayArgs),
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    #[cfg(feature = "vision")]
    Analyze(Box<AnalyzeArgs>),
    #[cfg(feature = "vision")]
    Plan(PlanArgs),
    #[cfg(feature = "vision")]
    Merge(MergeArgs),
    #[cfg(feature = "vision")]
    Verify(VerifyArgs),
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
    #[command(hide = true)]
    Man(ManArgs),
}

impl Cli {
    /// What FFmpeg has to be able to open.
    #[cfg(feature = "vision")]
    pub fn reach(&self) -> Reach {
        let camera = match &self.command {
            Some(Command::Live(args)) => args.camera.as_ref(),
            #[cfg(feature = "serve")]
            Some(Command::Serve(args)) => args.camera.as_ref(),
            _ => None,
        };
        if matches!(camera, Some(CameraDevice::Network(_))) { Reach::Network } else { Reach::FilesAlone }
    }

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
            #[cfg(feature = "serve")]
            Some(Command::Serve(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Analyze(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Plan(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Merge(args)) => args.run(),
            #[cfg(feature = "vision")]
            Some(Command::Verify(args)) => args.run(),
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
            Some(Command::Man(args)) => args.run(),
            #[cfg(feature = "vision")]
            None => LiveArgs::default().run(),
            #[cfg(not(feature = "vision"))]
            None => anyhow::bail!("this build has only the lab; `mien --help` lists what it can do"),
        }
    }
}
