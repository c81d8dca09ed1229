//! Confidence interval of a measured share.

/// Quantile of the normal distribution for a two-sided interval of 95 %.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of Wilson (1927) for the share `right / n`: where the accuracy on an unlimited number of such pictures lies. Unlike
/// the Wald interval of textbooks, it stays between 0 and 1 and is accurate for few pictures. Without pictures, the whole range.
pub fn wilson_interval(right: u64, n: u64) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let n = n as f64;
    let share = right as f64 / n;
    let denominator = 1.0 + Z * Z / n;
    let center = (share + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(center - half).max(0.0), (center + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(interval: [f64; 2], wanted: [f64; 2]) -> bool {
        interval.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 5e-4)
    }

    #[test]
    fn intervals_are_those_of_newcombes_examples() {
        // Newcombe 1998, “Two-sided confidence intervals for the single proportion”, table I, method 3.
        assert!(close(wilson_interval(81, 263), [0.2553, 0.3662]));
        assert!(close(wilson_interval(15, 148), [0.0624, 0.1605]));
        assert!(close(wilson_interval(0, 20), [0.0, 0.1611]));
        assert!(close(wilson_interval(1, 29), [0.0061, 0.1718]));
    }

    #[test]
    fn the_share_lies_in_its_interval_and_more_pictures_narrow_it() {
        for right in 0..=10 {
            let share = right as f64 / 10.0;
            let [low, high] = wilson_interval(right, 10);
            let [lower, higher] = wilson_interval(100 * right, 1000);
            assert!(0.0 <= low && low <= share + 1e-12 && share - 1e-12 <= high && high <= 1.0, "{right}");
            assert!(higher - lower < high - low);
        }
        assert_eq!(wilson_interval(0, 0), [0.0, 1.0]);
    }
}
