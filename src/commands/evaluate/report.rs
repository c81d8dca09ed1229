//! What `mien evaluate` prints.

use std::fmt;

use serde::Serialize;

use super::against::Against;
use crate::classes::Classes;
use crate::lab::datasets::Split;
use crate::lab::{KeyFigures, Measures};
use crate::net::Precision;
use crate::prior;

/// Everything that was measured, as printed with `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub model: &'a str,
    pub model_sha256: &'a str,
    pub data: &'a str,
    pub split: Split,
    pub rule: &'static str,
    /// `training`, `uniform`, or the file that was given.
    pub prior: String,
    /// Share of the pictures in which the detector found a face; the others aren't in `n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<f64>,
    /// Whether each picture was varied, as cameras vary them.
    pub varied: bool,
    pub test_time_augmentation: bool,
    #[serde(flatten)]
    pub measures: Measures,
    /// A second model on the same pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// Including the contempt faces that the rule leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eight_classes: Option<EightClasses>,
    /// The figures under each prior that the model knows by name.
    pub operating_points: Vec<OperatingPoint<'static>>,
    /// The model's classes, in the order of the confusion matrix.
    pub labels: Classes,
    /// Classes that were absent from training: their prior is 0 whatever is assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never_named: Vec<String>,
    pub device: String,
    pub precision: Precision,
}

/// Accuracy over the eight classes of Microsoft's reader. Networks of the seven emotions can't name contempt, so each contempt face counts
/// as wrong.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct EightClasses {
    /// Number of contempt faces.
    pub contempt: u64,
    /// All pictures, including those.
    pub n: u64,
    pub accuracy: f64,
}

impl EightClasses {
    /// Adds `contempt` faces to what was `measured` without them; `None` if there are none.
    pub(super) fn of(measured: &Measures, contempt: usize) -> Option<Self> {
        let contempt = contempt as u64;
        let n = measured.n + contempt;
        (contempt > 0).then(|| Self { contempt, n, accuracy: measured.figures.accuracy * measured.n as f64 / n as f64 })
    }
}

/// The figures under one prior.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OperatingPoint<'a> {
    pub prior: &'a str,
    #[serde(flatten)]
    pub figures: KeyFigures,
    pub loss: f64,
    pub ece: f64,
}

impl<'a> OperatingPoint<'a> {
    pub(super) fn new(prior: &'a str, measures: &Measures) -> Self {
        Self { prior, figures: measures.figures, loss: measures.loss, ece: measures.ece }
    }
}

impl Report<'_> {
    /// The operating points, including the one under the chosen prior.
    pub(super) fn points(&self) -> Vec<OperatingPoint<'_>> {
        let mut points: Vec<OperatingPoint<'_>> = self.operating_points.clone();
        if points.iter().all(|point| point.prior != self.prior) {
            points.push(OperatingPoint::new(&self.prior, &self.measures));
        }
        points
    }

    /// One line with data, conditions and accuracy.
    pub(super) fn summary(&self) -> String {
        format!(
            "{}, {}{}, rule {}, prior {}, N {}, accuracy {:.1} %",
            self.data,
            self.split.usage(),
            if self.varied { " varied" } else { "" },
            self.rule,
            self.prior,
            self.measures.n,
            100.0 * self.measures.figures.accuracy
        )
    }
}

/// A share as it is printed.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Says whether the network also saw each face mirrored.
pub(super) fn augmentation(flip: bool) -> &'static str {
    if flip { "each face mirrored too" } else { "no test-time augmentation" }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}, {}", self.model, self.data, self.split.usage())?;
        let (rule, n, device) = (self.rule, self.measures.n, &self.device);
        let flip = augmentation(self.test_time_augmentation);
        writeln!(f, "rule {rule}, N {n}, {flip}, {device}")?;
        if self.varied {
            writeln!(
                f,
                "light, tones, sharpness, angle, size and place of each picture varied once, at random, before its face is cut out"
            )?;
        }
        if let Some(words) = prior::never_named(&self.never_named) {
            writeln!(f, "{words}")?;
        }
        if let Some(found) = self.found {
            writeln!(
                f,
                "faces found by the detector in {:.1} % of the pictures; the others aren't in N",
                100.0 * found
            )?;
        }
        self.write_points(f)?;
        writeln!(f, "\nUnder the prior {}:\n", self.prior)?;
        if let Some(against) = &self.against {
            writeln!(f, "{against}")?;
        }
        self.write_classes(f)?;
        if let Some(EightClasses { contempt, n, accuracy }) = self.eight_classes {
            let accuracy = 100.0 * accuracy;
            writeln!(
                f,
                "\nwith contempt, the rule's eighth class, whose faces ({contempt}) all count as wrong: accuracy {accuracy:.2} %, N {n}"
            )?;
        }
        writeln!(f)?;
        self.write_confusion(f)
    }
}

impl Report<'_> {
    /// Writes a column for each operating point.
    fn write_points(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        type Figure = fn(&OperatingPoint<'_>) -> String;
        const ROWS: [(&str, Figure); 7] = [
            ("accuracy", |point| {
                let [low, high] = point.figures.accuracy_interval.map(|bound| 100.0 * bound);
                format!("{} ({low:.1}–{high:.1})", percent(point.figures.accuracy))
            }),
            ("balanced accuracy", |point| percent(point.figures.balanced_accuracy)),
            ("macro-F1", |point| percent(point.figures.macro_f1)),
            ("weighted F1", |point| percent(point.figures.weighted_f1)),
            ("loss (nats)", |point| format!("{:.3}", point.loss)),
            ("calibration error", |point| percent(point.ece)),
            ("… after scaling", |point| percent(point.figures.ece_scaled)),
        ];
        let points = self.points();
        write!(f, "\n{:18}", "prior")?;
        points.iter().try_for_each(|point| write!(f, "{:>24}", point.prior))?;
        writeln!(f)?;
        for (name, figure) in ROWS {
            write!(f, "{name:18}")?;
            points.iter().try_for_each(|point| write!(f, "{:>24}", figure(point)))?;
            writeln!(f)?;
        }
        Ok(())
    }

    /// Width in characters of a column with the names of the classes.
    fn column(&self) -> usize {
        let longest = self.labels.longest();
        (longest + 2).max(10)
    }

    fn write_classes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.column();
        writeln!(f, "{:names$}{:>11}{:>9}{:>9}{:>10}{:>10}", "", "precision", "recall", "F1", "ROC-AUC", "pictures")?;
        let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{:.1}", 100.0 * v));
        for (name, class) in self.labels.names().zip(&self.measures.per_class) {
            let counts = &class.counts;
            writeln!(
                f,
                "{:names$}{:>11}{:>9}{:>9}{:>10}{:>10}",
                name,
                cell(counts.precision),
                cell(counts.recall),
                cell(counts.f1),
                class.auc.map_or_else(|| "–".to_owned(), |auc| format!("{auc:.3}")),
                counts.support
            )?;
        }
        Ok(())
    }

    fn write_confusion(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.column();
        let width = names - 1;
        write!(f, "{:names$}", "true↓ as→")?;
        self.labels.names().try_for_each(|name| write!(f, "{name:>width$}"))?;
        writeln!(f)?;
        for (name, row) in self.labels.names().zip(self.measures.confusion.counts()) {
            write!(f, "{name:names$}")?;
            row.iter().try_for_each(|count| write!(f, "{count:>width$}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
