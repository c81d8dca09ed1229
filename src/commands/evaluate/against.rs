//! `--against`: a second model on the same pictures.

use std::fmt;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tch::Device;

use super::subject::Subject;
use super::{ClassifierArgs, learnt, scored};
use crate::lab::Scored;
use crate::lab::datasets::LabelRule;
use crate::net::{Adjustment, ModelSource};
use crate::network::NetworkInUse;

/// The model that is measured beside another one.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    model: String,
    model_sha256: String,
    prior: String,
    accuracy: f64,
    /// The measured model's accuracy less this one's.
    difference: f64,
    difference_interval: [f64; 2],
    /// Pictures that the measured model alone classified correctly.
    measured_alone: u64,
    /// Pictures that this one alone classified correctly.
    other_alone: u64,
    /// By McNemar's exact test.
    p_value: f64,
}

impl ClassifierArgs {
    /// Measures a second model on the pictures of `subject`, whose answers are `measured`.
    ///
    /// # Errors
    /// When the second can't be measured, or not on the same pictures.
    pub(super) fn against(
        &self,
        other: &ModelSource,
        subject: &Subject,
        (measured, adjustment): (&Scored, &Adjustment),
        rule: LabelRule,
        device: Device,
    ) -> anyhow::Result<Against> {
        let other = self.subject(other, device)?;
        let (name, other_name) = (&subject.model.card.name, &other.model.card.name);
        if subject.model.card.labels != other.model.card.labels {
            bail!("{name} and {other_name} don't have the same classes, so they can't be compared");
        }
        let differ = || format!("{name} and {other_name} can't be compared: their pictures of {} differ", self.split.usage());
        if !learnt::are_alike(&subject.data, &other.data, self.split) {
            bail!("{}, as each splits the data as for its own training", differ());
        }
        let sample = self.sample(&other, rule)?;
        let others = scored(&other.model, &sample.pictures, &sample.answers, device)?;
        let assumed = other.model.card.calibration.assume(self.prior.as_ref())?;
        let paired = measured.beside(adjustment, &others, &assumed.adjustment).with_context(differ)?;
        let network = NetworkInUse::of(&other.model, &assumed.prior);
        Ok(Against {
            model: network.model,
            model_sha256: network.sha256,
            prior: network.prior,
            accuracy: others.confusion(&assumed.adjustment).accuracy(),
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
        let Self { model, prior, measured_alone, other_alone, .. } = self;
        writeln!(f, "Compared with {model} under the prior {prior}, accuracy {:.2} %:", 100.0 * self.accuracy)?;
        let [low, high] = self.difference_interval.map(|bound| 100.0 * bound);
        writeln!(f, "difference        {:+.2} points ({low:+.1} to {high:+.1})", 100.0 * self.difference)?;
        writeln!(f, "one alone right   {measured_alone} pictures; {model} {other_alone}")?;
        writeln!(f, "McNemar's test    p {}", p_value(self.p_value))?;
        writeln!(f, "The interval is for new pictures; training again with another seed may differ by more.")
    }
}

/// As reports print it.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}
