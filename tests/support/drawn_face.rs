//! A drawn face that the Haar cascade detects, so that the tests need no picture of a person.

use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Point, Rect, Scalar, Size, Vec3b};
use opencv::imgproc;

/// How drawn people differ. Brightness is in gray levels.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    hair: f64,
    skin: f64,
    /// Distance of the eyes from the middle, as a share of the box's side.
    eyes: f64,
    is_bearded: bool,
}

impl Look {
    pub const LIGHT: Self = Self { hair: 60.0, skin: 190.0, eyes: 0.18, is_bearded: false };
    pub const BEARDED: Self = Self { hair: 25.0, skin: 150.0, eyes: 0.155, is_bearded: true };
}

/// A grey picture with one face. `face` is roughly the detector's box, from the brows to the chin.
pub fn picture_with_face(width: i32, height: i32, face: Rect) -> Mat {
    face_with_look(width, height, face, Look::LIGHT)
}

/// The same with a given look.
pub fn face_with_look(width: i32, height: i32, face: Rect, look: Look) -> Mat {
    let mut picture = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(90.0)).unwrap();
    let mut blot = |x: f64, y: f64, rx: f64, ry: f64, level: f64| {
        let side = f64::from(face.width);
        let at = |share: f64| (share * side).round() as i32;
        let (center, axes) = (Point::new(face.x + at(x), face.y + at(y)), Size::new(at(rx), at(ry)));
        let color = Scalar::all(level);
        imgproc::ellipse(&mut picture, center, axes, 0.0, 0.0, 360.0, color, imgproc::FILLED, imgproc::LINE_AA, 0)
            .unwrap();
    };
    // Shares of the box's side: center, half axes, brightness.
    blot(0.50, 0.42, 0.47, 0.62, look.hair); // hair
    blot(0.50, 0.52, 0.38, 0.52, look.skin); // skin
    if look.is_bearded {
        blot(0.50, 0.08, 0.36, 0.14, look.hair); // a fringe
        blot(0.50, 0.84, 0.31, 0.20, 70.0);
        blot(0.50, 0.71, 0.18, 0.03, 55.0);
    }
    for x in [0.50 - look.eyes, 0.50 + look.eyes] {
        blot(x, 0.36, 0.13, 0.10, look.skin - 70.0); // the hollow of the eye
        blot(x, 0.30, 0.12, 0.025, 50.0); // eyebrow
        blot(x, 0.40, 0.08, 0.035, 60.0); // eye
    }
    blot(0.50, 0.50, 0.05, 0.16, look.skin + 25.0); // bridge of the nose
    blot(0.50, 0.64, 0.09, 0.03, look.skin - 60.0); // below the nose
    blot(0.24, 0.60, 0.08, 0.09, look.skin + 20.0); // cheeks
    blot(0.76, 0.60, 0.08, 0.09, look.skin + 20.0);
    blot(0.50, 0.79, 0.16, 0.04, 90.0); // mouth
    let mut soft = Mat::default();
    let spread = f64::from(face.width) / 50.0;
    imgproc::gaussian_blur_def(&picture, &mut soft, Size::new(0, 0), spread).unwrap();
    soft
}

/// The largest difference in brightness between pixels six columns apart, in a row and between two columns of a picture: what is left of
/// the edges of eyes.
pub fn steepest_across(picture: &Mat, row: i32, (from, to): (i32, i32)) -> i32 {
    let level = |column: i32| i32::from(picture.at_2d::<Vec3b>(row, column).unwrap()[1]);
    (from..to - 6).map(|column| (level(column + 6) - level(column)).abs()).max().unwrap()
}
