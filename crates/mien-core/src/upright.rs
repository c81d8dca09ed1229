//! Upright crops: finds where a crop's pixels lie in the picture, from the face's landmarks, and resamples them.

use crate::crop::{CROP_PIXELS, CROP_SIZE};
use crate::face::{FaceRect, GrayView};
use crate::landmarks::{LANDMARKS, Landmarks, Point};
use crate::resample::{Filter, Resampler};

/// Average landmark positions in FER2013, in pixels of its 48×48 pictures, in the order of [`Landmarks::points`]. Measured
/// with a landmark network on 1,466 of its pictures.
pub(crate) const FER2013_LANDMARKS: [Point; LANDMARKS] =
    [[14.9, 18.4], [33.1, 18.8], [23.1, 28.6], [16.4, 36.5], [31.0, 36.7]];

/// Large faces are first shrunk to this many pixels per crop pixel, along each axis. With 1, the second resampling would
/// blur about as much again; with 2, the crop is hardly softer than one that isn't rotated.
const PIXELS_PER_CROP_PIXEL: f64 = 2.0;

/// Sum of the squared distances of the landmarks from their mean, in square pixels, below which they are too close together to tell
/// how the face is rotated. A face in a box of 2 pixels has about this much.
const LEAST_SPREAD: f64 = 1.0;

/// Smallest share of the landmarks' scatter that the transform must explain (R², as in regression). Landmarks on one line, as of a
/// face in profile, reach 0.54; with the eyes swapped it is 0.20, and 0.01 for a mirrored face.
const LEAST_FIT: f64 = 0.5;

/// Largest ratio between the sides of crop and box, either way. Beyond it, or if the crop's centre lies outside the box, one of the two
/// is wrong, and the detector is surer of the box.
const MOST_APART: f64 = 2.0;

/// Smallest share of a crop's surroundings that must lie inside the picture; the rest repeats the picture's edge.
const LEAST_INSIDE: f64 = 0.1;

/// Rotation, scale and shift: a point, taken as the complex number `z`, maps to `factor · z + shift`.
#[derive(Clone, Copy, Debug)]
struct Similarity {
    factor: [f64; 2],
    shift: [f64; 2],
}

impl Similarity {
    /// The least-squares transform from `from` to `to`, never a reflection (Umeyama 1991; in the plane it is a linear regression of
    /// complex numbers). `None` if points aren't finite, are all in one place, or don't match a rotated face.
    fn between(from: &[Point; LANDMARKS], to: &[Point; LANDMARKS]) -> Option<Self> {
        let (from, to) = (from.map(|p| p.map(f64::from)), to.map(|p| p.map(f64::from)));
        let (middle, goal) = (mean(&from), mean(&to));
        let (mut shared, mut spread, mut wanted) = ([0.0; 2], 0.0, 0.0);
        for (from, to) in from.iter().zip(&to) {
            let (a, b) = (minus(*from, middle), minus(*to, goal));
            shared = plus(shared, times([a[0], -a[1]], b));
            spread += a[0] * a[0] + a[1] * a[1];
            wanted += b[0] * b[0] + b[1] * b[1];
        }
        let factor = shared.map(|part| part / spread);
        let size = factor[0].hypot(factor[1]);
        let fit = size * size * spread / wanted;
        let is_a_face = spread >= LEAST_SPREAD && size.is_normal() && fit >= LEAST_FIT;
        is_a_face.then(|| Self { factor, shift: minus(goal, times(factor, middle)) })
    }

    fn apply(&self, point: [f64; 2]) -> [f64; 2] {
        plus(times(self.factor, point), self.shift)
    }

    /// The factor by which lengths are multiplied.
    fn scale(&self) -> f64 {
        self.factor[0].hypot(self.factor[1])
    }

    /// For a transform from a crop to a picture: whether the crop lies roughly where the box does.
    fn agrees_with(&self, rect: FaceRect) -> bool {
        let middle = self.apply([CROP_SIZE as f64 / 2.0; 2]);
        let offset = [middle[0] - f64::from(rect.x), middle[1] - f64::from(rect.y)];
        let [width, height] = [rect.width, rect.height].map(f64::from);
        let apart = self.scale() * CROP_SIZE as f64 / (width * height).sqrt();
        (0.0..=width).contains(&offset[0])
            && (0.0..=height).contains(&offset[1])
            && (1.0 / MOST_APART..=MOST_APART).contains(&apart)
    }

    fn inverse(&self) -> Self {
        let square = self.factor[0].powi(2) + self.factor[1].powi(2);
        let factor = [self.factor[0] / square, -self.factor[1] / square];
        Self { factor, shift: times(factor, self.shift).map(|part| -part) }
    }
}

fn plus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

fn times(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn mean(points: &[[f64; 2]; LANDMARKS]) -> [f64; 2] {
    points.iter().copied().fold([0.0; 2], plus).map(|sum| sum / LANDMARKS as f64)
}

/// Returns the pixels of the crop that has the landmarks where FER2013 has them. Each is a mean of its surroundings, weighted by the
/// same triangle filter as in a box's crop, but rotated with the face. Pixels beyond the picture repeat its edge.
///
/// `None` if the landmarks can't be those of a face, or of the face in the box `rect`, or if hardly any of the crop lies inside
/// the picture.
pub(crate) fn upright(
    resampler: &mut Resampler,
    picture: GrayView<'_>,
    rect: FaceRect,
    landmarks: &Landmarks,
) -> Option<Vec<u8>> {
    let to_picture = Similarity::between(&landmarks.points(), &FER2013_LANDMARKS)?.inverse();
    if !to_picture.agrees_with(rect) {
        return None;
    }
    let scale = to_picture.scale();
    let source = Surroundings::new(resampler, picture, &to_picture)?;
    // Half the width of the triangle, in pixels of the picture. Below 1, it might contain no pixel.
    let reach = scale.max(1.0);
    let [cos, sin] = to_picture.factor.map(|part| (part / scale / reach) as f32);
    let spread = (cos.abs() + sin.abs()) * (reach * reach) as f32;
    let [step_x, step_y] = source.step;

    let mut crop = Vec::with_capacity(CROP_PIXELS);
    for index in 0..CROP_PIXELS {
        let at = to_picture.apply([(index % CROP_SIZE) as f64 + 0.5, (index / CROP_SIZE) as f64 + 0.5]);
        // In pixels of the surroundings; from here on, pixel centres lie at whole numbers.
        let x = ((at[0] - source.corner[0]) / f64::from(step_x)) as f32 - 0.5;
        let y = ((at[1] - source.corner[1]) / f64::from(step_y)) as f32 - 0.5;
        let (reach_x, reach_y) = (spread / step_x, spread / step_y);
        let (mut sum, mut weights) = (0.0, 0.0);
        for row in (y - reach_y).ceil() as i32..=(y + reach_y).floor() as i32 {
            let down = (row as f32 - y) * step_y;
            for column in (x - reach_x).ceil() as i32..=(x + reach_x).floor() as i32 {
                let right = (column as f32 - x) * step_x;
                let (along, across) = (right * cos + down * sin, down * cos - right * sin);
                let weight = (1.0 - along.abs()).max(0.0) * (1.0 - across.abs()).max(0.0);
                sum += weight * source.at(column, row);
                weights += weight;
            }
        }
        crop.push((sum / weights).round() as u8);
    }
    Some(crop)
}

/// The part of a picture that a crop needs, shrunk if the face is large.
struct Surroundings {
    pixels: Vec<u8>,
    width: i32,
    height: i32,
    /// Its top left corner in the picture.
    corner: [f64; 2],
    /// Width and height of one of its pixels, in pixels of the picture.
    step: [f32; 2],
}

impl Surroundings {
    fn new(resampler: &mut Resampler, picture: GrayView<'_>, to_picture: &Similarity) -> Option<Self> {
        let scale = to_picture.scale();
        let side = CROP_SIZE as f64;
        let corners = [[0.0, 0.0], [side, 0.0], [0.0, side], [side, side]].map(|corner| to_picture.apply(corner));
        // How far the triangles of the outermost pixels reach, plus what shrinking needs around them.
        let margin = 3.0 * scale.max(1.0);
        let least = |axis: usize| corners.iter().map(|c| c[axis]).fold(f64::INFINITY, f64::min) - margin;
        let most = |axis: usize| corners.iter().map(|c| c[axis]).fold(f64::NEG_INFINITY, f64::max) + margin;
        let (left, top) = (least(0).floor(), least(1).floor());
        let (width, height) = (most(0).ceil() - left, most(1).ceil() - top);
        let asked = FaceRect { x: left as f32, y: top as f32, width: width as f32, height: height as f32 };
        let inside = asked.clipped(picture.width(), picture.height())?;
        if f64::from(inside.area()) < LEAST_INSIDE * width * height {
            return None;
        }
        let (left, top) = (inside.x.floor(), inside.y.floor());
        let width = inside.width.ceil().min(picture.width() as f32 - left);
        let height = inside.height.ceil().min(picture.height() as f32 - top);
        let part = FaceRect { x: left, y: top, width, height };
        let shrink = (scale / PIXELS_PER_CROP_PIXEL).max(1.0);
        let [columns, rows] = [width, height].map(|length| (f64::from(length) / shrink).ceil().max(1.0));
        let pixels = resampler.resample(picture, part, [columns as usize, rows as usize], Filter::Triangle)?;
        let step = [width / columns as f32, height / rows as f32];
        let corner = [left, top].map(f64::from);
        Some(Self { pixels, width: columns as i32, height: rows as i32, corner, step })
    }

    /// The pixel at this place; beyond the edge, the nearest one.
    fn at(&self, column: i32, row: i32) -> f32 {
        let (column, row) = (column.clamp(0, self.width - 1), row.clamp(0, self.height - 1));
        f32::from(self.pixels[(row * self.width + column) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gray level at a place of the crop, in a pattern without symmetry that is smooth enough to be sampled anywhere.
    fn gray(x: f64, y: f64) -> f64 {
        128.0 + 50.0 * (x / 5.0).sin() + 40.0 * (y / 4.0 + x / 11.0).cos() + (y - x) / 2.0
    }

    fn placed(factor: f64, degrees: f64, middle: [f64; 2]) -> Similarity {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let factor = [factor * cos, factor * sin];
        Similarity { factor, shift: minus(middle, times(factor, [24.0, 24.0])) }
    }

    fn landmarks(to_picture: &Similarity) -> Landmarks {
        let points = FER2013_LANDMARKS.map(|p| to_picture.apply(p.map(f64::from)).map(|part| part as f32));
        Landmarks::from_points(points)
    }

    /// A picture of the pattern, placed by the transform; each pixel is the mean of nine samples.
    fn picture(to_picture: &Similarity, width: usize, height: usize) -> Vec<u8> {
        let to_crop = to_picture.inverse();
        let at = |i: usize| {
            let mut sum = 0.0;
            for sample in 0..9 {
                let x = (i % width) as f64 + (f64::from(sample % 3) + 0.5) / 3.0;
                let y = (i / width) as f64 + (f64::from(sample / 3) + 0.5) / 3.0;
                let [x, y] = to_crop.apply([x, y]);
                sum += gray(x, y);
            }
            (sum / 9.0).round() as u8
        };
        (0..width * height).map(at).collect()
    }

    /// The box of a face.
    fn square(to_picture: &Similarity) -> FaceRect {
        let side = (CROP_SIZE as f64 * to_picture.scale()) as f32;
        let [x, y] = to_picture.apply([24.0, 24.0]).map(|part| part as f32);
        FaceRect { x: x - side / 2.0, y: y - side / 2.0, width: side, height: side }
    }

    fn turned_upright(pixels: &[u8], width: usize, to_picture: &Similarity) -> Option<Vec<u8>> {
        let view = GrayView::new(pixels, width, pixels.len() / width).unwrap();
        upright(&mut Resampler::default(), view, square(to_picture), &landmarks(to_picture))
    }

    #[test]
    fn a_known_transform_is_found_again_and_undone_by_its_inverse() {
        let known = placed(3.7, -28.0, [310.0, 190.0]);
        let found = Similarity::between(&FER2013_LANDMARKS, &landmarks(&known).points()).unwrap();
        for part in 0..2 {
            assert!((found.factor[part] - known.factor[part]).abs() < 1e-4, "{found:?} {known:?}");
            assert!((found.shift[part] - known.shift[part]).abs() < 1e-3, "{found:?} {known:?}");
        }
        let back = known.inverse().apply(known.apply([12.0, 34.0]));
        assert!((back[0] - 12.0).abs() < 1e-9 && (back[1] - 34.0).abs() < 1e-9);
    }

    #[test]
    fn a_point_that_is_off_moves_the_others_as_little_as_any_transform_would() {
        let mut points = landmarks(&placed(2.0, 15.0, [100.0, 100.0])).points();
        points[2][0] += 6.0;
        let best = Similarity::between(&points, &FER2013_LANDMARKS).unwrap();
        let error = |s: &Similarity| -> f64 {
            let pairs = points.iter().zip(&FER2013_LANDMARKS);
            pairs
                .map(|(a, b)| minus(s.apply(a.map(f64::from)), b.map(f64::from)))
                .map(|d| d[0] * d[0] + d[1] * d[1])
                .sum()
        };
        for (by, axis) in [(0.01, 0), (-0.01, 0), (0.01, 1), (-0.01, 1)] {
            let (mut scaled, mut shifted) = (best, best);
            scaled.factor[axis] += by;
            shifted.shift[axis] += by;
            assert!(error(&scaled) > error(&best) && error(&shifted) > error(&best));
        }
    }

    #[test]
    fn a_face_that_leans_and_has_any_size_comes_out_upright() {
        let wanted: Vec<f64> = (0..CROP_PIXELS).map(|i| gray((i % 48) as f64 + 0.5, (i / 48) as f64 + 0.5)).collect();
        for (scale, degrees) in [(0.8, 0.0), (1.0, 30.0), (1.7, -45.0), (2.5, 12.0), (6.0, 40.0), (6.3, 170.0)] {
            let place = placed(scale, degrees, [230.0, 240.0]);
            let crop = turned_upright(&picture(&place, 480, 490), 480, &place).unwrap();
            let errors: Vec<f64> =
                crop.iter().zip(&wanted).map(|(is, should)| (f64::from(*is) - should).abs()).collect();
            let mean = errors.iter().sum::<f64>() / errors.len() as f64;
            let most = errors.iter().copied().fold(0.0, f64::max);
            assert!(mean < 2.5 && most < 10.0, "scale {scale}, {degrees}°: off by {mean:.2}, at most {most:.2}");
        }
    }

    #[test]
    fn beyond_the_picture_is_its_edge_and_a_crop_of_hardly_anything_is_refused() {
        let white = vec![255; 100 * 100];
        let over_the_corner = placed(2.0, 20.0, [95.0, 90.0]);
        assert!(turned_upright(&white, 100, &over_the_corner).unwrap().iter().all(|gray| *gray == 255));
        for (scale, middle) in [(2.0, [300.0, 50.0]), (2.0, [145.0, 145.0]), (1e6, [50.0, 50.0]), (1e30, [50.0, 50.0])]
        {
            let outside = placed(scale, 0.0, middle);
            assert_eq!(turned_upright(&white, 100, &outside), None, "scale {scale}, {middle:?}");
        }
    }

    #[test]
    fn landmarks_that_say_nothing_or_can_not_be_of_the_face_in_the_box_give_nothing() {
        let gray = vec![7; 64 * 64];
        let view = GrayView::new(&gray, 64, 64).unwrap();
        let place = placed(1.0, 0.0, [32.0, 32.0]);
        let (good, rect) = (landmarks(&place), square(&place));
        let crop = |rect, landmarks| upright(&mut Resampler::default(), view, rect, &landmarks);
        assert!(crop(rect, good).is_some());
        assert!(crop(rect, good.map(|[x, y]| [64.0 - x, y]).swapped()).is_some(), "a face in a mirror is a face");
        let absurd = [
            ("at one place", good.map(|_| [31.1, 30.3])),
            ("mirrored", good.map(|[x, y]| [64.0 - x, y])),
            ("eyes exchanged", Landmarks { right_eye: good.left_eye, left_eye: good.right_eye, ..good }),
            ("eyes and mouth exchanged", Landmarks::from_points([3, 4, 2, 0, 1].map(|i: usize| good.points()[i]))),
            ("of a face a third as large", good.map(|p| p.map(|part| 32.0 + (part - 32.0) / 3.0))),
            ("of a face beside it", good.map(|[x, y]| [x + 30.0, y])),
        ];
        for (what, landmarks) in absurd {
            assert!(crop(rect, landmarks).is_none(), "{what}");
        }
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            assert!(crop(rect, Landmarks { nose: [wrong, 20.0], ..good }).is_none(), "{wrong}");
            assert!(crop(FaceRect { width: wrong, ..rect }, good).is_none(), "{wrong}");
        }
    }
}
