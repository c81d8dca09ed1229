//! Averages the weights of several models into a new model (“model soups”, Wortsman et al. 2022).

use tch::{Device, nn};

use mien_core::prior::{Prior, WeightError};
use mien_net::{
    Calibration, Card, CheckpointError, MeanPart, ModelError, ModelSource, SpecError, TensorMap, assign, variables,
};

/// Models can't be averaged.
#[derive(Debug, thiserror::Error)]
pub enum AverageError {
    /// A model can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The first model's network can't be built.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The mean doesn't fit the network.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The mean of the training priors isn't a valid prior.
    #[error(transparent)]
    Prior(#[from] WeightError),
    /// Two models don't match.
    #[error("{model} differs from {first} in its {what}; only models that have these in common can be averaged")]
    Different {
        /// The first model.
        first: ModelSource,
        /// The one that differs from it.
        model: ModelSource,
        /// What differs.
        what: &'static str,
    },
}

/// A model and its weight in the mean, above 0.
pub type Part = (ModelSource, f64);

/// Averages the weights of `first` and `others`, on the CPU. Also returns a card for them, with neither a fitted calibration
/// nor evaluations. Batch norms get the mean of the models' statistics.
///
/// # Errors
/// When a model can't be loaded, or one differs from the first in classes, network or input.
pub fn average(first: &Part, others: &[Part]) -> Result<(nn::VarStore, Card), AverageError> {
    let mut card = first.0.card()?;
    let store = nn::VarStore::new(Device::Cpu);
    // The network is built only for its variables; it isn't run.
    card.network.build(&store.root(), card.labels.len())?;
    let mut mean = TensorMap::new();
    let mut shares = Some(vec![0.0; card.labels.len()]);
    let (mut mean_of, mut total) = (Vec::new(), 0.0);
    for (model, counts) in std::iter::once(first).chain(others) {
        let part = model.card()?;
        if let Some(what) = difference(&card, &part) {
            return Err(AverageError::Different { first: first.0.clone(), model: model.clone(), what });
        }
        let sha256 = model.load_into(&store)?;
        total += counts;
        for (name, tensor) in variables(&store) {
            let tensor = tensor.detach();
            let before = mean.remove(&name).unwrap_or_else(|| tensor.zeros_like());
            mean.insert(name, &before + (tensor - &before) * (counts / total));
        }
        let prior = part.calibration.training_prior;
        shares = shares.zip(prior).map(|(sum, prior)| {
            sum.iter().zip(prior.shares()).map(|(sum, share)| sum + counts * share).collect::<Vec<f64>>()
        });
        // Data that any of the models learnt from can't be used to evaluate the mean.
        for sum in part.training.data_sha256 {
            if !card.training.data_sha256.contains(&sum) {
                card.training.data_sha256.push(sum);
            }
        }
        mean_of.push(MeanPart { name: part.name, sha256, counts: *counts });
    }
    assign(&variables(&store), &mean)?;
    let training_prior = shares.map(|shares| Prior::observed(&card.labels, &shares)).transpose()?;
    card.calibration = Calibration { training_prior, ..Calibration::default() };
    card.evaluation.clear();
    card.mean_of = mean_of;
    Ok((store, card))
}

/// The first property in which two models differ although averaging requires it to be the same.
fn difference(one: &Card, other: &Card) -> Option<&'static str> {
    [
        (one.labels != other.labels, "classes"),
        (one.network != other.network, "network"),
        (one.input != other.input, "input"),
    ]
    .into_iter()
    .find_map(|(differs, what)| differs.then_some(what))
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    fn shipped(name: &str) -> ModelSource {
        let Ok(source) = name.parse();
        source
    }

    fn weights(model: &ModelSource) -> Tensor {
        let store = nn::VarStore::new(Device::Cpu);
        let card = model.card().unwrap();
        card.network.build(&store.root(), card.labels.len()).unwrap();
        model.load_into(&store).unwrap();
        variables(&store).remove("output.weight").unwrap().detach()
    }

    #[test]
    fn a_model_counts_as_much_as_it_is_said_to() {
        tch::set_num_threads(1);
        let (votes, labels) = (shipped("mien-votes"), shipped("mien-labels"));
        let (store, card) = average(&(votes.clone(), 3.0), &[(labels.clone(), 1.0)]).unwrap();
        let mean = variables(&store).remove("output.weight").unwrap();
        let wanted = weights(&votes) * 0.75 + weights(&labels) * 0.25;
        assert!(mean.allclose(&wanted, 1e-5, 1e-6, false));
        assert!(card.evaluation.is_empty() && !card.calibration.is_fitted());
        let prior = |model: &ModelSource| model.card().unwrap().calibration.training_prior.unwrap().shares().to_vec();
        let happy = card.calibration.training_prior.unwrap().shares()[3];
        assert!((happy - (0.75 * prior(&votes)[3] + 0.25 * prior(&labels)[3])).abs() < 1e-6, "{happy}");
        let parts: Vec<_> = card.mean_of.iter().map(|part| (part.name.as_str(), part.counts)).collect();
        assert_eq!(parts, [("mien-votes", 3.0), ("mien-labels", 1.0)]);
        assert!(card.mean_of.iter().all(|part| part.sha256.len() == 64));
        for part in [votes, labels] {
            let learnt = part.card().unwrap().training.data_sha256;
            assert!(learnt.iter().all(|sum| card.training.data_sha256.contains(sum)), "{part}");
        }
    }

    #[test]
    fn the_mean_of_one_model_is_that_model() {
        tch::set_num_threads(1);
        let (store, _) = average(&(shipped("mien-votes"), 0.3), &[]).unwrap();
        let mean = variables(&store).remove("output.weight").unwrap();
        assert!(mean.equal(&weights(&shipped("mien-votes"))) && mean.kind() == Kind::Float);
    }

    #[test]
    fn models_of_different_networks_are_refused() {
        let error = average(&(shipped("mien"), 1.0), &[(shipped("cnn4-ferplus"), 1.0)]).unwrap_err().to_string();
        assert!(error.contains("cnn4-ferplus differs from mien in its network"), "{error}");
    }
}
