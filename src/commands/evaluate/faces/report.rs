//! What `mien evaluate faces` prints.

use std::fmt::Write as _;

use serde::Serialize;

use super::source::Look;
use crate::device;
use crate::lab::detection::metrics::{Judged, Measured, Range, by_roll, by_size};
use crate::net::Precision;

/// What was measured of one detector.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    detector: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_sha256: Option<String>,
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
    /// `None` for a range of rolls, as are the false boxes: a box on nothing has no roll.
    average_precision: Option<f64>,
    recall: f64,
    false_boxes_per_100: Option<f64>,
    landmark_error: Option<f64>,
}

impl Report {
    /// Counts what was found with a score of at least `threshold`.
    pub fn new(
        detector: String,
        model_sha256: Option<String>,
        judged: &[Judged<'_>],
        threshold: f32,
        look: &Look,
    ) -> Self {
        let sizes = by_size(judged, threshold);
        let rolls = by_roll(judged, threshold);
        Self {
            detector,
            model_sha256,
            side: look.side,
            threshold,
            pictures: judged.len(),
            sizes: sizes.iter().map(|(range, measured)| size_row(range, measured)).collect(),
            rolls: rolls.iter().map(|(range, measured)| roll_row(range, measured)).collect(),
            device: device::describe(look.device),
            precision: look.precision,
        }
    }

    /// As a table for a terminal.
    pub fn table(&self) -> String {
        let Self { detector, pictures, side, threshold, .. } = self;
        let mut text = format!(
            "{detector}: {pictures} validation pictures, longer side {side} pixels, score from {threshold}\n\n{:14}{:>7}{:>8}{:>9}{:>15}{:>12}\n",
            "faces", "number", "AP", "recall", "false in 100", "landmarks"
        );
        for rows in [&self.sizes, &self.rolls] {
            for row in rows {
                let _ = writeln!(
                    text,
                    "{:14}{:>7}{:>8}{:>8.1}%{:>15}{:>12}",
                    row.range,
                    row.faces,
                    average_precision(row),
                    100.0 * row.recall,
                    false_boxes(row),
                    landmarks(row),
                );
            }
            text.push('\n');
        }
        text
    }
}

/// What the figures of landmarks mean.
pub(super) const LANDMARKS_NOTE: &str =
    "Landmarks: mean distance from where they were marked, in distances from eye to eye, at the faces found.\n";

/// Several detectors side by side, as a Markdown table: recall by size and roll, then false boxes and landmarks.
pub(super) fn side_by_side(reports: &[Report]) -> String {
    let mut text = String::from("| faces | number |");
    reports.iter().for_each(|report| _ = write!(text, " {} |", report.detector));
    text.push_str("\n|---|---:|");
    reports.iter().for_each(|_| text.push_str("---:|"));
    text.push('\n');
    let mut line = |name: &str, number: String, figure: &dyn Fn(&Report) -> String| {
        let _ = write!(text, "| {name} | {number} |");
        reports.iter().for_each(|report| _ = write!(text, " {} |", figure(report)));
        text.push('\n');
    };
    let Some(first) = reports.first() else { return text };
    for (kind, rows_of) in
        [("", (|report| &report.sizes) as fn(&Report) -> &Vec<Row>), ("roll ", |report| &report.rolls)]
    {
        for (index, row) in rows_of(first).iter().enumerate() {
            let name = format!("recall, {kind}{}", row.range);
            line(&name, row.faces.to_string(), &|report| {
                rows_of(report).get(index).map_or_else(String::new, |row| format!("{:.1} %", 100.0 * row.recall))
            });
        }
    }
    for (index, row) in first.sizes.iter().enumerate().take(2) {
        let name = format!("average precision, {}", row.range);
        line(&name, row.faces.to_string(), &|report| average_precision(&report.sizes[index]));
    }
    let pictures = format!("{} pictures", first.pictures);
    line("false boxes in 100 pictures", pictures, &|report| false_boxes(&report.sizes[0]));
    line("landmarks, in eye distances", String::new(), &|report| landmarks(&report.sizes[0]));
    line("score from", String::new(), &|report| format!("{:.3}", report.threshold));
    text
}

fn average_precision(row: &Row) -> String {
    row.average_precision.map_or_else(none, |precision| format!("{:.1} %", 100.0 * precision))
}

fn false_boxes(row: &Row) -> String {
    row.false_boxes_per_100.map_or_else(none, |rate| format!("{rate:.1}"))
}

fn landmarks(row: &Row) -> String {
    row.landmark_error.filter(|error| error.is_finite()).map_or_else(none, |error| format!("{error:.3}"))
}

/// Stands for a missing figure.
fn none() -> String {
    "–".to_owned()
}

fn size_row(range: &Range, measured: &Measured) -> Row {
    let Measured { figures, false_boxes_per_100, landmark_error } = *measured;
    Row {
        range: size_words(range),
        faces: figures.faces,
        average_precision: Some(figures.average_precision),
        recall: figures.recall,
        false_boxes_per_100: Some(false_boxes_per_100),
        landmark_error,
    }
}

fn roll_row(range: &Range, measured: &Measured) -> Row {
    Row { range: roll_words(range), average_precision: None, false_boxes_per_100: None, ..size_row(range, measured) }
}

fn size_words(range: &Range) -> String {
    let [from, to] = range.sizes;
    if to.is_finite() { format!("{from} to {to} px") } else { format!("from {from} px") }
}

fn roll_words(range: &Range) -> String {
    let [from, to] = range.rolls.unwrap_or_default();
    if to.is_finite() { format!("{from} to {to}°") } else { format!("from {from}°") }
}
