//! Bars that glide to their value instead of jumping.

use std::collections::BTreeMap;

use crate::face::FaceId;
use crate::probabilities::Probabilities;

/// Time in which a bar covers 63 % of the way to its value. Fast enough to follow a smile, slow enough not to flicker.
const TIME_CONSTANT_SECS: f32 = 0.08;

/// Distance at which a bar snaps to its value: half a pixel of a 200-point bar, too little to see.
const SETTLED: f32 = 0.0025;

/// The lengths of all bars on the screen, 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    shown: BTreeMap<FaceId, Vec<f32>>,
}

impl Bars {
    /// Moves a face's bars towards its probabilities, by the time since the last call. A new face's bars start at their
    /// value. Returns whether they have arrived; if not, the window must be repainted soon.
    pub fn approach(&mut self, face: FaceId, target: &Probabilities, elapsed_secs: f32) -> bool {
        let target = target.as_slice();
        let shown = self.shown.entry(face).or_insert_with(|| target.to_vec());
        if shown.len() != target.len() {
            // The network was replaced by one with other classes.
            *shown = target.to_vec();
        }
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
    pub fn of(&self, face: FaceId) -> Option<&[f32]> {
        self.shown.get(&face).map(Vec::as_slice)
    }

    /// Forgets the faces that are gone.
    pub fn retain(&mut self, mut present: impl FnMut(FaceId) -> bool) {
        self.shown.retain(|face, _| present(*face));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{COUNT, Emotion};

    fn all(emotion: Emotion) -> Probabilities {
        let mut weights = [0.0; COUNT];
        weights[emotion.index()] = 1.0;
        Probabilities::from_weights(&weights).unwrap()
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
        assert_eq!(bars.of(FaceId(1)).unwrap(), all(Emotion::Happy).as_slice());
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
        bars.approach(FaceId(1), &Probabilities::uniform(COUNT), 0.1);
        bars.retain(|_| false);
        assert!(bars.of(FaceId(1)).is_none());
    }

    #[test]
    fn bars_of_other_classes_start_at_their_value() {
        let mut bars = Bars::default();
        bars.approach(FaceId(1), &all(Emotion::Sad), 0.0);
        assert!(bars.approach(FaceId(1), &Probabilities::uniform(2), 0.01));
        assert_eq!(bars.of(FaceId(1)), Some([0.5, 0.5].as_slice()));
    }
}
