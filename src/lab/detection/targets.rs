//! What is to be found in a picture that a network learns from.

use super::data::Face;
use crate::preprocess::FaceRect;

/// The faces of a training picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// To be found.
    pub faces: Vec<Face>,
    /// Neither faces nor mistakes.
    pub ignored: Vec<FaceRect>,
}

/// Faces smaller than this, in pixels of the network's picture, are neither learnt nor mistakes: little more than one cell of the
/// finest level, they show nothing that sets them apart.
pub const SMALLEST: f32 = 11.0;
/// Likewise those of which less than this share is in the picture.
const LEAST_VISIBLE: f32 = 0.35;

impl Target {
    /// Takes a face of a picture of this size up, as what it is there: to be found, ignored, or out of sight.
    pub fn add(&mut self, face: Face, width: usize, height: usize) {
        self.add_in(face, FaceRect::whole(width, height));
    }

    /// The same where only `window` of the picture shows the face.
    pub fn add_in(&mut self, face: Face, window: FaceRect) {
        let visible = shared_area(&face.rect, &window) / face.rect.area();
        if visible <= 0.0 {
            return;
        }
        let (x, y) = face.rect.center();
        let middle_inside = x > window.x && x < window.x + window.width && y > window.y && y < window.y + window.height;
        if face.ignored || face.size() < SMALLEST || visible < LEAST_VISIBLE || !middle_inside {
            self.ignored.push(face.rect);
        } else {
            self.faces.push(face);
        }
    }

    /// Whether a place is in a box that is ignored.
    pub fn is_ignored(&self, [x, y]: [f32; 2]) -> bool {
        let holds = |rect: &FaceRect| {
            x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height
        };
        self.ignored.iter().any(holds)
    }
}

/// Of two boxes.
pub fn shared_area(one: &FaceRect, other: &FaceRect) -> f32 {
    let width = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
    let height = (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
    width.max(0.0) * height.max(0.0)
}
