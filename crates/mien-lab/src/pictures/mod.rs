//! Decodes picture files to gray pixels, for the lab.

mod palette_tiff;

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};

use mien_core::face::GrayView;
use mien_core::pixels::PixelLimit;

/// Weights of red, green and blue in gray, in thousandths: those of ITU-R BT.601, which OpenCV, and therefore the app, uses.
const GRAY_WEIGHTS: [u32; 3] = [299, 587, 114];

/// Memory that a decoder may use per pixel, in bytes: four channels of 16 bits.
const PIXEL_BYTES: u64 = 8;

/// A gray picture that owns its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayPicture {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl GrayPicture {
    /// `None` if the number of bytes isn't `width × height`, or one of the two is zero.
    pub fn new(pixels: Vec<u8>, width: usize, height: usize) -> Option<Self> {
        GrayView::new(&pixels, width, height)?;
        Some(Self { pixels, width, height })
    }

    /// A view of it; `None` never happens to a picture that [`Self::new`] made.
    pub fn view(&self) -> Option<GrayView<'_>> {
        GrayView::new(&self.pixels, self.width, self.height)
    }
}

/// Decodes a picture file (BMP, JPEG, PNG, TIFF, WebP) and turns it upright by its EXIF orientation.
///
/// # Errors
/// Worded for the user, when the bytes aren't a picture, or it is damaged or too large.
pub fn decode_gray(bytes: &[u8], limit: PixelLimit) -> Result<GrayPicture, String> {
    let picture = match palette_tiff::split(bytes) {
        Some((indices, palette)) => {
            let mut picture = decode(&indices, limit)?.into_luma8();
            picture.pixels_mut().for_each(|pixel| pixel.0 = [palette[usize::from(pixel.0[0])]]);
            DynamicImage::ImageLuma8(picture)
        }
        None => decode(bytes, limit)?,
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = match picture {
        DynamicImage::ImageLuma8(gray) => gray.into_raw(),
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_) => {
            picture.into_luma8().into_raw()
        }
        color => color.into_rgb8().pixels().map(|pixel| gray(pixel.0)).collect(),
    };
    GrayPicture::new(pixels, width, height).ok_or_else(|| "is a picture without pixels".to_owned())
}

fn decode(bytes: &[u8], limit: PixelLimit) -> Result<DynamicImage, String> {
    let told = |error: image::ImageError| format!("can't be read as a picture: {error}");
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("can't be read as a picture: {error}"))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(limit.pixels() * PIXEL_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(told)?;
    let (width, height) = decoder.dimensions();
    limit.check(width.into(), height.into()).map_err(|error| format!("can't be read: {error}"))?;
    // A damaged orientation is no reason to refuse a picture.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The brightness of a colour.
fn gray(rgb: [u8; 3]) -> u8 {
    let sum: u32 = rgb.iter().zip(GRAY_WEIGHTS).map(|(channel, weight)| u32::from(*channel) * weight).sum();
    ((sum + 500) / 1000) as u8
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, RgbImage};
    use proptest::prelude::*;

    use super::*;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_gray_picture_keeps_its_bytes() {
        let pixels: Vec<u8> = (0..12).map(|i| i * 20).collect();
        let picture = DynamicImage::ImageLuma8(GrayImage::from_raw(4, 3, pixels.clone()).unwrap());
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
            let read = decode_gray(&encoded(&picture, format), PixelLimit::default()).unwrap();
            assert_eq!(read, GrayPicture::new(pixels.clone(), 4, 3).unwrap(), "{format:?}");
        }
    }

    #[test]
    fn colours_weigh_as_in_the_app() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_raw(3, 1, vec![255, 0, 0, 0, 255, 0, 0, 0, 255]).unwrap());
        let read = decode_gray(&encoded(&picture, ImageFormat::Png), PixelLimit::default()).unwrap();
        assert_eq!(read.pixels, [76, 150, 29]);
    }

    #[test]
    fn what_is_no_picture_is_told() {
        for bytes in [&b""[..], b"hello", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x02"] {
            assert!(
                decode_gray(bytes, PixelLimit::default()).unwrap_err().contains("can't be read as a picture"),
                "{bytes:?}"
            );
        }
        let whole = encoded(&DynamicImage::ImageLuma8(GrayImage::new(40, 40)), ImageFormat::Png);
        assert!(decode_gray(&whole[..whole.len() / 2], PixelLimit::default()).is_err());
    }
    #[test]
    fn a_header_that_claims_too_many_pixels_is_refused() {
        let mut bytes = encoded(&DynamicImage::ImageLuma8(GrayImage::new(4, 4)), ImageFormat::Bmp);
        bytes[18..26].copy_from_slice(&[0x30, 0x75, 0, 0, 0x30, 0x75, 0, 0]);
        let error = decode_gray(&bytes, PixelLimit::default()).unwrap_err();
        assert!(error.contains("30000×30000 pixels") && error.contains("200 megapixels"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn a_damaged_picture_is_an_error_or_a_picture_and_no_panic(
            format in prop::sample::select(vec![
                ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::WebP,
            ]),
            is_color in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let gray = GrayImage::from_fn(20, 16, |x, y| image::Luma([(x * 11 + y * 5) as u8]));
            let picture = DynamicImage::ImageLuma8(gray);
            let picture = if is_color { DynamicImage::ImageRgb8(picture.into_rgb8()) } else { picture };
            let mut bytes = encoded(&picture, format);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if let Ok(read) = decode_gray(&bytes, PixelLimit::default()) {
                prop_assert!(read.view().is_some());
            }
        }
    }
}
