//! `--through-detector`: pictures take the way that a face takes in the app.

use tch::Tensor;

use super::Sample;
use crate::lab::faces::DetectorPath;
use crate::preprocess::{CROP_SIZE, GrayView};

/// The faces that the app's detector finds in the pictures of `sample`, cut out anew.
pub(super) fn sample(sample: &Sample) -> anyhow::Result<Sample> {
    opencv::core::set_num_threads(1)?;
    let mut path = DetectorPath::new()?;
    let pixels: Vec<u8> = sample.pictures.contiguous().f_view([-1])?.try_into()?;
    let (mut faces, mut answers) = (Vec::new(), Vec::new());
    for (picture, answer) in pixels.chunks_exact(CROP_SIZE * CROP_SIZE).zip(&sample.answers) {
        let Some(view) = GrayView::new(picture, CROP_SIZE, CROP_SIZE) else { continue };
        if let Some(face) = path.through_detector(view)? {
            faces.extend_from_slice(face.pixels());
            answers.push(*answer);
        }
    }
    anyhow::ensure!(
        !answers.is_empty(),
        "the detector found no face in any of the pictures, so there is nothing to measure"
    );
    let side = CROP_SIZE as i64;
    let found = answers.len() as f64 / sample.answers.len() as f64;
    Ok(Sample { pictures: Tensor::from_slice(&faces).view([-1, 1, side, side]), answers, found: Some(found) })
}
