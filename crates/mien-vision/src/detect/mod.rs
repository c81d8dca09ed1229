//! Finding faces in a gray picture.

mod haar;
mod options;
mod schedule;

pub use self::haar::HaarDetector;
pub use self::options::{DetectionOptions, DetectorKind, GivenDetection};
pub use self::schedule::ScheduledDetector;
use mien_core::detection::{DetectError, FaceDetector};
use mien_net::Precision;
use mien_net::faces::NeuralDetector;
use tch::Device;

/// Makes the chosen detector. A network runs on `device`, the cascade always on the CPU.
///
/// # Errors
/// When it can't be loaded.
pub fn make(options: &DetectionOptions, device: Device) -> Result<Box<dyn FaceDetector>, DetectError> {
    Ok(match options.detector {
        DetectorKind::Faces => {
            Box::new(NeuralDetector::new(options.scan(), device, Precision::fastest_on_cpu())?.on_one_thread())
        }
        DetectorKind::Haar => Box::new(HaarDetector::new(options)?),
    })
}

/// The name of the chosen detector, and what distinguishes its versions: other versions may find other faces.
#[must_use]
pub fn version(options: &DetectionOptions) -> String {
    match options.detector {
        DetectorKind::Faces => NeuralDetector::version(),
        DetectorKind::Haar => "haar".to_owned(),
    }
}

/// Turns an OpenCV error into a detection error.
pub(crate) fn failed(error: opencv::Error) -> DetectError {
    DetectError::Failed(Box::new(error))
}
