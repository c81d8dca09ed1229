//! `--record` and `--calibrate`: what was measured goes into the model's card.

use std::path::Path;

use anyhow::bail;
use tch::Device;

use super::report::{OperatingPoint, Report};
use super::{operating_points, scored};
use crate::commands::card;
use crate::console::tell;
use crate::lab::datasets::{DataError, Dataset, LabelRule, Split};
use crate::lab::{is_same_data, plots};
use crate::net::{Card, Ending, Evaluation, Model, ModelSource, Precision};
use crate::prior::StandardPrior;

/// File name of the confusion matrix on PrivateTest, beside the model.
const CONFUSION: &str = "confusion-privatetest.png";

/// Refuses to record figures that aren't 32-bit: a card doesn't name the number format, so they would silently replace others.
pub(super) fn check_precision(precision: Precision) -> anyhow::Result<()> {
    if precision == Precision::F32 {
        return Ok(());
    }
    bail!("--record is for 32-bit figures, as all figures in a card are: leave out --precision or --record")
}

/// Puts the figures at each operating point into the card. They replace older ones on the same pictures by the same rule and prior.
pub(super) fn put_figures(card: &mut Card, report: &Report<'_>) {
    for point in report.points() {
        let entry = Evaluation {
            test_time_augmentation: report.test_time_augmentation,
            found: report.found.map(rounded),
            varied: report.varied,
            ..entry(report.data, report.split, report.rule, report.measures.n, &point)
        };
        put(card, entry);
    }
}

/// Measures a model whose training has just ended on the two splits that it didn't learn from, and writes the figures into its card.
/// PrivateTest is read only once, so a card that already has figures for it is left alone. It isn't read if the budget ran out, because the
/// training may be continued.
///
/// # Errors
/// When the model can't be loaded or measured, or card or plot can't be written.
pub(in crate::commands) fn measure(
    path: &Path,
    ending: Ending,
    data: &Dataset,
    rule: LabelRule,
    device: Device,
) -> anyhow::Result<()> {
    let model = Model::load(&ModelSource::File(path.to_owned()), device, Precision::F32)?;
    let mut card = model.card.clone();
    let is_read = |entry: &Evaluation| entry.split == Split::Private.usage() && is_same_data(&entry.data, &data.name);
    if card.evaluation.iter().any(is_read) {
        tell(&format!(
            "the card already has figures on PrivateTest of {}, which is read once: nothing is measured",
            data.name
        ));
        return Ok(());
    }
    let splits: &[Split] = if ending == Ending::BudgetSpent {
        tell(
            "PrivateTest is read when the training ends by its last epoch or by early stopping, not when its budget is spent",
        );
        &[Split::Public]
    } else {
        &[Split::Public, Split::Private]
    };
    for split in splits.iter().copied() {
        let pictures = data.split(split);
        let judged = if pictures.is_empty() { Err(DataError::NoPicture { split }) } else { pictures.judged(rule) };
        let (pictures, answers) = match judged {
            Err(DataError::NoPicture { .. }) => {
                tell(&format!("{} has no pictures in {}: nothing is measured there", data.name, split.usage()));
                continue;
            }
            judged => judged?,
        };
        let scored = scored(&model, &pictures, &answers, device)?;
        let n = answers.len() as u64;
        for point in operating_points(&model, &scored)? {
            put(&mut card, entry(&data.name, split, rule.name(), n, &point));
        }
        if split == Split::Private {
            let prior = StandardPrior::Training;
            let assumed = card.calibration.assume(Some(&crate::prior::PriorChoice::Standard(prior)))?;
            let confusion = scored.confusion(&assumed.adjustment);
            let on = format!("{}, {}, rule {}, prior {}, N {n}", data.name, split.usage(), rule.name(), prior.name());
            plots::confusion(&card.name, &on, &confusion)?.save(&path.with_file_name(CONFUSION))?;
        }
    }
    card::write(&card.to_toml()?, path)
}

fn entry(data: &str, split: Split, rule: &str, n: u64, point: &OperatingPoint<'_>) -> Evaluation {
    Evaluation {
        data: data.to_owned(),
        split: split.usage().to_owned(),
        rule: rule.to_owned(),
        n: usize::try_from(n).unwrap_or(usize::MAX),
        test_time_augmentation: false,
        prior: point.prior.to_owned(),
        found: None,
        varied: false,
        accuracy: rounded(point.figures.accuracy),
        macro_f1: rounded(point.figures.macro_f1),
        balanced_accuracy: rounded(point.figures.balanced_accuracy),
        ece: Some(rounded(point.ece)),
        ece_scaled: Some(rounded(point.figures.ece_scaled)),
    }
}

fn put(card: &mut Card, entry: Evaluation) {
    card.evaluation.retain(|other| of_what(other) != of_what(&entry));
    card.evaluation.push(entry);
}

/// What identifies a measurement: a new one replaces an older one of the same data, conditions and prior.
fn of_what(entry: &Evaluation) -> ([&str; 4], [bool; 3]) {
    let Evaluation { data, split, rule, prior, found, varied, test_time_augmentation, .. } = entry;
    ([data, split, rule, prior], [found.is_some(), *varied, *test_time_augmentation])
}

/// Rounds to four decimals, finer than any of these splits can resolve.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
