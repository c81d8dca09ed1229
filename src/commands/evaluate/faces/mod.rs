//! `mien evaluate faces`: how good detectors are on pictures with marked faces.

mod report;
mod source;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use self::report::{LANDMARKS_NOTE, Report, side_by_side};
use self::source::{DetectorSource, Findings, Look};
use super::record::check_precision;
use crate::commands::card;
use crate::console::{print, print_json, tell};
use crate::device::{self, DeviceChoice};
use crate::lab::detection::metrics::{Judged, by_size, size_figures, threshold_for};
use crate::lab::detection::{FaceData, fit_score, found_and_missed};
use crate::net::faces::{FacesEvaluation, ScoreCalibration};
use crate::net::{ModelSource, Precision};

/// Measure face detectors on the validation pictures of their data
///
/// Prints the average precision at an overlap of one half, recall and false boxes in 100 pictures at a threshold, by size and by
/// roll of the faces, and how far landmarks are from where they were marked. Sizes are in pixels of a picture whose longer side
/// is 640 pixels. Faces smaller than 20 of them, and those marked as unclear, count neither as missed nor as mistakes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  mien evaluate faces faces --data FOLDER                             the shipped detector
  mien evaluate faces faces haar other.csv --data FOLDER --markdown   several, side by side
  mien evaluate faces MODEL --data FOLDER --calibrate --record        a detector that was just trained

A table of what another program found has a row for each box: file (scenes/wider-00000.webp), x, y, width, height, score, and
the landmarks named as in labels.csv.")]
pub struct FacesArgs {
    /// A shipped detector's name, a .safetensors file with its card beside it, `haar`, or a .csv table of what another
    /// program found
    #[arg(required = true, value_name = "DETECTOR")]
    detectors: Vec<DetectorSource>,

    /// The folder with portraits/ and scenes/
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,

    /// Resize pictures so that their longer side has this many pixels; for networks only
    #[arg(long, value_name = "PIXELS", default_value_t = 320, value_parser = clap::value_parser!(u16).range(32..=4096))]
    side: u16,

    /// Lowest score at which a face counts as found
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    threshold: f32,

    /// Give each detector the lowest threshold at which it gives at most this many false boxes in 100 pictures
    #[arg(long, value_name = "NUMBER", conflicts_with = "threshold", value_parser = rate)]
    false_boxes: Option<f64>,

    /// Print a JSON object for each detector instead of tables
    #[arg(long)]
    json: bool,

    /// Print one Markdown table with a column for each detector
    #[arg(long, conflicts_with = "json")]
    markdown: bool,

    /// Draw found, missed and false faces into this PNG file; for one detector
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,

    /// Fit how a score becomes a probability, and write it into the model's card; for one model in a file
    #[arg(long)]
    calibrate: bool,

    /// Write the figures into the model's card; for one model in a file
    #[arg(long)]
    record: bool,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,

    /// Number format of convolutions on the CPU
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
}

impl FacesArgs {
    /// Measures and prints.
    ///
    /// # Errors
    /// When a detector, data or the device can't be used, or a result can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let device = self.device.resolve()?;
        crate::torch::use_threads(device::cores());
        if self.record {
            check_precision(self.precision)?;
        }
        let model_file = self.model_file()?;
        if self.plot.is_some() && self.detectors.len() > 1 {
            bail!("--plot draws what one detector found; give one");
        }
        let look = Look { side: usize::from(self.side), device, precision: self.precision, plain: self.calibrate };
        // Load the networks first, so that errors come before minutes of reading.
        let networks: Vec<_> =
            self.detectors.iter().map(|detector| detector.network(&look)).collect::<anyhow::Result<_>>()?;
        tell(&format!("Reading {}", self.data.display()));
        let data = FaceData::read(&self.data)?;
        let mut reports = Vec::new();
        for (detector, network) in self.detectors.iter().zip(networks) {
            let mut findings = detector.find(network, &data.validation, &look)?;
            if self.calibrate {
                calibrate(&mut findings);
            }
            let threshold = self.false_boxes.map_or(self.threshold, |most| threshold_for(&findings.judged, most));
            let Findings { name, judged, network } = &mut findings;
            if let Some(path) = &self.plot {
                let on = format!("validation pictures, longer side {}, score from {threshold}", self.side);
                found_and_missed(name, &on, &data.validation, judged, threshold)?.save(path)?;
            }
            if let (Some(path), Some(network)) = (&model_file, network.as_mut()) {
                if self.record {
                    let evaluation = self.evaluation(judged, threshold);
                    network.card.evaluation.retain(|old| (old.side, old.threshold) != (evaluation.side, threshold));
                    network.card.evaluation.push(evaluation);
                }
                card::write(&network.card.to_toml()?, path)?;
            }
            let sha256 = network.as_ref().map(|network| network.sha256.clone());
            let report = Report::new(name.clone(), sha256, judged, threshold, &look);
            if self.json {
                print_json(&report)?;
            } else if !self.markdown {
                print(&report.table())?;
            }
            reports.push(report);
        }
        match (self.json, self.markdown) {
            (true, _) => Ok(()),
            (_, true) => print(&side_by_side(&reports)),
            _ => print(LANDMARKS_NOTE),
        }
    }

    /// The file whose card is to be written, if any.
    fn model_file(&self) -> anyhow::Result<Option<PathBuf>> {
        if !self.record && !self.calibrate {
            return Ok(None);
        }
        match self.detectors.as_slice() {
            [DetectorSource::Network(ModelSource::File(path))] => Ok(Some(path.clone())),
            [DetectorSource::Network(ModelSource::Shipped(model))] => {
                bail!("--record and --calibrate are for models in files: {} is part of the program", model.name())
            }
            _ => bail!("--record and --calibrate are for one model in a file"),
        }
    }

    /// The figures that go into the card.
    fn evaluation(&self, judged: &[Judged<'_>], threshold: f32) -> FacesEvaluation {
        let sizes = by_size(judged, threshold);
        let all = sizes.first().map(|(_, measured)| *measured).unwrap_or_default();
        FacesEvaluation {
            data: "validation pictures of the data it learnt from".to_owned(),
            side: usize::from(self.side),
            threshold,
            pictures: judged.len(),
            false_boxes_per_100: all.false_boxes_per_100,
            landmark_error: all.landmark_error,
            sizes: sizes.iter().map(|(range, measured)| size_figures(range, measured)).collect(),
        }
    }
}

/// Fits how a network's own scores become probabilities, and applies that to its findings and its card. If the scores change, the card's
/// figures at thresholds of the old scores no longer hold and are removed.
fn calibrate(findings: &mut Findings<'_>) {
    let Some(network) = &mut findings.network else { return };
    let plain = ScoreCalibration::default();
    let fitted = fit_score(&findings.judged, |score| plain.logit(score));
    for face in findings.judged.iter_mut().flat_map(|picture| &mut picture.found) {
        face.score = fitted.probability(plain.logit(face.score));
    }
    if network.card.score != fitted && !network.card.evaluation.is_empty() {
        network.card.evaluation.clear();
        tell(
            "The scores have changed: the card's figures that no longer hold were removed; measure again with --record",
        );
    }
    network.card.score = fitted;
}

fn share(word: &str) -> Result<f32, String> {
    word.parse()
        .ok()
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "must be a number above 0 and below 1, such as 0.5".to_owned())
}

fn rate(word: &str) -> Result<f64, String> {
    word.parse()
        .ok()
        .filter(|rate: &f64| *rate >= 0.0 && rate.is_finite())
        .ok_or_else(|| "must be a number of at least 0, such as 5".to_owned())
}
