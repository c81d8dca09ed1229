//! `--calibrate`: temperatures and strength, fitted on PublicTest.

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use tch::Device;

use super::subject::{Subject, cut_varied};
use super::{ClassifierArgs, scored};
use crate::lab::balance::BalanceSpec;
use crate::lab::datasets::{Dataset, Split};
use crate::lab::recipe::DataSpec;
use crate::lab::{Sampling, fit_calibration, training_prior, varied};
use crate::net::{Calibration, Card};
use crate::prior::{Prior, PriorChoice, StandardPrior};

/// Number of variations of each picture on which the strength is chosen.
const VARIATIONS: usize = 5;

impl ClassifierArgs {
    /// The model's calibration, fitted again on PublicTest, whichever split is measured.
    pub(super) fn fitted(&self, subject: &Subject, device: Device) -> anyhow::Result<Calibration> {
        let Subject { model, data, .. } = subject;
        let before = &model.card.calibration;
        let training_prior = match &before.training_prior {
            Some(prior) => prior.clone(),
            None => prior_of(&model.card, data)?,
        };
        let rule = self.usual_rule();
        let (pictures, answers) = data.public.judged(rule)?;
        let plain = scored(model, &pictures, &answers, device)?;
        let (uncut, _) = subject.uncut().public.judged(rule)?;
        let varied = cut_varied(&varied(&uncut, VARIATIONS)?, model.card.input.crop)?;
        let varied = scored(model, &varied, &answers.repeat(VARIATIONS), device)?;
        let fitted_on = format!(
            "{}, {}, {}, N {}; the strength on {VARIATIONS} variations of each",
            data.name,
            Split::Public.usage(),
            rule.name(),
            plain.len()
        );
        let default_prior = match self.prior {
            Some(PriorChoice::Standard(prior)) => prior,
            _ if before.is_fitted() => before.default_prior,
            // Somebody who acts out the seven emotions in turn shows all of them equally often.
            _ => StandardPrior::Uniform,
        };
        let least_accuracy = self.least_accuracy.unwrap_or(0.0);
        Ok(fit_calibration(&plain, &varied, training_prior, default_prior, least_accuracy, fitted_on)?)
    }
}

/// Replaces a card's calibration, and removes the figures that no longer hold: all under priors other than the training prior, and
/// calibration errors after scaling. Under the training prior the answers stay the same, so its figures stay, and the card still shows that
/// PrivateTest was read. Returns whether any figure was removed.
pub(super) fn recalibrate(card: &mut Card, calibration: Calibration) -> bool {
    let before = std::mem::replace(&mut card.calibration, calibration);
    let now = &card.calibration;
    // The default prior and the pictures that were fitted on change no figure: each figure names its prior.
    let what_counts = |it: &Calibration| (it.strength, it.temperature, it.training_prior.clone());
    if what_counts(&before) == what_counts(now) {
        return false;
    }
    let figures = card.evaluation.clone();
    card.evaluation.retain(|entry| entry.prior == StandardPrior::Training.name());
    card.evaluation.iter_mut().for_each(|entry| entry.ece_scaled = None);
    card.evaluation != figures
}

/// How often a model saw each class in training, recomputed from its recipe and the data, for cards without it.
fn prior_of(card: &Card, data: &Dataset) -> anyhow::Result<Prior> {
    let target = recipe_part(card, "target")?.context("the model's card names no target of training")?;
    let balance: BalanceSpec = recipe_part(card, "balance")?.unwrap_or_default();
    let sources: DataSpec = recipe_part(card, "data")?.unwrap_or_default();
    Ok(training_prior(
        &data.training.examples(target)?,
        Sampling { data: &sources, balance: &balance, classes: &card.labels },
    )?)
}

fn recipe_part<T: DeserializeOwned>(card: &Card, name: &str) -> anyhow::Result<Option<T>> {
    let part = card.training.recipe.get(name).cloned().map(toml::Value::try_into).transpose();
    part.with_context(|| format!("the model's card names an unknown {name} of training"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ModelSource;

    #[test]
    fn a_card_keeps_the_figures_that_are_true_with_another_calibration() {
        let card = ModelSource::default().card().unwrap();
        let private = |card: &Card| {
            let read = card.evaluation.iter().filter(|entry| entry.split == Split::Private.usage());
            read.map(|entry| (entry.prior.clone(), entry.accuracy, entry.ece_scaled)).collect::<Vec<_>>()
        };
        assert!(private(&card).iter().any(|(prior, _, _)| prior == "uniform"), "{:?}", private(&card));

        let mut same = card.clone();
        let named = Calibration {
            default_prior: StandardPrior::Training,
            fitted_on: "other words".to_owned(),
            ..card.calibration.clone()
        };
        assert!(!recalibrate(&mut same, named.clone()));
        assert_eq!((&same.evaluation, &same.calibration), (&card.evaluation, &named));

        let mut changed = card.clone();
        let stronger = Calibration { strength: card.calibration.strength + 0.1, ..card.calibration.clone() };
        assert!(recalibrate(&mut changed, stronger.clone()));
        assert_eq!(changed.calibration, stronger);
        let before = private(&card).into_iter().filter(|(prior, _, _)| prior == "training");
        let kept: Vec<_> = before.map(|(prior, accuracy, _)| (prior, accuracy, None)).collect();
        assert!(!kept.is_empty() && private(&changed) == kept, "{:?}", private(&changed));
        assert!(changed.evaluation.iter().all(|entry| entry.prior == "training"));
    }
}
