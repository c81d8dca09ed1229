//! Finding faces in a gray picture.

mod haar;
mod options;
mod schedule;

pub use self::haar::HaarDetector;
pub use self::options::{DetectionOptions, GivenDetection};
pub use self::schedule::ScheduledDetector;
use crate::preprocess::{FaceRect, GrayView};

/// Overlap (IoU) from which on two boxes are taken for the same face.
pub(crate) const SAME_FACE_OVERLAP: f32 = 0.3;

/// Share of the smaller of two boxes from which on it is a second box of the same face. Faces of two people overlap
/// less, unless one hides the other, which Haar doesn't find then.
const SECOND_BOX_SHARE: f32 = 0.5;

/// Finds faces in one picture, without memory of those before it.
pub trait FaceDetector: Send {
    /// The faces in a picture, in its pixels, in no particular order.
    ///
    /// # Errors
    /// When the detector itself fails; a picture without a face is an empty list.
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError>;

    /// The face that was at `expected` a moment ago, or `None` if it isn't near there any more. A detector that can
    /// look at a part of the picture does so; the others search all of it.
    ///
    /// # Errors
    /// When the detector itself fails.
    fn detect_near(&mut self, picture: GrayView<'_>, expected: FaceRect) -> Result<Option<Detection>, DetectError> {
        Ok(nearest(self.detect(picture)?, expected))
    }
}

/// The detection that overlaps a box most, if it is the same face.
fn nearest(detections: Vec<Detection>, expected: FaceRect) -> Option<Detection> {
    detections
        .into_iter()
        .map(|detection| (detection.rect.iou(&expected), detection))
        .filter(|(overlap, _)| *overlap >= SAME_FACE_OVERLAP)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, detection)| detection)
}

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

/// A face that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Where, in the pixels of the picture.
    pub rect: FaceRect,
    /// How much the detector believes it: for Haar the number of neighbouring hits, at least the minimum asked for.
    pub score: f32,
}

/// The detector can't be made or failed.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// OpenCV gave an error.
    #[error("face detection failed: {0}")]
    OpenCv(#[from] opencv::Error),
    /// The cascade in the program can't be loaded.
    #[error("the face cascade that Mien was built with can't be loaded; install opencv-data and build Mien again")]
    Cascade,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: f32, side: f32, score: f32) -> Detection {
        Detection { rect: FaceRect { x, y: x, width: side, height: side }, score }
    }

    #[test]
    fn a_second_box_of_a_face_is_dropped_and_a_neighbour_is_kept() {
        let (face, inner, neighbour) = (found(100.0, 100.0, 30.0), found(130.0, 40.0, 5.0), found(180.0, 90.0, 8.0));
        assert_eq!(one_a_face(vec![inner, face, neighbour]), [face, neighbour]);
    }

    #[test]
    fn of_several_faces_the_one_that_overlaps_most_is_the_one_that_was_expected() {
        let (near, far) = (found(105.0, 100.0, 5.0), found(300.0, 100.0, 50.0));
        let expected = found(100.0, 100.0, 0.0).rect;
        assert_eq!(nearest(vec![far, near], expected), Some(near));
        assert_eq!(nearest(vec![far], expected), None);
    }
}
