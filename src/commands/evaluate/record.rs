//! `--record` and `--calibrate`: what was measured goes into the model's card.

use super::report::Report;
use crate::net::{Card, Evaluation};

/// Puts the figures at each operating point into the card, in the place of older ones on the same pictures by the same rule
/// and prior.
pub(super) fn put_figures(card: &mut Card, report: &Report<'_>) {
    for point in report.points() {
        let entry = Evaluation {
            data: report.data.to_owned(),
            split: report.split.usage().to_owned(),
            rule: report.rule.to_owned(),
            n: usize::try_from(report.measures.n).unwrap_or(usize::MAX),
            test_time_augmentation: report.test_time_augmentation,
            prior: point.prior.to_owned(),
            found: report.found.map(rounded),
            varied: report.varied,
            accuracy: rounded(point.accuracy),
            macro_f1: rounded(point.macro_f1),
            balanced_accuracy: rounded(point.balanced_accuracy),
            ece: Some(rounded(point.ece)),
            ece_scaled: Some(rounded(point.ece_scaled)),
        };
        card.evaluation.retain(|other| of_what(other) != of_what(&entry));
        card.evaluation.push(entry);
    }
}

/// What a measurement is of: two of the same replace each other.
fn of_what(entry: &Evaluation) -> ([&str; 4], [bool; 3]) {
    let Evaluation { data, split, rule, prior, found, varied, test_time_augmentation, .. } = entry;
    ([data, split, rule, prior], [found.is_some(), *varied, *test_time_augmentation])
}

/// To four digits: more than any of these splits can tell apart.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
