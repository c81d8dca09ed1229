//! `--against`: a second model on the same pictures.

use std::fmt;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tch::Device;

use super::subject::Subject;
use super::{ClassifierArgs, learnt, scored};
use crate::lab::Scored;
use crate::lab::datasets::LabelRule;
use crate::net::{Adjustment, Assumed, Card, Model};

/// A second model, with the same classes and pictures as the first.
pub(super) struct Comparable {
    subject: Subject,
    /// What its logits need under the first model's prior.
    adjustment: Adjustment,
}

/// How a second model does on the pictures of the first, under the same prior.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    model: String,
    model_sha256: String,
    accuracy: f64,
    /// The first model's accuracy minus this one's.
    difference: f64,
    difference_interval: [f64; 2],
    /// Pictures that the first model alone classified correctly.
    measured_alone: u64,
    /// Pictures that this one alone classified correctly.
    other_alone: u64,
    /// By McNemar's exact test.
    p_value: f64,
}

/// Refuses to compare models with different classes.
///
/// # Errors
/// When the classes differ.
pub(super) fn check_classes(first: &Card, second: &Card) -> anyhow::Result<()> {
    anyhow::ensure!(first.labels == second.labels, "{}: they don't have the same classes", refused(first, second));
    Ok(())
}

fn refused(first: &Card, second: &Card) -> String {
    format!("{} and {} can't be compared", first.name, second.name)
}

impl ClassifierArgs {
    /// Reads the pictures of a second model, so that a comparison that isn't possible fails before anything is measured.
    ///
    /// # Errors
    /// When the second model has other pictures, or can't answer under the prior that is `assumed`.
    pub(super) fn comparable(&self, model: Model, first: &Subject, assumed: &Assumed) -> anyhow::Result<Comparable> {
        // Under a different prior, part of the difference would come from the priors.
        let of_second = model.card.calibration.assume(Some(&assumed.prior));
        let adjustment = of_second.with_context(|| refused(&first.model.card, &model.card))?.adjustment;
        let subject = self.subject(model)?;
        if !learnt::are_alike(self.measured_data(first), self.measured_data(&subject), self.split) {
            bail!(
                "{}: their pictures of {} differ, because each splits the data as for its own training. Use data that neither learnt \
                 from, or `--split all`, which includes the pictures that they learnt from",
                refused(&first.model.card, &subject.model.card),
                self.split.usage()
            );
        }
        Ok(Comparable { subject, adjustment })
    }

    /// Measures the second model, and compares its answers with the `first` one's under `adjustment`.
    ///
    /// # Errors
    /// When it can't be measured.
    pub(super) fn compared(
        &self,
        other: &Comparable,
        (first, adjustment): (&Scored, &Adjustment),
        rule: LabelRule,
        device: Device,
    ) -> anyhow::Result<Against> {
        let Comparable { subject: Subject { model, .. }, adjustment: of_other } = other;
        let sample = self.sample(&other.subject, rule)?;
        let second = scored(model, &sample.pictures, &sample.answers, device)?;
        let paired = first.beside(adjustment, &second, of_other);
        let paired = paired.with_context(|| format!("{} was measured on other pictures", model.card.name))?;
        Ok(Against {
            model: model.card.name.clone(),
            model_sha256: model.sha256.clone(),
            accuracy: second.confusion(of_other).accuracy(),
            difference: paired.difference(),
            difference_interval: paired.difference_interval(),
            measured_alone: paired.first_alone,
            other_alone: paired.second_alone,
            p_value: paired.p_value(),
        })
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, measured_alone, other_alone, .. } = self;
        writeln!(f, "Compared with {model}, accuracy {:.2} %:", 100.0 * self.accuracy)?;
        let [low, high] = self.difference_interval.map(|bound| 100.0 * bound);
        let difference = 100.0 * self.difference;
        writeln!(f, "{:32}{difference:+.2} points ({low:+.1} to {high:+.1})", "difference")?;
        writeln!(f, "{:32}{measured_alone} pictures; {model}: {other_alone}", "right where the other is wrong")?;
        writeln!(f, "{:32}p {}", "McNemar's test", p_value(self.p_value))?;
        writeln!(f, "The interval covers the choice of pictures only; retraining with another seed may change more.")
    }
}

/// As reports print it.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}
