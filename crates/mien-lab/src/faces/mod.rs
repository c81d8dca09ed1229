//! Faces in the pictures of a data set: how they are found, and what was found.

mod cutter;
mod places;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use cutter::cut_out;
pub use cutter::{FaceCutter, cut_again, largest};
use mien_core::crop::Framing;
use mien_core::detection::{DetectError, FaceDetector};
use mien_net::Precision;
use mien_net::faces::{NeuralDetector, ScanOptions};
pub use places::{LandmarkPlaces, LandmarkSummary, Spread};

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

/// The detector for pictures of data sets: Mien's network, which gives landmarks and needs no OpenCV. It always computes in 32 bits, so
/// that all machines and builds produce the same crops. It restricts libtorch to one thread on the thread that it runs on.
///
/// # Errors
/// When libtorch can't run it.
fn network() -> Result<Box<dyn FaceDetector>, DetectError> {
    let options = ScanOptions { smallest_face: SMALLEST_FACE, working_height: None };
    Ok(Box::new(NeuralDetector::new(options, tch::Device::Cpu, Precision::F32)?.on_one_thread()))
}

/// How the faces of a data set are found and cropped.
#[derive(Clone, Copy, Debug)]
pub struct FaceFinding {
    /// How a face's outline is found; never [`FaceMode::Auto`].
    mode: FaceMode,
    framing: Framing,
}

impl FaceFinding {
    /// Uses the mode `asked`, or `usual` if that is [`FaceMode::Auto`].
    #[must_use]
    pub fn new(asked: FaceMode, usual: FaceMode, framing: Framing) -> Self {
        let mode = if asked == FaceMode::Auto { usual } else { asked };
        Self { mode, framing }
    }

    /// Whether the detector is needed: for boxes, or for the landmarks of upright crops.
    fn looks_for_faces(&self) -> bool {
        self.framing == Framing::Upright || self.mode == FaceMode::Detector
    }

    /// A key made of everything that the crops depend on besides the pictures. Crops with different keys may differ.
    pub(crate) fn key(&self) -> String {
        let network = match (self.looks_for_faces(), self.framing) {
            (false, _) => "none".to_owned(),
            (true, Framing::Upright) => NeuralDetector::version(),
            // Older boxes have only name and checksum as their key. They were found in the processor's fastest number format,
            // and by some builds with another smallest face.
            (true, Framing::Box) => format!("{} in 32 bits, faces from {SMALLEST_FACE}", NeuralDetector::version()),
        };
        format!("{:?} {:?} {network}", self.mode, self.framing)
    }
}

/// A [`FaceFinding::key`] in words for the user. One of another version that isn't understood stays as it is.
pub(crate) fn key_in_words(key: &str) -> String {
    let parts: Vec<&str> = key.splitn(3, ' ').collect();
    let [mode, framing, network] = parts.as_slice() else { return key.to_owned() };
    let faces = match *mode {
        "Whole" => "whole pictures",
        "Center" => "the middle of each picture",
        "Detector" => "the faces that the detector found",
        _ => return key.to_owned(),
    };
    let turned = match *framing {
        "Box" => "",
        "Upright" => ", turned upright",
        _ => return key.to_owned(),
    };
    if *network == "none" {
        return format!("{faces}{turned}");
    }
    // The first digits of a checksum are enough to tell two versions apart.
    let short = |word: &str| word.get(..8).filter(|_| word.len() == 64).unwrap_or(word).to_owned();
    let version: Vec<String> = network.split(' ').map(short).collect();
    format!("{faces}{turned} (detector {})", version.join(" "))
}

/// How many faces were found in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceCounts {
    /// Turned upright by their landmarks.
    #[serde(default)]
    pub upright: usize,
    /// The whole picture.
    pub whole: usize,
    /// Found by the detector, cropped by its box.
    pub detected: usize,
    /// The middle of the picture.
    pub centered: usize,
}

impl FaceCounts {
    /// Whether any face was found by the detector or cropped from a larger picture.
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

/// Faces can't be cropped.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// The detector failed.
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The picture is smaller than a pixel.
    #[error("a picture is too small to hold a face")]
    TooSmall,
    /// A thread for finding faces can't be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
    /// libtorch failed, for example because memory is full.
    #[error("can't cut out the faces: {}", mien_net::torch::said(.0))]
    Torch(#[from] tch::TchError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_sets_own_way_is_taken_unless_another_is_asked_for() {
        let mode = |asked, usual| FaceFinding::new(asked, usual, Framing::Box).mode;
        assert_eq!(mode(FaceMode::Whole, FaceMode::Detector), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Whole), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Detector), FaceMode::Detector);
    }

    #[test]
    fn keys_are_told_in_words() {
        let told = |mode, framing| key_in_words(&FaceFinding::new(mode, FaceMode::Whole, framing).key());
        assert_eq!(told(FaceMode::Whole, Framing::Box), "whole pictures");
        assert_eq!(told(FaceMode::Center, Framing::Box), "the middle of each picture");
        let version = &NeuralDetector::version()[.."faces ".len() + 8];
        assert_eq!(
            told(FaceMode::Whole, Framing::Upright),
            format!("whole pictures, turned upright (detector {version})")
        );
        let boxes = format!("the faces that the detector found (detector {version} in 32 bits, faces from 0.1)");
        assert_eq!(told(FaceMode::Detector, Framing::Box), boxes);
        assert_eq!(key_in_words("another form"), "another form");
    }

    #[test]
    fn crops_are_kept_apart_by_what_they_depend_on_and_by_nothing_else() {
        let key = |mode, framing| FaceFinding::new(mode, FaceMode::Whole, framing).key();
        assert_eq!(key(FaceMode::Auto, Framing::Box), key(FaceMode::Whole, Framing::Box));
        assert_ne!(key(FaceMode::Whole, Framing::Box), key(FaceMode::Detector, Framing::Box));
        assert_ne!(key(FaceMode::Detector, Framing::Box), key(FaceMode::Detector, Framing::Upright));
        assert_ne!(key(FaceMode::Whole, Framing::Box), key(FaceMode::Whole, Framing::Upright));
        let version = NeuralDetector::version();
        assert!(version.starts_with("faces ") && version.len() == 6 + 64, "{version}");
        assert!(key(FaceMode::Whole, Framing::Upright).ends_with(&version));
        // Older boxes have only the version as their key.
        let boxes = key(FaceMode::Detector, Framing::Box);
        assert!(boxes.ends_with(&format!("{version} in 32 bits, faces from 0.1")), "{boxes}");
    }
}
