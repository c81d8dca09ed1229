//! Progress output of a training, for a person or for its list.

use std::cell::Cell;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tch::Device;

use super::TrainArgs;
use crate::bounded;
use crate::console::{print, tell};
use crate::interrupt::{self, Interrupted};
use crate::lab::provenance;
use crate::lab::{Planned, Progress, Record, Step, Task, TrainOutcome, Trainer, TrainingState};
use crate::net::{Ending, MOST_CARD_BYTES};

/// Template of the progress bar of an epoch, or of asking the teachers.
const PROGRESS: &str = "{prefix} [{bar:24}] {pos}/{len}{msg} {elapsed}, {eta} left";

/// How often a training reports its steps to its list.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// What a training reports to its list, as lines of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Told {
    /// Steps of an epoch are done.
    Step { epoch: usize, step: usize, steps: usize },
    /// Epochs are done.
    Epoch {
        epochs: usize,
        /// Time spent on all of them.
        seconds: f64,
        /// The best one, and its figure in words.
        best_epoch: usize,
        best: String,
    },
}

/// Stops the training when the list that started it asks for that or ends in any way: both close the pipe between them.
pub(super) fn end_with_the_list() -> anyhow::Result<()> {
    let listen = || {
        // The list never writes to the pipe, so whatever this returns, the pipe has been closed.
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        interrupt::request();
    };
    std::thread::Builder::new().name("list".to_owned()).spawn(listen).context("can't watch for the list's end")?;
    Ok(())
}

impl TrainArgs {
    /// Runs a training and shows its progress; writes the card after each epoch.
    pub(super) fn watch<T: Task>(
        &self,
        mut trainer: Trainer<T>,
        device: Device,
        stop: &AtomicBool,
        display: &TrainingDisplay<T>,
        write_card: impl Fn(&Trainer<T>, &Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<TrainOutcome> {
        let done = trainer.state().history.len();
        tell(&format!(
            "{} pictures, {} parameters, {}{}",
            display.pictures,
            trainer.parameters(),
            provenance::machine(device),
            if done > 0 { format!("; resuming after epoch {done}") } else { String::new() }
        ));

        let screen = MultiProgress::new();
        let curves = screen.add(ProgressBar::new(0).with_style(ProgressStyle::with_template("{msg}")?));
        curves.set_message((display.chart)(trainer.state()));
        let bar = screen.add(ProgressBar::new(0).with_style(ProgressStyle::with_template(PROGRESS)?));
        let model = trainer.run_folder().model();
        // A training that was killed between an epoch's checkpoint and its card left no card, or an older one. A mean of models may have been
        // written in its place.
        if done > 0 && epochs_in_card(&model) != Some(done) {
            write_card(&trainer, &model)?;
        }
        let mut card_error = None;
        let list = self.member.then(List::default);
        if let Some(list) = &list {
            list.tell_epoch(trainer.state(), display.best)?;
        }
        let outcome = trainer.run(
            self.stop_after.map(|epochs| epochs as usize),
            stop,
            |progress| match &list {
                Some(list) => list.tell_step(&progress),
                None => show_progress(&bar, progress),
            },
            |trainer| {
                screen.suspend(|| tell(&(display.line)(trainer.state())));
                curves.set_message((display.chart)(trainer.state()));
                let told = list.as_ref().map_or(Ok(()), |list| list.tell_epoch(trainer.state(), display.best));
                if let Err(error) = write_card(trainer, &model).and(told) {
                    card_error = Some(error);
                }
            },
        )?;
        bar.finish_and_clear();
        curves.abandon();
        if let Some(error) = card_error {
            return Err(error);
        }
        report(outcome, trainer.state())?;
        if let (Some(best), None) = (trainer.state().best(), &list) {
            print(&format!("best epoch {}: {}\n{}\n", best.epoch(), (display.best)(best), model.display()))?;
        }
        Ok(outcome)
    }
}

/// The number of epochs in the card beside a model, if there is one that can be read and it isn't that of a mean of models.
fn epochs_in_card(model: &Path) -> Option<usize> {
    let card: toml::Table = bounded::read_text(&model.with_extension("toml"), MOST_CARD_BYTES).ok()?.parse().ok()?;
    if card.contains_key("mean_of") {
        return None;
    }
    card.get("training")?.get("epochs")?.as_integer()?.try_into().ok()
}

/// The list that started the training.
#[derive(Default)]
struct List {
    /// When a step was last reported to it.
    told: Cell<Option<Instant>>,
}

impl List {
    fn tell_step(&self, progress: &Progress) {
        let &Progress::Learnt(Step { epoch, step, steps, .. }) = progress else { return };
        if self.told.get().is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told.set(Some(Instant::now()));
            // If the list no longer listens, it has closed the other pipe too, which ends the training.
            self.tell(&Told::Step { epoch, step, steps }).ok();
        }
    }

    fn tell_epoch<R: Planned, E: Record>(
        &self,
        state: &TrainingState<R, E>,
        words: fn(&E) -> String,
    ) -> anyhow::Result<()> {
        let Some(best) = state.best() else { return Ok(()) };
        self.tell(&Told::Epoch {
            epochs: state.history.len(),
            seconds: state.wall_seconds(),
            best_epoch: best.epoch(),
            best: words(best),
        })
    }

    fn tell(&self, told: &Told) -> anyhow::Result<()> {
        print(&(serde_json::to_string(told)? + "\n"))
    }
}

/// How a kind of training is displayed.
pub(super) struct TrainingDisplay<T: Task> {
    /// Pictures learnt from.
    pub pictures: usize,
    /// The curves so far, drawn with characters.
    pub chart: fn(&TrainingState<T::Recipe, T::Record>) -> String,
    /// A line about the last epoch.
    pub line: fn(&TrainingState<T::Recipe, T::Record>) -> String,
    /// The figure of the best epoch.
    pub best: fn(&T::Record) -> String,
}

/// Draws the bar on a terminal; elsewhere prints a line at each tenth of the way.
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

/// A number of whole epochs and their verb.
fn epochs_are(count: usize) -> String {
    match count {
        0 => "no whole epoch is".to_owned(),
        1 => "1 whole epoch is".to_owned(),
        _ => format!("{count} whole epochs are"),
    }
}

/// Says how a training ended.
///
/// # Errors
/// When it was interrupted.
fn report<R: Planned, E: Record>(outcome: TrainOutcome, state: &TrainingState<R, E>) -> anyhow::Result<()> {
    let plan = state.recipe.plan();
    let done = state.history.len();
    match outcome {
        TrainOutcome::Ended(Ending::Finished) => tell(&format!("All {done} epochs are done.")),
        TrainOutcome::Ended(Ending::StoppedEarly) => {
            tell(&format!("Stopped early: no better epoch than {} for {} epochs.", state.best_epoch, plan.patience));
        }
        TrainOutcome::Ended(Ending::BudgetSpent) => {
            tell(&format!("The time is spent after {done} of {} epochs.", plan.epochs));
        }
        TrainOutcome::Paused => tell(&format!("Paused after {done} of {} epochs, as asked.", plan.epochs)),
        TrainOutcome::Interrupted => {
            return Err(Interrupted(format!("{} kept; the same command resumes from there", epochs_are(done))).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Card, MeanPart, ModelSource};

    #[test]
    fn epochs_that_are_kept_are_counted_in_words() {
        assert_eq!([0, 1, 2].map(epochs_are), ["no whole epoch is", "1 whole epoch is", "2 whole epochs are"]);
    }

    #[test]
    fn the_card_of_a_mean_of_models_is_not_that_of_a_training() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("mine.safetensors");
        let mut card = ModelSource::default().card().unwrap();
        card.mean_of.clear();
        let epochs = |card: &Card| {
            std::fs::write(model.with_extension("toml"), card.to_toml().unwrap()).unwrap();
            epochs_in_card(&model)
        };
        assert_eq!(epochs(&card), Some(card.training.epochs));
        card.mean_of.push(MeanPart { name: "one".to_owned(), sha256: String::new(), counts: 1.0 });
        assert_eq!(epochs(&card), None);
    }
}
