//! Faces in the pictures of a data set: how they are found, and what was found.

mod cutter;
mod places;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use cutter::cut_out;
pub use cutter::{FaceCutter, cut_again, largest};
use mien_core::crop::Framing;
use mien_core::detection::{DetectError, MakeDetector};
use mien_net::Precision;
use mien_net::faces::{NeuralDetector, ScanOptions};
pub use places::{LandmarkPlaces, LandmarkSummary, Place};

/// Smallest face that is looked for, as a share of the picture's height: these are pictures of a face, not of a street.
const SMALLEST_FACE: f32 = 0.1;

/// How faces in larger pictures are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FaceMode {
    /// As the data set needs it: JAFFE and KDEF by the detector; others are faces already.
    #[default]
    Auto,
    /// The largest face that the detector finds, else the centre.
    Detector,
    /// A square in the middle.
    Center,
    /// The whole picture is the face; if it isn't square, its middle is.
    Whole,
}

/// A detector for the pictures of data sets.
#[derive(Clone, Copy, Debug)]
pub struct PictureDetector {
    /// Makes it. It may tell libtorch to use one thread on the thread that it runs on.
    pub make: MakeDetector,
    /// Its name and what tells its versions apart. Decoded data sets are kept for each.
    pub version: fn() -> String,
}

impl PictureDetector {
    /// Mien's network, which gives landmarks and needs no OpenCV. It computes in 32 bits, so that all machines cut out the same.
    pub const NETWORK: Self = Self { make: network, version: NeuralDetector::version };
}

impl Default for PictureDetector {
    fn default() -> Self {
        Self::NETWORK
    }
}

fn network() -> Result<Box<dyn mien_core::detection::FaceDetector>, DetectError> {
    let options = ScanOptions { smallest_face: SMALLEST_FACE, working_height: None };
    Ok(Box::new(NeuralDetector::new(options, tch::Device::Cpu, Precision::F32)?.on_one_thread()))
}

/// How the faces of a data set are found and cut out.
#[derive(Clone, Copy, Debug)]
pub struct FaceFinding {
    /// Where a face lies without landmarks; never [`FaceMode::Auto`].
    mode: FaceMode,
    detector: PictureDetector,
    framing: Framing,
}

impl FaceFinding {
    /// The way `asked` for, or `usual` where none was. Boxes are found by `detector`; upright crops need landmarks, which the
    /// network alone gives.
    #[must_use]
    pub fn new(asked: FaceMode, usual: FaceMode, detector: PictureDetector, framing: Framing) -> Self {
        let mode = if asked == FaceMode::Auto { usual } else { asked };
        let detector = match framing {
            Framing::Box => detector,
            Framing::Upright => PictureDetector::NETWORK,
        };
        Self { mode, detector, framing }
    }

    /// What looks at the pictures, if anything does.
    fn detector(&self) -> Option<PictureDetector> {
        (self.framing == Framing::Upright || self.mode == FaceMode::Detector).then_some(self.detector)
    }

    /// Everything that the crops depend on besides the pictures, in a word for each: another key, other crops.
    pub(crate) fn key(&self) -> String {
        let version = self.detector().map(|detector| (detector.version)());
        format!("{:?} {:?} {}", self.mode, self.framing, version.as_deref().unwrap_or("none"))
    }
}

/// How many faces were found in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceCounts {
    /// Turned upright by their landmarks.
    #[serde(default)]
    pub upright: usize,
    /// The whole picture.
    pub whole: usize,
    /// Found by the detector, cut out by its box.
    pub detected: usize,
    /// The middle of the picture.
    pub centered: usize,
}

impl FaceCounts {
    /// Whether any face was looked for, or cut out of a larger picture.
    pub fn are_cut(&self) -> bool {
        self.upright + self.detected + self.centered > 0
    }
}

impl std::ops::AddAssign for FaceCounts {
    fn add_assign(&mut self, other: Self) {
        self.upright += other.upright;
        self.whole += other.whole;
        self.detected += other.detected;
        self.centered += other.centered;
    }
}

impl std::fmt::Display for FaceCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.upright, "faces turned upright"),
            (self.whole, "whole pictures"),
            (self.detected, "faces found by the detector"),
            (self.centered, "faces cut out by centre"),
        ];
        let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// Faces can't be cut out.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// The detector failed.
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The picture is smaller than a pixel.
    #[error("a picture is too small to hold a face")]
    TooSmall,
    /// The system gives no thread to look for faces on.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
    /// libtorch fails, as when memory is full.
    #[error("can't cut out the faces: {}", mien_net::torch::said(.0))]
    Torch(#[from] tch::TchError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_sets_own_way_is_taken_unless_another_is_asked_for() {
        let mode = |asked, usual| FaceFinding::new(asked, usual, PictureDetector::NETWORK, Framing::Box).mode;
        assert_eq!(mode(FaceMode::Whole, FaceMode::Detector), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Whole), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Detector), FaceMode::Detector);
    }

    #[test]
    fn crops_are_kept_apart_by_what_they_depend_on_and_by_nothing_else() {
        let haar = PictureDetector { make: || Err(DetectError::Cascade), version: || "haar".to_owned() };
        let key = |mode, detector, framing| FaceFinding::new(mode, FaceMode::Whole, detector, framing).key();
        let network = PictureDetector::NETWORK;
        assert_eq!(key(FaceMode::Auto, haar, Framing::Box), key(FaceMode::Whole, network, Framing::Box));
        assert_ne!(key(FaceMode::Detector, haar, Framing::Box), key(FaceMode::Detector, network, Framing::Box));
        assert_ne!(key(FaceMode::Detector, network, Framing::Box), key(FaceMode::Detector, network, Framing::Upright));
        assert_ne!(key(FaceMode::Whole, haar, Framing::Box), key(FaceMode::Whole, haar, Framing::Upright));
        assert_eq!(key(FaceMode::Whole, haar, Framing::Upright), key(FaceMode::Whole, network, Framing::Upright));
        let version = (network.version)();
        assert!(version.starts_with("faces ") && version.len() == 6 + 64, "{version}");
        assert!(key(FaceMode::Whole, haar, Framing::Upright).ends_with(&version));
    }
}
