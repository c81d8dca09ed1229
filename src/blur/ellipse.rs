//! Ellipses around heads.

use crate::face::{Face, FaceRect};
use crate::landmarks::{Landmarks, Point};

/// Half axes of the head's ellipse, relative to the box's width and height. A box reaches from brows to chin, but hair and ears have to be
/// covered too. From 0.71 on, the ellipse covers the box's corners.
const BOX_AXES: [f32; 2] = [0.72, 0.85];

/// How far the ellipse's centre lies above the box's, relative to the box's height: more of the head is above the box than below it.
const BOX_ABOVE: f32 = 0.08;

/// Half axes relative to the larger of two distances: eye to eye, and eyes to mouth. They are about equal in a frontal face; the larger one
/// also fits a head that is turned or bent. An average face's box is 2.65 times as wide, which gives the same ellipse as `BOX_AXES`.
const LANDMARK_AXES: [f32; 2] = [1.9, 2.25];

/// An ellipse in pixel coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ellipse {
    pub center: Point,
    /// Half its width and half its height, before rotation.
    pub axes: [f32; 2],
    /// Rotation, clockwise in the picture.
    pub degrees: f32,
}

impl Ellipse {
    fn of_box(rect: FaceRect) -> Self {
        let (x, y) = rect.center();
        let axes = [BOX_AXES[0] * rect.width, BOX_AXES[1] * rect.height];
        Self { center: [x, y - BOX_ABOVE * rect.height], axes, degrees: 0.0 }
    }

    fn of_landmarks(landmarks: &Landmarks) -> Self {
        let Landmarks { right_eye, left_eye, mouth_right, mouth_left, .. } = *landmarks;
        let middle = |a: Point, b: Point| [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
        let (eyes, mouth) = (middle(right_eye, left_eye), middle(mouth_right, mouth_left));
        let height = (mouth[0] - eyes[0]).hypot(mouth[1] - eyes[1]);
        let size = height.max(landmarks.eye_distance());
        let degrees = landmarks.roll_degrees();
        Self { center: middle(eyes, mouth), axes: LANDMARK_AXES.map(|axis| axis * size), degrees }
    }

    /// Returns the ellipse with its axes scaled by `times`.
    pub(super) fn grown(self, times: f32) -> Self {
        Self { axes: self.axes.map(|axis| axis * times), ..self }
    }

    /// Half the side of an upright square that contains it at any rotation.
    pub(super) fn reach(&self) -> f32 {
        self.axes[0].max(self.axes[1])
    }
}

/// The ellipses to cover for a face: one from its box, and one from its landmarks if it has any.
pub(super) fn head(face: &Face) -> impl Iterator<Item = Ellipse> {
    std::iter::once(Ellipse::of_box(face.rect)).chain(face.landmarks.as_ref().map(Ellipse::of_landmarks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ellipse_of_a_box_goes_around_its_corners() {
        let rect = FaceRect { x: 100.0, y: 50.0, width: 60.0, height: 80.0 };
        let Ellipse { center, axes, .. } = Ellipse::of_box(rect);
        for (x, y) in [(100.0, 50.0), (160.0, 50.0), (100.0, 130.0), (160.0, 130.0)] {
            let inside = ((x - center[0]) / axes[0]).powi(2) + ((y - center[1]) / axes[1]).powi(2);
            assert!(inside < 1.1, "{inside} at {x}, {y}");
        }
    }

    #[test]
    fn the_ellipse_of_landmarks_leans_with_the_head() {
        let upright = [[10.0, 20.0], [30.0, 20.0], [20.0, 30.0], [12.0, 40.0], [28.0, 40.0]];
        let ellipse = Ellipse::of_landmarks(&Landmarks::from_points(upright));
        assert_eq!((ellipse.center, ellipse.axes, ellipse.degrees), ([20.0, 30.0], [38.0, 45.0], 0.0));
        let leaning = Ellipse::of_landmarks(&Landmarks::from_points(upright.map(|[x, y]| [-y, x])));
        assert_eq!((leaning.axes, leaning.degrees), ([38.0, 45.0], 90.0));
        // Seen from the side, the eyes lie close to each other.
        let side = Ellipse::of_landmarks(&Landmarks::from_points(upright.map(|[x, y]| [x / 4.0, y])));
        assert_eq!(side.axes, [38.0, 45.0]);
    }
}
