//! The difference between two classifiers measured on the same pictures.

use super::interval::Z;

/// Which of two classifiers was right, counted picture by picture. Pictures on which both are right, or both wrong, say nothing
/// about which is better, so the difference is known more precisely than the interval of each accuracy suggests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Number of pictures.
    pub n: u64,
    /// Pictures that the first alone classified correctly.
    pub first_alone: u64,
    /// Pictures that the second alone classified correctly.
    pub second_alone: u64,
}

impl Paired {
    /// Counts a picture.
    pub fn add(&mut self, first_is_right: bool, second_is_right: bool) {
        self.n += 1;
        self.first_alone += u64::from(first_is_right && !second_is_right);
        self.second_alone += u64::from(second_is_right && !first_is_right);
    }

    /// The first's accuracy minus the second's, -1 to 1; 0 without pictures.
    pub fn difference(&self) -> f64 {
        (self.first_alone as f64 - self.second_alone as f64) / self.n.max(1) as f64
    }

    /// The 95 % interval about [`Self::difference`], after Bonett and Price (2012), “Adjusted Wald confidence interval for a
    /// difference of binomial proportions based on paired data”. The whole range without pictures.
    ///
    /// It covers the random choice of pictures, not the randomness of training.
    pub fn difference_interval(&self) -> [f64; 2] {
        if self.n == 0 {
            return [-1.0, 1.0];
        }
        let n = self.n as f64 + 2.0;
        let [first, second] = [self.first_alone, self.second_alone].map(|count| (count as f64 + 1.0) / n);
        let difference = first - second;
        let half = Z * ((first + second - difference * difference) / n).sqrt();
        [(difference - half).max(-1.0), (difference + half).min(1.0)]
    }

    /// How probable a difference of at least this size would be if neither were better, 0 to 1: the exact two-sided test of
    /// McNemar (1947). Each picture that only one of the two classified correctly is a toss of a fair coin.
    pub fn p_value(&self) -> f64 {
        let tosses = self.first_alone + self.second_alone;
        let fewer = self.first_alone.min(self.second_alone);
        // In logarithms, since a thousand tosses have more outcomes than a float can represent.
        let mut log_outcomes = -(tosses as f64) * std::f64::consts::LN_2;
        let mut tail = 0.0;
        for heads in 0..=fewer {
            tail += log_outcomes.exp();
            log_outcomes += ((tosses - heads) as f64 / (heads + 1) as f64).ln();
        }
        (2.0 * tail).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fagerland, Lydersen and Laake (2013), “The McNemar test for binary matched-pairs data”, table 2: 21 children before and after
    /// a transplantation.
    const CHILDREN: Paired = Paired { n: 21, first_alone: 1, second_alone: 7 };

    #[test]
    fn the_test_is_that_of_the_published_example() {
        assert!((CHILDREN.p_value() - 0.0703).abs() < 5e-5, "{}", CHILDREN.p_value());
    }

    #[test]
    fn the_interval_is_the_one_worked_out_by_hand() {
        // (2 - 8) / 23 = -0.2609; variance (10/23 - 0.2609²) / 23 = 0.01595.
        let [low, high] = CHILDREN.difference_interval();
        assert!((low + 0.5084).abs() < 5e-4 && (high + 0.0134).abs() < 5e-4, "{low} {high}");
        assert!((CHILDREN.difference() + 6.0 / 21.0).abs() < 1e-12);
    }

    #[test]
    fn exchanging_the_two_turns_the_signs() {
        let turned = Paired { first_alone: CHILDREN.second_alone, second_alone: CHILDREN.first_alone, ..CHILDREN };
        let [low, high] = CHILDREN.difference_interval();
        let [turned_low, turned_high] = turned.difference_interval();
        assert!((low + turned_high).abs() < 1e-12 && (high + turned_low).abs() < 1e-12);
        assert_eq!(turned.p_value(), CHILDREN.p_value());
    }

    #[test]
    fn many_pictures_overflow_nothing() {
        let even = Paired { n: 100_000, first_alone: 10_000, second_alone: 10_000 };
        assert_eq!(even.p_value(), 1.0);
        let apart = Paired { second_alone: 11_000, ..even };
        // A normal distribution gives 5.0e-12 for |z| = 1000 / sqrt(21000) = 6.90.
        assert!((1e-12..1e-11).contains(&apart.p_value()), "{}", apart.p_value());
    }

    #[test]
    fn answers_that_agree_show_no_difference() {
        let mut paired = Paired::default();
        assert_eq!((paired.difference(), paired.p_value()), (0.0, 1.0));
        assert_eq!(paired.difference_interval(), [-1.0, 1.0]);
        (0..50).for_each(|i| paired.add(i % 3 == 0, i % 3 == 0));
        let [low, high] = paired.difference_interval();
        assert!((low + high).abs() < 1e-12 && high < 0.06 && paired.p_value() == 1.0);
        paired.add(true, false);
        assert_eq!(paired, Paired { n: 51, first_alone: 1, second_alone: 0 });
    }
}
