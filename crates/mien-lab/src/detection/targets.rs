//! What there is to find in a training picture.

use super::data::Face;
use mien_core::face::FaceRect;

/// The faces of a training picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Faces to find.
    pub faces: Vec<Face>,
    /// Boxes that count neither as faces nor as mistakes.
    pub ignored: Vec<FaceRect>,
}

/// Faces smaller than this, in pixels of the network's input, are ignored. Little more than one cell of the finest level, they show
/// nothing distinctive.
pub const SMALLEST: f32 = 11.0;
/// Faces are ignored, too, if less than this share of them is in the picture.
const LEAST_VISIBLE: f32 = 0.35;

impl Target {
    /// Adds a face as it appears in `window`: as one to find, as ignored, or not at all if it is out of sight.
    pub fn add_in(&mut self, face: Face, window: FaceRect) {
        let visible = face.rect.shared_area(&window) / face.rect.area();
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

    /// Whether a point is in a box that is ignored.
    pub fn is_ignored(&self, [x, y]: [f32; 2]) -> bool {
        let holds = |rect: &FaceRect| x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
        self.ignored.iter().any(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_cut_off_or_unclear_is_ignored_and_what_is_out_of_sight_forgotten() {
        let face = |x: f32, y: f32, side: f32| Face {
            rect: FaceRect { x, y, width: side, height: side },
            landmarks: None,
            ignored: false,
        };
        let mut target = Target::default();
        let unclear = Face { ignored: true, ..face(60.0, 60.0, 30.0) };
        let faces = [
            face(10.0, 10.0, 30.0),
            face(70.0, 10.0, SMALLEST - 1.0),
            face(-20.0, 50.0, 30.0), // its middle is outside
            unclear,
            face(200.0, 10.0, 30.0),
        ];
        for face in faces {
            target.add_in(face, FaceRect::whole(100, 100));
        }
        assert_eq!(target.faces, [faces[0]]);
        assert_eq!(target.ignored, [faces[1].rect, faces[2].rect, faces[3].rect]);
        assert!(target.is_ignored([61.0, 61.0]) && !target.is_ignored([20.0, 20.0]));
    }
}
