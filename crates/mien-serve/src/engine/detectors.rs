//! Detectors that threads lend each other: they have no memory, so it doesn't matter whose picture one looks at next.

use std::sync::{Arc, Mutex, PoisonError};

use mien_core::detection::{DetectError, Detection, FaceDetector};
use mien_core::face::{FaceRect, GrayView};
use mien_vision::detect::{self, DetectionOptions};
use tch::Device;

/// As many detectors as were ever used at once.
pub(super) struct DetectorPool {
    options: DetectionOptions,
    device: Device,
    idle: Mutex<Vec<Box<dyn FaceDetector>>>,
}

impl DetectorPool {
    /// A pool with one detector, so that it is known that they can be made. Networks among them compute on `device`.
    pub fn new(options: DetectionOptions, device: Device) -> Result<Self, DetectError> {
        Ok(Self { options, device, idle: Mutex::new(vec![detect::make(&options, device)?]) })
    }

    /// A detector that borrows one of the pool for each picture.
    pub fn detector(self: &Arc<Self>) -> Box<dyn FaceDetector> {
        Box::new(Borrowed(Arc::clone(self)))
    }

    fn with<T>(&self, look: impl FnOnce(&mut dyn FaceDetector) -> Result<T, DetectError>) -> Result<T, DetectError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut detector = match idle {
            Some(detector) => detector,
            None => detect::make(&self.options, self.device)?,
        };
        // One that panics isn't given back: who knows what state it is in.
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
