//! `mien evaluate`: how good a model is on a split of a data set.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use super::output::print_json;
use super::reading::ReadingArgs;
use crate::device::{self, DeviceChoice};
use crate::emotion::Emotion;
use crate::lab::datasets::{LabelRule, Split, SplitSpec, read};
use crate::lab::metrics::{ClassMetrics, Confusion};
use crate::lab::{evaluate, predict};
use crate::net::{Card, Evaluation, Model, ModelSource, Pass, Precision, write_atomically};

/// Measure a model on a split of a data set
///
/// Prints accuracy, macro-F1 and balanced accuracy, precision, recall and F1 of each emotion, and the confusion matrix, with
/// the number of pictures, the split and the rule that says which label counts as right: figures under different
/// rules can't be compared. Each picture is seen once, as it is (no test-time augmentation).
#[derive(Args, Debug)]
pub struct EvaluateArgs {
    /// A shipped model's name, or a .safetensors file with its card beside it
    pub model: ModelSource,

    /// The data set: fer2013.csv, or another that `mien dataset` can read
    #[arg(value_name = "DATA")]
    pub data: PathBuf,

    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Which pictures: choose settings on `public`, read `private` once at the end, `all` for a data set that
    /// nothing was learnt from
    #[arg(long, value_enum, default_value_t = Split::Public)]
    pub split: Split,

    /// Which label counts as right [default: majority with --ferplus, else label]
    #[arg(long, value_enum)]
    pub rule: Option<LabelRule>,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,

    /// Write the figures into the model's card; for a model in a file
    #[arg(long)]
    pub record: bool,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,

    /// Number format of convolutions on the CPU
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub precision: Precision,
}

/// Everything that was measured, as printed with `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    model_sha256: &'a str,
    data: String,
    split: Split,
    rule: &'static str,
    test_time_augmentation: bool,
    n: u64,
    accuracy: f64,
    macro_f1: f64,
    balanced_accuracy: f64,
    per_class: [ClassMetrics; crate::emotion::COUNT],
    /// `[truth][answer]`, FER2013 order.
    confusion: &'a Confusion,
    labels: [Emotion; crate::emotion::COUNT],
    device: String,
    precision: Precision,
}

impl EvaluateArgs {
    /// Measures and prints.
    ///
    /// # Errors
    /// When model, data or device can't be used.
    pub fn run(&self) -> anyhow::Result<()> {
        let device = self.device.resolve()?;
        tch::set_num_threads(device::cores());
        let model = Model::load(&self.model, device, self.precision)?;
        // As it was split when the model was trained, if its publishers didn't split it.
        let split = SplitSpec::of_recipe(&model.card.training.recipe);
        let data = read(&self.data, &self.reading.options(&split))?;
        let default_rule = if self.reading.ferplus.is_some() { LabelRule::Majority } else { LabelRule::Label };
        let rule = self.rule.unwrap_or(default_rule);
        let (pictures, answers) = data.split(self.split).judged(rule)?;
        let normalization = model.card.input.normalization;
        let logits = predict(model.network.as_ref(), normalization, &pictures, Pass::EVALUATE, device);
        let confusion = evaluate(&logits, &answers)?;
        let report = Report {
            model: &model.card.name,
            model_sha256: &model.sha256,
            data: data.name,
            split: self.split,
            rule: rule.name(),
            test_time_augmentation: false,
            n: confusion.n(),
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            balanced_accuracy: confusion.balanced_accuracy(),
            per_class: confusion.per_class(),
            confusion: &confusion,
            labels: Emotion::ALL,
            device: device::describe(device),
            precision: self.precision,
        };
        if self.record {
            self.write_into_card(model.card.clone(), &report)?;
        }
        if self.json {
            print_json(&report)?;
        } else {
            print_text(&report);
        }
        Ok(())
    }

    /// Puts the figures into the card, in the place of older ones on the same split by the same rule.
    fn write_into_card(&self, mut card: Card, report: &Report<'_>) -> anyhow::Result<()> {
        let ModelSource::File(path) = &self.model else {
            bail!("--record is for models in files: {} is part of the program", self.model);
        };
        let entry = Evaluation {
            data: report.data.clone(),
            split: report.split.usage().to_owned(),
            rule: report.rule.to_owned(),
            n: report.n as usize,
            test_time_augmentation: report.test_time_augmentation,
            prior: "training".to_owned(),
            found: None,
            accuracy: rounded(report.accuracy),
            macro_f1: rounded(report.macro_f1),
            balanced_accuracy: rounded(report.balanced_accuracy),
            ece: None,
            ece_scaled: None,
        };
        card.evaluation.retain(|e| (&e.split, &e.rule) != (&entry.split, &entry.rule));
        card.evaluation.push(entry);
        let card_path = path.with_extension("toml");
        write_atomically(&card_path, card.to_toml()?.as_bytes())
            .with_context(|| format!("can't write the model card {}", card_path.display()))
    }
}

/// To four digits: more than any of these splits can tell apart.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn print_text(report: &Report<'_>) {
    println!("{} on {}, {}", report.model, report.data, report.split.usage());
    println!("rule {}, N {}, no test-time augmentation, {}", report.rule, report.n, report.device);
    println!();
    println!("accuracy           {:6.2} %", 100.0 * report.accuracy);
    println!("macro-F1           {:6.2} %", 100.0 * report.macro_f1);
    println!("balanced accuracy  {:6.2} %", 100.0 * report.balanced_accuracy);
    println!();
    println!("{:10}{:>11}{:>9}{:>9}{:>10}", "", "precision", "recall", "F1", "pictures");
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{:.1}", 100.0 * v));
    for class in &report.per_class {
        println!(
            "{:10}{:>11}{:>9}{:>9}{:>10}",
            class.emotion.name(),
            percent(class.precision),
            percent(class.recall),
            percent(class.f1),
            class.support
        );
    }
    println!();
    print!("{:10}", "true↓ as→");
    Emotion::ALL.iter().for_each(|emotion| print!("{emotion:>9}"));
    println!();
    for (emotion, row) in Emotion::ALL.iter().zip(report.confusion.counts()) {
        print!("{emotion:10}");
        row.iter().for_each(|count| print!("{count:>9}"));
        println!();
    }
}
