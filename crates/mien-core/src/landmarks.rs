//! Where a face's eyes, nose and mouth are.

use serde::{Deserialize, Serialize};

/// A point in a picture, in pixels: x to the right, y down.
pub type Point = [f32; 2];

/// How many landmarks a face has.
pub const LANDMARKS: usize = 5;

/// Eyes, nose and mouth of a face. Right and left are the person's: someone who looks into the camera has the right eye on
/// the picture's left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Landmarks {
    /// Middle of the right eye.
    pub right_eye: Point,
    /// Middle of the left eye.
    pub left_eye: Point,
    /// Tip of the nose.
    pub nose: Point,
    /// Right corner of the mouth.
    pub mouth_right: Point,
    /// Left corner of the mouth.
    pub mouth_left: Point,
}

impl Landmarks {
    /// The points in the order of the fields.
    pub fn points(&self) -> [Point; LANDMARKS] {
        [self.right_eye, self.left_eye, self.nose, self.mouth_right, self.mouth_left]
    }

    /// Creates landmarks from points in the order of the fields.
    pub fn from_points([right_eye, left_eye, nose, mouth_right, mouth_left]: [Point; LANDMARKS]) -> Self {
        Self { right_eye, left_eye, nose, mouth_right, mouth_left }
    }

    /// Applies `place` to each point.
    #[must_use]
    pub fn map(&self, place: impl FnMut(Point) -> Point) -> Self {
        Self::from_points(self.points().map(place))
    }

    /// Swaps right and left, as needed after mirroring the points of a face.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self {
            right_eye: self.left_eye,
            left_eye: self.right_eye,
            nose: self.nose,
            mouth_right: self.mouth_left,
            mouth_left: self.mouth_right,
        }
    }

    /// Distance between the eyes in pixels.
    pub fn eye_distance(&self) -> f32 {
        let [x, y] = between(self.right_eye, self.left_eye);
        x.hypot(y)
    }

    /// Roll of the head in degrees, from −180 to 180: 0 is upright, positive is clockwise in the picture.
    pub fn roll_degrees(&self) -> f32 {
        let [x, y] = between(self.right_eye, self.left_eye);
        y.atan2(x).to_degrees()
    }
}

/// The vector from one point to another.
fn between(from: Point, to: Point) -> Point {
    [to[0] - from[0], to[1] - from[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upright() -> Landmarks {
        Landmarks::from_points([[10.0, 20.0], [30.0, 20.0], [20.0, 30.0], [12.0, 40.0], [28.0, 40.0]])
    }

    #[test]
    fn a_head_that_leans_to_the_right_of_the_picture_has_a_positive_roll() {
        assert_eq!(upright().roll_degrees(), 0.0);
        assert_eq!(upright().eye_distance(), 20.0);
        // Turned clockwise by a right angle: x becomes −y, y becomes x.
        let turned = upright().map(|[x, y]| [-y, x]);
        assert!((turned.roll_degrees() - 90.0).abs() < 1e-4);
    }

    #[test]
    fn a_mirrored_face_with_its_sides_exchanged_is_an_upright_face_again() {
        let mirrored = upright().map(|[x, y]| [100.0 - x, y]).swapped();
        assert_eq!(mirrored.roll_degrees(), 0.0);
        assert_eq!(mirrored.right_eye, [70.0, 20.0]);
        assert_eq!(mirrored.swapped().swapped(), mirrored);
    }
}
