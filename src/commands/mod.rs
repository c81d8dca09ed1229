//! The commands: one file for each, with its arguments and a `run`.

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

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use crate::crash::without_password;
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
    #[command(flatten)]
    Vision(VisionCommand),
    Recipe(recipe::RecipeArgs),
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Compare(compare::CompareArgs),
    Dataset(dataset::DatasetArgs),
    Networks(networks::NetworksArgs),
    Convert(convert::ConvertArgs),
    Export(export::ExportArgs),
    Average(average::AverageArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(man::ManArgs),
}

/// The commands that need OpenCV; a build with only the lab doesn't have them.
#[cfg(feature = "vision")]
#[derive(Debug, Subcommand)]
enum VisionCommand {
    Live(live::LiveArgs),
    Replay(replay::ReplayArgs),
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    Analyze(Box<analyze::AnalyzeArgs>),
    Plan(plan::PlanArgs),
    Merge(merge::MergeArgs),
    Verify(verify::VerifyArgs),
    Bench(bench::BenchArgs),
    Score(score::ScoreArgs),
    Doctor(doctor::DoctorArgs),
}

impl Cli {
    /// Parses the command line. Ends the program if it is wrong, or asks for help or the version.
    #[must_use]
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            // clap repeats a wrong value, and a mistyped address of a camera may have a password.
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidValue) {
                let shown = without_password(word);
                error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
            }
            error.exit()
        })
    }

    /// What FFmpeg has to be able to open: files only, or network cameras too.
    #[cfg(feature = "vision")]
    pub fn reach(&self) -> Reach {
        let camera = match &self.command {
            Some(Command::Vision(VisionCommand::Live(args))) => args.camera.as_ref(),
            #[cfg(feature = "serve")]
            Some(Command::Vision(VisionCommand::Serve(args))) => args.camera.as_ref(),
            _ => None,
        };
        if matches!(camera, Some(CameraDevice::Network(_))) { Reach::Network } else { Reach::FilesAlone }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Whatever the command failed with, worded for the user; `main` prints it once.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(feature = "vision")]
            Some(Command::Vision(command)) => command.run(),
            Some(Command::Recipe(args)) => args.run(),
            Some(Command::Train(args)) => args.run(interrupt::catch()?),
            Some(Command::Evaluate(args)) => args.run(),
            Some(Command::Compare(args)) => args.run(),
            Some(Command::Dataset(args)) => args.run(),
            Some(Command::Networks(args)) => args.run(),
            Some(Command::Convert(args)) => args.run(),
            Some(Command::Export(args)) => args.run(),
            Some(Command::Average(args)) => args.run(),
            Some(Command::Completions(args)) => args.run(),
            Some(Command::Man(args)) => args.run(),
            #[cfg(feature = "vision")]
            None => live::LiveArgs::default().run(),
            #[cfg(not(feature = "vision"))]
            None => anyhow::bail!("this build has only the lab; `mien --help` lists what it can do"),
        }
    }
}

#[cfg(feature = "vision")]
impl VisionCommand {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Live(args) => args.run(),
            Self::Replay(args) => args.run(),
            #[cfg(feature = "serve")]
            Self::Serve(args) => args.run(),
            Self::Analyze(args) => args.run(),
            Self::Plan(args) => args.run(),
            Self::Merge(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Bench(args) => args.run(),
            Self::Score(args) => args.run(),
            Self::Doctor(args) => args.run(),
        }
    }
}
