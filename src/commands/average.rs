//! `mien average`: a model from the mean weights of others.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::card;
use super::numbers::above_zero;
use crate::console::print;
use crate::lab::{Part, average};
use crate::net::{Card, ModelSource, WeightKind, save_weights};

/// Make a model from the mean weights of others
///
/// Trainings that began with the same weights differ in their mistakes: the mean of their weights (a “model soup”) often does better
/// than each of them on pictures unlike those that they learnt from, and costs no more to run than one. All have to be of the
/// same network. The new model isn't calibrated: `mien evaluate --calibrate` comes next.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  mien average runs/a/a.safetensors runs/b/b.safetensors --counts 2,1 --output mean.safetensors")]
pub struct AverageArgs {
    /// Shipped models by name, others by their .safetensors files with cards beside them
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<ModelSource>,

    /// How much each counts, in the order of the models [default: all the same]
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',', value_parser = above_zero)]
    counts: Vec<f64>,

    /// The file to write, which must not exist yet; the card goes beside it
    #[arg(long, value_name = "FILE.safetensors")]
    output: PathBuf,
}

impl AverageArgs {
    /// Averages the models, writes weights and card, and prints a description.
    ///
    /// # Errors
    /// When the output exists already, a model can't be loaded, the models don't fit together, or the result can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let name = match (self.output.file_stem().and_then(|stem| stem.to_str()), self.output.extension()) {
            (Some(name), Some(extension)) if extension == "safetensors" => name.to_owned(),
            _ => bail!("--output has to name a .safetensors file, such as mean.safetensors"),
        };
        // Weights are never replaced: what is there may be the only copy, a run's own or one of the models to average.
        let card_file = self.output.with_extension("toml");
        if let Some(file) = [&self.output, &card_file].into_iter().find(|file| file.exists()) {
            bail!("{} already exists: choose another name", file.display());
        }
        let (first, others) = self.parts()?;
        let (store, card) = average(&first, &others).context("can't average the models")?;
        let description = describe(&card);
        let card = Card { name, description, ..card };
        if let Some(folder) = self.output.parent().filter(|folder| *folder != Path::new("")) {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        // Write the card last: it makes the model complete.
        save_weights(&store, &self.output, WeightKind::F16)?;
        card::write(&card.to_toml()?, &self.output)?;
        print(&format!("{}\n{}\n", card.description, self.output.display()))
    }

    /// The first model and the others, each with its weight in the mean.
    fn parts(&self) -> anyhow::Result<(Part, Vec<Part>)> {
        if !self.counts.is_empty() && self.counts.len() != self.models.len() {
            let (counts, models) = (self.counts.len(), self.models.len());
            bail!("--counts has {counts} number(s) for {models} model(s); give one for each");
        }
        let counts = self.counts.iter().copied().chain(std::iter::repeat(1.0));
        let mut parts = self.models.iter().cloned().zip(counts);
        let first = parts.next().context("no model was named")?;
        Ok((first, parts.collect()))
    }
}

/// Describes what the weights are the mean of.
fn describe(card: &Card) -> String {
    let parts: Vec<_> = card.mean_of.iter().map(|part| format!("{} ({})", part.name, part.counts)).collect();
    format!("The mean of the weights of {}. The first: {}", parts.join(", "), card.description)
}
