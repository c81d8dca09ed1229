//! Bars that glide to their value instead of jumping.

use std::collections::BTreeMap;

use crate::emotion::{COUNT, Probabilities};
use crate::face::FaceId;

/// Time in which a bar covers 63 % of its way. Fast enough to follow a smile, slow enough not to flicker.
const TIME_CONSTANT_SECS: f32 = 0.08;

/// Half a pixel of a bar of 200 points: nearer than this nothing moves that an eye could see.
const SETTLED: f32 = 0.0025;

/// The lengths of all bars on the screen, 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    shown: BTreeMap<FaceId, [f32; COUNT]>,
}

impl Bars {
    /// Moves a face's bars towards its probabilities by the time that passed. A new face's bars start at their value.
    /// Returns whether they arrived; if not, the window must be painted again soon.
    pub fn approach(&mut self, face: FaceId, target: &Probabilities, elapsed_secs: f32) -> bool {
        let target = target.as_array();
        let shown = self.shown.entry(face).or_insert(*target);
        let share = 1.0 - (-elapsed_secs.max(0.0) / TIME_CONSTANT_SECS).exp();
        let mut settled = true;
        for (length, to) in shown.iter_mut().zip(target) {
            *length += (to - *length) * share;
            if (to - *length).abs() <= SETTLED {
                *length = *to;
            } else {
                settled = false;
            }
        }
        settled
    }

    /// The lengths of a face's bars.
    pub fn of(&self, face: FaceId) -> Option<&[f32; COUNT]> {
        self.shown.get(&face)
    }

    /// Forgets the faces that are gone.
    pub fn retain(&mut self, mut present: impl FnMut(FaceId) -> bool) {
        self.shown.retain(|face, _| present(*face));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn all(emotion: Emotion) -> Probabilities {
        let mut weights = [0.0; COUNT];
        weights[emotion.index()] = 1.0;
        Probabilities::from_weights(weights).unwrap()
    }

    #[test]
    fn bars_glide_and_then_rest_exactly_on_their_value() {
        let mut bars = Bars::default();
        assert!(bars.approach(FaceId(1), &all(Emotion::Sad), 0.0), "a new face's bars start at their value");
        let mut steps = 0;
        while !bars.approach(FaceId(1), &all(Emotion::Happy), 1.0 / 60.0) {
            steps += 1;
            assert!(steps < 60, "bars never came to rest");
        }
        assert!(steps > 5, "bars jumped in {steps} steps");
        assert_eq!(bars.of(FaceId(1)).unwrap(), all(Emotion::Happy).as_array());
    }

    #[test]
    fn the_way_does_not_depend_on_the_frame_rate() {
        let run = |steps: u32| {
            let mut bars = Bars::default();
            bars.approach(FaceId(1), &all(Emotion::Sad), 0.0);
            for _ in 0..steps {
                bars.approach(FaceId(1), &all(Emotion::Happy), 0.1 / steps as f32);
            }
            bars.of(FaceId(1)).unwrap()[Emotion::Happy.index()]
        };
        assert!((run(3) - run(12)).abs() < 1e-3);
    }

    #[test]
    fn a_face_that_left_is_forgotten() {
        let mut bars = Bars::default();
        bars.approach(FaceId(1), &Probabilities::UNIFORM, 0.1);
        bars.retain(|_| false);
        assert!(bars.of(FaceId(1)).is_none());
    }
}
