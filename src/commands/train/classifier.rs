//! `mien train` with a classifier's recipe.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use tch::Device;

use super::TrainArgs;
use super::figures::keep_classifier_figures;
use super::progress::TrainingDisplay;
use super::sources::sources;
use crate::commands::card;
use crate::commands::evaluate::record;
use crate::console::tell;
use crate::crop::CROP_SIZE;
use crate::lab::datasets::{Fold, Split};
use crate::lab::plots::accuracy_chart;
use crate::lab::provenance;
use crate::lab::recipe::Recipe;
use crate::lab::{
    Acquaintance, ClassifierTask, Planned as _, Statement, TrainOutcome, Trainer, TrainingState, check_models,
};
use crate::net::{CARD_FORMAT, Calibration, Card, Ending, InputSpec, ModelSource, Training};

impl TrainArgs {
    pub(super) fn train_classifier(&self, path: &Path, device: Device, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut recipe = Recipe::read(path)?;
        self.reseed(&mut recipe.seed, &mut recipe.name);
        if self.backbone.len() > 1 {
            bail!("a recipe has one backbone: give weights for one with --backbone");
        }
        if let Some(weights) = self.backbone.first() {
            let Some(backbone) = &mut recipe.backbone else {
                bail!("the recipe {} has no backbone to use weights for", path.display());
            };
            backbone.weights = Some(weights.clone());
        }
        if recipe.target.needs_votes() && self.reading.ferplus.is_none() {
            bail!("the recipe learns from votes: give fer2013new.csv with --ferplus");
        }
        check_models(&recipe).with_context(|| format!("can't train with {}", path.display()))?;
        let folder = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name));
        let Some(of) = self.folds.map(usize::from) else { return self.train_one(path, recipe, &folder, device, stop) };
        for number in 1..=of {
            tell(&format!("Fold {number} of {of}"));
            let mut recipe = recipe.clone();
            recipe.name = format!("{}-fold-{number}", recipe.name);
            recipe.split.fold = Some(Fold { number, of });
            self.train_one(path, recipe, &folder.join(format!("fold-{number}")), device, stop)?;
        }
        Ok(())
    }

    fn train_one(
        &self,
        path: &Path,
        recipe: Recipe,
        folder: &Path,
        device: Device,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let sources = sources(&recipe.data, &self.data)?;
        let data = self.reading.read(&sources, &recipe.classes, &|_| recipe.split.clone(), recipe.crop)?;
        if self.folds.is_some() && data.is_official(Split::Private) {
            bail!(
                "{} has an official split, so every fold would learn from the same pictures: leave out --folds",
                data.name
            );
        }
        let mut statement = Statement::of(&recipe, &data)?;
        let trainer = ClassifierTask::new(&recipe, &data, device)
            .and_then(|task| self.trainer(task, recipe, data.sha256.clone(), folder, device))
            .with_context(|| format!("can't train with {}", path.display()))?;
        let display = TrainingDisplay {
            pictures: trainer.task().pictures(),
            chart: |state: &TrainingState| accuracy_chart(&state.history, state.recipe.epochs),
            line: epoch_line,
            best: |record: &crate::lab::EpochRecord| format!("PublicTest {:.2} %", 100.0 * record.public_accuracy),
        };
        if let Some(without) = trainer.state().recipe.without_weights() {
            tell(&format!("warning: {}", without.warning()));
        }
        for known in Acquaintance::of(&trainer.state().recipe, &data)? {
            tell(&format!("warning: {}", known.warning()));
            statement.limits = format!("{} {}", statement.limits, known.in_card());
        }
        let model = trainer.run_folder().model();
        let rule = trainer.state().recipe.target.rule();
        let outcome = self.watch(trainer, device, stop, &display, |trainer, model| {
            let mut card = card(trainer, &statement, device)?;
            keep_classifier_figures(&mut card, model);
            if self.measure {
                // Set only after measuring, because a list treats a training with an ending and figures on its own data as done.
                card.training.ending = None;
            }
            card::write(&card.to_toml()?, model)
        })?;
        match outcome {
            TrainOutcome::Ended(ending) => {
                if self.measure {
                    record::measure(&model, ending, &data, rule, device)?;
                }
                say_ending(&model, ending)
            }
            TrainOutcome::Paused | TrainOutcome::Interrupted => Ok(()),
        }
    }
}

/// Writes into the card why the training ended, if that is missing: with `--measure`, or if no epoch was left to run.
fn say_ending(model: &Path, ending: Ending) -> anyhow::Result<()> {
    let mut card = ModelSource::File(model.to_owned()).card()?;
    if card.training.ending == Some(ending) {
        return Ok(());
    }
    card.training.ending = Some(ending);
    card::write(&card.to_toml()?, model)
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

/// The card of the best weights so far.
fn card(trainer: &Trainer<ClassifierTask>, statement: &Statement, device: Device) -> anyhow::Result<Card> {
    let (state, recipe) = (trainer.state(), &trainer.state().recipe);
    Ok(Card {
        format: CARD_FORMAT,
        name: recipe.name.clone(),
        description: match recipe.without_weights() {
            Some(without) => format!("{} {}", recipe.description, without.in_card()),
            None => recipe.description.clone(),
        },
        intended_use: statement.intended_use.clone(),
        limits: statement.limits.clone(),
        labels: recipe.classes.clone(),
        parameters: trainer.parameters(),
        network: recipe.network.clone(),
        input: InputSpec { size: CROP_SIZE, crop: recipe.crop, normalization: recipe.normalization },
        training: Training {
            data: statement.data.clone(),
            data_sha256: state.data_sha256.clone(),
            start_sha256: state.start_sha256.clone(),
            backbone_sha256: state.backbone_sha256.clone(),
            teachers_sha256: state.teachers_sha256.clone(),
            target: recipe.target.name().to_owned(),
            pictures: trainer.task().pictures(),
            epochs: state.history.len(),
            best_epoch: state.best_epoch,
            seed: recipe.seed,
            mien_version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: crate::version::GIT_COMMIT.to_owned(),
            machine: provenance::machine(device),
            wall_seconds: state.wall_seconds().round(),
            ending: trainer.ending(),
            sources: statement.sources.clone(),
            recipe: recipe.to_table().context("the recipe can't be written into the model's card")?,
        },
        mean_of: vec![],
        calibration: Calibration { training_prior: Some(trainer.prior()?), ..Calibration::default() },
        evaluation: vec![],
    })
}
