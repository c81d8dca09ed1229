//! What all face detectors share: their interface, their results, and how boxes of the same face are recognised.

use crate::face::{FaceRect, GrayView};
use crate::landmarks::Landmarks;

/// Overlap (IoU) from which two boxes count as the same face.
pub const SAME_FACE_OVERLAP: f32 = 0.3;

/// A face that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Where, in the pixels of the picture.
    pub rect: FaceRect,
    /// The detector's confidence: a probability from 0 to 1, for Haar the number of neighbouring hits. Scores of different
    /// detectors can't be compared; other code uses `is_certain`.
    pub score: f32,
    /// Whether the detector's strict search confirms it. An uncertain detection can continue a known face but not establish a new one.
    pub is_certain: bool,
    /// Eyes, nose and mouth in the pixels of the picture, if the detector finds them.
    pub landmarks: Option<Landmarks>,
}

/// Finds faces in one picture, without memory of earlier ones.
pub trait FaceDetector: Send {
    /// The faces in a picture, in its pixels, in no particular order.
    ///
    /// # Errors
    /// When the detector itself fails; a picture without a face is an empty list.
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError>;

    /// Searches for the faces that were at `expected` a moment ago. Returns, for each place in order, the face near it, or
    /// `None` if there is none any more. Takes all places in one call, so that a network can search them as one batch. A
    /// detector that can search parts of a picture does so; the others search all of it.
    ///
    /// # Errors
    /// When the detector itself fails.
    fn refresh(&mut self, picture: GrayView<'_>, expected: &[FaceRect]) -> Result<Vec<Option<Detection>>, DetectError> {
        let found = self.detect(picture)?;
        Ok(expected.iter().map(|place| nearest(&found, *place)).collect())
    }
}

/// The detection that overlaps `expected` most, if it counts as the same face.
pub fn nearest(detections: &[Detection], expected: FaceRect) -> Option<Detection> {
    detections
        .iter()
        .map(|detection| (detection.rect.iou(&expected), *detection))
        .filter(|(overlap, _)| *overlap >= SAME_FACE_OVERLAP)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, detection)| detection)
}

/// If at least this share of the smaller of two boxes lies in the other, both belong to the same face.
const SECOND_BOX_SHARE: f32 = 0.5;

/// Keeps one box per face: of boxes that overlap or lie in each other, the one with the highest score. For some faces,
/// Haar finds a second box around eyes, nose and mouth alone.
pub fn one_a_face(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::with_capacity(found.len());
    for detection in found {
        if !kept.iter().any(|other| is_second_box(&other.rect, &detection.rect)) {
            kept.push(detection);
        }
    }
    kept
}

/// Whether two boxes on one frame belong to one face. Those of two people share less, unless one hides the other, and then only one is
/// found.
pub(crate) fn is_second_box(a: &FaceRect, b: &FaceRect) -> bool {
    shared_with_smaller(a, b) >= SECOND_BOX_SHARE
}

/// The part of the smaller of two boxes that lies in the other: 0 apart, 1 inside.
fn shared_with_smaller(a: &FaceRect, b: &FaceRect) -> f32 {
    let smaller = a.area().min(b.area());
    if smaller > 0.0 { a.shared_area(b) / smaller } else { 0.0 }
}

/// Why a detector can't be made, or failed.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The detector's library reported an error.
    #[error("face detection failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The built-in network can't be loaded.
    #[error("the face detector that is part of the program can't be loaded: {0}")]
    Network(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The built-in cascade can't be loaded.
    #[error("the face cascade that Mien was built with can't be loaded; install opencv-data and build Mien again")]
    Cascade,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: f32, side: f32, score: f32) -> Detection {
        Detection { rect: FaceRect { x, y: x, width: side, height: side }, score, is_certain: true, landmarks: None }
    }

    #[test]
    fn of_several_faces_the_one_that_overlaps_most_is_the_one_that_was_expected() {
        let (near, far) = (found(105.0, 100.0, 5.0), found(300.0, 100.0, 50.0));
        let expected = found(100.0, 100.0, 0.0).rect;
        assert_eq!(nearest(&[far, near], expected), Some(near));
        assert_eq!(nearest(&[far], expected), None);
    }

    #[test]
    fn a_second_box_of_a_face_is_dropped_and_a_neighbour_is_kept() {
        let (face, inner, neighbour) = (found(100.0, 100.0, 30.0), found(130.0, 40.0, 5.0), found(180.0, 90.0, 8.0));
        assert_eq!(one_a_face(vec![inner, face, neighbour]), [face, neighbour]);
    }
}
