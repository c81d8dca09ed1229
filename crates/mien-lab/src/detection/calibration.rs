//! Calibrates a detector's scores: fits probabilities to whether its boxes were right.

use mien_net::faces::ScoreCalibration;

use super::metrics::{Judged, Range, Verdict, verdicts};

/// Steps of Newton's method. The error is squared at each, so a handful is enough.
const NEWTON_STEPS: usize = 20;
/// Keeps the division in Newton's method finite.
const RIDGE: f64 = 1e-9;

/// Fits the calibration that turns a box's logit into the probability that the box has found a face: Platt's logistic regression
/// (1999), by Newton's method. `logit` converts a box's score to its logit. Without both correct and false boxes, scores stay as they
/// are.
pub fn fit_score(pictures: &[Judged<'_>], logit: impl Fn(f32) -> f32) -> ScoreCalibration {
    let boxes: Vec<(f64, bool)> = pictures
        .iter()
        .flat_map(|picture| picture.found.iter().zip(verdicts(picture, &Range::ALL)))
        .filter(|(_, verdict)| *verdict != Verdict::Passed)
        .map(|(found, verdict)| (f64::from(logit(found.score)), verdict != Verdict::False))
        .collect();
    let hits = boxes.iter().filter(|(_, hit)| *hit).count();
    if hits == 0 || hits == boxes.len() {
        return ScoreCalibration::default();
    }
    // Platt's targets: not quite 1 and 0, so that no number of boxes makes anything certain.
    let (hits, others) = (hits as f64, (boxes.len() - hits) as f64);
    let (high, low) = ((hits + 1.0) / (hits + 2.0), 1.0 / (others + 2.0));
    let (mut slope, mut shift) = (1.0_f64, 0.0_f64);
    for _ in 0..NEWTON_STEPS {
        let (mut gradient, mut hessian) = ([0.0; 2], [RIDGE, 0.0, RIDGE]);
        for (logit, hit) in &boxes {
            let probability = 1.0 / (1.0 + (-(slope * logit + shift)).exp());
            let wrong = probability - if *hit { high } else { low };
            let weight = probability * (1.0 - probability);
            gradient = [gradient[0] + wrong * logit, gradient[1] + wrong];
            hessian = [hessian[0] + weight * logit * logit, hessian[1] + weight * logit, hessian[2] + weight];
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        slope -= (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant;
        shift -= (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant;
    }
    // Further digits depend on the device and its threads, and mean nothing.
    let rounded = |value: f64| ((value * 1e4).round() / 1e4) as f32;
    let fitted = ScoreCalibration { slope: rounded(slope), shift: rounded(shift) };
    // If higher scores make faces less likely, no scaling helps.
    if fitted.slope > 0.0 && fitted.slope.is_finite() && fitted.shift.is_finite() {
        fitted
    } else {
        ScoreCalibration::default()
    }
}

#[cfg(test)]
mod tests {
    use mien_net::faces::FoundFace;

    use super::*;
    use crate::detection::Face;
    use crate::detection::metrics::tests::{face, found, judged};

    #[test]
    fn a_fitted_score_is_the_share_of_boxes_that_are_right() {
        // Of boxes with one score, three in four are faces; of those with the other, one in four.
        let faces: Vec<Face> = (0..4).map(|i| face(100.0 * i as f32, 50.0)).collect();
        let boxes = |score: f32, right: usize| -> Vec<FoundFace> {
            (0..4).map(|i| found(100.0 * i as f32 + if i < right { 0.0 } else { 50.0 }, 50.0, score)).collect()
        };
        let pictures: Vec<Judged<'_>> =
            (0..50).flat_map(|_| [judged(&faces, &boxes(0.4, 3)), judged(&faces, &boxes(0.2, 1))]).collect();
        let plain = ScoreCalibration::default();
        let fitted = fit_score(&pictures, |score| plain.logit(score));
        for (score, share) in [(0.4, 0.75), (0.2, 0.25)] {
            let probability = fitted.probability(plain.logit(score));
            assert!((probability - share).abs() < 0.01, "{probability} {share}");
            assert!((fitted.logit(probability) - plain.logit(score)).abs() < 1e-3);
        }
        assert_eq!(fit_score(&[], |score| score), plain);
    }
}
