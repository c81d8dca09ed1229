//! Runs a network over many pictures and measures its answers.

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::metrics::{ClassMetrics, Confusion, Paired, Reliability, roc_auc};
use mien_core::classes::Classes;
use mien_net::Normalization;
use mien_net::classify::ClassifyError;
use mien_net::{Adjustment, Network, Pass};

/// Pictures per batch: enough to keep any device busy, few enough for any memory.
pub(super) const BATCH: i64 = 256;

/// Logits `[N, classes]` for gray bytes `[N, 1, 48, 48]`, on the CPU.
///
/// # Errors
/// When libtorch fails, for example because memory is full.
pub fn predict(
    network: &dyn Network,
    normalization: Normalization,
    bytes: &Tensor,
    pass: Pass,
    device: Device,
) -> Result<Tensor, ClassifyError> {
    tch::no_grad(|| {
        let logits = bytes
            .f_split(BATCH, 0)?
            .iter()
            .map(|batch| {
                let faces = normalization.apply(&batch.f_to_device(device)?)?;
                Ok(network.forward(&faces, pass)?.f_to_device(Device::Cpu)?)
            })
            .collect::<Result<Vec<_>, ClassifyError>>()?;
        Ok(Tensor::f_cat(&logits, 0)?)
    })
}

/// Compares the leading class of each row of `logits` with the right answer.
///
/// # Errors
/// When a logit isn't finite, which would make the leading class meaningless.
pub fn evaluate(logits: &Tensor, answers: &[usize], classes: &Classes) -> Result<Confusion, ClassifyError> {
    Ok(Scored::new(logits, answers, classes)?.confusion(&Adjustment::NONE))
}

/// A network's logits for pictures whose right answers are known. The network runs once, and can be measured at any number of
/// operating points.
pub struct Scored {
    classes: Classes,
    /// Logits of each picture, and its right answer.
    rows: Vec<(Vec<f64>, usize)>,
}

impl Scored {
    /// Creates one without pictures.
    pub fn none(classes: &Classes) -> Self {
        Self { classes: classes.clone(), rows: vec![] }
    }

    /// Creates one from logits `[N, classes]` and N right answers.
    ///
    /// # Errors
    /// When a logit isn't finite, which would make the leading class meaningless.
    pub fn new(logits: &Tensor, answers: &[usize], classes: &Classes) -> Result<Self, ClassifyError> {
        let values: Vec<f64> = logits.to_device(Device::Cpu).to_kind(Kind::Double).f_reshape([-1])?.try_into()?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ClassifyError::NotANumber);
        }
        let rows = values.chunks_exact(classes.len()).map(<[f64]>::to_vec);
        Ok(Self { classes: classes.clone(), rows: rows.zip(answers.iter().copied()).collect() })
    }

    /// Adds another network's pictures, with its adjustment already applied. Measure the result with [`Adjustment::NONE`];
    /// [`Measures::loss`] and [`Measures::ece`] are then values after temperature scaling too.
    pub fn extend(&mut self, others: &Self, adjustment: &Adjustment) {
        self.rows.extend(others.rows.iter().map(|(logits, truth)| (adjustment.row(logits), *truth)));
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The confusion matrix of leading and right classes.
    pub fn confusion(&self, adjustment: &Adjustment) -> Confusion {
        let mut confusion = Confusion::none(&self.classes);
        for (logits, truth) in &self.rows {
            confusion.add(*truth, leader(&adjustment.row(logits)));
        }
        confusion
    }

    /// Compares the answers with `other`'s on the same pictures, picture by picture, each network at its operating point. `None` if the
    /// pictures aren't the same: their number or right answers differ.
    pub fn beside(&self, adjustment: &Adjustment, other: &Self, of_other: &Adjustment) -> Option<Paired> {
        let truths = |scored: &Self| scored.rows.iter().map(|(_, truth)| *truth).collect::<Vec<_>>();
        if truths(self) != truths(other) {
            return None;
        }
        let mut paired = Paired::default();
        for ((logits, truth), (others, _)) in self.rows.iter().zip(&other.rows) {
            let is_right = |logits: &[f64], adjustment: &Adjustment| leader(&adjustment.row(logits)) == *truth;
            paired.add(is_right(logits, adjustment), is_right(others, of_other));
        }
        Some(paired)
    }

    /// Mean negative log-likelihood of the right answers, in nats; 0 without pictures. Pictures whose right answer has
    /// probability 0 don't count: no temperature can change that.
    pub fn negative_log_likelihood(&self, adjustment: &Adjustment) -> f64 {
        let possible = || self.rows.iter().filter(|(_, truth)| adjustment.offset(*truth).is_finite());
        let loss = |(logits, truth): &(Vec<f64>, usize)| {
            let row = adjustment.row(logits);
            log_sum_exp(&row) - row[*truth]
        };
        possible().map(loss).sum::<f64>() / possible().count().max(1) as f64
    }

    /// Expected calibration error with 15 bins.
    pub fn expected_calibration_error(&self, adjustment: &Adjustment) -> f64 {
        let mut reliability = Reliability::default();
        for (logits, truth) in &self.rows {
            let row = adjustment.row(logits);
            let leading = leader(&row);
            reliability.add((row[leading] - log_sum_exp(&row)).exp(), leading == *truth);
        }
        reliability.expected_calibration_error()
    }

    /// All measures at an operating point.
    pub fn measure(&self, adjustment: &Adjustment) -> Measures {
        let confusion = self.confusion(adjustment);
        let probability = |logits: &[f64], class: usize| {
            let row = adjustment.row(logits);
            row[class] - log_sum_exp(&row)
        };
        let per_class = confusion.per_class().into_iter().enumerate().map(|(class, counts)| {
            let scores = self.rows.iter().map(|(logits, truth)| (probability(logits, class), *truth == class));
            ClassMeasures { counts, auc: roc_auc(scores.collect()) }
        });
        let unscaled = adjustment.with_temperature(1.0);
        Measures {
            n: confusion.n(),
            figures: KeyFigures {
                accuracy: confusion.accuracy(),
                accuracy_interval: confusion.accuracy_interval(),
                balanced_accuracy: confusion.balanced_accuracy(),
                macro_f1: confusion.macro_f1(),
                weighted_f1: confusion.weighted_f1(),
                ece_scaled: self.expected_calibration_error(adjustment),
            },
            loss: self.negative_log_likelihood(&unscaled),
            ece: self.expected_calibration_error(&unscaled),
            per_class: per_class.collect(),
            confusion,
        }
    }
}

/// All measures of a network at an operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Number of pictures.
    pub n: u64,
    /// The figures that every report gives.
    #[serde(flatten)]
    pub figures: KeyFigures,
    /// Mean negative log-likelihood of the right answers before temperature scaling, in nats.
    pub loss: f64,
    /// Expected calibration error before temperature scaling.
    pub ece: f64,
    /// Class by class.
    pub per_class: Vec<ClassMeasures>,
    /// `[truth][answer]`, in the order of the classes.
    pub confusion: Confusion,
}

/// The figures that every report gives: for a network, for one of its operating points, or for all folds together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeyFigures {
    /// Share of pictures classified correctly.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub accuracy_interval: [f64; 2],
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean F1 over the classes that occur.
    pub macro_f1: f64,
    /// The same, with each class weighted by its number of pictures.
    pub weighted_f1: f64,
    /// Expected calibration error after temperature scaling.
    pub ece_scaled: f64,
}

/// Measures of a network for one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMeasures {
    /// What follows from the confusion matrix.
    #[serde(flatten)]
    pub counts: ClassMetrics,
    /// Area under the ROC curve of the class's probability, one against the rest. `None` unless both the class and the rest occur.
    pub auc: Option<f64>,
}

/// The class with the highest value; the first of equal ones.
fn leader(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, next| if row[next] > row[best] { next } else { best })
}

/// Logarithm of the sum of exponentials, without overflow.
fn log_sum_exp(row: &[f64]) -> f64 {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    highest + row.iter().map(|value| (value - highest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::emotion::{COUNT, Emotion};

    /// Logits whose leader leads by `lead`.
    fn row(leading: Emotion, lead: f32) -> [f32; COUNT] {
        let mut row = [0.0; COUNT];
        row[leading.index()] = lead;
        row
    }

    fn scored(answers: &[(Emotion, f32, Emotion)]) -> Scored {
        let rows: Vec<_> = answers.iter().map(|(leading, lead, _)| row(*leading, *lead)).collect();
        let truths: Vec<_> = answers.iter().map(|(_, _, truth)| truth.index()).collect();
        Scored::new(&Tensor::from_slice2(&rows), &truths, &Classes::emotions()).unwrap()
    }

    #[test]
    fn measures_of_three_answers_are_those_worked_out_by_hand() {
        use Emotion::{Happy, Sad};
        let sure = 6.0_f32.ln(); // probability 6 / 12
        let measures = scored(&[(Happy, sure, Happy), (Happy, sure, Sad), (Sad, sure, Sad)]).measure(&Adjustment::NONE);
        assert_eq!(measures.n, 3);
        assert!((measures.figures.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!((measures.figures.balanced_accuracy - 0.75).abs() < 1e-12);
        assert!((measures.ece - (2.0 / 3.0 - 0.5)).abs() < 1e-6, "{}", measures.ece);
        let loss = (2.0 * 2.0_f64.ln() + 12.0_f64.ln()) / 3.0;
        assert!((measures.loss - loss).abs() < 1e-6, "{}", measures.loss);
        // The one happy picture scores as high as the wrong one and higher than the right sad one.
        assert_eq!(measures.per_class[Happy.index()].auc, Some(0.75));
        assert_eq!(measures.per_class[Emotion::Fear.index()].auc, None);
    }

    #[test]
    fn an_adjustment_moves_leaders_and_a_temperature_only_how_sure_they_are() {
        use Emotion::{Neutral, Sad};
        let scored = scored(&[(Neutral, 1.0, Sad)]);
        let mut offsets = vec![0.0; COUNT];
        offsets[Sad.index()] = 2.0;
        let adjusted = Adjustment { offsets, temperature: 5.0 };
        assert_eq!(scored.confusion(&adjusted).accuracy(), 1.0);
        assert_eq!(scored.confusion(&adjusted.with_temperature(1.0)).accuracy(), 1.0);
        assert_eq!(scored.confusion(&Adjustment::NONE).accuracy(), 0.0);
        let measures = scored.measure(&adjusted);
        assert!(measures.ece < measures.figures.ece_scaled, "a right answer that is less sure is further from 1");
    }

    #[test]
    fn two_networks_are_set_beside_each_other_picture_by_picture() {
        use Emotion::{Happy, Neutral, Sad};
        let one = scored(&[(Happy, 1.0, Happy), (Neutral, 1.0, Sad), (Sad, 1.0, Sad)]);
        let other = scored(&[(Neutral, 1.0, Happy), (Neutral, 1.0, Sad), (Sad, 1.0, Sad)]);
        let none = Adjustment::NONE;
        let paired = one.beside(&none, &other, &none).unwrap();
        assert_eq!(paired, Paired { n: 3, first_alone: 1, second_alone: 0 });

        let mut offsets = vec![0.0; COUNT];
        offsets[Sad.index()] = 2.0;
        let to_sad = Adjustment { offsets, temperature: 1.0 };
        let paired = one.beside(&none, &other, &to_sad).unwrap();
        assert_eq!(paired, Paired { n: 3, first_alone: 1, second_alone: 1 });

        assert_eq!(one.beside(&none, &scored(&[(Happy, 1.0, Happy)]), &none), None);
        let others = scored(&[(Happy, 1.0, Happy), (Neutral, 1.0, Neutral), (Sad, 1.0, Sad)]);
        assert_eq!(one.beside(&none, &others, &none), None);
    }

    #[test]
    fn extreme_logits_give_finite_measures() {
        let scored = scored(&[(Emotion::Fear, 1e30, Emotion::Fear), (Emotion::Fear, -1e30, Emotion::Happy)]);
        assert!(scored.negative_log_likelihood(&Adjustment::NONE).is_finite());
        assert!(scored.expected_calibration_error(&Adjustment::NONE).is_finite());
    }

    #[test]
    fn a_logit_that_is_no_number_is_an_error() {
        let logits = Tensor::from_slice2(&[row(Emotion::Sad, f32::NAN)]);
        assert!(matches!(
            evaluate(&logits, &[Emotion::Sad.index()], &Classes::emotions()),
            Err(ClassifyError::NotANumber)
        ));
    }
}
