//! Smoothing of each face's probabilities over time.

use std::collections::HashMap;
use std::time::Duration;

use crate::face::FaceId;
use crate::probabilities::Probabilities;

/// Longest time constant that can be chosen, in seconds. With a longer one, a face is still labelled happy long after the smile.
pub const LONGEST_SMOOTHING_SECS: f32 = 2.0;

/// Default time constant. On a clip of ten people acting seven expressions, longer ones hardly made the labels steadier, but made
/// them later and correct for less of the time (docs/smoothing.md).
pub const DEFAULT_SMOOTHING: Duration = Duration::from_millis(200);

/// Exponential smoothing per face, with a time constant in seconds rather than a weight per frame, so that a video at
/// 10 frames a second is smoothed like one at 60.
///
/// A step in the input is followed to 63 % after one time constant and to 95 % after three.
#[derive(Debug)]
pub struct Smoother {
    time_constant: Option<Duration>,
    faces: HashMap<FaceId, Smoothed>,
}

/// The smoothed probabilities of a face at its last update.
#[derive(Clone, Copy, Debug)]
struct Smoothed {
    probabilities: Probabilities,
    media_time: Duration,
}

impl Smoother {
    /// Creates a smoother without any faces. `None` switches smoothing off.
    pub fn new(time_constant: Option<Duration>) -> Self {
        Self { time_constant, faces: HashMap::new() }
    }

    /// Changes the time constant from the next update on. The faces keep their smoothed probabilities.
    pub fn set_time_constant(&mut self, time_constant: Option<Duration>) {
        self.time_constant = time_constant;
    }

    /// Takes the network's probabilities for a face at `media_time` and returns the smoothed ones.
    ///
    /// A face that is new, or whose time goes backwards (after a seek or at the start of a repeat), starts from `raw`.
    pub fn update(&mut self, id: FaceId, media_time: Duration, raw: Probabilities) -> Probabilities {
        let probabilities = match self.faces.get(&id) {
            Some(last) if media_time >= last.media_time => {
                let weight = self.weight(media_time - last.media_time);
                last.probabilities.lerp(&raw, weight)
            }
            _ => raw,
        };
        self.faces.insert(id, Smoothed { probabilities, media_time });
        probabilities
    }

    /// Forgets the faces for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(FaceId) -> bool) {
        self.faces.retain(|id, _| keep(*id));
    }

    /// Forgets all faces.
    pub fn reset(&mut self) {
        self.faces.clear();
    }

    /// The weight of the new value after `elapsed`: `1 − exp(−elapsed / time constant)`.
    fn weight(&self, elapsed: Duration) -> f32 {
        match self.time_constant {
            Some(constant) if !constant.is_zero() => 1.0 - (-elapsed.as_secs_f32() / constant.as_secs_f32()).exp(),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{COUNT, Emotion};

    const FACE: FaceId = FaceId(1);

    fn only(emotion: Emotion) -> Probabilities {
        let mut weights = [0.0; COUNT];
        weights[emotion.index()] = 1.0;
        Probabilities::from_weights(&weights).unwrap()
    }

    /// The probability of Happy one second after a jump from Neutral to Happy.
    fn happy_after_one_second(fps: u32) -> f32 {
        let mut smoother = Smoother::new(Some(Duration::from_millis(500)));
        smoother.update(FACE, Duration::ZERO, only(Emotion::Neutral));
        (1..=fps)
            .map(|i| smoother.update(FACE, Duration::from_secs(1) * i / fps, only(Emotion::Happy)))
            .last()
            .unwrap()
            .of(Emotion::Happy.index())
    }

    #[test]
    fn the_curve_is_the_same_at_10_and_at_60_frames_a_second() {
        let expected = 1.0 - (-2.0_f32).exp();
        assert!((happy_after_one_second(10) - expected).abs() < 1e-4);
        assert!((happy_after_one_second(60) - expected).abs() < 1e-4);
    }

    #[test]
    fn without_a_time_constant_the_raw_value_comes_out() {
        for off in [None, Some(Duration::ZERO)] {
            let mut smoother = Smoother::new(off);
            smoother.update(FACE, Duration::ZERO, only(Emotion::Sad));
            let out = smoother.update(FACE, Duration::from_millis(33), only(Emotion::Fear));
            assert_eq!(out, only(Emotion::Fear));
        }
    }

    #[test]
    fn a_change_of_strength_keeps_what_is_known() {
        let mut smoother = Smoother::new(None);
        smoother.update(FACE, Duration::ZERO, only(Emotion::Sad));
        smoother.set_time_constant(Some(Duration::from_secs(10)));
        let out = smoother.update(FACE, Duration::from_millis(100), only(Emotion::Fear));
        assert_eq!(out.top().0, Emotion::Sad.index());
    }

    #[test]
    fn faces_do_not_mix_and_a_forgotten_one_starts_over() {
        let other = FaceId(2);
        let mut smoother = Smoother::new(Some(Duration::from_secs(10)));
        smoother.update(FACE, Duration::ZERO, only(Emotion::Sad));
        smoother.update(other, Duration::ZERO, only(Emotion::Happy));
        smoother.retain(|id| id == other);
        let later = Duration::from_millis(100);
        assert_eq!(smoother.update(FACE, later, only(Emotion::Fear)), only(Emotion::Fear));
        assert_eq!(smoother.update(other, later, only(Emotion::Fear)).top().0, Emotion::Happy.index());
    }

    #[test]
    fn time_that_goes_backwards_starts_over() {
        let mut smoother = Smoother::new(Some(Duration::from_secs(10)));
        smoother.update(FACE, Duration::from_secs(19), only(Emotion::Sad));
        assert_eq!(smoother.update(FACE, Duration::ZERO, only(Emotion::Fear)), only(Emotion::Fear));
        // And time continues from there.
        assert_eq!(smoother.update(FACE, Duration::from_millis(1), only(Emotion::Sad)).top().0, Emotion::Fear.index());
    }
}
