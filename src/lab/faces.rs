//! Faces in the pictures of a data set: cut out by the app's own detector where it is built in, else by centre.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[cfg(feature = "vision")]
use crate::detect::{DetectError, DetectionOptions, FaceDetector as _, HaarDetector};
#[cfg(feature = "vision")]
use crate::lab::pictures::GrayPicture;
use crate::preprocess::{FaceCrop, FaceCropper, FaceRect, GrayView};

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

impl FaceMode {
    /// This way, or `usual` where none was asked for. Without a detector in the build, `usual` is the centre instead.
    #[must_use]
    pub fn or(self, usual: Self) -> Self {
        match (self, usual) {
            (Self::Auto, Self::Detector) if !cfg!(feature = "vision") => Self::Center,
            (Self::Auto, usual) => usual,
            (asked, _) => asked,
        }
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
    #[cfg(feature = "vision")]
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The picture is smaller than a pixel.
    #[error("a picture is too small to hold a face")]
    TooSmall,
}

/// Cuts one face out of each picture and counts how.
pub struct FaceCutter {
    mode: FaceMode,
    cropper: FaceCropper,
    #[cfg(feature = "vision")]
    detector: Option<HaarDetector>,
    counts: FaceCounts,
}

impl FaceCutter {
    /// # Errors
    /// When the detector is asked for and isn't there.
    pub fn new(mode: FaceMode) -> Result<Self, FaceError> {
        #[cfg(not(feature = "vision"))]
        if mode == FaceMode::Detector {
            return Err(FaceError::NoDetector);
        }
        Ok(Self {
            mode,
            cropper: FaceCropper::default(),
            #[cfg(feature = "vision")]
            detector: (mode == FaceMode::Detector)
                .then(|| HaarDetector::new(&DetectionOptions::default()))
                .transpose()?,
            counts: FaceCounts::default(),
        })
    }

    /// The face of a picture.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn cut(&mut self, picture: GrayView<'_>) -> Result<FaceCrop, FaceError> {
        let (rect, counter) = match (self.mode, self.detected(picture)?) {
            (_, Some(face)) => (face, &mut self.counts.detected),
            (FaceMode::Auto | FaceMode::Whole, None) => (middle(picture, 1.0, 0.0), &mut self.counts.whole),
            (FaceMode::Detector | FaceMode::Center, None) => {
                (middle(picture, CENTER_SIDE, CENTER_BELOW), &mut self.counts.centered)
            }
        };
        *counter += 1;
        self.cropper.crop(picture, rect).ok_or(FaceError::TooSmall)
    }

    /// How the faces so far were found.
    pub fn counts(&self) -> FaceCounts {
        self.counts
    }

    #[cfg(feature = "vision")]
    fn detected(&mut self, picture: GrayView<'_>) -> Result<Option<FaceRect>, FaceError> {
        let Some(detector) = &mut self.detector else { return Ok(None) };
        Ok(largest(detector.detect(picture)?))
    }

    #[cfg(not(feature = "vision"))]
    fn detected(&mut self, _picture: GrayView<'_>) -> Result<Option<FaceRect>, FaceError> {
        Ok(None)
    }
}

#[cfg(feature = "vision")]
fn largest(faces: Vec<crate::detect::Detection>) -> Option<FaceRect> {
    faces.into_iter().map(|face| face.rect).max_by(|a, b| a.area().total_cmp(&b.area()))
}

/// A square about the middle of a picture: its side as a share of the shorter side, its centre lower by a share of the height.
fn middle(picture: GrayView<'_>, side: f32, below: f32) -> FaceRect {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let side = (side * width.min(height)).max(1.0);
    let top = ((height - side) / 2.0 + below * height).clamp(0.0, height - side);
    FaceRect { x: (width - side) / 2.0, y: top, width: side, height: side }
}

/// The way that a face takes in the app, for pictures that are nothing but a face: what a network is given when its user
/// shows such a face to a camera.
#[cfg(feature = "vision")]
pub struct DetectorPath {
    detector: HaarDetector,
    cropper: FaceCropper,
}

#[cfg(feature = "vision")]
impl DetectorPath {
    /// Factor by which a picture is enlarged first: a face of 48 pixels becomes one of 192, such as a camera sees at arm's
    /// length.
    const ENLARGED: usize = 4;
    /// Share of the enlarged side that is added on each side, the picture being mirrored at its edge: the detector
    /// looks for a face with some forehead and cheeks around it, and a camera sees a room around the face.
    ///
    /// Of PublicTest's first 400 pictures a face is found in 240 without a margin, in 302 with 0.15, 311 with 0.25, 307 with
    /// 0.4, 313 with 0.6 and 319 with 0.8; of 186 pictures of CK+48 in all with any.
    const MARGIN: f32 = 0.4;

    /// # Errors
    /// When the detector can't be loaded.
    pub fn new() -> Result<Self, DetectError> {
        Ok(Self { detector: HaarDetector::new(&DetectionOptions::default())?, cropper: FaceCropper::default() })
    }

    /// The largest face that the app's detector finds in the picture, cut out as the app does. The picture is enlarged
    /// four times and continued beyond its edges by reflection. `None` if no face is found, which a user would see
    /// as a face without a label.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn through_detector(&mut self, face: GrayView<'_>) -> Result<Option<FaceCrop>, DetectError> {
        let scene = Self::scene(face)?;
        let Some(view) = scene.view() else { return Ok(None) };
        Ok(largest(self.detector.detect(view)?).and_then(|rect| self.cropper.crop(view, rect)))
    }

    /// The enlarged picture with its margin.
    fn scene(face: GrayView<'_>) -> Result<GrayPicture, opencv::Error> {
        use opencv::core::{
            BORDER_REFLECT_101, Mat, MatTraitConst as _, MatTraitConstManual as _, Scalar, Size, copy_make_border,
        };
        let size = Size::new((face.width() * Self::ENLARGED) as i32, (face.height() * Self::ENLARGED) as i32);
        let small = Mat::new_rows_cols_with_data::<u8>(face.height() as i32, face.width() as i32, face.pixels())?;
        let (mut large, mut scene) = (Mat::default(), Mat::default());
        opencv::imgproc::resize(&small, &mut large, size, 0.0, 0.0, opencv::imgproc::INTER_CUBIC)?;
        let margin = (Self::MARGIN * size.width.min(size.height) as f32) as i32;
        let border = BORDER_REFLECT_101;
        copy_make_border(&large, &mut scene, margin, margin, margin, margin, border, Scalar::default())?;
        let (width, height) = (scene.cols() as usize, scene.rows() as usize);
        let empty = || opencv::Error::new(opencv::core::StsBadSize, "a picture without pixels");
        GrayPicture::new(scene.data_bytes()?.to_vec(), width, height).ok_or_else(empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_picture_of_the_right_size_is_its_own_face() {
        let pixels: Vec<u8> = (0..48 * 48).map(|i| (i % 251) as u8).collect();
        let mut cutter = FaceCutter::new(FaceMode::Whole).unwrap();
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
            let mut cutter = FaceCutter::new(FaceMode::Center).unwrap();
            cutter.cut(picture).unwrap();
            assert_eq!(cutter.counts().centered, 1);
        }
    }

    /// Runs on the real data when `MIEN_DATA` names the folder that holds CK+48.
    #[cfg(feature = "vision")]
    #[test]
    fn the_detector_finds_a_face_that_is_all_of_its_picture() {
        use crate::lab::datasets::{ReadOptions, Split, read};
        let Some(folder) = std::env::var_os("MIEN_DATA").map(|data| std::path::PathBuf::from(data).join("CK+48"))
        else {
            eprintln!("skipped: MIEN_DATA names no folder with CK+48");
            return;
        };
        let pixels = read(&folder, &ReadOptions::default()).unwrap().split(Split::Public).pixels();
        let mut path = DetectorPath::new().unwrap();
        let faces: Vec<_> = pixels.chunks_exact(48 * 48).map(|face| GrayView::new(face, 48, 48).unwrap()).collect();
        let found = faces.iter().filter(|face| path.through_detector(**face).unwrap().is_some()).count();
        assert!(found * 100 >= faces.len() * 98, "{found} of {}", faces.len());
        let blank = vec![128; 48 * 48];
        assert!(path.through_detector(GrayView::new(&blank, 48, 48).unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_data_sets_own_way_is_taken_unless_another_is_asked_for() {
        assert_eq!(FaceMode::Whole.or(FaceMode::Detector), FaceMode::Whole);
        assert_eq!(FaceMode::Auto.or(FaceMode::Whole), FaceMode::Whole);
        let expected = if cfg!(feature = "vision") { FaceMode::Detector } else { FaceMode::Center };
        assert_eq!(FaceMode::Auto.or(FaceMode::Detector), expected);
    }
}
