//! Detectors shared among threads. They have no memory, so any of them can process any visitor's picture.

use std::sync::{Arc, Mutex, PoisonError};

use mien_core::detection::{DetectError, Detection, FaceDetector};
use mien_core::face::{FaceRect, GrayView};
use mien_vision::detect::{self, DetectionOptions};
use tch::Device;

/// A pool with as many detectors as were ever used at once.
pub(super) struct DetectorPool {
    options: DetectionOptions,
    device: Device,
    idle: Mutex<Vec<Box<dyn FaceDetector>>>,
}

impl DetectorPool {
    /// Creates a pool with one detector, which proves that they can be made. Detectors that are networks run on `device`.
    pub fn new(options: DetectionOptions, device: Device) -> Result<Self, DetectError> {
        Ok(Self { options, device, idle: Mutex::new(vec![detect::make(&options, device)?]) })
    }

    /// Returns a detector that borrows one from the pool for each picture.
    pub fn detector(self: &Arc<Self>) -> Box<dyn FaceDetector> {
        Box::new(Borrowed(Arc::clone(self)))
    }

    fn with<T>(&self, look: impl FnOnce(&mut dyn FaceDetector) -> Result<T, DetectError>) -> Result<T, DetectError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut detector = match idle {
            Some(detector) => detector,
            None => detect::make(&self.options, self.device)?,
        };
        // A detector that panics isn't returned to the pool, as its state is unknown.
        let found = look(detector.as_mut());
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(detector);
        found
    }
}

struct Borrowed(Arc<DetectorPool>);

impl FaceDetector for Borrowed {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        self.0.with(|detector| detector.detect(picture))
    }

    fn refresh(&mut self, picture: GrayView<'_>, expected: &[FaceRect]) -> Result<Vec<Option<Detection>>, DetectError> {
        self.0.with(|detector| detector.refresh(picture, expected))
    }
}
