//! Finding faces in a gray picture.

mod haar;
mod options;
mod schedule;

pub use self::haar::HaarDetector;
pub use self::options::DetectionOptions;
pub use self::schedule::ScheduledDetector;
use mien_core::detection::{DetectError, Detection};
use mien_core::face::FaceRect;

/// Share of the smaller of two boxes from which on it is a second box of the same face. Faces of two people overlap
/// less, unless one hides the other, which Haar doesn't find then.
const SECOND_BOX_SHARE: f32 = 0.5;

/// One box a face: of boxes that overlap or lie in each other, the one that the detector believes most. Haar gives a
/// second box around eyes, nose and mouth alone for some faces.
fn one_a_face(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::with_capacity(found.len());
    for detection in found {
        if kept.iter().all(|other| shared_with_smaller(&other.rect, &detection.rect) < SECOND_BOX_SHARE) {
            kept.push(detection);
        }
    }
    kept
}

/// The part of the smaller of two boxes that lies in the other: 0 apart, 1 inside.
fn shared_with_smaller(a: &FaceRect, b: &FaceRect) -> f32 {
    // From IoU: shared = iou × union, and union + shared is the sum of both areas.
    let iou = a.iou(b);
    let shared = iou / (1.0 + iou) * (a.area() + b.area());
    let smaller = a.area().min(b.area());
    if smaller > 0.0 { shared / smaller } else { 0.0 }
}

/// An error of OpenCV as one of detection.
pub(crate) fn failed(error: opencv::Error) -> DetectError {
    DetectError::Failed(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: f32, side: f32, score: f32) -> Detection {
        Detection { rect: FaceRect { x, y: x, width: side, height: side }, score, is_certain: true, landmarks: None }
    }

    #[test]
    fn a_second_box_of_a_face_is_dropped_and_a_neighbour_is_kept() {
        let (face, inner, neighbour) = (found(100.0, 100.0, 30.0), found(130.0, 40.0, 5.0), found(180.0, 90.0, 8.0));
        assert_eq!(one_a_face(vec![inner, face, neighbour]), [face, neighbour]);
    }
}
