//! `mien train` with a detector's recipe.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use tch::Device;

use super::TrainArgs;
use super::figures::keep_detector_figures;
use super::progress::TrainingDisplay;
use crate::commands::card;
use crate::console::tell;
use crate::lab::detection::{DetectorTask, FaceData, FacesRecipe, FacesRecord};
use crate::lab::provenance;
use crate::lab::{Planned as _, Trainer, TrainingState};
use crate::net::faces::{FacesCard, FacesTask, ScoreCalibration};
use crate::net::{CARD_FORMAT, Training};
use crate::version::GIT_COMMIT;

impl TrainArgs {
    pub(super) fn train_detector(&self, path: &Path, device: Device, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut recipe = FacesRecipe::read(path)?;
        self.reseed(&mut recipe.seed, &mut recipe.name);
        let cost = recipe.network.detector_cost()?;
        let [folder] = self.data.as_slice() else { bail!("a detector learns from one folder: give one with --data") };
        tell(&format!("Reading {}", folder.display()));
        let data = FaceData::read(folder)?;
        let sha256 = data.sha256.clone();
        let run = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name));
        let task = DetectorTask::new(&recipe, data, device);
        let trainer = self
            .trainer(task, recipe, sha256, &run, device)
            .with_context(|| format!("can't train with {}", path.display()))?;
        tell(&format!("{:.1} million multiply-adds for 320×192 pixels", cost.macs as f64 / 1e6));
        let display = TrainingDisplay {
            pictures: trainer.task().pictures(),
            chart: |_| String::new(),
            line: epoch_line,
            best: |record: &FacesRecord| format!("average precision {:.2} %", 100.0 * record.average_precision),
        };
        self.watch(trainer, device, stop, &display, |trainer, model| {
            let mut card = card_of(trainer, cost.macs, device)?;
            keep_detector_figures(&mut card, model);
            card::write(&card.to_toml()?, model)
        })?;
        Ok(())
    }
}

fn epoch_line(state: &TrainingState<FacesRecipe, FacesRecord>) -> String {
    let Some(record) = state.history.last() else { return String::new() };
    format!(
        "epoch {:3}  rate {:.1e}  loss {:.3}  validation: AP {:5.2} % (from 40 px {:5.2} %), recall {:5.2} % (from 40 px \
         {:5.2} %), {:.1} false boxes in 100 pictures, landmarks {:.3}{}  {:.0} s",
        record.epoch,
        record.learning_rate,
        record.training_loss,
        100.0 * record.average_precision,
        100.0 * record.average_precision_from_40,
        100.0 * record.recall,
        100.0 * record.recall_from_40,
        record.false_boxes_per_100,
        record.landmark_error.unwrap_or(f64::NAN),
        if state.best_epoch == record.epoch { "  best" } else { "" },
        record.seconds,
    )
}

/// The card of the best weights so far.
fn card_of(trainer: &Trainer<DetectorTask>, multiply_adds: u64, device: Device) -> anyhow::Result<FacesCard> {
    let (state, recipe) = (trainer.state(), &trainer.state().recipe);
    Ok(FacesCard {
        format: CARD_FORMAT,
        task: FacesTask::Faces,
        name: recipe.name.clone(),
        description: recipe.description.clone(),
        intended_use:
            "Finding faces and their eyes, nose and mouth, so that the emotions that they display can be read, for \
            people who agreed to it. It says where a face is, not whose."
                .to_owned(),
        limits:
            "Faces of less than about 20 pixels, upside down, or turned far away from the camera are missed. It learnt \
            from news photographs, films, webcams and scenes of public life, with the biases of those; much of what it \
            learnt another network had marked, with its mistakes. Not for watching people who don't know of it."
                .to_owned(),
        parameters: trainer.parameters(),
        multiply_adds,
        network: recipe.network.clone(),
        normalization: recipe.normalization,
        teacher: recipe.teacher.clone(),
        score: ScoreCalibration::default(),
        training: Training {
            data: recipe.data.clone(),
            data_sha256: state.data_sha256.clone(),
            start_sha256: state.start_sha256.clone(),
            backbone_sha256: state.backbone_sha256.clone(),
            teachers_sha256: state.teachers_sha256.clone(),
            target: "faces".to_owned(),
            pictures: trainer.task().pictures(),
            epochs: state.history.len(),
            best_epoch: state.best_epoch,
            seed: recipe.seed,
            mien_version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: GIT_COMMIT.to_owned(),
            machine: provenance::machine(device),
            wall_seconds: state.wall_seconds().round(),
            ending: trainer.ending(),
            sources: vec![],
            recipe: recipe.to_table().context("the recipe can't be written into the model's card")?,
        },
        evaluation: vec![],
    })
}
