//! Finding faces in a gray picture.

use crate::preprocess::{FaceRect, GrayView};

/// Finds faces in one picture, without memory of those before it.
pub trait FaceDetector: Send {
    /// The faces in a picture, in its pixels, in no particular order.
    ///
    /// # Errors
    /// When the detector itself fails; a picture without a face is an empty list.
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError>;
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
}
