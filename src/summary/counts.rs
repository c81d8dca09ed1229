//! How often and how long each emotion led.

use std::time::Duration;

use super::Sighting;
use crate::emotion::{COUNT, Emotion};

/// Frames and seconds by the leading emotion, and the means of all probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    frames: [u64; COUNT],
    seconds: [f64; COUNT],
    unsure_frames: [u64; COUNT],
    unsure_seconds: [f64; COUNT],
    weighted: [f64; COUNT],
    weight: f64,
}

impl Counts {
    /// Adds a face on a frame that is shown for so long. A picture is shown for no time, and counts as much as any other.
    pub fn add(&mut self, sighting: &Sighting, shown: Duration) {
        let Sighting { probabilities, is_unsure, .. } = sighting;
        let label = probabilities.top().0.index();
        let seconds = shown.as_secs_f64();
        let weight = if shown.is_zero() { 1.0 } else { seconds };
        self.frames[label] += 1;
        self.seconds[label] += seconds;
        if *is_unsure {
            self.unsure_frames[label] += 1;
            self.unsure_seconds[label] += seconds;
        }
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

    /// Frames on which `emotion` led so little, or on so small a face, that the picture says “unsure”.
    pub fn unsure_frames_of(&self, emotion: Emotion) -> u64 {
        self.unsure_frames[emotion.index()]
    }

    /// Seconds of those frames.
    pub fn unsure_seconds_of(&self, emotion: Emotion) -> f64 {
        self.unsure_seconds[emotion.index()]
    }

    /// Share of the time in which `emotion` led, 0 to 1; of pictures, share of the faces. 0 if there was no face.
    pub fn share(&self, emotion: Emotion) -> f64 {
        self.share_of(self.seconds_of(emotion), self.frames_of(emotion))
    }

    /// The part of [`Self::share`] in which the picture says “unsure”.
    pub fn unsure_share(&self, emotion: Emotion) -> f64 {
        self.share_of(self.unsure_seconds_of(emotion), self.unsure_frames_of(emotion))
    }

    /// Share of all time, or of all faces of pictures, in which the picture says “unsure”.
    pub fn all_unsure_share(&self) -> f64 {
        self.share_of(self.unsure_seconds.iter().sum(), self.unsure_frames.iter().sum())
    }

    fn share_of(&self, seconds: f64, frames: u64) -> f64 {
        let (part, all) =
            if self.seconds() > 0.0 { (seconds, self.seconds()) } else { (frames as f64, self.frames() as f64) };
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
    use crate::summary::testing::sighting;

    #[test]
    fn shares_and_means_go_by_the_time_that_frames_are_shown() {
        let mut counts = Counts::default();
        counts.add(&sighting(1, Emotion::Happy, 0.9), Duration::from_secs(3));
        counts.add(&sighting(1, Emotion::Sad, 0.5), Duration::from_secs(1));
        assert_eq!((counts.share(Emotion::Happy), counts.share(Emotion::Sad)), (0.75, 0.25));
        assert!((counts.mean(Emotion::Sad) - (3.0 * 0.1 / 6.0 + 0.5) / 4.0).abs() < 1e-6);
        assert_eq!((counts.frames_of(Emotion::Happy), counts.frames(), counts.seconds()), (1, 2, 4.0));
    }

    #[test]
    fn what_is_unsure_is_a_part_of_its_label() {
        let mut counts = Counts::default();
        counts.add(&sighting(1, Emotion::Happy, 0.9), Duration::from_secs(1));
        counts.add(&Sighting { is_unsure: true, ..sighting(1, Emotion::Happy, 0.3) }, Duration::from_secs(3));
        assert_eq!((counts.share(Emotion::Happy), counts.unsure_share(Emotion::Happy)), (1.0, 0.75));
        assert_eq!((counts.unsure_frames_of(Emotion::Happy), counts.unsure_seconds_of(Emotion::Happy)), (1, 3.0));
        assert_eq!((counts.all_unsure_share(), Counts::default().all_unsure_share()), (0.75, 0.0));
    }

    #[test]
    fn pictures_count_alike_and_nothing_has_no_share() {
        let mut counts = Counts::default();
        assert_eq!((counts.share(Emotion::Fear), counts.mean(Emotion::Fear)), (0.0, 0.0));
        for emotion in [Emotion::Fear, Emotion::Fear, Emotion::Angry, Emotion::Sad] {
            counts.add(&sighting(1, emotion, 1.0), Duration::ZERO);
        }
        assert_eq!((counts.share(Emotion::Fear), counts.mean(Emotion::Fear)), (0.5, 0.5));
    }
}
