//! A network's answer for a face: one probability for each class.

use crate::classes::MOST_CLASSES;

/// Largest rounding error of one probability, in a table with at least three decimal places.
const ROUNDED_OFF: f32 = 0.0005;

/// One probability for each class, in the order of [`crate::classes::Classes`], summing to 1.
#[derive(Clone, Copy, PartialEq)]
pub struct Probabilities {
    /// Zero after the last class.
    values: [f32; MOST_CLASSES],
    count: usize,
}

impl Probabilities {
    /// The same probability for every class. `classes` is clamped to 1 to [`MOST_CLASSES`].
    pub fn uniform(classes: usize) -> Self {
        let count = classes.clamp(1, MOST_CLASSES);
        let mut values = [0.0; MOST_CLASSES];
        values[..count].fill(1.0 / count as f32);
        Self { values, count }
    }

    /// Normalises weights to sum 1. `None` if one is negative or not finite, if all are zero, or if there are more than
    /// [`MOST_CLASSES`].
    pub fn from_weights(weights: &[f32]) -> Option<Self> {
        let sum: f32 = weights.iter().sum();
        let valid = weights.iter().all(|w| w.is_finite() && *w >= 0.0) && sum > 0.0 && sum.is_finite();
        if !valid {
            return None;
        }
        let mut probabilities = Self::holding(weights)?;
        probabilities.values[..weights.len()].iter_mut().for_each(|weight| *weight /= sum);
        Some(probabilities)
    }

    /// Takes rounded probabilities from a table and keeps their exact digits, although their sum may differ slightly from 1.
    /// `None` if one is outside 0 to 1, if the sum is further off than rounding explains, or if there are more than [`MOST_CLASSES`].
    pub fn from_rounded(probabilities: &[f32]) -> Option<Self> {
        let sum: f32 = probabilities.iter().sum();
        let far = probabilities.len() as f32 * ROUNDED_OFF;
        let valid = probabilities.iter().all(|p| (0.0..=1.0).contains(p)) && (sum - 1.0).abs() <= far;
        if valid { Self::holding(probabilities) } else { None }
    }

    fn holding(given: &[f32]) -> Option<Self> {
        let mut values = [0.0; MOST_CLASSES];
        values.get_mut(..given.len())?.copy_from_slice(given);
        Some(Self { values, count: given.len() })
    }

    /// How many classes there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The probability of one class; 0 if there is no such class.
    pub fn of(&self, class: usize) -> f32 {
        self.as_slice().get(class).copied().unwrap_or_default()
    }

    /// The most probable class and its probability.
    pub fn top(&self) -> (usize, f32) {
        self.iter().fold((0, f32::MIN), |best, next| if next.1 > best.1 { next } else { best })
    }

    /// The highest probability among the other classes.
    pub fn second(&self) -> f32 {
        let (leader, _) = self.top();
        self.iter().filter(|(class, _)| *class != leader).map(|(_, p)| p).fold(0.0, f32::max)
    }

    /// The classes' indices with their probabilities, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.as_slice().iter().copied().enumerate()
    }

    /// The probabilities, in the order of the classes.
    pub fn as_slice(&self) -> &[f32] {
        &self.values[..self.count]
    }

    /// `self` moved towards `target`: an amount of 0 gives `self`, 1 gives `target`. The sum stays 1. If the numbers of classes differ,
    /// returns `target`.
    #[must_use]
    pub fn lerp(&self, target: &Self, amount: f32) -> Self {
        if self.count != target.count {
            return *target;
        }
        let mut mixed = *self;
        for (value, to) in mixed.values.iter_mut().zip(target.values) {
            *value += (to - *value) * amount;
        }
        mixed
    }
}

impl std::fmt::Debug for Probabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{COUNT, Emotion};

    #[test]
    fn weights_that_are_no_probabilities_are_refused() {
        assert!(Probabilities::from_weights(&[f32::NAN; COUNT]).is_none());
        assert!(Probabilities::from_weights(&[0.0; COUNT]).is_none());
        assert!(Probabilities::from_weights(&[-1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]).is_none());
        assert!(Probabilities::from_weights(&[]).is_none());
        assert!(Probabilities::from_weights(&[1.0; MOST_CLASSES + 1]).is_none());
    }

    #[test]
    fn rounded_probabilities_keep_their_digits() {
        let rounded = [0.1429, 0.1429, 0.1429, 0.1429, 0.1429, 0.1429, 0.1429];
        assert_eq!(Probabilities::from_rounded(&rounded).unwrap().as_slice(), &rounded);
        assert!(Probabilities::from_rounded(&[0.2; COUNT]).is_none());
        assert!(Probabilities::from_rounded(&[-0.1, 1.1, 0.0, 0.0, 0.0, 0.0, 0.0]).is_none());
        assert!(Probabilities::from_rounded(&[f32::NAN; COUNT]).is_none());
        assert!(Probabilities::from_rounded(&[]).is_none());
    }

    #[test]
    fn the_second_is_the_highest_but_the_leader() {
        let p = Probabilities::from_weights(&[1.0, 0.0, 0.0, 6.0, 0.0, 3.0, 0.0]).unwrap();
        assert_eq!(p.top(), (Emotion::Happy.index(), 0.6));
        assert_eq!((p.second(), Probabilities::uniform(4).second()), (0.3, 0.25));
    }

    #[test]
    fn there_are_as_many_as_classes() {
        let two = Probabilities::from_weights(&[1.0, 3.0]).unwrap();
        assert_eq!((two.len(), two.as_slice(), two.of(1), two.of(2)), (2, [0.25, 0.75].as_slice(), 0.75, 0.0));
        assert_eq!((two.top(), two.second()), ((1, 0.75), 0.25));
        assert_eq!(Probabilities::uniform(MOST_CLASSES).as_slice(), [0.05; MOST_CLASSES]);
        assert_eq!(two.lerp(&Probabilities::uniform(2), 0.5).as_slice(), [0.375, 0.625]);
        assert_eq!(two.lerp(&Probabilities::uniform(3), 0.5), Probabilities::uniform(3), "other classes");
    }
}
