//! Pictures that show their number, which survives any codec.

use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Point, Scalar};
use opencv::imgproc;

/// Eight bars side by side, black or white, which are the bits of the number. No codec is bad enough to lose them.
pub fn numbered_picture(number: u8, width: i32, height: i32) -> Mat {
    let mut picture = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(0.0)).unwrap();
    for bit in (0..8).filter(|bit| number >> bit & 1 == 1) {
        let (left, right) = (width * bit / 8, width * (bit + 1) / 8 - 1);
        let white = Scalar::all(255.0);
        imgproc::rectangle_points(
            &mut picture,
            Point::new(left, 0),
            Point::new(right, height - 1),
            white,
            imgproc::FILLED,
            imgproc::LINE_8,
            0,
        )
        .unwrap();
    }
    picture
}

/// The number on such a picture.
pub fn number_in(picture: &Mat) -> u8 {
    let (width, row) = (picture.cols(), picture.rows() / 2);
    (0..8).fold(0, |number, bit| {
        let pixel = picture.at_2d::<opencv::core::Vec3b>(row, width * (2 * bit + 1) / 16).unwrap();
        number | u8::from(pixel[1] > 127) << bit
    })
}
