//! `--through-detector`: pictures go through the same steps as a face in the app.

use tch::{Device, Tensor};

use super::subject::Sample;
use crate::crop::{CROP_SIZE, FaceCrop, FaceCropper, Framing};
use crate::detect::{self, DetectionOptions};
use crate::detection::{DetectError, FaceDetector};
use crate::face::GrayView;
use crate::lab::faces::largest;
use crate::lab::pictures::GrayPicture;

/// The faces that the app's detector finds in the pictures of `sample`, cut out again.
pub(super) fn sample(sample: &Sample, crop: Framing) -> anyhow::Result<Sample> {
    let pixels: Vec<u8> = sample.pictures.contiguous().f_view([-1])?.try_into()?;
    let asked = &sample.answers;
    // The number of threads is set per thread: the detector gets its own, and the network here keeps all cores.
    let (faces, answers) = crate::torch::apart(|| found_faces(&pixels, asked, crop))??;
    anyhow::ensure!(
        !answers.is_empty(),
        "the detector found no face in any of the pictures, so there is nothing to measure"
    );
    let side = CROP_SIZE as i64;
    let found = answers.len() as f64 / sample.answers.len() as f64;
    Ok(Sample {
        pictures: Tensor::from_slice(&faces).view([-1, 1, side, side]),
        answers,
        contempt: 0,
        found: Some(found),
    })
}

/// The pixels of all faces that are found, and their correct answers.
fn found_faces(pictures: &[u8], answers: &[usize], crop: Framing) -> anyhow::Result<(Vec<u8>, Vec<usize>)> {
    opencv::core::set_num_threads(1)?;
    let mut path = DetectorPath::new(crop)?;
    let mut of_faces = (Vec::new(), Vec::new());
    for (picture, answer) in pictures.chunks_exact(CROP_SIZE * CROP_SIZE).zip(answers) {
        let Some(view) = GrayView::new(picture, CROP_SIZE, CROP_SIZE) else { continue };
        if let Some(face) = path.through_detector(view)? {
            of_faces.0.extend_from_slice(face.pixels());
            of_faces.1.push(*answer);
        }
    }
    Ok(of_faces)
}

/// The steps that a face goes through in the app, for pictures that are nothing but a face: the result is what the network would get if its
/// user showed such a face to a camera.
struct DetectorPath {
    detector: Box<dyn FaceDetector>,
    cropper: FaceCropper,
    crop: Framing,
}

impl DetectorPath {
    /// Factor by which a picture is enlarged first: a face of 48 pixels becomes one of 192, the size that a camera sees at arm's length.
    const ENLARGED: usize = 4;
    /// Margin that is added on each side, as a share of the enlarged side, by mirroring the picture at its edge: the detector expects some
    /// forehead and cheeks around a face, and a camera sees a room around it.
    ///
    /// In the first 400 pictures of PublicTest, a face is found in 240 without a margin, in 302 with 0.15, 311 with 0.25, 307 with 0.4, 313
    /// with 0.6 and 319 with 0.8. In 186 pictures of CK+48 it is found in all, with any margin.
    const MARGIN: f32 = 0.4;

    /// # Errors
    /// When the detector can't be loaded.
    fn new(crop: Framing) -> Result<Self, DetectError> {
        Ok(Self {
            detector: detect::make(&DetectionOptions::default(), Device::Cpu)?,
            cropper: FaceCropper::default(),
            crop,
        })
    }

    /// The largest face that the app's detector finds in the picture, cut out as the app does. The picture is enlarged four times and
    /// extended beyond its edges by reflection. `None` if no face is found; a user would then see a face without a label.
    ///
    /// # Errors
    /// When the detector fails.
    fn through_detector(&mut self, face: GrayView<'_>) -> Result<Option<FaceCrop>, DetectError> {
        let scene = Self::scene(face).map_err(|error| DetectError::Failed(Box::new(error)))?;
        let Some(view) = scene.view() else { return Ok(None) };
        let face = largest(self.detector.detect(view)?);
        Ok(face.and_then(|face| self.cropper.crop(view, face.rect, face.landmarks.as_ref(), self.crop)))
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

    /// Runs on the real data when `MIEN_DATA` names the folder that holds CK+48.
    #[test]
    fn the_detector_finds_a_face_that_is_all_of_its_picture() {
        use crate::lab::datasets::{ReadOptions, Split, read};
        let Some(folder) = std::env::var_os("MIEN_DATA").map(|data| std::path::PathBuf::from(data).join("CK+48"))
        else {
            eprintln!("skipped: MIEN_DATA names no folder with CK+48");
            return;
        };
        let pixels = read(&folder, &ReadOptions::default()).unwrap().split(Split::Public).pixels();
        let mut path = DetectorPath::new(Framing::Box).unwrap();
        let faces: Vec<_> = pixels.chunks_exact(48 * 48).map(|face| GrayView::new(face, 48, 48).unwrap()).collect();
        let found = faces.iter().filter(|face| path.through_detector(**face).unwrap().is_some()).count();
        assert!(found * 100 >= faces.len() * 98, "{found} of {}", faces.len());
        let blank = vec![128; 48 * 48];
        assert!(path.through_detector(GrayView::new(&blank, 48, 48).unwrap()).unwrap().is_none());
    }
}
