//! The one way from a face box to the network's input, shared by the app, training and evaluation.
//!
//! Two steps. [`FaceCropper::crop`] cuts a box out of a gray picture and resamples it to a square of
//! [`CROP_SIZE`] pixels; [`Normalization::to_input`] turns a batch of crops into the tensor that the network sees.
//! A picture of FER2013 *is* such a crop: its own outline as the box gives its own pixels back, which is why
//! the app and the lab can't drift apart (`tests` at the end of this file prove it).

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Width and height of a crop in pixels: those of FER2013's pictures.
pub const CROP_SIZE: usize = 48;

/// Number of pixels in a crop.
pub const CROP_PIXELS: usize = CROP_SIZE * CROP_SIZE;

/// A gray picture in memory: `height` rows of `width` bytes, without padding between the rows.
#[derive(Clone, Copy, Debug)]
pub struct GrayView<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
}

impl<'a> GrayView<'a> {
    /// `None` if the number of bytes isn't `width × height`, or one of the two is zero.
    pub fn new(pixels: &'a [u8], width: usize, height: usize) -> Option<Self> {
        (width > 0 && height > 0 && pixels.len() == width * height).then_some(Self { pixels, width, height })
    }

    /// The bytes, row by row.
    pub fn pixels(&self) -> &'a [u8] {
        self.pixels
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }
}

/// A face in the pixels of its picture: left, top, width and height.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceRect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl FaceRect {
    /// The whole of a picture of this size.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { x: 0.0, y: 0.0, width: width as f32, height: height as f32 }
    }

    /// Centre as (x, y).
    pub fn center(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Area in square pixels; zero for a box turned inside out.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Intersection over union with another box: 0 apart, 1 the same.
    pub fn iou(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        let shared = width.max(0.0) * height.max(0.0);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// The part of the box inside a picture of this size, or `None` if less than a pixel of it is, or if the box is no
    /// number.
    pub fn clipped(&self, width: usize, height: usize) -> Option<Self> {
        // `max` and `min` would take the picture's edge for a NaN.
        if [self.x, self.y, self.width, self.height].into_iter().any(f32::is_nan) {
            return None;
        }
        let left = self.x.max(0.0);
        let top = self.y.max(0.0);
        let right = (self.x + self.width).min(width as f32);
        let bottom = (self.y + self.height).min(height as f32);
        (right - left >= 1.0 && bottom - top >= 1.0).then_some(Self {
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
        })
    }
}

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
        let rect = rect.clipped(picture.width, picture.height)?;
        let source = ImageRef::new(picture.width as u32, picture.height as u32, picture.pixels, PixelType::U8).ok()?;
        let mut face = Image::new(CROP_SIZE as u32, CROP_SIZE as u32, PixelType::U8);
        // Rounded, left and width can add up to a little more than the picture has, which the resampler refuses.
        let (left, top) = (f64::from(rect.x), f64::from(rect.y));
        let width = f64::from(rect.width).min(picture.width as f64 - left);
        let height = f64::from(rect.height).min(picture.height as f64 - top);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left, top, width, height);
        self.resizer.resize(&source, &mut face, &options).ok()?;
        Some(FaceCrop(face.into_vec()))
    }
}

/// How bytes become the numbers that a network was trained on: `(byte / 255 − mean) / std`. Part of the model card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of the training pixels, 0 to 1.
    pub mean: f64,
    /// Standard deviation of the training pixels.
    pub std: f64,
    /// Whether each picture is first brought to that mean and deviation by itself, so that light and contrast of a room
    /// count for nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_picture: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Bytes as floats from 0 to 1, of the same shape.
pub fn to_unit(bytes: &Tensor) -> Tensor {
    bytes.to_kind(Kind::Float) / 255.0
}

/// The least deviation that a picture is divided by, in shares of the full range: a flat picture stays flat, and its noise
/// isn't blown up to a face.
const LEAST_STD: f64 = 0.02;

impl Default for Normalization {
    /// Mean and standard deviation of FER2013's Training split.
    fn default() -> Self {
        Self { mean: 0.508, std: 0.255, per_picture: false }
    }
}

impl Normalization {
    /// The network's input for a batch of crops: float, `[N, 1, 48, 48]`, on `device`.
    pub fn to_input(self, crops: &[FaceCrop], device: Device) -> Tensor {
        let bytes: Vec<u8> = crops.iter().flat_map(|crop| crop.0.iter().copied()).collect();
        let side = CROP_SIZE as i64;
        let batch = Tensor::from_slice(&bytes).view([crops.len() as i64, 1, side, side]);
        self.apply(&batch.to_device(device))
    }

    /// Normalises pictures of bytes `[N, 1, H, W]` to floats of the same shape: what training uses between reading
    /// a batch and augmenting it.
    pub fn apply(self, bytes: &Tensor) -> Tensor {
        self.apply_to_unit(&to_unit(bytes))
    }

    /// The same for pictures of floats from 0 to 1.
    pub fn apply_to_unit(self, pictures: &Tensor) -> Tensor {
        if self.per_picture {
            // With mean and deviation of the data on both sides, what is left is each picture's own.
            const OVER_PIXELS: [i64; 3] = [1, 2, 3];
            let centered = pictures - pictures.mean_dim(OVER_PIXELS.as_slice(), true, Kind::Float);
            let deviation = centered.square().mean_dim(OVER_PIXELS.as_slice(), true, Kind::Float).sqrt();
            centered / deviation.clamp_min(LEAST_STD)
        } else {
            (pictures - self.mean) / self.std
        }
    }

    /// Back to floats from 0 to 1, `mean` and `std` standing in for what a picture's own were: for another network that
    /// normalises otherwise.
    pub fn revert(self, normalized: &Tensor) -> Tensor {
        normalized * self.std + self.mean
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
    fn a_face_gives_the_network_the_same_numbers_in_the_app_and_in_the_lab() {
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

        // And the tensor is what the lab makes of the bytes it reads from a data set.
        let normalization = Normalization::default();
        let bytes = Tensor::from_slice(lab.pixels()).view([1, 1, 48, 48]);
        let difference = normalization.to_input(&[app], Device::Cpu) - normalization.apply(&bytes);
        assert_eq!(difference.abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn light_and_contrast_of_a_picture_count_for_nothing_when_it_is_normalised_by_itself() {
        let normalization = Normalization { per_picture: true, ..Normalization::default() };
        let bright = Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48]);
        let dim = bright.to_kind(Kind::Float) * 0.25 + 20.0;
        let difference = normalization.apply(&bright) - normalization.apply(&dim);
        assert!(difference.abs().max().double_value(&[]) < 1e-4);
        // A flat picture has no deviation to divide by.
        let flat = normalization.apply(&Tensor::full([1, 1, 48, 48], 90, (Kind::Uint8, Device::Cpu)));
        assert!(flat.abs().max().double_value(&[]) < 1e-4);
    }

    #[test]
    fn reverting_gives_the_picture_back() {
        let unit = to_unit(&Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48]));
        let normalization = Normalization::default();
        let difference = normalization.revert(&normalization.apply_to_unit(&unit)) - unit;
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
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

    #[test]
    fn overlap_of_boxes() {
        let a = FaceRect { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
        let b = FaceRect { x: 5.0, y: 0.0, width: 10.0, height: 10.0 };
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&FaceRect { x: 50.0, ..a }), 0.0);
    }

    #[test]
    fn a_view_must_have_as_many_bytes_as_pixels() {
        assert!(GrayView::new(&[0; 12], 4, 3).is_some());
        assert!(GrayView::new(&[0; 11], 4, 3).is_none());
        assert!(GrayView::new(&[], 0, 3).is_none());
    }
}
