//! Cuts faces out of pictures: the only way from a box and landmarks to a crop, shared by the app, training and evaluation.
//!
//! FER2013's pictures are already such crops: cropping one to its full size returns the same bytes. That is why the app and
//! the lab can't drift apart.

use serde::{Deserialize, Serialize};

use crate::face::{FaceRect, GrayView};
use crate::landmarks::Landmarks;
use crate::resample::{Filter, Resampler};
use crate::upright::upright;

/// Width and height of a crop in pixels: those of FER2013's pictures.
pub const CROP_SIZE: usize = 48;

/// Number of pixels in a crop.
pub const CROP_PIXELS: usize = CROP_SIZE * CROP_SIZE;

/// A face of [`CROP_SIZE`]² gray bytes, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceCrop(Vec<u8>);

impl FaceCrop {
    /// Takes the pixels of a picture that already has the size of a crop, such as a row of FER2013. `None` if their number is wrong.
    pub fn from_pixels(pixels: Vec<u8>) -> Option<Self> {
        (pixels.len() == CROP_PIXELS).then_some(Self(pixels))
    }

    /// The bytes, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.0
    }
}

/// Which part of a picture a crop shows. A network gets the kind of crops that it was trained on; its card says which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// The contents of the detector's box.
    #[default]
    Box,
    /// The head upright, with eyes, nose and mouth brought to their average places in FER2013 by a similarity transform.
    /// The box if a face has no usable landmarks.
    Upright,
}

impl Framing {
    /// Whether this is the framing that is assumed if none is named.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Cuts faces out of gray pictures. Holds the resampler's buffers: keep one per thread.
#[derive(Default)]
pub struct FaceCropper {
    resampler: Resampler,
}

impl FaceCropper {
    /// Cuts out a face with this framing, resampled to 48×48 with an antialiasing bilinear filter whose support grows with the
    /// shrinking factor, so that a face of 400 pixels isn't sampled at 48 points.
    ///
    /// [`Framing::Upright`] uses the landmarks, and pixels beyond the picture repeat its edge. It uses the box instead if there are no
    /// landmarks, if they can't be those of the face in the box, or if hardly any of the upright crop is inside the picture.
    ///
    /// The part of a box outside the picture is left out. `None` if less than a pixel of it is inside.
    pub fn crop(
        &mut self,
        picture: GrayView<'_>,
        rect: FaceRect,
        landmarks: Option<&Landmarks>,
        framing: Framing,
    ) -> Option<FaceCrop> {
        let turned = match (framing, landmarks) {
            (Framing::Upright, Some(landmarks)) => self.upright(picture, rect, landmarks),
            (Framing::Upright, None) | (Framing::Box, _) => None,
        };
        turned.or_else(|| self.boxed(picture, rect))
    }

    /// Cuts out a face upright, by its landmarks; `None` where [`Self::crop`] would use the box instead.
    pub fn upright(&mut self, picture: GrayView<'_>, rect: FaceRect, landmarks: &Landmarks) -> Option<FaceCrop> {
        upright(&mut self.resampler, picture, rect, landmarks).map(FaceCrop)
    }

    fn boxed(&mut self, picture: GrayView<'_>, rect: FaceRect) -> Option<FaceCrop> {
        let rect = rect.clipped(picture.width(), picture.height())?;
        self.resampler.resample(picture, rect, [CROP_SIZE; 2], Filter::Triangle).map(FaceCrop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upright::FER2013_LANDMARKS;

    /// A picture without symmetry, so that a flip, a shift or a transposition would show.
    fn pattern(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).map(|i| ((i % width) * 5 + (i / width) * 3 + (i * i) % 7) as u8).collect()
    }

    #[test]
    fn a_face_that_reaches_over_the_edge_is_cut_out_wherever_it_begins() {
        let pixels = pattern(641, 361);
        let picture = GrayView::new(&pixels, 641, 361).unwrap();
        let mut cropper = FaceCropper::default();
        for step in 0..100 {
            let at = step as f32 * 3.17;
            let rect = FaceRect { x: at, y: at, width: 700.0, height: 700.0 };
            assert!(cropper.boxed(picture, rect).is_some(), "{rect:?}");
        }
    }

    #[test]
    fn a_face_in_a_frame_gives_the_bytes_that_a_picture_of_the_lab_has() {
        let lab = FaceCrop::from_pixels(pattern(CROP_SIZE, CROP_SIZE)).unwrap();

        // The app sees the same face somewhere in a larger frame, with a box around it.
        let (width, height, left, top) = (160, 120, 37, 22);
        let mut frame = vec![200_u8; width * height];
        for y in 0..CROP_SIZE {
            for x in 0..CROP_SIZE {
                frame[(top + y) * width + left + x] = lab.pixels()[y * CROP_SIZE + x];
            }
        }
        let view = GrayView::new(&frame, width, height).unwrap();
        let rect = FaceRect { x: left as f32, y: top as f32, width: 48.0, height: 48.0 };
        let app = FaceCropper::default().boxed(view, rect).unwrap();
        assert_eq!(app, lab);
    }

    #[test]
    fn a_large_face_is_averaged_and_not_sampled() {
        // Stripes of one pixel are gray at a fifth of the size; point sampling would keep them black or white.
        let (width, height) = (240, 240);
        let stripes: Vec<u8> = (0..width * height).map(|i| if i % 2 == 0 { 0 } else { 255 }).collect();
        let view = GrayView::new(&stripes, width, height).unwrap();
        let crop = FaceCropper::default().boxed(view, FaceRect::whole(width, height)).unwrap();
        assert!(crop.pixels().iter().all(|p| (100..156).contains(p)), "{:?}", &crop.pixels()[..8]);
    }

    #[test]
    fn a_box_over_the_edge_is_clipped_and_one_outside_gives_nothing() {
        let pixels = pattern(64, 64);
        let view = GrayView::new(&pixels, 64, 64).unwrap();
        let mut cropper = FaceCropper::default();
        assert!(cropper.boxed(view, FaceRect { x: -20.0, y: -20.0, width: 50.0, height: 50.0 }).is_some());
        assert!(cropper.boxed(view, FaceRect { x: 70.0, y: 0.0, width: 50.0, height: 50.0 }).is_none());
        assert!(cropper.boxed(view, FaceRect { x: f32::NAN, y: 0.0, width: 50.0, height: 50.0 }).is_none());
    }

    /// The average landmarks of FER2013, scaled to a square.
    fn landmarks_in(left: f32, top: f32, side: f32) -> Landmarks {
        let scale = side / CROP_SIZE as f32;
        Landmarks::from_points(FER2013_LANDMARKS).map(|[x, y]| [left + x * scale, top + y * scale])
    }

    #[test]
    fn a_face_that_is_upright_already_has_the_pixels_of_its_box() {
        let mut cropper = FaceCropper::default();
        for (side, most) in [(30.0, 1), (48.0, 1), (75.0, 1), (250.0, 8)] {
            let pixels: Vec<u8> = (0..400 * 300)
                .map(|i| {
                    (128.0 + 60.0 * ((i % 400) as f32 / 31.0).sin() + 50.0 * ((i / 400) as f32 / 23.0).cos()) as u8
                })
                .collect();
            let view = GrayView::new(&pixels, 400, 300).unwrap();
            let rect = FaceRect { x: 40.0, y: 30.0, width: side, height: side };
            let landmarks = landmarks_in(40.0, 30.0, side);
            let boxed = cropper.crop(view, rect, Some(&landmarks), Framing::Box).unwrap();
            let upright = cropper.crop(view, rect, Some(&landmarks), Framing::Upright).unwrap();
            // The outermost pixels differ: a box ends there, an upright crop sees beyond.
            let inner = (0..CROP_PIXELS).filter(|i| (2..46).contains(&(i % 48)) && (2..46).contains(&(i / 48)));
            let off = inner.map(|i| boxed.pixels()[i].abs_diff(upright.pixels()[i])).max().unwrap();
            assert!(off <= most, "side {side}: {off}");
        }
    }

    #[test]
    fn an_upright_crop_of_a_large_face_is_averaged_and_not_sampled() {
        let stripes: Vec<u8> = (0..400 * 400).map(|i| if i % 2 == 0 { 0 } else { 255 }).collect();
        let view = GrayView::new(&stripes, 400, 400).unwrap();
        let whole = FaceRect::whole(400, 400);
        let leaning = landmarks_in(80.0, 80.0, 240.0).map(|[x, y]| {
            let (sin, cos) = 0.4_f32.sin_cos();
            [200.0 + (x - 200.0) * cos - (y - 200.0) * sin, 200.0 + (x - 200.0) * sin + (y - 200.0) * cos]
        });
        let crop = FaceCropper::default().crop(view, whole, Some(&leaning), Framing::Upright).unwrap();
        assert!(crop.pixels().iter().all(|p| (115..141).contains(p)), "{:?}", &crop.pixels()[..8]);
    }

    #[test]
    fn without_usable_landmarks_an_upright_crop_is_the_box() {
        let pixels = pattern(64, 64);
        let view = GrayView::new(&pixels, 64, 64).unwrap();
        let rect = FaceRect { x: 5.0, y: 7.0, width: 40.0, height: 40.0 };
        let mut cropper = FaceCropper::default();
        let boxed = cropper.crop(view, rect, None, Framing::Box);
        let nowhere = landmarks_in(f32::NAN, 0.0, 40.0);
        assert!(boxed.is_some());
        assert_eq!(cropper.crop(view, rect, None, Framing::Upright), boxed);
        assert_eq!(cropper.crop(view, rect, Some(&nowhere), Framing::Upright), boxed);
        assert_ne!(cropper.crop(view, rect, Some(&landmarks_in(9.0, 9.0, 40.0)), Framing::Upright), boxed);
    }
}
