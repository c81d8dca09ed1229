//! `mien evaluate faces`: how good a detector is on pictures with marked faces.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use crate::commands::card;
use crate::console::{print, print_json, tell};
use crate::device::{self, DeviceChoice};
use crate::lab::detection::metrics::{Judged, Measured, Range, by_roll, by_size, fit_score, size_figures};
use crate::lab::detection::{FaceData, LEAST_SCORE, find_in, found_and_missed};
use crate::net::faces::{FaceNetwork, FacesEvaluation, ScoreCalibration};
use crate::net::{ModelSource, Precision};

/// Measure a detector of faces on the validation pictures of its data
///
/// Prints the average precision at an overlap of one half, recall and false boxes in 100 pictures at a threshold, by size and by
/// roll of the faces, and how far landmarks are from where they were marked. Sizes are in pixels of a picture whose longer side
/// has 640. Faces smaller than 20 of those pixels, and those marked as unclear, are neither missed nor mistakes.
#[derive(Args, Debug)]
pub struct FacesArgs {
    /// A shipped detector's name, or a .safetensors file with its card beside it
    model: ModelSource,

    /// The folder with portraits/ and scenes/
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,

    /// Longer side in pixels that each picture is brought to
    #[arg(long, value_name = "PIXELS", default_value_t = 320, value_parser = clap::value_parser!(u16).range(32..=4096))]
    side: u16,

    /// Least score of a face that counts as found
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    threshold: f32,

    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,

    /// Draw found, missed and mistaken faces to this PNG file
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,

    /// Fit what makes a probability of the score, and write it into the model's card; for a model in a file
    #[arg(long)]
    calibrate: bool,

    /// Write the figures into the model's card; for a model in a file
    #[arg(long)]
    record: bool,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,

    /// Number format of convolutions on the CPU
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    model_sha256: &'a str,
    side: usize,
    threshold: f32,
    pictures: usize,
    sizes: Vec<Row>,
    rolls: Vec<Row>,
    device: String,
    precision: Precision,
}

/// The figures of a range of faces.
#[derive(Debug, Serialize)]
struct Row {
    range: String,
    faces: usize,
    average_precision: f64,
    recall: f64,
    false_boxes_per_100: f64,
    landmark_error: Option<f64>,
}

impl FacesArgs {
    /// Measures and prints.
    ///
    /// # Errors
    /// When model, data or device can't be used, or a result can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let device = self.device.resolve()?;
        tch::set_num_threads(device::cores());
        let model_file = match &self.model {
            ModelSource::File(path) => Some(path),
            ModelSource::Shipped(model) if self.record || self.calibrate => {
                bail!("--record and --calibrate are for models in files: {} is part of the program", model.name())
            }
            ModelSource::Shipped(_) => None,
        };
        let mut network = FaceNetwork::load(&self.model, device, self.precision)?;
        tell(&format!("Reading {}", self.data.display()));
        let data = FaceData::read(&self.data)?;
        let side = usize::from(self.side);
        if self.calibrate {
            network.card.score = ScoreCalibration::default();
        }
        let mut judged = find_in(&data.validation, side, device, |pictures| network.find(pictures, LEAST_SCORE))?;
        if self.calibrate {
            let plain = network.card.score;
            let fitted = fit_score(&judged, |score| plain.logit(score));
            for face in judged.iter_mut().flat_map(|picture| &mut picture.found) {
                face.score = fitted.probability(plain.logit(face.score));
            }
            network.card.score = fitted;
        }
        let sizes = by_size(&judged, self.threshold);
        if let Some(path) = &self.plot {
            let on = format!("validation pictures, longer side {side}, score from {}", self.threshold);
            found_and_missed(&network.card.name, &on, &data.validation, &judged, self.threshold)?.save(path)?;
        }
        if let Some(path) = model_file.filter(|_| self.record || self.calibrate) {
            if self.record {
                network.card.evaluation.retain(|old| (old.side, old.threshold) != (side, self.threshold));
                network.card.evaluation.push(self.evaluation(&judged, &sizes));
            }
            card::write_detector(&network.card, path)?;
        }
        let report = Report {
            model: &network.card.name,
            model_sha256: &network.sha256,
            side,
            threshold: self.threshold,
            pictures: judged.len(),
            sizes: sizes.iter().map(|(range, measured)| row(size_words(range), measured)).collect(),
            rolls: by_roll(&judged, self.threshold)
                .iter()
                .map(|(range, measured)| row(roll_words(range), measured))
                .collect(),
            device: device::describe(device),
            precision: self.precision,
        };
        if self.json { print_json(&report) } else { print(&table(&report)) }
    }

    /// What the card keeps.
    fn evaluation(&self, judged: &[Judged<'_>], sizes: &[(Range, Measured)]) -> FacesEvaluation {
        let all = sizes.first().map(|(_, measured)| *measured).unwrap_or_default();
        FacesEvaluation {
            data: "validation pictures of the data it learnt from".to_owned(),
            side: usize::from(self.side),
            threshold: self.threshold,
            pictures: judged.len(),
            false_boxes_per_100: all.false_boxes_per_100,
            landmark_error: all.landmark_error,
            sizes: sizes.iter().map(|(range, measured)| size_figures(range, measured)).collect(),
        }
    }
}

fn row(range: String, measured: &Measured) -> Row {
    let Measured { figures, false_boxes_per_100, landmark_error } = *measured;
    Row {
        range,
        faces: figures.faces,
        average_precision: figures.average_precision,
        recall: figures.recall,
        false_boxes_per_100,
        landmark_error,
    }
}

fn size_words(range: &Range) -> String {
    let [from, to] = range.sizes;
    if to.is_finite() { format!("{from} to {to} px") } else { format!("from {from} px") }
}

fn roll_words(range: &Range) -> String {
    let [from, to] = range.rolls.unwrap_or_default();
    if to.is_finite() { format!("{from} to {to}°") } else { format!("from {from}°") }
}

fn table(report: &Report<'_>) -> String {
    let Report { model, pictures, side, threshold, .. } = report;
    let mut text = format!(
        "{model}: {pictures} validation pictures, longer side {side} pixels, score from {threshold}\n\n{:14}{:>7}{:>8}{:>9}{:>15}{:>12}\n",
        "faces", "number", "AP", "recall", "false in 100", "landmarks"
    );
    // Neither of them is bound to a range of rolls.
    for (rows, has_false_boxes) in [(&report.sizes, true), (&report.rolls, false)] {
        for row in rows {
            let false_boxes =
                if has_false_boxes { format!("{:.1}", row.false_boxes_per_100) } else { "–".to_owned() };
            let precision =
                if has_false_boxes { format!("{:.1} %", 100.0 * row.average_precision) } else { "–".to_owned() };
            let landmarks = row.landmark_error.map_or_else(|| "–".to_owned(), |error| format!("{error:.3}"));
            let _ = writeln!(
                text,
                "{:14}{:>7}{precision:>8}{:>8.1}%{false_boxes:>15}{landmarks:>12}",
                row.range,
                row.faces,
                100.0 * row.recall,
            );
        }
        text.push('\n');
    }
    text.push_str(
        "Landmarks: mean distance from where they were marked, in distances from eye to eye, at the faces found.\n",
    );
    text
}

fn share(word: &str) -> Result<f32, String> {
    word.parse()
        .ok()
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "must be a number above 0 and below 1, as 0.5".to_owned())
}
