//! `mien evaluate`: how good a model is on a split of a data set.

mod against;
mod calibrate;
mod faces;
mod folds;
mod learnt;
pub(super) mod record;
mod report;
mod subject;
#[cfg(feature = "vision")]
mod through_detector;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tch::{Device, Tensor};

use self::faces::FacesArgs;
use self::report::{EightClasses, OperatingPoint, Report};
use self::subject::Subject;
use super::card;
use super::numbers::share;
use super::reading::ReadingArgs;
use crate::console::{print, print_json, tell};
use crate::device::{self, DeviceChoice};
use crate::lab::datasets::{LabelRule, Split};
use crate::lab::{Scored, plots, predict};
use crate::net::{Model, ModelSource, Pass, Precision};
use crate::network::NetworkInUse;
use crate::prior::{PriorChoice, StandardPrior};

/// Measure a model on a split of a data set
///
/// Prints accuracy with its 95 % interval, balanced accuracy, macro and weighted F1, precision, recall, F1 and the area under
/// the ROC curve of each emotion, the expected calibration error before and after temperature scaling, and the
/// confusion matrix, with the number of pictures, the split, the prior and the rule that says which label counts as
/// correct: figures under different rules or priors can't be compared. Each picture is seen once (twice with
/// --flip), and as it is unless --varied is given. Detectors are measured by `mien evaluate faces`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  mien evaluate MODEL fer2013.csv --ferplus fer2013new.csv --calibrate      fit temperature and strength
  mien evaluate MODEL fer2013.csv --ferplus fer2013new.csv --split private  read once, at the end
  mien evaluate MODEL CK+48 --split all --prior uniform                     data that the model didn't learn from
  mien evaluate MODEL fer2013.csv --against OTHER                           is one better than the other?
  mien evaluate --folds runs/mien-joint CK+48 JAFFE                         people that the network never saw
  mien evaluate faces MODEL --data FOLDER                                   a detector")]
pub struct EvaluateArgs {
    #[command(subcommand)]
    other: Option<Other>,

    #[command(flatten)]
    classifier: ClassifierArgs,
}

/// What else can be measured.
#[derive(Subcommand, Debug)]
enum Other {
    Faces(FacesArgs),
}

// The classifier's arguments. Their help text is on EvaluateArgs.
#[derive(Args, Debug)]
struct ClassifierArgs {
    /// A shipped model's name, or a .safetensors file with its card beside it
    #[arg(required = true)]
    pub model: Option<ModelSource>,

    /// The data set: fer2013.csv, or another that `mien dataset` can read; several are measured as one
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,

    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Which pictures: choose settings on `public`, read `private` once at the end, and use `all` for data that the model didn't
    /// learn from. Data without an official split are split as for the model's training if it learnt from them, else into a fifth for
    /// each of the two and the rest; data that have changed since that training can only be measured with `all`
    #[arg(long, value_enum, default_value_t = Split::Public)]
    pub split: Split,

    /// Which label counts as correct [default: majority with --ferplus, else label]
    #[arg(long, value_enum)]
    pub rule: Option<LabelRule>,

    /// How often each emotion or class is assumed to be shown: `training`, `uniform`, or a TOML or CSV file of emotions and
    /// weights [default: the model's own]
    #[arg(long, value_name = "training|uniform|FILE")]
    pub prior: Option<PriorChoice>,

    /// Look for each face with the app's own detector first, and measure on the faces that it finds, which is what a user gets
    #[cfg(feature = "vision")]
    #[arg(long, conflicts_with = "folds")]
    pub through_detector: bool,

    /// Before its face is found and cut out, vary light, tones, sharpness, angle, size and place of each picture once, as they change
    /// from one picture of a camera to the next; at random, but in the same way each time
    #[arg(long)]
    pub varied: bool,

    /// Show the network each face mirrored too and take the mean of both answers
    #[arg(long, conflicts_with = "calibrate")]
    pub flip: bool,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,

    /// Compare with this model on the same pictures, under the prior of the same name: how far the accuracies are apart, with the 95 %
    /// interval of the difference and McNemar's test
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["calibrate", "folds"])]
    pub against: Option<ModelSource>,

    /// Draw the confusion matrix to this PNG file
    #[arg(long, value_name = "FILE.png")]
    pub plot: Option<PathBuf>,

    /// Write the figures at each operating point into the model's card; for a model in a file
    #[arg(long)]
    pub record: bool,

    /// Fit temperatures, and the strength with which a prior is applied, on PublicTest (the strength on varied pictures), and
    /// write them into the model's card; --prior then becomes the model's default. Without it, a default from an earlier calibration
    /// stays, and the first calibration makes it `uniform`
    #[arg(long)]
    pub calibrate: bool,

    /// With --calibrate: the lowest accuracy on PublicTest that the uniform prior may lead to, as a share from 0 to 1
    #[arg(long, value_name = "SHARE", requires = "calibrate", value_parser = share::<f64>)]
    pub least_accuracy: Option<f64>,

    /// Measure the networks of `mien train --folds` together, each picture by the network that never saw its person. Give their run
    /// folder as MODEL. The data sets' own labels count as correct
    #[arg(long, conflicts_with_all = ["calibrate", "record", "varied", "plot", "split", "ferplus", "rule"])]
    pub folds: bool,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,

    /// Number format of convolutions on the CPU
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub precision: Precision,
}

impl EvaluateArgs {
    /// Measures and prints.
    ///
    /// # Errors
    /// When model, data, prior or device can't be used, or a result can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        match &self.other {
            Some(Other::Faces(faces)) => faces.run(),
            None => self.classifier.run(),
        }
    }
}

impl ClassifierArgs {
    fn run(&self) -> anyhow::Result<()> {
        // clap requires it unless a subcommand follows.
        let Some(source) = &self.model else { bail!("give a model and a data set") };
        let device = self.device.resolve()?;
        crate::torch::use_threads(device::cores());
        if self.folds {
            let ModelSource::File(run) = source else { bail!("--folds needs the folder of a run") };
            return self.run_folds(run, device);
        }
        if self.record {
            record::check_precision(self.precision)?;
        }
        let recorded_model = self.recorded_model(source)?;
        // The models are loaded and compared first, because reading data takes minutes.
        let model = self.load(source, device)?;
        let other = self.against.as_ref().map(|other| self.load(other, device)).transpose()?;
        if let Some(other) = &other {
            against::check_classes(&model.card, &other.card)?;
        }
        let mut subject = self.subject(model)?;
        if self.calibrate {
            let calibration = self.fitted(&subject, device)?;
            let (before, now) = (subject.model.card.calibration.default_prior, calibration.default_prior);
            if before != now {
                let (before, now) = (before.name(), now.name());
                tell(&format!("the model's default prior is now {now}, no longer {before}; --prior chooses it"));
            }
            if calibrate::recalibrate(&mut subject.model.card, calibration) {
                tell(
                    "the calibration has changed: the card's figures that no longer hold were removed; measure again with --record",
                );
            }
        }

        let rule = self.rule.unwrap_or(self.usual_rule());
        let assumed = subject.model.card.calibration.assume(self.prior.as_ref())?;
        let other = other.map(|other| self.comparable(other, &subject, &assumed)).transpose()?;
        let sample = self.sample(&subject, rule)?;
        let Subject { model, data, .. } = &subject;
        let scored = scored(model, &sample.pictures, &sample.answers, device)?;
        let network = NetworkInUse::of(model, &assumed.prior);
        let measures = scored.measure(&assumed.adjustment);
        let against = other.map(|other| self.compared(&other, (&scored, &assumed.adjustment), rule, device));
        let report = Report {
            model: &network.model,
            model_sha256: &network.sha256,
            data: &data.name,
            split: self.split,
            rule: rule.name(),
            prior: network.prior.clone(),
            found: sample.found,
            varied: self.varied,
            test_time_augmentation: self.flip,
            eight_classes: EightClasses::of(&measures, sample.contempt),
            measures,
            against: against.transpose()?,
            operating_points: operating_points(model, &scored)?,
            labels: model.card.labels.clone(),
            never_named: network.never_named.clone(),
            device: network.device.clone(),
            precision: self.precision,
        };
        if let Some(path) = &self.plot {
            plots::confusion(report.model, &report.summary(), &report.measures.confusion)?.save(path)?;
        }
        if let Some(path) = recorded_model {
            let mut card = model.card.clone();
            if self.record {
                record::put_figures(&mut card, &report);
            }
            card::write(&card.to_toml()?, path)?;
        }
        if self.json { print_json(&report) } else { print(&report.to_string()) }
    }

    /// The model file whose card is to be written, if any.
    fn recorded_model<'a>(&self, source: &'a ModelSource) -> anyhow::Result<Option<&'a Path>> {
        let option = match (self.record, self.calibrate) {
            (true, _) => "--record",
            (_, true) => "--calibrate",
            _ => return Ok(None),
        };
        match source {
            ModelSource::File(path) => Ok(Some(path)),
            ModelSource::Shipped(model) => {
                bail!("{option} is for models in files: {} is part of the program", model.name())
            }
        }
    }

    fn usual_rule(&self) -> LabelRule {
        LabelRule::usual(self.reading.ferplus.is_some())
    }
}

/// Runs the network once over all pictures.
fn scored(model: &Model, pictures: &Tensor, answers: &[usize], device: Device) -> anyhow::Result<Scored> {
    let normalization = model.card.input.normalization;
    let logits = predict(model.network.as_ref(), normalization, pictures, Pass::EVALUATE, device);
    logits.and_then(|logits| Scored::new(&logits, answers, &model.card.labels)).context("can't measure the model")
}

/// The figures under each prior that the model knows by name.
fn operating_points(model: &Model, scored: &Scored) -> anyhow::Result<Vec<OperatingPoint<'static>>> {
    let calibration = &model.card.calibration;
    let known = StandardPrior::ALL
        .into_iter()
        .filter(|prior| *prior == StandardPrior::Training || calibration.training_prior.is_some());
    known
        .map(|prior| {
            let assumed = calibration.assume(Some(&PriorChoice::Standard(prior)))?;
            Ok(OperatingPoint::new(prior.name(), &scored.measure(&assumed.adjustment)))
        })
        .collect()
}
