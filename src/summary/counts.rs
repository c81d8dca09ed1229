//! How often and how long each emotion led.

use std::time::Duration;

use crate::emotion::{COUNT, Emotion, Probabilities};

/// Frames and seconds by the leading emotion, and the means of all probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    frames: [u64; COUNT],
    seconds: [f64; COUNT],
    weighted: [f64; COUNT],
    weight: f64,
}

impl Counts {
    /// Adds a face on a frame that is shown for so long. A picture is shown for no time, and counts as much as any other.
    pub fn add(&mut self, probabilities: &Probabilities, shown: Duration) {
        let label = probabilities.top().0.index();
        let seconds = shown.as_secs_f64();
        let weight = if shown.is_zero() { 1.0 } else { seconds };
        self.frames[label] += 1;
        self.seconds[label] += seconds;
        self.weight += weight;
        for (sum, p) in self.weighted.iter_mut().zip(probabilities.as_array()) {
            *sum += f64::from(*p) * weight;
        }
    }

    /// Frames on which `emotion` led.
    pub fn frames_of(&self, emotion: Emotion) -> u64 {
        self.frames[emotion.index()]
    }

    /// Frames in all.
    pub fn frames(&self) -> u64 {
        self.frames.iter().sum()
    }

    /// Seconds in which `emotion` led.
    pub fn seconds_of(&self, emotion: Emotion) -> f64 {
        self.seconds[emotion.index()]
    }

    /// Seconds in all.
    pub fn seconds(&self) -> f64 {
        self.seconds.iter().sum()
    }

    /// Share of the time in which `emotion` led, 0 to 1; of pictures, share of the faces. 0 if there was no face.
    pub fn share(&self, emotion: Emotion) -> f64 {
        let (part, all) = if self.seconds() > 0.0 {
            (self.seconds_of(emotion), self.seconds())
        } else {
            (self.frames_of(emotion) as f64, self.frames() as f64)
        };
        if all > 0.0 { part / all } else { 0.0 }
    }

    /// Mean probability of `emotion` over the time, 0 to 1, whether it led or not. 0 if there was no face.
    pub fn mean(&self, emotion: Emotion) -> f64 {
        if self.weight > 0.0 { self.weighted[emotion.index()] / self.weight } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::probabilities;

    #[test]
    fn shares_and_means_go_by_the_time_that_frames_are_shown() {
        let mut counts = Counts::default();
        counts.add(&probabilities(Emotion::Happy, 0.9), Duration::from_secs(3));
        counts.add(&probabilities(Emotion::Sad, 0.5), Duration::from_secs(1));
        assert_eq!((counts.share(Emotion::Happy), counts.share(Emotion::Sad)), (0.75, 0.25));
        assert!((counts.mean(Emotion::Sad) - (3.0 * 0.1 / 6.0 + 0.5) / 4.0).abs() < 1e-6);
        assert_eq!((counts.frames_of(Emotion::Happy), counts.frames(), counts.seconds()), (1, 2, 4.0));
    }

    #[test]
    fn pictures_count_alike_and_nothing_has_no_share() {
        let mut counts = Counts::default();
        assert_eq!((counts.share(Emotion::Fear), counts.mean(Emotion::Fear)), (0.0, 0.0));
        for emotion in [Emotion::Fear, Emotion::Fear, Emotion::Angry, Emotion::Sad] {
            counts.add(&probabilities(emotion, 1.0), Duration::ZERO);
        }
        assert_eq!((counts.share(Emotion::Fear), counts.mean(Emotion::Fear)), (0.5, 0.5));
    }
}
