//! Average places of landmarks, which show whether a data set's faces are aligned like those that networks learnt from.

use serde::{Deserialize, Serialize};

use mien_core::crop::CROP_SIZE;
use mien_core::face::FaceRect;
use mien_core::landmarks::{LANDMARKS, Landmarks};

/// Sums over the faces whose landmarks were found, in pixels of the crop by the face's outline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LandmarkPlaces {
    /// Number of faces.
    pub faces: usize,
    sums: [[f64; 2]; LANDMARKS],
    squares: [[f64; 2]; LANDMARKS],
    rolls: [f64; 2],
}

/// Average places of landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LandmarkSummary {
    /// Number of faces whose landmarks were found.
    pub faces: usize,
    /// Each landmark, x and y in pixels of the crop by the face's outline, in the order of [`Landmarks::points`].
    pub points: [[Spread; 2]; LANDMARKS],
    /// How far heads lean; see [`Landmarks::roll_degrees`].
    pub roll_degrees: Spread,
}

/// Mean and spread over faces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl LandmarkPlaces {
    /// Adds a face, given by its landmarks in a picture and the outline by which it would be cropped.
    pub fn add(&mut self, landmarks: &Landmarks, outline: FaceRect) {
        let [left, top] = [outline.x, outline.y].map(f64::from);
        let scale = [outline.width, outline.height].map(|side| CROP_SIZE as f64 / f64::from(side));
        for (index, [x, y]) in landmarks.points().into_iter().enumerate() {
            let point = [(f64::from(x) - left) * scale[0], (f64::from(y) - top) * scale[1]];
            for (axis, place) in point.into_iter().enumerate() {
                self.sums[index][axis] += place;
                self.squares[index][axis] += place * place;
            }
        }
        let roll = f64::from(landmarks.roll_degrees());
        self.rolls[0] += roll;
        self.rolls[1] += roll * roll;
        self.faces += 1;
    }

    /// Adds the faces of another data set.
    pub fn join(&mut self, other: &Self) {
        self.faces += other.faces;
        for index in 0..LANDMARKS {
            for axis in 0..2 {
                self.sums[index][axis] += other.sums[index][axis];
                self.squares[index][axis] += other.squares[index][axis];
            }
        }
        self.rolls[0] += other.rolls[0];
        self.rolls[1] += other.rolls[1];
    }

    /// The averages; `None` if there are no faces.
    pub fn summary(&self) -> Option<LandmarkSummary> {
        let point = |index: usize| [0, 1].map(|axis| self.spread(self.sums[index][axis], self.squares[index][axis]));
        (self.faces > 0).then(|| LandmarkSummary {
            faces: self.faces,
            points: std::array::from_fn(point),
            roll_degrees: self.spread(self.rolls[0], self.rolls[1]),
        })
    }

    fn spread(&self, sum: f64, squares: f64) -> Spread {
        let mean = sum / self.faces as f64;
        Spread { mean, deviation: (squares / self.faces as f64 - mean * mean).max(0.0).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_pixels_of_the_crop_whatever_size_the_picture_has() {
        let mut places = LandmarkPlaces::default();
        assert_eq!(places.summary(), None);
        let face = |side: f32, eye: f32| {
            let at = |x: f32, y: f32| [10.0 + x * side / 48.0, 20.0 + y * side / 48.0];
            let points = [at(eye, 18.0), at(33.0, 18.0), at(23.0, 28.0), at(16.0, 36.0), at(31.0, 36.0)];
            (Landmarks::from_points(points), FaceRect { x: 10.0, y: 20.0, width: side, height: side })
        };
        for (side, eye) in [(48.0, 14.0), (480.0, 16.0)] {
            let (landmarks, outline) = face(side, eye);
            places.add(&landmarks, outline);
        }
        let LandmarkSummary { faces, points, roll_degrees } = places.summary().unwrap();
        assert_eq!(faces, 2);
        assert!((points[0][0].mean - 15.0).abs() < 1e-4 && (points[0][0].deviation - 1.0).abs() < 1e-4, "{points:?}");
        assert!((points[4][1].mean - 36.0).abs() < 1e-4 && points[4][1].deviation < 1e-2, "{points:?}");
        assert!(roll_degrees.mean.abs() < 1e-4);
        let mut both = places;
        both.join(&places);
        assert_eq!(both.summary().map(|both| (both.faces, both.points[2])), Some((4, points[2])));
    }
}
