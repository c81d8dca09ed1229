//! Cutting a face out of a picture: the one way from a box to a crop, shared by the app, training and evaluation.
//!
//! A picture of FER2013 *is* such a crop: its own outline as the box gives its own pixels back, which is why the app and
//! the lab can't drift apart.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::face::{FaceRect, GrayView};

/// Width and height of a crop in pixels: those of FER2013's pictures.
pub const CROP_SIZE: usize = 48;

/// Number of pixels in a crop.
pub const CROP_PIXELS: usize = CROP_SIZE * CROP_SIZE;

/// A face of [`CROP_SIZE`]² gray bytes, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceCrop(Vec<u8>);

impl FaceCrop {
    /// Takes pixels that already have the size of a crop, as a row of FER2013 has. `None` if their number is another.
    pub fn from_pixels(pixels: Vec<u8>) -> Option<Self> {
        (pixels.len() == CROP_PIXELS).then_some(Self(pixels))
    }

    /// The bytes, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.0
    }
}

/// Cuts faces out of gray pictures. Holds the resampler's buffers: keep one per thread.
#[derive(Default)]
pub struct FaceCropper {
    resizer: Resizer,
}

impl FaceCropper {
    /// The face in `rect`, resampled to 48×48 with an antialiasing bilinear filter whose support grows with the
    /// shrinking factor, so that a face of 400 pixels isn't sampled at 48 points.
    ///
    /// The part of the box outside the picture is left out. `None` if less than a pixel of it is inside.
    pub fn crop(&mut self, picture: GrayView<'_>, rect: FaceRect) -> Option<FaceCrop> {
        let rect = rect.clipped(picture.width(), picture.height())?;
        let source =
            ImageRef::new(picture.width() as u32, picture.height() as u32, picture.pixels(), PixelType::U8).ok()?;
        let mut face = Image::new(CROP_SIZE as u32, CROP_SIZE as u32, PixelType::U8);
        // Rounded, left and width can add up to a little more than the picture has, which the resampler refuses.
        let (left, top) = (f64::from(rect.x), f64::from(rect.y));
        let width = f64::from(rect.width).min(picture.width() as f64 - left);
        let height = f64::from(rect.height).min(picture.height() as f64 - top);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, width, height);
        self.resizer.resize(&source, &mut face, &options).ok()?;
        Some(FaceCrop(face.into_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(cropper.crop(picture, rect).is_some(), "{rect:?}");
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
        let app = FaceCropper::default().crop(view, rect).unwrap();
        assert_eq!(app, lab);
    }

    #[test]
    fn a_large_face_is_averaged_and_not_sampled() {
        // Stripes of one pixel are gray at a fifth of the size; point sampling would keep them black or white.
        let (width, height) = (240, 240);
        let stripes: Vec<u8> = (0..width * height).map(|i| if i % 2 == 0 { 0 } else { 255 }).collect();
        let view = GrayView::new(&stripes, width, height).unwrap();
        let crop = FaceCropper::default().crop(view, FaceRect::whole(width, height)).unwrap();
        assert!(crop.pixels().iter().all(|p| (100..156).contains(p)), "{:?}", &crop.pixels()[..8]);
    }

    #[test]
    fn a_box_over_the_edge_is_clipped_and_one_outside_gives_nothing() {
        let pixels = pattern(64, 64);
        let view = GrayView::new(&pixels, 64, 64).unwrap();
        let mut cropper = FaceCropper::default();
        assert!(cropper.crop(view, FaceRect { x: -20.0, y: -20.0, width: 50.0, height: 50.0 }).is_some());
        assert!(cropper.crop(view, FaceRect { x: 70.0, y: 0.0, width: 50.0, height: 50.0 }).is_none());
        assert!(cropper.crop(view, FaceRect { x: f32::NAN, y: 0.0, width: 50.0, height: 50.0 }).is_none());
    }
}
