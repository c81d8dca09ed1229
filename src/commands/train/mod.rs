//! `mien train`: a recipe and data in, a model with its card and history out.

mod classifier;
mod detector;
mod figures;
mod list;
mod memory;
mod named;
mod progress;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use clap::Args;
use tch::Device;

use super::numbers::above_zero;
use super::reading::ReadingArgs;
use crate::device::DeviceChoice;
use crate::lab::detection::FacesRecipe;
use crate::lab::recipe::RecipeList;
use crate::lab::{Task, TrainError, Trainer};

/// Train a network from a recipe
///
/// Learns from the Training split and chooses the best epoch on PublicTest; PrivateTest is read only with --measure or --all, once, at the end. Writes a
/// checkpoint after every epoch: the same command resumes where an interrupted one stopped, with the same result.
///
/// With --all it trains a list of recipes, one after the other or side by side, each within its time budget. A training that has ended is
/// measured once on PublicTest and PrivateTest. If its budget is spent, it is measured on PublicTest alone, because it can go on with a
/// larger one. At the end, the table of `mien compare` is printed.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The recipe, a TOML file (see models/recipes)
    #[arg(required_unless_present = "all")]
    pub recipe: Option<PathBuf>,

    /// Train all recipes of a list (see models/recipes/progression.toml); interrupted trainings resume, finished ones are left as they are
    #[arg(long, value_name = "LIST.toml", conflicts_with_all = ["recipe", "run", "stop_after", "folds", "measure"])]
    pub all: Option<PathBuf>,

    /// With --all: the folder of all runs [default: runs/NAME of the list]
    #[arg(long, value_name = "FOLDER", requires = "all")]
    pub runs: Option<PathBuf>,

    /// With --all: how many recipes are trained side by side [default: 1 on a CPU, else half of the cores]
    #[arg(long, value_name = "N", requires = "all", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,

    /// The data set: fer2013.csv, or another that `mien dataset` can read; for a recipe with several sources each as NAME=DATA; for
    /// a detector's recipe a folder of pictures with boxes; for a list each as NAME=DATA, once
    #[arg(long, required = true, value_name = "[NAME=]DATA")]
    pub data: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Folder for checkpoint, history, model and card [default: runs/NAME]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,

    /// Use this seed instead of the recipe's, to see how much of a difference is chance; the network is then called NAME-seed-N
    #[arg(long, value_name = "N", conflicts_with = "all", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Stop after this many epochs in all, even if the recipe has more; the same command without it resumes from there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stop_after: Option<u32>,

    /// Start no new epoch after this many minutes of training, earlier runs included
    #[arg(long, value_name = "MINUTES", value_parser = above_zero)]
    pub budget: Option<f64>,

    /// When the training has ended, measure the best weights on PublicTest and, once, on PrivateTest, and write both into the card; if
    /// its budget is spent, on PublicTest alone
    #[arg(long)]
    pub measure: bool,

    /// Weights for a transfer network's backbone, instead of those that the recipe names (see `mien convert`); for a list each as
    /// NAME=FILE, by the name that the list has for them
    #[arg(long, value_name = "[NAME=]FILE.safetensors")]
    pub backbone: Vec<PathBuf>,

    /// Train this many networks, each without one part of the people (or of the pictures, if people aren't known) of every data set
    /// without an official split, in the run's folders fold-1, fold-2 …; `mien evaluate --folds` has each picture classified by the
    /// network that never saw its person
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub folds: Option<u16>,

    /// Threads for computing on the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,

    /// Tell the list that this training is one of how far it is, and end when the list does
    #[arg(long, hide = true, requires = "recipe")]
    pub member: bool,
}

impl TrainArgs {
    /// Trains to the end, an interruption or an error.
    ///
    /// # Errors
    /// When recipe, data, device or folder can't be used, or the loss diverges.
    pub fn run(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let device = self.device.resolve()?;
        if let Some(list) = &self.all {
            return self.train_list(list, device, stop);
        }
        // clap requires it unless a list is given.
        let Some(recipe) = &self.recipe else { bail!("give a recipe") };
        if RecipeList::is_at(recipe) {
            bail!("{} is a list of recipes: give it with --all", recipe.display());
        }
        if self.member {
            progress::end_with_the_list()?;
        }
        memory::keep();
        crate::torch::use_threads(self.threads.map_or_else(crate::device::cores, i32::from));
        if FacesRecipe::is_at(recipe) {
            for (is_given, option) in [(self.folds.is_some(), "--folds"), (self.measure, "--measure")] {
                if is_given {
                    bail!("{option} is for classifiers: {} trains a detector", recipe.display());
                }
            }
            self.train_detector(recipe, device, stop)
        } else {
            self.train_classifier(recipe, device, stop)
        }
    }

    /// Replaces a recipe's own seed with the given one.
    fn reseed(&self, own: &mut u64, name: &mut String) {
        if let Some(seed) = self.seed {
            *own = seed;
            *name = format!("{name}-seed-{seed}");
        }
    }

    /// Creates a training in `folder`, within the budget.
    fn trainer<T: Task>(
        &self,
        task: T,
        recipe: T::Recipe,
        data_sha256: Vec<String>,
        folder: &Path,
        device: Device,
    ) -> Result<Trainer<T>, TrainError> {
        let trainer = Trainer::new(task, recipe, data_sha256, folder, device)?;
        Ok(trainer.within(self.budget.map(|minutes| 60.0 * minutes)))
    }
}
