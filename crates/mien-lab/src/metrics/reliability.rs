//! Calibration: whether answers are right as often as their confidence says.

/// Bins of the expected calibration error, as in the paper.
const BINS: usize = 15;

/// Answers binned by confidence: the reliability diagram of Guo et al. 2017, “On calibration of modern neural networks”, section 2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reliability {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    answers: u64,
    right: u64,
    confidence_sum: f64,
}

impl Reliability {
    /// Counts an answer: the probability of the leading class, 0 to 1, and whether it was right.
    pub fn add(&mut self, confidence: f64, is_right: bool) {
        // Bin m holds confidences above m/15 up to (m+1)/15.
        let position = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[position.clamp(1, BINS) - 1];
        bin.answers += 1;
        bin.right += u64::from(is_right);
        bin.confidence_sum += confidence;
    }

    /// Expected calibration error: the mean distance between confidence and accuracy of the bins, each weighted by its number
    /// of answers. 0 to 1; 0 without answers.
    pub fn expected_calibration_error(&self) -> f64 {
        let n: u64 = self.bins.iter().map(|bin| bin.answers).sum();
        let gaps: f64 = self.bins.iter().map(|bin| (bin.right as f64 - bin.confidence_sum).abs()).sum();
        gaps / n.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(answers: &[(f64, bool)]) -> f64 {
        let mut reliability = Reliability::default();
        answers.iter().for_each(|(confidence, is_right)| reliability.add(*confidence, *is_right));
        reliability.expected_calibration_error()
    }

    #[test]
    fn the_error_is_the_one_worked_out_by_hand() {
        // Two answers near 0.9, one right: |1 − 1.8| = 0.8; two near 0.5, both right: |2 − 1.02| = 0.98. Over four.
        let answers = [(0.9, true), (0.9, false), (0.5, true), (0.52, true)];
        assert!((error_of(&answers) - (0.8 + 0.98) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn answers_right_as_often_as_they_are_sure_have_no_error() {
        let answers: Vec<_> = (0..100).map(|i| (0.8, i % 5 != 0)).collect();
        assert!(error_of(&answers) < 1e-12);
        assert_eq!(error_of(&[]), 0.0);
    }

    #[test]
    fn the_ends_of_the_range_have_a_bin() {
        assert_eq!(error_of(&[(0.0, false), (1.0, true)]), 0.0);
        assert_eq!(error_of(&[(1.0, false)]), 1.0);
    }
}
