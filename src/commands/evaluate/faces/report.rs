//! What `mien evaluate faces` prints.

use std::fmt::Write as _;

use serde::Serialize;

use super::subject::Look;
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
    average_precision: f64,
    recall: f64,
    false_boxes_per_100: f64,
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
            sizes: sizes.iter().map(|(range, measured)| row(size_words(range), measured)).collect(),
            rolls: rolls.iter().map(|(range, measured)| row(roll_words(range), measured)).collect(),
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
        // Neither of them is bound to a range of rolls.
        for (rows, has_false_boxes) in [(&self.sizes, true), (&self.rolls, false)] {
            for row in rows {
                let bound = |told: String| if has_false_boxes { told } else { "–".to_owned() };
                let false_boxes = bound(format!("{:.1}", row.false_boxes_per_100));
                let precision = bound(format!("{:.1} %", 100.0 * row.average_precision));
                let _ = writeln!(
                    text,
                    "{:14}{:>7}{precision:>8}{:>8.1}%{false_boxes:>15}{:>12}",
                    row.range,
                    row.faces,
                    100.0 * row.recall,
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
        line(&name, row.faces.to_string(), &|report| format!("{:.1} %", 100.0 * report.sizes[index].average_precision));
    }
    let pictures = format!("{} pictures", first.pictures);
    line("false boxes in 100 pictures", pictures, &|report| format!("{:.1}", report.sizes[0].false_boxes_per_100));
    line("landmarks, in eye distances", String::new(), &|report| landmarks(&report.sizes[0]));
    line("score from", String::new(), &|report| format!("{:.3}", report.threshold));
    text
}

fn landmarks(row: &Row) -> String {
    row.landmark_error.filter(|error| error.is_finite()).map_or_else(|| "–".to_owned(), |error| format!("{error:.3}"))
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
