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
use crate::lab::datasets::{Dataset, read};
use crate::lab::detection::FacesRecipe;
use crate::lab::plots::accuracy_chart;
use crate::lab::provenance;
use crate::lab::recipe::Recipe;
use crate::lab::{
    Classification, Planned as _, Progress, Record as _, Step, Task, TrainError, TrainOutcome, Trainer, TrainingState,
};
use crate::net::{CARD_FORMAT, Calibration, Card, InputSpec, Training};

/// Train a network by a recipe
///
/// Learns from the Training split, chooses the best epoch on PublicTest and never looks at PrivateTest. Writes a
/// checkpoint after every epoch: the same command goes on where an interrupted one stopped, with the same result.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The recipe, a TOML file (see models/recipes)
    pub recipe: PathBuf,

    /// The data set: fer2013.csv, or another that `mien dataset` can read
    #[arg(long, value_name = "DATA")]
    pub data: PathBuf,

    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Folder for checkpoint, history, model and card [default: runs/NAME]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,

    /// Stop after this many epochs in all, though the recipe has more; the same command without it goes on from there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stop_after: Option<u32>,

    /// Weights for a transfer network's backbone, instead of those that the recipe names (see `mien convert`)
    #[arg(long, value_name = "FILE.safetensors")]
    pub backbone: Option<PathBuf>,

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
        if std::fs::read_to_string(&self.recipe).is_ok_and(|text| FacesRecipe::is_in(&text)) {
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
        tell(&format!("Reading {}", self.data.display()));
        let data = read(&self.data, &self.reading.options(&recipe.split, recipe.crop))?;
        let trainer = Classification::new(&recipe, &data, device)
            .and_then(|task| self.trainer(task, recipe, data.sha256.clone(), device))
            .with_context(|| format!("can't train by {}", self.recipe.display()))?;
        let watch = Watch {
            pictures: trainer.task().pictures(),
            chart: |state: &TrainingState| accuracy_chart(&state.history, state.recipe.epochs),
            line: epoch_line,
            best: |record: &crate::lab::EpochRecord| format!("PublicTest {:.2} %", 100.0 * record.public_accuracy),
        };
        self.watch(trainer, device, stop, &watch, |trainer, model| {
            card(trainer, &data, device).and_then(|card| card::write(&card, model))
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
                Interrupted(format!("{done} whole epochs are kept; the same command goes on from there")).into()
            );
        }
    }
    if let Some(best) = state.best() {
        print(&format!("best epoch {}: {}\n{}\n", best.epoch(), (watch.best)(best), model.display()))?;
    }
    Ok(())
}

/// The card of the best weights so far.
fn card(trainer: &Trainer<Classification>, data: &Dataset, device: Device) -> anyhow::Result<Card> {
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
        intended_use:
            "Showing which of seven emotions a face displays, live or in recordings, for people who agreed to it. \
            Teaching, and research that checks it against its own data."
                .to_owned(),
        limits: "It reads displayed expressions, not feelings. It learnt from pictures found on the web around 2013, \
            with the biases of that choice; it knows single gray pictures of roughly upright faces, and is less \
            sure of disgust and fear, which are rare in them. Not for decisions about people."
            .to_owned(),
        labels: Emotion::ALL.to_vec(),
        parameters: trainer.parameters(),
        network: recipe.network.clone(),
        input: InputSpec { size: CROP_SIZE, crop: recipe.crop, normalization: recipe.normalization },
        training: Training {
            data: format!("{}: Training to learn from, PublicTest to choose the epoch", data.name),
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
            recipe: toml::Table::try_from(recipe).unwrap_or_default(),
        },
        mean_of: vec![],
        calibration: Calibration { training_prior: Some(trainer.prior()?), ..Calibration::default() },
        evaluation: vec![],
    })
}
