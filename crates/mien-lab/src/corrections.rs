//! Corrects for sources that show classes with different shares, so that the network's answers assume the shares of one of them.
//!
//! A source that shows every class equally often teaches a network that they are equally frequent everywhere. So the difference
//! of the logarithms of both priors is added to the logits of its pictures before the loss is computed (logit-adjusted loss,
//! Menon et al. 2021, section 5). What is left to learn is what the faces look like.

use tch::Tensor;

use super::calibration::{PriorOfTrainingError, shares_of};
use super::datasets::Examples;
use super::sampling::Sampling;
use mien_core::prior::LEAST_SHARE;

/// What is added to the logits of each source's pictures, `[sources, classes]`; `None` if the recipe doesn't set `prior_of`.
///
/// # Errors
/// When the targets aren't probabilities.
pub fn corrections(examples: &Examples, sampling: Sampling<'_>) -> Result<Option<Tensor>, PriorOfTrainingError> {
    let Some(reference) = sampling.data.prior_source() else { return Ok(None) };
    let times = sampling.times_shown(examples)?;
    // A class that a source never shows counts as rare there. With a share of 0 the source would teach that the class doesn't
    // exist, and the loss wouldn't be finite.
    let log = |source, times| {
        let prior = shares_of(source, examples, times, sampling.classes)?;
        Ok::<_, PriorOfTrainingError>(
            prior.shares().iter().map(|share| share.max(LEAST_SHARE).ln()).collect::<Vec<_>>(),
        )
    };
    let assumed = log(reference, vec![1.0; times.len()])?;
    let mut rows = Vec::with_capacity(sampling.data.sources.len() * assumed.len());
    for source in 0..sampling.data.sources.len() {
        rows.extend(
            log(source, times.clone())?.iter().zip(&assumed).map(|(theirs, assumed)| (theirs - assumed) as f32),
        );
    }
    Ok(Some(Tensor::f_from_slice(&rows)?.f_view([-1, assumed.len() as i64])?))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::balance::BalanceSpec;
    use crate::datasets::ExampleSource;
    use crate::recipe::DataSpec;
    use mien_core::classes::Classes;

    /// One source with nine happy pictures and a sad one, and one with one of each.
    fn examples() -> Examples {
        let happy = |row: usize| row < 9 || row == 10;
        let target = |row| {
            if happy(row) { [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0] } else { [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0_f32] }
        };
        Examples {
            bytes: Tensor::zeros([12, 1, 48, 48], (Kind::Uint8, Device::Cpu)),
            targets: Tensor::from_slice2(&(0..12).map(target).collect::<Vec<_>>()),
            sources: (0..12).map(|row| ExampleSource { index: usize::from(row >= 10), person: None }).collect(),
        }
    }

    fn corrected(prior_of: &str) -> Option<Tensor> {
        let sources = "sources = [{ name = \"many\", share = 4 }, { name = \"even\", share = 1 }]";
        let data: DataSpec = toml::from_str(&format!("{sources}\n{prior_of}")).unwrap();
        let classes = Classes::emotions();
        corrections(&examples(), Sampling { data: &data, balance: &BalanceSpec::None {}, classes: &classes }).unwrap()
    }

    #[test]
    fn what_another_source_shows_more_often_is_taken_out_of_its_loss() {
        let table = corrected("prior_of = \"many\"").unwrap();
        let of = |source: i64, emotion: i64| table.double_value(&[source, emotion]);
        assert!((0..7).all(|emotion| of(0, emotion) == 0.0));
        assert!((of(1, 3) - (0.5_f64 / 0.9).ln()).abs() < 1e-5);
        assert!((of(1, 4) - (0.5_f64 / 0.1).ln()).abs() < 1e-5);
        // Neither source shows this class.
        assert_eq!(of(1, 0), 0.0);
    }

    #[test]
    fn without_a_source_to_assume_nothing_is_corrected() {
        assert!(corrected("").is_none());
    }
}
