//! Resizes parts of gray pictures.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::face::{FaceRect, GrayView};

/// How a new pixel is computed from the pixels around it. When shrinking, each filter averages at least over the area of the new pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The unweighted mean.
    Mean,
    /// The mean weighted by a triangle; when enlarging, linear interpolation.
    Triangle,
}

impl Filter {
    fn kind(self) -> FilterType {
        match self {
            Self::Mean => FilterType::Box,
            Self::Triangle => FilterType::Bilinear,
        }
    }
}

/// Resamples pictures. Holds buffers: keep one per thread.
#[derive(Debug, Default)]
pub struct Resampler(Resizer);

impl Resampler {
    /// Resizes a part of the picture to `columns × rows` pixels. `None` if one of those is zero, or if the part is empty or doesn't begin
    /// inside the picture. What reaches beyond the right or bottom edge is left out.
    pub fn resample(
        &mut self,
        picture: GrayView<'_>,
        part: FaceRect,
        [columns, rows]: [usize; 2],
        filter: Filter,
    ) -> Option<Vec<u8>> {
        let [width, height, columns, rows] =
            [picture.width(), picture.height(), columns, rows].map(|length| u32::try_from(length).unwrap_or(0));
        if columns == 0 || rows == 0 {
            return None;
        }
        let source = TypedImageRef::<U8>::from_buffer(width, height, picture.pixels()).ok()?;
        let mut resampled = TypedImage::<U8>::new(columns, rows);
        // With rounding, left + width can slightly exceed the picture's width, which the resampler refuses.
        let (left, top) = (f64::from(part.x), f64::from(part.y));
        let part_width = f64::from(part.width).min(f64::from(width) - left);
        let part_height = f64::from(part.height).min(f64::from(height) - top);
        let is_inside = left >= 0.0 && top >= 0.0 && part_width > 0.0 && part_height > 0.0;
        if !is_inside {
            return None;
        }
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter.kind())).crop(
            left,
            top,
            part_width,
            part_height,
        );
        // For one pixel type only: code for all of them would take minutes to compile.
        self.0.resize_typed::<U8>(&source, &mut resampled, &options).ok()?;
        Some(resampled.pixels().iter().map(|pixel| pixel.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_comes_at_the_size_that_is_asked_for_and_one_that_is_not_inside_does_not() {
        // Dark on the left, bright on the right.
        let pixels: Vec<u8> = (0..128).map(|i| if i % 16 < 8 { 20 } else { 220 }).collect();
        let picture = GrayView::new(&pixels, 16, 8).unwrap();
        let part = FaceRect { x: 4.0, y: 0.0, width: 8.0, height: 8.0 };
        let mut resampler = Resampler::default();
        for filter in [Filter::Mean, Filter::Triangle] {
            let two = resampler.resample(picture, part, [2, 1], filter).unwrap();
            assert!(two[0] < 60 && two[1] > 180, "{filter:?}: {two:?}");
            assert_eq!(resampler.resample(picture, part, [8, 8], filter).unwrap()[..8], pixels[4..12], "{filter:?}");
        }
        assert_eq!(resampler.resample(picture, part, [0, 4], Filter::Mean), None);
        for wrong in [-1.0, 16.0, 40.0, f32::NAN, f32::INFINITY] {
            let part = FaceRect { x: wrong, ..part };
            assert_eq!(resampler.resample(picture, part, [4, 4], Filter::Triangle), None, "{wrong}");
        }
        assert_eq!(resampler.resample(picture, FaceRect { width: 0.0, ..part }, [4, 4], Filter::Triangle), None);
    }
}
