//! Small pictures of faces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opencv::core::{Mat, MatTraitConst as _, Rect, Size, Vector};
use opencv::{imgcodecs, imgproc};

use crate::face::FaceRect;

/// Width and height in pixels.
const SIDE: i32 = 144;

/// Margin around the box on each side, as a share of it: the box ends at brows and chin.
const MARGIN: f32 = 0.25;

/// 0 to 100: below it, blocks show around the eyes.
const JPEG_QUALITY: i32 = 85;

/// A picture of a face, not encoded yet, because most are replaced by one of a stronger moment.
#[derive(Debug)]
pub struct Thumbnail(Mat);

/// Cuts a face out of an 8-bit BGR picture with a margin, as far as the picture reaches.
///
/// # Errors
/// When OpenCV fails.
pub fn thumbnail(picture: &Mat, face: &FaceRect) -> opencv::Result<Thumbnail> {
    let (center_x, center_y) = face.center();
    let (wide, high) = (picture.cols(), picture.rows());
    // A square, moved into the picture where it would stick out.
    let side = ((face.width.max(face.height) * (1.0 + 2.0 * MARGIN)).round() as i32).clamp(1, wide.min(high));
    let place = |center: f32, all: i32| ((center - side as f32 / 2.0).round() as i32).clamp(0, all - side);
    let part = Rect::new(place(center_x, wide), place(center_y, high), side, side);
    let mut small = Mat::default();
    let how = if side > SIDE { imgproc::INTER_AREA } else { imgproc::INTER_CUBIC };
    imgproc::resize(&picture.roi(part)?, &mut small, Size::new(SIDE, SIDE), 0.0, 0.0, how)?;
    Ok(Thumbnail(small))
}

impl Thumbnail {
    /// The picture as a data URI.
    ///
    /// # Errors
    /// When OpenCV can't encode it.
    pub fn data_uri(&self) -> opencv::Result<String> {
        let mut bytes = Vector::new();
        let parameters = Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, JPEG_QUALITY]);
        imgcodecs::imencode(".jpg", &self.0, &mut bytes, &parameters)?;
        Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC3, Scalar};

    use super::*;

    #[test]
    fn faces_at_any_edge_become_small_squares() {
        let picture = Mat::new_rows_cols_with_default(90, 160, CV_8UC3, Scalar::all(90.0)).unwrap();
        for (x, y, side) in [(-40.0, -40.0, 60.0), (140.0, 70.0, 60.0), (0.0, 0.0, 500.0), (30.0, 30.0, 2.0)] {
            let face = FaceRect { x, y, width: side, height: side };
            let small = thumbnail(&picture, &face).unwrap();
            assert_eq!(small.0.size().unwrap(), Size::new(SIDE, SIDE));
            assert!(small.data_uri().unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        }
    }
}
