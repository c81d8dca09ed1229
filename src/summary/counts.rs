//! How often and how long each class led.

use std::time::Duration;

use super::Sighting;

/// Frames and seconds by the leading class, and the means of all probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// One for each class, once a face was added.
    of: Vec<OfClass>,
    weight: f64,
}

/// The counts of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct OfClass {
    frames: u64,
    seconds: f64,
    unsure_frames: u64,
    unsure_seconds: f64,
    weighted: f64,
}

impl Counts {
    /// Adds a face in a frame that is shown for as long as `shown`. For a still picture that is zero, and each counts the same.
    pub fn add(&mut self, sighting: &Sighting, shown: Duration) {
        let Sighting { probabilities, is_unsure, .. } = sighting;
        if self.of.len() < probabilities.len() {
            self.of.resize(probabilities.len(), OfClass::default());
        }
        let seconds = shown.as_secs_f64();
        let weight = if shown.is_zero() { 1.0 } else { seconds };
        let label = &mut self.of[probabilities.top().0];
        label.frames += 1;
        label.seconds += seconds;
        if *is_unsure {
            label.unsure_frames += 1;
            label.unsure_seconds += seconds;
        }
        self.weight += weight;
        for (of, p) in self.of.iter_mut().zip(probabilities.as_slice()) {
            of.weighted += f64::from(*p) * weight;
        }
    }

    /// The counts of a class; zero before a face was added.
    fn of(&self, class: usize) -> OfClass {
        self.of.get(class).copied().unwrap_or_default()
    }

    /// Frames on which `class` led.
    pub fn frames_of(&self, class: usize) -> u64 {
        self.of(class).frames
    }

    /// Frames in all.
    pub fn frames(&self) -> u64 {
        self.of.iter().map(|of| of.frames).sum()
    }

    /// Seconds in which `class` led.
    pub fn seconds_of(&self, class: usize) -> f64 {
        self.of(class).seconds
    }

    /// Seconds in all.
    pub fn seconds(&self) -> f64 {
        // From 0.0, as a sum of nothing would be −0.0.
        self.of.iter().fold(0.0, |sum, of| sum + of.seconds)
    }

    /// Frames on which `class` led, but the verdict was “unsure”.
    pub fn unsure_frames_of(&self, class: usize) -> u64 {
        self.of(class).unsure_frames
    }

    /// Seconds of those frames.
    pub fn unsure_seconds_of(&self, class: usize) -> f64 {
        self.of(class).unsure_seconds
    }

    /// Share of the time in which `class` led, 0 to 1; for pictures, share of the faces. 0 if there was no face.
    pub fn share(&self, class: usize) -> f64 {
        self.share_of(self.seconds_of(class), self.frames_of(class))
    }

    /// The part of [`Self::share`] with the verdict “unsure”.
    pub fn unsure_share(&self, class: usize) -> f64 {
        self.share_of(self.unsure_seconds_of(class), self.unsure_frames_of(class))
    }

    /// Share of all time, or of all faces in pictures, with the verdict “unsure”.
    pub fn all_unsure_share(&self) -> f64 {
        let seconds = self.of.iter().map(|of| of.unsure_seconds).sum();
        self.share_of(seconds, self.of.iter().map(|of| of.unsure_frames).sum())
    }

    fn share_of(&self, seconds: f64, frames: u64) -> f64 {
        let (part, all) =
            if self.seconds() > 0.0 { (seconds, self.seconds()) } else { (frames as f64, self.frames() as f64) };
        if all > 0.0 { part / all } else { 0.0 }
    }

    /// Mean probability of `class` over the time, 0 to 1, whether it led or not. 0 if there was no face.
    pub fn mean(&self, class: usize) -> f64 {
        if self.weight > 0.0 { self.of(class).weighted / self.weight } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::summary::testing::sighting;

    #[test]
    fn shares_and_means_go_by_the_time_that_frames_are_shown() {
        let mut counts = Counts::default();
        counts.add(&sighting(1, Emotion::Happy, 0.9), Duration::from_secs(3));
        counts.add(&sighting(1, Emotion::Sad, 0.5), Duration::from_secs(1));
        assert_eq!((counts.share(Emotion::Happy.index()), counts.share(Emotion::Sad.index())), (0.75, 0.25));
        assert!((counts.mean(Emotion::Sad.index()) - (3.0 * 0.1 / 6.0 + 0.5) / 4.0).abs() < 1e-6);
        assert_eq!((counts.frames_of(Emotion::Happy.index()), counts.frames(), counts.seconds()), (1, 2, 4.0));
    }

    #[test]
    fn what_is_unsure_is_a_part_of_its_label() {
        let mut counts = Counts::default();
        counts.add(&sighting(1, Emotion::Happy, 0.9), Duration::from_secs(1));
        counts.add(&Sighting { is_unsure: true, ..sighting(1, Emotion::Happy, 0.3) }, Duration::from_secs(3));
        assert_eq!((counts.share(Emotion::Happy.index()), counts.unsure_share(Emotion::Happy.index())), (1.0, 0.75));
        assert_eq!(
            (counts.unsure_frames_of(Emotion::Happy.index()), counts.unsure_seconds_of(Emotion::Happy.index())),
            (1, 3.0)
        );
        assert_eq!((counts.all_unsure_share(), Counts::default().all_unsure_share()), (0.75, 0.0));
    }

    #[test]
    fn pictures_count_alike_and_nothing_has_no_share() {
        let mut counts = Counts::default();
        assert_eq!((counts.share(Emotion::Fear.index()), counts.mean(Emotion::Fear.index())), (0.0, 0.0));
        for emotion in [Emotion::Fear, Emotion::Fear, Emotion::Angry, Emotion::Sad] {
            counts.add(&sighting(1, emotion, 1.0), Duration::ZERO);
        }
        assert_eq!((counts.share(Emotion::Fear.index()), counts.mean(Emotion::Fear.index())), (0.5, 0.5));
    }
}
