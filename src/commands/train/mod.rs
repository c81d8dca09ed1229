//! `mien train`: a recipe and data in, a model with its card and history out.

mod detector;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tch::Device;

use super::card;
use super::reading::ReadingArgs;
use crate::console::{print, tell};
use crate::crop::CROP_SIZE;
use crate::device::DeviceChoice;
use crate::emotion::Emotion;
use crate::interrupt::Interrupted;
use crate::lab::datasets::Fold;
use crate::lab::detection::FacesRecipe;
use crate::lab::plots::accuracy_chart;
use crate::lab::provenance;
use crate::lab::recipe::{DataSpec, Recipe};
use crate::lab::{
    Classification, Planned as _, Progress, Record as _, Statement, Step, Task, TrainError, TrainOutcome, Trainer,
    TrainingState, listed,
};
use crate::net::{CARD_FORMAT, Calibration, Card, InputSpec, Training};

/// Train a network by a recipe
///
/// Learns from the Training split, chooses the best epoch on PublicTest and never looks at PrivateTest. Writes a
/// checkpoint after every epoch: the same command resumes where an interrupted one stopped, with the same result.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The recipe, a TOML file (see models/recipes)
    pub recipe: PathBuf,

    /// The data set: fer2013.csv, or another that `mien dataset` can read; for a recipe with several sources each as NAME=DATA; for
    /// a detector's recipe a folder of pictures with boxes
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

    /// Stop after this many epochs in all, though the recipe has more; the same command without it resumes from there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stop_after: Option<u32>,

    /// Weights for a transfer network's backbone, instead of those that the recipe names (see `mien convert`)
    #[arg(long, value_name = "FILE.safetensors")]
    pub backbone: Option<PathBuf>,

    /// Train as many networks, each without one part of the people (of the pictures, where people aren't known) of every data set that
    /// isn't split officially, in the folders fold-1, fold-2 … of the run; `mien evaluate --folds` judges each picture by the network
    /// that never saw its person
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub folds: Option<u16>,

    /// Threads for computing on the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// One epoch, or the questions to the teachers, in a line.
const PROGRESS: &str = "{prefix} [{bar:24}] {pos}/{len}{msg} {elapsed}, {eta} left";

impl TrainArgs {
    /// Trains to the end, an interruption or an error.
    ///
    /// # Errors
    /// When recipe, data, device or folder can't be used, or the loss diverges.
    pub fn run(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let device = self.device.resolve()?;
        tch::set_num_threads(self.threads.map_or_else(crate::device::cores, i32::from));
        if FacesRecipe::is_at(&self.recipe) {
            if self.folds.is_some() {
                bail!("--folds is for classifiers: {} trains a detector", self.recipe.display());
            }
            self.train_detector(device, stop)
        } else {
            self.train_classifier(device, stop)
        }
    }

    fn train_classifier(&self, device: Device, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut recipe = Recipe::read(&self.recipe)?;
        if let Some(weights) = &self.backbone {
            let Some(backbone) = &mut recipe.backbone else {
                bail!("the recipe {} has no backbone that weights could be for", self.recipe.display());
            };
            backbone.weights = Some(weights.clone());
        }
        if recipe.target.needs_votes() && self.reading.ferplus.is_none() {
            bail!("the recipe learns from votes: give fer2013new.csv with --ferplus");
        }
        let folder = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name));
        let Some(of) = self.folds.map(usize::from) else { return self.train_one(recipe, &folder, device, stop) };
        for number in 1..=of {
            tell(&format!("Fold {number} of {of}"));
            let mut recipe = recipe.clone();
            recipe.name = format!("{}-fold-{number}", recipe.name);
            recipe.split.fold = Some(Fold { number, of });
            self.train_one(recipe, &folder.join(format!("fold-{number}")), device, stop)?;
        }
        Ok(())
    }

    fn train_one(&self, recipe: Recipe, folder: &Path, device: Device, stop: &AtomicBool) -> anyhow::Result<()> {
        let data = self.reading.read(&sources(&recipe.data, &self.data)?, &recipe.split, recipe.crop)?;
        let statement = Statement::of(&recipe, &data)?;
        let trainer = Classification::new(&recipe, &data, device)
            .and_then(|task| Trainer::new(task, recipe, data.sha256.clone(), folder, device))
            .with_context(|| format!("can't train by {}", self.recipe.display()))?;
        let watch = Watch {
            pictures: trainer.task().pictures(),
            chart: |state: &TrainingState| accuracy_chart(&state.history, state.recipe.epochs),
            line: epoch_line,
            best: |record: &crate::lab::EpochRecord| format!("PublicTest {:.2} %", 100.0 * record.public_accuracy),
        };
        self.watch(trainer, device, stop, &watch, |trainer, model| {
            card(trainer, &statement, device).and_then(|card| card::write(&card, model))
        })
    }

    fn trainer<T: Task>(
        &self,
        task: T,
        recipe: T::Recipe,
        data_sha256: Vec<String>,
        device: Device,
    ) -> Result<Trainer<T>, TrainError> {
        let folder = self.run.clone().unwrap_or_else(|| Path::new("runs").join(recipe.plan().name));
        Trainer::new(task, recipe, data_sha256, &folder, device)
    }

    /// Runs a training and shows how it goes; writes the card after each epoch.
    fn watch<T: Task>(
        &self,
        mut trainer: Trainer<T>,
        device: Device,
        stop: &AtomicBool,
        watch: &Watch<T>,
        write_card: impl Fn(&Trainer<T>, &Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let done = trainer.state().history.len();
        tell(&format!(
            "{} pictures, {} parameters, {}{}",
            watch.pictures,
            trainer.parameters(),
            provenance::machine(device),
            if done > 0 { format!("; going on after epoch {done}") } else { String::new() }
        ));

        let screen = MultiProgress::new();
        let curves = screen.add(ProgressBar::new(0).with_style(ProgressStyle::with_template("{msg}")?));
        curves.set_message((watch.chart)(trainer.state()));
        let bar = screen.add(ProgressBar::new(0).with_style(ProgressStyle::with_template(PROGRESS)?));
        let model = trainer.run_folder().model();
        let mut card_error = None;
        let outcome = trainer.run(
            self.stop_after.map(|epochs| epochs as usize),
            stop,
            |progress| show_progress(&bar, progress),
            |trainer| {
                screen.suspend(|| tell(&(watch.line)(trainer.state())));
                curves.set_message((watch.chart)(trainer.state()));
                if let Err(error) = write_card(trainer, &model) {
                    card_error = Some(error);
                }
            },
        )?;
        bar.finish_and_clear();
        curves.abandon();
        if let Some(error) = card_error {
            return Err(error);
        }
        report(outcome, trainer.state(), watch, &model)
    }
}

/// How a training of one kind is shown.
struct Watch<T: Task> {
    /// Pictures learnt from.
    pictures: usize,
    /// Curves made of letters.
    chart: fn(&TrainingState<T::Recipe, T::Record>) -> String,
    /// The last epoch in a line.
    line: fn(&TrainingState<T::Recipe, T::Record>) -> String,
    /// The figure of the best epoch.
    best: fn(&T::Record) -> String,
}

/// The path of each of the recipe's sources, with the name that it has there. A recipe for one data set takes whatever is given.
fn sources(data: &DataSpec, given: &[PathBuf]) -> anyhow::Result<Vec<(Option<String>, PathBuf)>> {
    let names: Vec<&str> = data.names().collect();
    if names.len() <= 1 {
        return match given {
            [path] => Ok(vec![(names.first().map(|name| (*name).to_owned()), path.clone())]),
            _ => bail!("the recipe learns from one data set: give one with --data"),
        };
    }
    let wanted = || {
        let each = names.iter().map(|name| format!("--data {name}=DATA"));
        each.collect::<Vec<_>>().join(" ")
    };
    let mut paths: Vec<Option<PathBuf>> = vec![None; names.len()];
    for path in given {
        let text = path.to_string_lossy();
        let named = names.iter().position(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        let Some(index) = named else {
            bail!("the recipe learns from {}: give each with its name, {}", listed(names.clone()), wanted());
        };
        let Some(place) = paths.get_mut(index).filter(|place| place.is_none()) else {
            bail!("“{}” is given twice", names[index]);
        };
        // A name holds no byte that isn't text, so the rest is the path as it was given.
        *place = path.to_str().map(|text| PathBuf::from(&text[names[index].len() + 1..]));
        if place.is_none() {
            bail!("{} has a name that isn't Unicode: move it", path.display());
        }
    }
    let named = names.iter().zip(paths).map(|(name, path)| Some((Some((*name).to_owned()), path?)));
    named.collect::<Option<_>>().with_context(|| format!("the recipe learns from several data sets: give {}", wanted()))
}

/// Draws the bar on a terminal; elsewhere gives a line at each tenth of the way.
fn show_progress(bar: &ProgressBar, progress: Progress) {
    let (what, step, steps, figures) = match progress {
        Progress::Asked { batches, of } => ("asking the teachers".to_owned(), batches, of, String::new()),
        Progress::Learnt(Step { epoch, step, steps, loss, told }) => {
            (format!("epoch {epoch}"), step, steps, format!(" (loss {loss:.4}, {told})"))
        }
    };
    if bar.is_hidden() {
        if step.is_multiple_of(steps.div_ceil(10)) {
            tell(&format!("{what}: step {step} of {steps}{figures}"));
        }
        return;
    }
    if step == 1 {
        bar.reset();
        bar.set_length(steps as u64);
        bar.set_prefix(what);
    }
    bar.set_position(step as u64);
    bar.set_message(figures);
}

fn epoch_line(state: &TrainingState) -> String {
    let Some(record) = state.history.last() else { return String::new() };
    format!(
        "epoch {:3}  rate {:.1e}  training: loss {:.4}, {:5.2} %  PublicTest: loss {:.4}, {:5.2} % (balanced {:5.2} %){}  {:.0} s",
        record.epoch,
        record.learning_rate,
        record.training_loss,
        100.0 * record.training_accuracy,
        record.public_loss,
        100.0 * record.public_accuracy,
        100.0 * record.public_balanced_accuracy,
        if state.best_epoch == record.epoch { "  best" } else { "" },
        record.seconds,
    )
}

fn report<T: Task>(
    outcome: TrainOutcome,
    state: &TrainingState<T::Recipe, T::Record>,
    watch: &Watch<T>,
    model: &Path,
) -> anyhow::Result<()> {
    let plan = state.recipe.plan();
    match outcome {
        TrainOutcome::Finished => tell(&format!("All {} epochs are done.", state.history.len())),
        TrainOutcome::StoppedEarly => {
            tell(&format!("Stopped early: no better epoch than {} for {} epochs.", state.best_epoch, plan.patience));
        }
        TrainOutcome::Paused => {
            tell(&format!("Paused after {} of {} epochs, as asked.", state.history.len(), plan.epochs));
        }
        TrainOutcome::Interrupted => {
            let done = state.history.len();
            return Err(
                Interrupted(format!("{done} whole epochs are kept; the same command resumes from there")).into()
            );
        }
    }
    if let Some(best) = state.best() {
        print(&format!("best epoch {}: {}\n{}\n", best.epoch(), (watch.best)(best), model.display()))?;
    }
    Ok(())
}

/// The card of the best weights so far.
fn card(trainer: &Trainer<Classification>, statement: &Statement, device: Device) -> anyhow::Result<Card> {
    let (state, recipe) = (trainer.state(), &trainer.state().recipe);
    Ok(Card {
        format: CARD_FORMAT,
        name: recipe.name.clone(),
        description: match &recipe.backbone {
            Some(backbone) if backbone.weights.is_none() => {
                format!("{} The backbone had no weights to begin with and learnt from scratch.", recipe.description)
            }
            _ => recipe.description.clone(),
        },
        intended_use: statement.intended_use.clone(),
        limits: statement.limits.clone(),
        labels: Emotion::ALL.to_vec(),
        parameters: trainer.parameters(),
        network: recipe.network.clone(),
        input: InputSpec { size: CROP_SIZE, crop: recipe.crop, normalization: recipe.normalization },
        training: Training {
            data: statement.data.clone(),
            data_sha256: state.data_sha256.clone(),
            start_sha256: state.start_sha256.clone(),
            target: recipe.target.name().to_owned(),
            pictures: trainer.task().pictures(),
            epochs: state.history.len(),
            best_epoch: state.best_epoch,
            seed: recipe.seed,
            mien_version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: crate::version::GIT_COMMIT.to_owned(),
            machine: provenance::machine(device),
            wall_seconds: state.wall_seconds().round(),
            sources: statement.sources.clone(),
            recipe: recipe.to_table().context("the recipe can't be written into the model's card")?,
        },
        mean_of: vec![],
        calibration: Calibration { training_prior: Some(trainer.prior()?), ..Calibration::default() },
        evaluation: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(names: &[&str]) -> DataSpec {
        let sources: Vec<String> = names.iter().map(|name| format!("{{ name = \"{name}\" }}")).collect();
        toml::from_str(&format!("sources = [{}]", sources.join(", "))).unwrap()
    }

    fn told(names: &[&str], given: &[&str]) -> Result<Vec<String>, String> {
        let given: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
        let sources = sources(&spec(names), &given).map_err(|error| error.to_string())?;
        Ok(sources
            .into_iter()
            .map(|(name, path)| format!("{}: {}", name.unwrap_or_default(), path.display()))
            .collect())
    }

    #[test]
    fn data_sets_are_given_in_any_order_by_the_sources_names() {
        let both = ["CK+48", "JAFFE"];
        assert_eq!(told(&both, &["JAFFE=a=b", "CK+48=c"]).unwrap(), ["CK+48: c", "JAFFE: a=b"]);
        assert_eq!(told(&["FER2013"], &["a=b"]).unwrap(), ["FER2013: a=b"], "a path may hold the sign");
        assert_eq!(told(&[], &["c"]).unwrap(), [": c"]);
    }

    #[test]
    fn data_sets_that_are_missing_unnamed_or_given_twice_are_told() {
        let both = ["CK+48", "JAFFE"];
        assert!(told(&both, &["JAFFE=a"]).unwrap_err().contains("--data CK+48=DATA --data JAFFE=DATA"));
        assert!(told(&both, &["a", "b"]).unwrap_err().contains("CK+48 and JAFFE"));
        assert!(told(&both, &["JAFFE=a", "JAFFE=b"]).unwrap_err().contains("twice"));
        assert!(told(&["FER2013"], &["a", "b"]).unwrap_err().contains("one data set"));
    }
}
