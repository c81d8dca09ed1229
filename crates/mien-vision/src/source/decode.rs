//! Decodes a picture file with OpenCV, and turns the picture upright.

use image::metadata::Orientation;
use opencv::core::{self, Mat, MatTraitConst as _};
use opencv::imgcodecs;

/// Decodes a picture file to 8-bit BGR and applies its EXIF orientation. Empty if OpenCV doesn't know the format.
///
/// # Errors
/// When OpenCV fails, as on a damaged file.
pub fn decode_picture(bytes: &[u8]) -> opencv::Result<Mat> {
    let encoded = Mat::from_slice(bytes)?;
    let Some(orientation) = exif_of_webp(bytes).and_then(Orientation::from_exif_chunk) else {
        return imgcodecs::imdecode(&encoded, imgcodecs::IMREAD_COLOR);
    };
    // OpenCV 4.6 knows the orientation of a JPEG or PNG only. Later versions shouldn't apply that of a WebP a second time.
    let image = imgcodecs::imdecode(&encoded, imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_IGNORE_ORIENTATION)?;
    if image.empty() { Ok(image) } else { upright(image, orientation) }
}

fn upright(image: Mat, orientation: Orientation) -> opencv::Result<Mat> {
    // Codes of `flip`.
    const HORIZONTALLY: i32 = 1;
    const VERTICALLY: i32 = 0;
    const BOTH: i32 = -1;
    let mut turned = Mat::default();
    match orientation {
        Orientation::NoTransforms => return Ok(image),
        Orientation::FlipHorizontal => core::flip(&image, &mut turned, HORIZONTALLY)?,
        Orientation::FlipVertical => core::flip(&image, &mut turned, VERTICALLY)?,
        Orientation::Rotate90 => core::rotate(&image, &mut turned, core::ROTATE_90_CLOCKWISE)?,
        Orientation::Rotate180 => core::rotate(&image, &mut turned, core::ROTATE_180)?,
        Orientation::Rotate270 => core::rotate(&image, &mut turned, core::ROTATE_90_COUNTERCLOCKWISE)?,
        Orientation::Rotate90FlipH => core::transpose(&image, &mut turned)?,
        Orientation::Rotate270FlipH => {
            let mut transposed = Mat::default();
            core::transpose(&image, &mut transposed)?;
            core::flip(&transposed, &mut turned, BOTH)?;
        }
    }
    Ok(turned)
}

/// The EXIF data in a WebP file. Not read by the crate `image`, which would trust the length that the file claims.
fn exif_of_webp(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    loop {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let content = after.get(..length)?;
        if kind == b"EXIF" {
            // Some programs leave the beginning that EXIF data have in a JPEG.
            return Some(content.strip_prefix(b"Exif\0\0").unwrap_or(content));
        }
        // Content of odd length is followed by another byte.
        rest = after.get(length.checked_next_multiple_of(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::webp::WebPEncoder;
    use image::{ExtendedColorType, ImageEncoder as _};
    use opencv::core::Vec3b;

    use super::*;

    /// EXIF data that hold an orientation alone.
    fn exif(orientation: u8) -> Vec<u8> {
        let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
    }

    /// A WebP of 3×2 pixels, with the levels of gray 10, 20, 30 in the first row and 40, 50, 60 in the second.
    fn webp(exif: Option<Vec<u8>>) -> Vec<u8> {
        let pixels: Vec<u8> = (1..=6).flat_map(|level: u8| [level * 10; 3]).collect();
        let mut bytes = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut bytes);
        if let Some(exif) = exif {
            encoder.set_exif_metadata(exif).unwrap();
        }
        encoder.write_image(&pixels, 3, 2, ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    /// The rows of a picture, in tenths of their levels of gray.
    fn rows(bytes: &[u8]) -> Vec<Vec<u8>> {
        let image = decode_picture(bytes).unwrap();
        let level = |row, column| image.at_2d::<Vec3b>(row, column).unwrap()[0] / 10;
        (0..image.rows()).map(|row| (0..image.cols()).map(|column| level(row, column)).collect()).collect()
    }

    #[test]
    fn a_webp_is_turned_upright() {
        let upright = vec![vec![1, 2, 3], vec![4, 5, 6]];
        for (orientation, wanted) in [
            (1, upright.clone()),
            (2, vec![vec![3, 2, 1], vec![6, 5, 4]]),
            (3, vec![vec![6, 5, 4], vec![3, 2, 1]]),
            (4, vec![vec![4, 5, 6], vec![1, 2, 3]]),
            (5, vec![vec![1, 4], vec![2, 5], vec![3, 6]]),
            (6, vec![vec![4, 1], vec![5, 2], vec![6, 3]]),
            (7, vec![vec![6, 3], vec![5, 2], vec![4, 1]]),
            (8, vec![vec![3, 6], vec![2, 5], vec![1, 4]]),
            (9, upright.clone()),
        ] {
            assert_eq!(rows(&webp(Some(exif(orientation)))), wanted, "{orientation}");
            let as_in_jpeg = [&b"Exif\0\0"[..], &exif(orientation)].concat();
            assert_eq!(rows(&webp(Some(as_in_jpeg))), wanted, "{orientation}");
        }
        assert_eq!(rows(&webp(None)), upright);
    }

    #[test]
    fn damaged_exif_data_are_left_alone() {
        let whole = webp(Some(exif(6)));
        let at = whole.windows(4).position(|four| four == b"EXIF").unwrap();
        let mut endless = whole.clone();
        endless[at + 4..at + 8].fill(0xff);
        assert_eq!((exif_of_webp(&whole).unwrap(), exif_of_webp(&endless)), (&exif(6)[..], None));
        for length in 0..whole.len() {
            assert_eq!(exif_of_webp(&whole[..length]), None, "{length}");
        }
        assert_eq!(rows(&webp(Some(b"no EXIF".to_vec()))).len(), 2);
    }
}
