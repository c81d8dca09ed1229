//! Faces as all parts of Mien describe them: where they are, who they are, what they show.

use serde::{Deserialize, Serialize};

use crate::landmarks::Landmarks;
use crate::probabilities::Probabilities;

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

/// The box of a face, in the pixels of its picture.
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
    /// A box around a whole picture of this size.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { x: 0.0, y: 0.0, width: width as f32, height: height as f32 }
    }

    /// Centre as (x, y).
    pub fn center(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Area in square pixels; zero if the width or height is negative.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Area in square pixels that the box shares with another.
    pub fn shared_area(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union with another box: 0 apart, 1 the same.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.shared_area(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// The part of the box inside a picture of this size, or `None` if that is less than a pixel wide or high, or if the box
    /// contains NaN.
    pub fn clipped(&self, width: usize, height: usize) -> Option<Self> {
        // `max` and `min` would replace a NaN by the picture's edge.
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

/// A face's id over time, counted from 1 in the order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaceId(pub u32);

/// A face on a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// The face's id.
    pub id: FaceId,
    /// Where, in the pixels of the frame.
    pub rect: FaceRect,
    /// The detector's score when it last found the face (see [`crate::detection::Detection::score`]).
    pub score: f32,
    /// Eyes, nose and mouth in the pixels of the frame, if the detector found them on it.
    pub landmarks: Option<Landmarks>,
    /// How usable its picture is, from 0 to 1 (see [`crate::quality`]); `None` in recordings without it.
    pub quality: Option<f32>,
    /// The network's probabilities for this frame alone.
    pub raw: Probabilities,
    /// `raw` smoothed over time.
    pub smoothed: Probabilities,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_boxes() {
        let a = FaceRect { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
        let b = FaceRect { x: 5.0, y: 0.0, width: 10.0, height: 10.0 };
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&FaceRect { x: 50.0, ..a }), 0.0);
        assert_eq!([a.shared_area(&b), a.shared_area(&FaceRect { x: 50.0, ..a })], [50.0, 0.0]);
    }

    #[test]
    fn a_view_must_have_as_many_bytes_as_pixels() {
        assert!(GrayView::new(&[0; 12], 4, 3).is_some());
        assert!(GrayView::new(&[0; 11], 4, 3).is_none());
        assert!(GrayView::new(&[], 0, 3).is_none());
    }
}
