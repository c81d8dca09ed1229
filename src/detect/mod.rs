//! Finding faces in a gray picture.

mod haar;
mod options;
mod schedule;

pub use self::haar::HaarDetector;
pub use self::options::DetectionOptions;
pub use self::schedule::ScheduledDetector;
use crate::preprocess::{FaceRect, GrayView};

/// Overlap (IoU) from which on two boxes are taken for the same face.
pub(crate) const SAME_FACE_OVERLAP: f32 = 0.3;

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
