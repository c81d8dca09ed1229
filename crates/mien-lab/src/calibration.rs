//! Chooses a model's temperatures, and the strength with which another prior is applied, on held-out pictures.

use tch::{Kind, Tensor};

use super::datasets::{DataError, Examples};
use super::evaluation::Scored;
use super::sampling::Sampling;
use mien_core::classes::Classes;
use mien_core::prior::{Prior, StandardPrior, WeightError};
use mien_net::{Adjustment, Calibration, Temperatures};

/// Step from one tried strength to the next. Finer steps would matter for single pictures only.
const STRENGTH_STEP: f64 = 0.05;

/// Steps of the golden-section search for a temperature's logarithm: enough for four digits.
const NARROWINGS: usize = 40;

/// The prior of training can't be computed.
#[derive(Debug, thiserror::Error)]
pub enum PriorOfTrainingError {
    /// libtorch failed.
    #[error("can't read the targets: {}", mien_net::torch::said(.0))]
    Torch(#[from] tch::TchError),
    /// The targets can't be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The targets aren't probabilities.
    #[error("the targets of training are no probabilities: {0}")]
    Weights(#[from] WeightError),
}

/// The share of each class in the pictures that an epoch shows: the mean target.
///
/// # Errors
/// When the targets aren't probabilities.
pub(super) fn shown_shares(examples: &Examples, sampling: Sampling<'_>) -> Result<Prior, PriorOfTrainingError> {
    weighted_shares(examples, &sampling.times_shown(examples)?, sampling.classes)
}

/// The prior of training: how often a network meets each class while it learns. It is the mean target of the pictures that an
/// epoch shows, times the class weights of the loss. The network's answers assume this prior, not the shares in the data. If
/// the recipe sets `prior_of`, it is the mean target of that source's pictures.
///
/// # Errors
/// When the targets aren't probabilities.
pub fn training_prior(examples: &Examples, sampling: Sampling<'_>) -> Result<Prior, PriorOfTrainingError> {
    if let Some(source) = sampling.data.prior_source() {
        return shares_of(source, examples, vec![1.0; examples.sources.len()], sampling.classes);
    }
    let shown = shown_shares(examples, sampling)?;
    let Some(weights) = sampling.balance.class_weights(shown.shares()) else { return Ok(shown) };
    let weighted: Vec<f64> = shown.shares().iter().zip(weights).map(|(share, weight)| share * weight).collect();
    Ok(Prior::observed(sampling.classes, &weighted)?)
}

/// The share of each class in the pictures of one source, given by its index, where each picture counts as often as `times` says.
pub(super) fn shares_of(
    source: usize,
    examples: &Examples,
    mut times: Vec<f64>,
    classes: &Classes,
) -> Result<Prior, PriorOfTrainingError> {
    for (times, of) in times.iter_mut().zip(&examples.sources) {
        if of.index != source {
            *times = 0.0;
        }
    }
    weighted_shares(examples, &times, classes)
}

fn weighted_shares(examples: &Examples, weights: &[f64], classes: &Classes) -> Result<Prior, PriorOfTrainingError> {
    let weights = Tensor::from_slice(weights).unsqueeze(1);
    let weighted = examples.targets.f_to_kind(Kind::Double)?.f_mul(&weights)?;
    let means = weighted.f_mean_dim([0_i64].as_slice(), false, Kind::Double)?;
    let means: Vec<f64> = means.try_into()?;
    Ok(Prior::observed(classes, &means)?)
}

/// No strength keeps the requested accuracy.
#[derive(Debug, thiserror::Error)]
#[error(
    "no strength keeps an accuracy of {:.1} % on these pictures: the highest is {:.1} %; ask for less",
    100.0 * .asked,
    100.0 * .highest
)]
pub struct AccuracyNotKept {
    asked: f64,
    highest: f64,
}

/// Fits a calibration on `scored`, which should be pictures that the model hasn't learnt from (PublicTest), and on `varied`,
/// camera-like variations of the same pictures (see [`super::varied`]).
///
/// The strength is the one with the highest balanced accuracy on `varied` among those that keep an accuracy of at least
/// `least_accuracy` on `scored` (0 for no limit); of equal ones, the smallest. Balanced accuracy depends on the rare classes,
/// and their few pictures say little unless they are seen in several variations. Each temperature minimises the negative
/// log-likelihood at its operating point (Guo et al. 2017, section 4.2) on the unvaried pictures, so that the probabilities,
/// also under the uniform prior, say how often answers are right among pictures like these.
///
/// # Errors
/// When no strength keeps the requested accuracy.
pub fn fit(
    scored: &Scored,
    varied: &Scored,
    training_prior: Prior,
    default_prior: StandardPrior,
    least_accuracy: f64,
    fitted_on: String,
) -> Result<Calibration, AccuracyNotKept> {
    let even = Prior::uniform(training_prior.classes());
    let uniform = |strength: f64| Adjustment::between(&training_prior, &even, strength);
    let as_trained = Adjustment::between(&training_prior, &training_prior, 0.0);
    let strength = choose_strength(scored, varied, uniform, least_accuracy)?;
    Ok(Calibration {
        default_prior,
        strength,
        fitted_on,
        temperature: Temperatures {
            training: fit_temperature(scored, &as_trained),
            uniform: fit_temperature(scored, &uniform(strength)),
        },
        training_prior: Some(training_prior),
    })
}

fn choose_strength(
    scored: &Scored,
    varied: &Scored,
    uniform: impl Fn(f64) -> Adjustment,
    least_accuracy: f64,
) -> Result<f64, AccuracyNotKept> {
    let steps = (Calibration::MAX_STRENGTH / STRENGTH_STEP).round() as u32;
    let mut best: Option<(f64, f64)> = None;
    let mut highest = 0.0_f64;
    for strength in (0..=steps).map(|step| f64::from(step) / f64::from(steps) * Calibration::MAX_STRENGTH) {
        let accuracy = scored.confusion(&uniform(strength)).accuracy();
        highest = highest.max(accuracy);
        let balanced = varied.confusion(&uniform(strength)).balanced_accuracy();
        if accuracy >= least_accuracy && best.is_none_or(|(_, before)| balanced > before) {
            best = Some((strength, balanced));
        }
    }
    best.map(|(strength, _)| rounded(strength, 1e2)).ok_or(AccuracyNotKept { asked: least_accuracy, highest })
}

/// The temperature that minimises the negative log-likelihood, found by golden-section search: there is a single minimum.
fn fit_temperature(scored: &Scored, adjustment: &Adjustment) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let loss = |log: f64| scored.negative_log_likelihood(&adjustment.with_temperature(log.exp()));
    let (mut low, mut high) = (Calibration::TEMPERATURES.start().ln(), Calibration::TEMPERATURES.end().ln());
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut loss_left, mut loss_right) = (loss(left), loss(right));
    for _ in 0..NARROWINGS {
        if loss_left <= loss_right {
            (high, right, loss_right) = (right, left, loss_left);
            left = high - GOLDEN * (high - low);
            loss_left = loss(left);
        } else {
            (low, left, loss_left) = (left, right, loss_right);
            right = low + GOLDEN * (high - low);
            loss_right = loss(right);
        }
    }
    let (coldest, hottest) = Calibration::TEMPERATURES.into_inner();
    rounded(((low + high) / 2.0).exp(), 1e4).clamp(coldest, hottest)
}

fn rounded(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::balance::BalanceSpec;
    use crate::datasets::ExampleSource;
    use crate::recipe::DataSpec;
    use mien_core::emotion::{COUNT, Emotion};

    fn observed(shares: [f64; COUNT]) -> Prior {
        Prior::observed(&Classes::emotions(), &shares).unwrap()
    }

    /// Pictures whose right answers have exactly the frequencies that the logits predict, `count` of each kind.
    fn honest(kinds: &[([f64; COUNT], usize)]) -> (Vec<[f64; COUNT]>, Vec<usize>) {
        let (mut rows, mut truths) = (Vec::new(), Vec::new());
        for (logits, count) in kinds {
            let sum: f64 = logits.iter().map(|value| value.exp()).sum();
            for emotion in Emotion::ALL {
                let share = logits[emotion.index()].exp() / sum;
                for _ in 0..(share * *count as f64).round() as usize {
                    rows.push(*logits);
                    truths.push(emotion.index());
                }
            }
        }
        (rows, truths)
    }

    fn scored(rows: &[[f64; COUNT]], truths: &[usize], factor: f64) -> Scored {
        let rows: Vec<[f64; COUNT]> = rows.iter().map(|row| row.map(|value| value * factor)).collect();
        Scored::new(&Tensor::from_slice2(&rows), truths, &Classes::emotions()).unwrap()
    }

    const KINDS: [([f64; COUNT], usize); 2] =
        [([0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 1.0], 3000), ([1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.5], 3000)];

    #[test]
    fn the_temperature_undoes_what_made_a_network_too_sure() {
        let (rows, truths) = honest(&KINDS);
        for factor in [0.25, 1.0, 4.0] {
            let scored = scored(&rows, &truths, factor);
            let temperature = fit_temperature(&scored, &Adjustment::NONE);
            assert!((temperature / factor - 1.0).abs() < 0.01, "{factor}: {temperature}");
            let fitted = Adjustment::NONE.with_temperature(temperature);
            assert!(scored.expected_calibration_error(&fitted) < 0.002);
        }
    }

    #[test]
    fn a_network_that_knows_everything_gets_a_temperature_in_range() {
        let scored = scored(&[[0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0]], &[Emotion::Happy.index()], 1.0);
        assert!(Calibration::TEMPERATURES.contains(&fit_temperature(&scored, &Adjustment::NONE)));
    }

    /// A network that underestimates sad, trained where neutral is frequent.
    fn shy() -> (Scored, Prior) {
        let row = |sad: f64, neutral: f64| [-9.0, -9.0, -9.0, -9.0, sad, -9.0, neutral];
        let mut rows = vec![row(0.0, 1.0); 10];
        let mut truths = vec![Emotion::Sad.index(); 10];
        rows.extend(vec![row(-2.0, 2.0); 60]);
        rows.extend(vec![row(0.0, 1.5); 30]);
        truths.extend(vec![Emotion::Neutral.index(); 90]);
        (scored(&rows, &truths, 1.0), observed([1.0, 1.0, 1.0, 1.0, 10.0, 1.0, 90.0]))
    }

    #[test]
    fn the_strength_of_the_highest_balanced_accuracy_is_chosen_and_no_more() {
        let (scored, prior) = shy();
        // Sad leads once strength · ln 9 is above 1, that is from 0.5 on. From 0.7 on it also takes the doubtful neutral ones.
        let calibration = fit(&scored, &scored, prior, StandardPrior::Uniform, 0.0, "all".to_owned()).unwrap();
        assert!((calibration.strength - 0.5).abs() < 1e-9, "{}", calibration.strength);
        let point = calibration.assume(None).unwrap();
        assert_eq!(scored.confusion(&point.adjustment).balanced_accuracy(), 1.0);
    }

    #[test]
    fn an_accuracy_that_no_strength_keeps_is_refused() {
        let row = [0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0];
        let scored = scored(&[row, row], &[Emotion::Happy.index(), Emotion::Sad.index()], 1.0);
        let error =
            fit(&scored, &scored, observed([1.0; COUNT]), StandardPrior::Uniform, 0.9, String::new()).unwrap_err();
        assert!(error.to_string().contains("90.0 %") && error.to_string().contains("50.0 %"), "{error}");
    }

    #[test]
    fn answers_that_training_never_had_disturb_no_temperature() {
        let (mut rows, mut truths) = honest(&KINDS);
        rows.push([0.0; COUNT]);
        truths.push(Emotion::Fear.index());
        let scored = scored(&rows, &truths, 2.0);
        let prior = observed([1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        let fitted = fit(&scored, &scored, prior, StandardPrior::Uniform, 0.0, String::new()).unwrap();
        for temperature in [fitted.temperature.training, fitted.temperature.uniform] {
            assert!((temperature / 2.0 - 1.0).abs() < 0.1, "{temperature}");
        }
    }

    #[test]
    fn the_prior_of_training_is_the_mean_target() {
        let mut targets = vec![[0.0_f32; COUNT]; 4];
        targets[0] = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4];
        targets[1..].iter_mut().for_each(|row| *row = [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5]);
        let examples = Examples {
            bytes: Tensor::zeros([4, 1, 48, 48], (Kind::Uint8, Device::Cpu)),
            targets: Tensor::from_slice2(&targets),
            sources: vec![ExampleSource::default(); 4],
        };
        let (data, classes) = (DataSpec::default(), Classes::emotions());
        let is = |balance: &BalanceSpec, wanted: [f64; COUNT]| {
            let prior = training_prior(&examples, Sampling { data: &data, balance, classes: &classes }).unwrap();
            assert!(prior.shares().iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{balance:?}: {prior:?}");
        };
        let plain = [0.025, 0.025, 0.025, 0.4, 0.025, 0.025, 0.475];
        is(&BalanceSpec::None {}, plain);
        let plainly = Sampling { data: &data, balance: &BalanceSpec::None {}, classes: &classes };
        assert_eq!(shown_shares(&examples, plainly).unwrap(), training_prior(&examples, plainly).unwrap());
        // The first picture, whose leading class is neutral, is three of the six pictures shown.
        let threefold = BalanceSpec::AugmentMinority { classes: vec!["neutral".to_owned()], times: 3 };
        is(&threefold, [0.05, 0.05, 0.05, 0.3, 0.05, 0.05, 0.45]);
        // Weighted by inverse frequency, all emotions count the same.
        is(&BalanceSpec::ClassWeights {}, [1.0 / COUNT as f64; COUNT]);
    }
}
