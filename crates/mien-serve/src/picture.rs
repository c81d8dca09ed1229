//! Decoding received pictures and encoding those that are sent.

use mien_core::jpeg;
use mien_core::pixels::{PixelLimit, TooManyPixels};
use mien_vision::source::decode_picture;
use opencv::core::{Mat, MatTraitConst as _, Vector};
use opencv::imgcodecs;
use opencv::prelude::VectorToVec as _;

/// JPEG quality for watchers: at 90, blocks aren't visible, and a frame of 640×480 has some 60 kB.
const QUALITY: i32 = 90;

/// Why a picture is refused.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It isn't a JPEG, PNG or WebP, or it is damaged.
    #[error("this can't be decoded as a picture; send a JPEG, PNG or WebP")]
    NotPicture,
    /// Too many pixels to decode.
    #[error("this picture isn't read: {0}")]
    TooLarge(#[from] TooManyPixels),
}

/// Decodes a JPEG, PNG or WebP to 8-bit BGR and applies its EXIF orientation.
///
/// # Errors
/// When the picture has another format, is damaged, or has more pixels than `limit` according to its header.
pub fn decode(bytes: &[u8], limit: PixelLimit) -> Result<Mat, PictureError> {
    // Check the first bytes, because OpenCV would try other formats, too.
    let kind = imagesize::image_type(bytes).map_err(not_picture)?;
    if !matches!(kind, imagesize::ImageType::Jpeg | imagesize::ImageType::Png | imagesize::ImageType::Webp) {
        return Err(PictureError::NotPicture);
    }
    if jpeg::is_cut(bytes) {
        return Err(not_picture("the file is cut off"));
    }
    let size = imagesize::blob_size(bytes).map_err(not_picture)?;
    limit.check(size.width as u64, size.height as u64)?;
    let image = decode_picture(bytes).map_err(not_picture)?;
    if image.empty() { Err(PictureError::NotPicture) } else { Ok(image) }
}

fn not_picture(error: impl std::fmt::Display) -> PictureError {
    tracing::debug!("a picture can't be decoded: {error}");
    PictureError::NotPicture
}

/// Encodes a picture as JPEG.
///
/// # Errors
/// When OpenCV can't.
pub fn encode(image: &Mat) -> opencv::Result<Vec<u8>> {
    let mut bytes = Vector::new();
    imgcodecs::imencode(".jpg", image, &mut bytes, &Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, QUALITY]))?;
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC3, Scalar};

    use super::*;
    use crate::limits::MAX_PIXELS;

    #[test]
    fn what_was_encoded_is_decoded_and_what_is_damaged_is_refused() {
        let gray = Mat::new_rows_cols_with_default(30, 40, CV_8UC3, Scalar::all(90.0)).unwrap();
        let bytes = encode(&gray).unwrap();
        let back = decode(&bytes, MAX_PIXELS).unwrap();
        assert_eq!((back.rows(), back.cols()), (30, 40));
        for bad in [&bytes[..20], &bytes[..bytes.len() - 2], b"GIF89a".as_slice(), b"", b"BM000000000000000000000000"] {
            assert!(matches!(decode(bad, MAX_PIXELS), Err(PictureError::NotPicture)), "{bad:?}");
        }
    }

    #[test]
    fn a_picture_is_refused_by_its_header_before_it_is_decoded() {
        // A PNG whose header says 30000×30000, with nothing behind it.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(30_000_u32.to_be_bytes());
        png.extend(30_000_u32.to_be_bytes());
        png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        let error = decode(&png, MAX_PIXELS).unwrap_err();
        assert!(matches!(error, PictureError::TooLarge(_)), "{error}");
    }
}
