//! Detects cuts in a video: sudden changes of the whole picture, after which the positions of faces mean nothing.

use crate::face::{FaceRect, GrayView};
use crate::resample::{Filter, Resampler};

/// Width and height of the small picture that is compared.
const WIDTH: usize = 32;
const HEIGHT: usize = 18;

/// How far the camera may pan from one frame to the next, in the small picture's pixels: a quarter of the picture.
const SWING: (i32, i32) = (8, 4);

/// Correlation of two small pictures, at the best shift, below which there is a cut between them.
///
/// Measured on 400 pairs of pictures of streets, offices, rooms and people: 98 % of the cuts from one to the other lie below.
/// So do 5 % of flashes that make a picture 1.5 to 4 times as bright (the harshest overexpose most of it), but no pan by 5 to
/// 20 % of the picture per frame: these reach at least 0.71.
const CUT_BELOW: f32 = 0.6;

/// Standard deviation, in gray levels, below which a picture is too uniform to be compared: black between two scenes, or white
/// in a flash. The last picture that wasn't is kept for comparison.
const EVEN: f32 = 4.0;

/// Detects cuts from frame to frame.
///
/// Shrinks pictures to 32×18 and compares them by normalised cross-correlation, which stays high when the light changes
/// everywhere. The best shift within a quarter of the picture counts, so it also stays high when the camera pans.
#[derive(Default)]
pub struct CutDetector {
    resampler: Resampler,
    last: Option<[f32; WIDTH * HEIGHT]>,
}

impl CutDetector {
    /// Whether there is a cut between the previous picture and this one.
    pub fn is_cut(&mut self, picture: GrayView<'_>) -> bool {
        let Some(now) = self.shrunk(picture).filter(|small| deviation(small) >= EVEN) else { return false };
        let is_cut = self.last.as_ref().is_some_and(|last| !is_one_scene(last, &now));
        self.last = Some(now);
        is_cut
    }

    /// Forgets the previous picture: after a seek and for a new source.
    pub fn reset(&mut self) {
        self.last = None;
    }

    fn shrunk(&mut self, picture: GrayView<'_>) -> Option<[f32; WIDTH * HEIGHT]> {
        let whole = FaceRect::whole(picture.width(), picture.height());
        let small = self.resampler.resample(picture, whole, [WIDTH, HEIGHT], Filter::Mean)?;
        let levels: &[u8; WIDTH * HEIGHT] = small.as_slice().try_into().ok()?;
        Some(levels.map(f32::from))
    }
}

fn deviation(levels: &[f32]) -> f32 {
    let mean = levels.iter().sum::<f32>() / levels.len() as f32;
    (levels.iter().map(|level| (level - mean).powi(2)).sum::<f32>() / levels.len() as f32).sqrt()
}

fn is_one_scene(before: &[f32; WIDTH * HEIGHT], now: &[f32; WIDTH * HEIGHT]) -> bool {
    // The unshifted comparison is nearly always enough.
    correlation(before, now, 0, 0) >= CUT_BELOW || best_correlation(before, now) >= CUT_BELOW
}

/// The correlation at the best shift.
fn best_correlation(before: &[f32; WIDTH * HEIGHT], now: &[f32; WIDTH * HEIGHT]) -> f32 {
    let shifts = (-SWING.1..=SWING.1).flat_map(|down| (-SWING.0..=SWING.0).map(move |right| (right, down)));
    shifts.map(|(right, down)| correlation(before, now, right, down)).fold(-1.0, f32::max)
}

/// Pearson's correlation of the parts that two pictures share if the second has moved `right` and `down`; 0 if one part is uniform.
fn correlation(before: &[f32; WIDTH * HEIGHT], now: &[f32; WIDTH * HEIGHT], right: i32, down: i32) -> f32 {
    // For one axis: where the shared part begins in each picture, and how long it is.
    let shared = |side: usize, shift: i32| {
        let by = shift.unsigned_abs() as usize;
        let (from, to) = if shift >= 0 { (0, by) } else { (by, 0) };
        (from, to, side.saturating_sub(by))
    };
    let (from_x, to_x, width) = shared(WIDTH, right);
    let (from_y, to_y, height) = shared(HEIGHT, down);
    let rows = before.chunks_exact(WIDTH).skip(from_y).zip(now.chunks_exact(WIDTH).skip(to_y)).take(height);
    let (mut a_sum, mut b_sum, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (a_row, b_row) in rows {
        for (a, b) in a_row.iter().skip(from_x).zip(b_row.iter().skip(to_x)).take(width) {
            a_sum += a;
            b_sum += b;
            aa += a * a;
            bb += b * b;
            ab += a * b;
        }
    }
    let count = (width * height) as f32;
    let (a_spread, b_spread) = (aa - a_sum * a_sum / count, bb - b_sum * b_sum / count);
    let spread = (a_spread * b_spread).max(0.0).sqrt();
    if spread > 0.0 { (ab - a_sum * b_sum / count) / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    const SIDES: (usize, usize) = (320, 180);

    /// A view, from `from_x` on, of a scene that is wider than the picture, with blocks as large as furniture.
    fn scene(seed: u64, from_x: usize) -> Vec<u8> {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let blocks: Vec<Vec<u8>> = (0..6).map(|_| (0..30).map(|_| random.random_range(30..200)).collect()).collect();
        (0..SIDES.0 * SIDES.1).map(|i| blocks[i / SIDES.0 / 30][(i % SIDES.0 + from_x) / 40]).collect()
    }

    fn cuts(pictures: &[Vec<u8>]) -> Vec<bool> {
        let mut detector = CutDetector::default();
        pictures.iter().map(|p| detector.is_cut(GrayView::new(p, SIDES.0, SIDES.1).unwrap())).collect()
    }

    #[test]
    fn another_scene_is_a_cut_and_the_same_one_is_none() {
        assert_eq!(cuts(&[scene(1, 0), scene(1, 0), scene(2, 0), scene(2, 0)]), [false, false, true, false]);
    }

    #[test]
    fn a_camera_that_swings_makes_no_cut() {
        let swing: Vec<_> = (0..8).map(|i| scene(1, 60 * i)).collect();
        assert_eq!(cuts(&swing), [false; 8]);
    }

    #[test]
    fn a_flash_makes_no_cut_even_where_it_burns_all_out() {
        let brighter = scene(1, 0).iter().map(|level| level.saturating_mul(2)).collect();
        assert_eq!(cuts(&[scene(1, 0), brighter, scene(1, 0), vec![255; SIDES.0 * SIDES.1], scene(1, 0)]), [false; 5]);
    }

    #[test]
    fn a_cut_through_black_is_one() {
        let black = vec![0; SIDES.0 * SIDES.1];
        assert_eq!(cuts(&[scene(1, 0), black.clone(), black, scene(2, 0)]), [false, false, false, true]);
    }
}
