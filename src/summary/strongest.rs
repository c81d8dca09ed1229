//! The moments at which each class was strongest.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::probabilities::Probabilities;

/// A moment at which a class led.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment<T> {
    /// Its probability.
    pub probability: f32,
    /// Media time.
    pub time: Duration,
    /// What the face looked like.
    pub picture: T,
}

/// The strongest moments at which each class led, up to a number for each class.
#[derive(Clone, Debug)]
pub struct Strongest<T> {
    most: usize,
    of: BTreeMap<usize, Vec<Moment<T>>>,
}

impl<T> Strongest<T> {
    /// Keeps at most `most` moments for each class.
    pub fn new(most: usize) -> Self {
        Self { most, of: BTreeMap::new() }
    }

    /// Considers a moment. Its picture is made only if it is among the strongest.
    ///
    /// # Errors
    /// When `picture` fails.
    pub fn offer<E>(
        &mut self,
        time: Duration,
        probabilities: &Probabilities,
        picture: impl FnOnce() -> Result<T, E>,
    ) -> Result<(), E> {
        let (class, probability) = probabilities.top();
        let moments = self.of.entry(class).or_default();
        // Of equal moments, the first stays.
        let place = moments.partition_point(|moment| moment.probability >= probability);
        if place < self.most {
            moments.truncate(self.most - 1);
            moments.insert(place, Moment { probability, time, picture: picture()? });
        }
        Ok(())
    }

    /// The moments of one class, the strongest first.
    pub fn of(&self, class: usize) -> &[Moment<T>] {
        self.of.get(&class).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::emotion::Emotion;
    use crate::summary::testing::probabilities;

    #[test]
    fn only_the_strongest_are_pictured_and_kept() {
        let mut strongest = Strongest::new(2);
        let mut pictured = 0;
        for (second, p) in [0.5, 0.9, 0.4, 0.7, 0.9].into_iter().enumerate() {
            let picture = || -> Result<usize, Infallible> {
                pictured += 1;
                Ok(second)
            };
            let time = Duration::from_secs(second as u64);
            strongest.offer(time, &probabilities(Emotion::Fear, p), picture).unwrap();
        }
        let seconds: Vec<_> = strongest.of(Emotion::Fear.index()).iter().map(|moment| moment.picture).collect();
        assert_eq!((seconds, pictured), (vec![1, 4], 4));
        assert!(strongest.of(Emotion::Happy.index()).is_empty(), "it never led");
    }
}
