//! Faces in the pictures of a data set: cut out by the app's own detector where it is built in, else by centre.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use mien_core::crop::{FaceCrop, FaceCropper, Framing};
use mien_core::detection::{DetectError, Detection, FaceDetector, MakeDetector};
use mien_core::face::{FaceRect, GrayView};

/// Side of the centre crop as a share of the picture's shorter side, and how far its centre lies below the picture's, as a
/// share of its height.
///
/// The medians of what the detector finds in JAFFE's 213 pictures, each of which it finds a face in; nine of ten lie within
/// 0.03 and 0.01 of them.
const CENTER_SIDE: f32 = 0.63;
const CENTER_BELOW: f32 = 0.068;

/// How faces in larger pictures are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FaceMode {
    /// As the data set wants it: JAFFE and KDEF by the detector, if it is built in; others are faces already.
    #[default]
    Auto,
    /// The largest face that the app's detector finds, else the centre.
    Detector,
    /// A square in the middle.
    Center,
    /// The whole picture is the face; if it is no square, its middle is.
    Whole,
}

/// How the faces of a data set are found and cut out: the way, and what makes the app's detector where one is at hand.
#[derive(Clone, Copy, Debug)]
pub struct FaceFinding {
    /// The way.
    pub mode: FaceMode,
    /// Makes the detector.
    pub detector: Option<MakeDetector>,
    /// Which crops are made of the faces that it finds.
    pub framing: Framing,
}

impl FaceFinding {
    /// The way `asked` for, or `usual` where none was. Without a detector at hand, `usual` is the centre instead.
    #[must_use]
    pub fn new(asked: FaceMode, usual: FaceMode, detector: Option<MakeDetector>, framing: Framing) -> Self {
        let mode = match (asked, usual) {
            (FaceMode::Auto, FaceMode::Detector) if detector.is_none() => FaceMode::Center,
            (FaceMode::Auto, usual) => usual,
            (asked, _) => asked,
        };
        Self { mode, detector, framing }
    }
}

/// How many faces were found in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceCounts {
    /// The whole picture.
    pub whole: usize,
    /// Found by the detector.
    pub detected: usize,
    /// The middle of the picture.
    pub centered: usize,
}

impl std::fmt::Display for FaceCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
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
    /// The lab alone has no detector.
    #[error(
        "this build has no face detector: build Mien with its default features, or choose another way with --faces"
    )]
    NoDetector,
    /// The detector failed.
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The picture is smaller than a pixel.
    #[error("a picture is too small to hold a face")]
    TooSmall,
}

/// Cuts one face out of each picture and counts how.
pub struct FaceCutter {
    mode: FaceMode,
    framing: Framing,
    cropper: FaceCropper,
    detector: Option<Box<dyn FaceDetector>>,
    counts: FaceCounts,
}

impl FaceCutter {
    /// # Errors
    /// When the detector is asked for and isn't there, or can't be made.
    pub fn new(finding: FaceFinding) -> Result<Self, FaceError> {
        let detector = match finding.mode {
            FaceMode::Detector => Some(finding.detector.ok_or(FaceError::NoDetector)?()?),
            FaceMode::Auto | FaceMode::Center | FaceMode::Whole => None,
        };
        Ok(Self {
            mode: finding.mode,
            framing: finding.framing,
            cropper: FaceCropper::default(),
            detector,
            counts: FaceCounts::default(),
        })
    }

    /// The face of a picture.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn cut(&mut self, picture: GrayView<'_>) -> Result<FaceCrop, FaceError> {
        let found = self.detected(picture)?;
        let (rect, counter) = match (self.mode, found) {
            (_, Some(face)) => (face.rect, &mut self.counts.detected),
            (FaceMode::Auto | FaceMode::Whole, None) => (middle(picture, 1.0, 0.0), &mut self.counts.whole),
            (FaceMode::Detector | FaceMode::Center, None) => {
                (middle(picture, CENTER_SIDE, CENTER_BELOW), &mut self.counts.centered)
            }
        };
        *counter += 1;
        let landmarks = found.and_then(|face| face.landmarks);
        self.cropper.crop(picture, rect, landmarks.as_ref(), self.framing).ok_or(FaceError::TooSmall)
    }

    /// How the faces so far were found.
    pub fn counts(&self) -> FaceCounts {
        self.counts
    }

    fn detected(&mut self, picture: GrayView<'_>) -> Result<Option<Detection>, FaceError> {
        let Some(detector) = &mut self.detector else { return Ok(None) };
        Ok(largest(detector.detect(picture)?))
    }
}

/// The largest face.
pub fn largest(faces: Vec<Detection>) -> Option<Detection> {
    faces.into_iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()))
}

/// A square about the middle of a picture: its side as a share of the shorter side, its centre lower by a share of the height.
fn middle(picture: GrayView<'_>, side: f32, below: f32) -> FaceRect {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let side = (side * width.min(height)).max(1.0);
    let top = ((height - side) / 2.0 + below * height).clamp(0.0, height - side);
    FaceRect { x: (width - side) / 2.0, y: top, width: side, height: side }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::landmarks::Landmarks;

    #[test]
    fn a_whole_picture_of_the_right_size_is_its_own_face() {
        let pixels: Vec<u8> = (0..48 * 48).map(|i| (i % 251) as u8).collect();
        let mut cutter =
            FaceCutter::new(FaceFinding::new(FaceMode::Whole, FaceMode::Whole, None, Framing::Box)).unwrap();
        let face = cutter.cut(GrayView::new(&pixels, 48, 48).unwrap()).unwrap();
        assert_eq!(face.pixels(), pixels);
        assert_eq!(cutter.counts(), FaceCounts { whole: 1, ..FaceCounts::default() });
    }

    #[test]
    fn the_centre_crop_stays_a_square_in_the_picture() {
        for (width, height) in [(1, 1), (2, 90), (90, 2), (562, 762), (256, 256)] {
            let pixels = vec![0; width * height];
            let picture = GrayView::new(&pixels, width, height).unwrap();
            let rect = middle(picture, CENTER_SIDE, CENTER_BELOW);
            assert_eq!(rect.width, rect.height);
            assert!(rect.x >= 0.0 && rect.x + rect.width <= width as f32 + 0.01, "{rect:?}");
            assert!(rect.y >= 0.0 && rect.y + rect.height <= height as f32 + 0.01, "{rect:?}");
            let mut cutter =
                FaceCutter::new(FaceFinding::new(FaceMode::Center, FaceMode::Whole, None, Framing::Box)).unwrap();
            cutter.cut(picture).unwrap();
            assert_eq!(cutter.counts().centered, 1);
        }
    }

    #[test]
    fn a_data_sets_own_way_is_taken_unless_another_is_asked_for() {
        let none: MakeDetector = || Err(DetectError::Cascade);
        let mode = |asked, usual, detector| FaceFinding::new(asked, usual, detector, Framing::Box).mode;
        assert_eq!(mode(FaceMode::Whole, FaceMode::Detector, Some(none)), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Whole, Some(none)), FaceMode::Whole);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Detector, Some(none)), FaceMode::Detector);
        assert_eq!(mode(FaceMode::Auto, FaceMode::Detector, None), FaceMode::Center);
        assert!(FaceCutter::new(FaceFinding::new(FaceMode::Detector, FaceMode::Whole, None, Framing::Box)).is_err());
    }

    /// Finds one face wherever it is asked to: one that leans by 30° about the middle of a picture of 200×200.
    struct Leaning;

    fn leaning() -> Landmarks {
        let (sin, cos) = 30_f32.to_radians().sin_cos();
        let upright = [[84.8, 90.7], [115.2, 91.3], [98.5, 107.7], [87.3, 120.8], [111.7, 121.2]];
        Landmarks::from_points(upright).map(|[x, y]| {
            let (x, y) = (x - 100.0, y - 100.0);
            [100.0 + x * cos - y * sin, 100.0 + x * sin + y * cos]
        })
    }

    impl FaceDetector for Leaning {
        fn detect(&mut self, _picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
            let rect = |side: f32| FaceRect { x: 100.0 - side / 2.0, y: 100.0 - side / 2.0, width: side, height: side };
            let face = |side, landmarks| Detection { rect: rect(side), score: 1.0, is_certain: true, landmarks };
            Ok(vec![face(30.0, None), face(80.0, Some(leaning())), face(40.0, None)])
        }
    }

    #[test]
    fn a_leaning_face_gives_the_same_pixels_in_the_app_and_in_the_lab_and_the_framing_decides_which() {
        let pixels: Vec<u8> = (0..200 * 200).map(|i| ((i % 200) + (i / 200) / 3) as u8).collect();
        let picture = GrayView::new(&pixels, 200, 200).unwrap();
        let cut = |framing| {
            let detector: MakeDetector = || Ok(Box::new(Leaning));
            let finding = FaceFinding::new(FaceMode::Detector, FaceMode::Whole, Some(detector), framing);
            let mut cutter = FaceCutter::new(finding).unwrap();
            let face = cutter.cut(picture).unwrap();
            assert_eq!(cutter.counts().detected, 1);
            face
        };
        let found = largest(Leaning.detect(picture).unwrap()).unwrap();
        let mut cropper = FaceCropper::default();
        for framing in [Framing::Box, Framing::Upright] {
            let app = cropper.crop(picture, found.rect, found.landmarks.as_ref(), framing).unwrap();
            assert_eq!(cut(framing), app);
        }
        assert_ne!(cut(Framing::Box), cut(Framing::Upright));
    }
}
