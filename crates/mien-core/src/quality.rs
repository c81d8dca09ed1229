//! How usable the picture of a face is for labelling it, from 0 to 1.
//!
//! The product of four factors, each from 0 (unusable) to 1 (no loss): size, sharpness, light and, if there are landmarks,
//! how frontal the face is. `docs/tables.md` has the formula.

use crate::crop::{CROP_SIZE, FaceCrop};
use crate::face::FaceRect;
use crate::landmarks::{Landmarks, Point};

/// Below this quality the verdict is `unsure`.
///
/// Measured with `mien` on PublicTest (majority label, N 2927), unchanged and degraded in eleven ways (blurred, enlarged from fewer
/// pixels, dark, low in contrast or overexposed): 54 % of the pictures below it were labelled correctly, 71 % from 0.15 to 0.2, and
/// 87 % above 0.75.
pub const LOWEST_QUALITY: f64 = 0.15;

/// Side of the box in pixels from which the size costs nothing: that of a crop.
const ENOUGH_PIXELS: f32 = CROP_SIZE as f32;

/// Edge strength (see [`edges`]) from which a crop counts as sharp. 5 % of FER2013's faces lie below 0.55; the median of faces
/// enlarged from half the size is 0.28.
const SHARP: f32 = 0.5;

/// Edge strength at which the factor is 0: the median of FER2013's faces enlarged from 8×8 pixels.
const BLURRED: f32 = 0.08;

/// Standard deviation of the gray levels from which there is enough contrast: with that of FER2013's faces reduced from 53 to 8,
/// `mien` labels 87.2 % correctly instead of 87.8 %.
const CONTRAST: f32 = 8.0;

/// Standard deviation at which the factor is 0: there is only noise.
const NO_CONTRAST: f32 = 2.0;

/// Gray levels that count as black or white, with a margin for compression.
const BLACK: u8 = 4;
const WHITE: u8 = 251;

/// Share of black and white pixels that hair and teeth can explain: 5 % of FER2013's faces lie above 0.15.
const USUALLY_CLIPPED: f32 = 0.15;

/// Share at which the factor is 0: half of the face is gone, and the rest hardly helps.
const MOSTLY_CLIPPED: f32 = 0.6;

/// Offset of the nose's tip from the middle between the eyes, in eye distances, up to which a face counts as frontal. A head turned by
/// about 15° reaches it.
const FRONTAL_YAW: f32 = 0.15;

/// Offset at which the factor is 0: the tip is beyond one of the eyes, and one half of the face is hidden.
const PROFILE_YAW: f32 = 0.65;

/// Average position of the nose's tip between eyes (0) and mouth (1) in FER2013.
const USUAL_NOSE: f32 = 0.55;

/// Offset from [`USUAL_NOSE`] up to which a face counts as frontal: people differ by as much.
const FRONTAL_PITCH: f32 = 0.2;

/// Offset at which the factor is 0: the tip is at the height of the eyes, or just below the mouth.
const STEEP_PITCH: f32 = 0.55;

/// The quality of the face in the box `rect` of its frame, from its crop. Without landmarks, the angle isn't rated.
pub fn quality(crop: &FaceCrop, rect: FaceRect, landmarks: Option<&Landmarks>) -> f32 {
    size(rect) * sharpness(crop) * light(crop) * landmarks.map_or(1.0, frontal)
}

/// 0 at `none`, 1 at `full`, linear in between and constant beyond. `none` may be above `full`.
fn ramp(value: f32, none: f32, full: f32) -> f32 {
    let share = (value - none) / (full - none);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// Factor for the number of pixels along the shorter side.
fn size(rect: FaceRect) -> f32 {
    ramp(rect.width.min(rect.height), 0.0, ENOUGH_PIXELS)
}

/// Factor for sharpness, independent of contrast.
fn sharpness(crop: &FaceCrop) -> f32 {
    ramp(edges(crop), BLURRED, SHARP)
}

/// Edge strength: root mean square of the Laplacian (four neighbours), divided by the standard deviation of the gray levels.
fn edges(crop: &FaceCrop) -> f32 {
    let level = |x: usize, y: usize| f32::from(crop.pixels()[y * CROP_SIZE + x]);
    let inner = 1..CROP_SIZE - 1;
    let laplacian = inner.clone().flat_map(|y| {
        inner
            .clone()
            .map(move |x| 4.0 * level(x, y) - level(x - 1, y) - level(x + 1, y) - level(x, y - 1) - level(x, y + 1))
    });
    let mean_square = laplacian.map(|value| value * value).sum::<f32>() / ((CROP_SIZE - 2) * (CROP_SIZE - 2)) as f32;
    let spread = deviation(crop);
    if spread > 0.0 { mean_square.sqrt() / spread } else { 0.0 }
}

/// Factor for light: enough contrast, and no large black or overexposed parts.
fn light(crop: &FaceCrop) -> f32 {
    let clipped = crop.pixels().iter().filter(|level| **level <= BLACK || **level >= WHITE).count();
    let clipped = clipped as f32 / crop.pixels().len() as f32;
    ramp(deviation(crop), NO_CONTRAST, CONTRAST) * ramp(clipped, MOSTLY_CLIPPED, USUALLY_CLIPPED)
}

/// Standard deviation of the gray levels.
fn deviation(crop: &FaceCrop) -> f32 {
    let count = crop.pixels().len() as f32;
    let mean = crop.pixels().iter().map(|level| f32::from(*level)).sum::<f32>() / count;
    let squares = crop.pixels().iter().map(|level| (f32::from(*level) - mean).powi(2)).sum::<f32>();
    (squares / count).sqrt()
}

/// Factor for how frontal the face is, from where the tip of the nose lies between the eyes and between eyes and mouth. A head that
/// leans to its shoulder is as frontal as an upright one.
fn frontal(landmarks: &Landmarks) -> f32 {
    let Landmarks { right_eye, left_eye, nose, mouth_right, mouth_left } = *landmarks;
    let (eyes, mouth) = (middle(right_eye, left_eye), middle(mouth_right, mouth_left));
    let yaw = along(right_eye, left_eye, nose) - 0.5;
    let pitch = along(eyes, mouth, nose) - USUAL_NOSE;
    ramp(yaw.abs(), PROFILE_YAW, FRONTAL_YAW) * ramp(pitch.abs(), STEEP_PITCH, FRONTAL_PITCH)
}

/// Position of `point` along the line from `from` (0) to `to` (1); negative or above 1 beyond them.
fn along(from: Point, to: Point, point: Point) -> f32 {
    let [way_x, way_y] = [to[0] - from[0], to[1] - from[1]];
    ((point[0] - from[0]) * way_x + (point[1] - from[1]) * way_y) / (way_x * way_x + way_y * way_y)
}

fn middle(a: Point, b: Point) -> Point {
    [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crop::CROP_PIXELS;
    use crate::upright::FER2013_LANDMARKS;

    const LARGE: FaceRect = FaceRect { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };

    /// A crop that shows a checkerboard of 4×4-pixel squares in two levels: sharp and evenly lit.
    fn squares(dark: u8, bright: u8) -> FaceCrop {
        let level = |i: usize| if (i % CROP_SIZE / 4 + i / CROP_SIZE / 4).is_multiple_of(2) { dark } else { bright };
        FaceCrop::from_pixels((0..CROP_PIXELS).map(level).collect()).unwrap()
    }

    /// A checkerboard of 16×16-pixel squares, blurred this many times by a 3×3 mean.
    fn softened(times: usize) -> FaceCrop {
        let level = |i: usize| if (i % CROP_SIZE / 16 + i / CROP_SIZE / 16).is_multiple_of(2) { 60 } else { 180 };
        let mut pixels: Vec<u32> = (0..CROP_PIXELS).map(level).collect();
        for _ in 0..times {
            let at = |x: usize, y: usize| pixels[y.min(CROP_SIZE - 1) * CROP_SIZE + x.min(CROP_SIZE - 1)];
            let mean = |i: usize| {
                let (x, y) = (i % CROP_SIZE, i / CROP_SIZE);
                (0..9).map(|j| at((x + j % 3).saturating_sub(1), (y + j / 3).saturating_sub(1))).sum::<u32>() / 9
            };
            pixels = (0..CROP_PIXELS).map(mean).collect();
        }
        FaceCrop::from_pixels(pixels.into_iter().map(|level| level as u8).collect()).unwrap()
    }

    fn average_face() -> Landmarks {
        Landmarks::from_points(FER2013_LANDMARKS)
    }

    #[test]
    fn a_large_sharp_well_lit_frontal_face_has_the_full_quality() {
        assert_eq!(quality(&squares(60, 180), LARGE, Some(&average_face())), 1.0);
        assert_eq!(quality(&squares(60, 180), LARGE, None), 1.0);
    }

    #[test]
    fn the_fewer_pixels_the_less() {
        let of = |width: f32| quality(&squares(60, 180), FaceRect { width, height: width, ..LARGE }, None);
        assert_eq!((of(48.0), of(24.0), of(0.0)), (1.0, 0.5, 0.0));
        assert_eq!(of(f32::NAN), 0.0);
    }

    #[test]
    fn the_softer_the_less() {
        let of = |times: usize| sharpness(&softened(times));
        assert_eq!(of(0), 1.0);
        assert!(of(1) > of(3) && of(3) > of(12), "{}, {}, {}", of(1), of(3), of(12));
        assert!(of(12) < 0.2, "{}", of(12));
        assert_eq!(sharpness(&squares(90, 90)), 0.0, "nothing at all is to be seen");
    }

    #[test]
    fn dark_flat_and_burnt_out_faces_are_worth_less() {
        assert_eq!(light(&squares(60, 180)), 1.0);
        // A standard deviation of 5.
        assert_eq!(light(&squares(95, 105)), 0.5);
        assert_eq!(light(&squares(98, 102)), 0.0);
        let mut burnt = squares(60, 180).pixels().to_vec();
        burnt[..CROP_PIXELS / 2].fill(255);
        let burnt = light(&FaceCrop::from_pixels(burnt).unwrap());
        assert!((0.1..0.3).contains(&burnt), "{burnt}");
    }

    #[test]
    fn a_turned_head_is_worth_less_and_one_that_leans_is_not() {
        let moved = |right: f32, down: f32| {
            let mut face = average_face();
            face.nose = [face.nose[0] + right, face.nose[1] + down];
            frontal(&face)
        };
        assert_eq!(moved(0.0, 0.0), 1.0);
        // The eyes are 18 apart.
        assert!(moved(4.0, 0.0) < 1.0 && moved(4.0, 0.0) > moved(7.0, 0.0), "{} {}", moved(4.0, 0.0), moved(7.0, 0.0));
        assert_eq!(moved(14.0, 0.0), 0.0, "beyond the eye");
        assert_eq!(moved(0.0, 2.0), 1.0);
        assert!(moved(0.0, -7.0) < 0.5, "{}", moved(0.0, -7.0));
        let (sin, cos) = 40.0_f32.to_radians().sin_cos();
        let leaning = average_face().map(|[x, y]| [x * cos - y * sin, x * sin + y * cos]);
        assert_eq!(frontal(&leaning), 1.0);
        let one_place = average_face().map(|_| [5.0, 5.0]);
        assert_eq!(frontal(&one_place), 0.0, "no face at all");
    }
}
