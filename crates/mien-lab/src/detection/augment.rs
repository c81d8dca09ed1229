//! Makes training pictures like those of cameras: one picture, or several in a mosaic, at every size and angle, mirrored, over a
//! background, with faces partly covered. Effects of light and lens come later: see [`super::light`].
//!
//! The box of a rotated face is the one around the rotated ellipse that the upright box encloses. A box around the rotated corners
//! would grow by two fifths at 45°, although the face doesn't.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::data::{Face, GrayLevel, Scene};
use super::light::{Light, between, log_between};
use super::occlude;
use super::targets::{SMALLEST, Target};
use crate::recipe::Problems;
use mien_core::face::FaceRect;
use mien_core::landmarks::Point;

/// How training pictures are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FacesAugmentation {
    /// Share of source pictures that are portraits.
    pub portraits: f64,
    /// Share of source pictures without a face. The rest are scenes with people.
    pub empty: f64,
    /// Share of training pictures that are mosaics of four.
    pub mosaic: f64,
    /// Share of training pictures that are mosaics of two.
    pub pair: f64,
    /// Share of source pictures in which a face is scaled to a random size. The others are shown as a whole.
    pub focus: f64,
    /// Range of these sizes in pixels. They are drawn log-uniformly.
    pub sizes: [f32; 2],
    /// Largest angle by which pictures are rotated to either side, in degrees.
    pub rotation_degrees: f32,
    /// Share of faces that are partly covered.
    pub occlusion: f64,
    /// Share of mirrored pictures.
    pub mirror: f64,
    /// Light and lens.
    pub light: Light,
}

impl Default for FacesAugmentation {
    fn default() -> Self {
        Self {
            portraits: 0.3,
            empty: 0.25,
            mosaic: 0.45,
            pair: 0.1,
            focus: 0.65,
            sizes: [13.0, 280.0],
            rotation_degrees: 40.0,
            occlusion: 0.15,
            mirror: 0.5,
            light: Light::default(),
        }
    }
}

impl FacesAugmentation {
    /// Adds what is wrong with the numbers to `found`.
    pub fn check(&self, found: &mut Problems) {
        let shares = [
            ("augmentation.portraits", self.portraits),
            ("augmentation.empty", self.empty),
            ("augmentation.mosaic", self.mosaic),
            ("augmentation.pair", self.pair),
            ("augmentation.focus", self.focus),
            ("augmentation.occlusion", self.occlusion),
            ("augmentation.mirror", self.mirror),
        ];
        for (field, share) in shares {
            found.check(field, (0.0..=1.0).contains(&share), "has to be from 0 to 1");
        }
        let empty = self.portraits + self.empty <= 1.0;
        found.check("augmentation.empty", empty, "has to be at most 1 together with `portraits`");
        let pair = self.mosaic + self.pair <= 1.0;
        found.check("augmentation.pair", pair, "has to be at most 1 together with `mosaic`");
        let [smallest, largest] = self.sizes;
        let is_range = smallest >= 1.0 && smallest < largest && largest < 1e4;
        found.check("augmentation.sizes", is_range, "has to rise, from at least 1 to less than 10000");
        let is_angle = (0.0..=180.0).contains(&self.rotation_degrees);
        found.check("augmentation.rotation_degrees", is_angle, "has to be from 0 to 180");
        self.light.check(found);
    }
}

/// Source pictures by their contents.
pub struct Pool<'a> {
    portraits: Vec<&'a Scene>,
    people: Vec<&'a Scene>,
    empty: Vec<&'a Scene>,
}

impl<'a> Pool<'a> {
    /// Sorts the scenes.
    pub fn new(scenes: &'a [Scene]) -> Self {
        let (empty, with): (Vec<&Scene>, Vec<&Scene>) = scenes.iter().partition(|scene| scene.faces.is_empty());
        let (portraits, people) = with.into_iter().partition(|scene| scene.set == "portraits");
        Self { portraits, people, empty }
    }

    fn draw(&self, spec: &FacesAugmentation, rng: &mut ChaCha8Rng) -> Option<&'a Scene> {
        let kind = rng.random::<f64>();
        let wanted = if kind < spec.portraits {
            &self.portraits
        } else if kind < spec.portraits + spec.empty {
            &self.empty
        } else {
            &self.people
        };
        // A data set need not have all kinds.
        [wanted, &self.people, &self.portraits, &self.empty].into_iter().find_map(|kind| kind.choose(rng).copied())
    }
}

/// A training picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Gray bytes, row by row.
    pub pixels: Vec<u8>,
    /// The faces to find in it.
    pub target: Target,
}

/// Makes a square picture of `side` pixels.
pub fn make(pool: &Pool<'_>, spec: &FacesAugmentation, side: usize, rng: &mut ChaCha8Rng) -> Sample {
    let mut sample = Sample { pixels: vec![0; side * side], target: Target::default() };
    for window in windows(spec, side, rng) {
        let Some(scene) = pool.draw(spec, rng) else { continue };
        if let Some(behind) = pool.empty.choose(rng).filter(|_| rng.random_bool(BACKGROUNDS)) {
            let view = View::covering(behind, &window, rng);
            view.draw(behind.picture.level_for(view.scale), &mut sample.pixels, side, &window, false);
        } else {
            let gray = rng.random::<u8>();
            window.rows(side).for_each(|row| sample.pixels[row].fill(gray));
        }
        let view = View::of(scene, &window, spec, rng);
        view.draw(scene.picture.level_for(view.scale), &mut sample.pixels, side, &window, rng.random_bool(SMEARED));
        for face in &scene.faces {
            sample.target.add_in(view.face(face), window.rect());
        }
    }
    occlude::some(&mut sample, side, &pool.empty, spec.occlusion, rng);
    spec.light.apply(&mut sample.pixels, side, rng);
    sample
}

/// Share of source pictures whose background is another picture, one without a face. The others have a plain gray background.
const BACKGROUNDS: f64 = 0.75;
/// Share of source pictures whose edge pixels are continued as stripes over the background.
const SMEARED: f64 = 0.15;

/// A part of the canvas. `right` and `bottom` are excluded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Window {
    fn rect(&self) -> FaceRect {
        let [x, y, right, bottom] = [self.left, self.top, self.right, self.bottom].map(|edge| edge as f32);
        FaceRect { x, y, width: right - x, height: bottom - y }
    }

    /// The bytes of each row, in a canvas that is `side` pixels wide.
    fn rows(self, side: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.top..self.bottom).map(move |y| y * side + self.left..y * side + self.right)
    }
}

/// The parts of a mosaic.
fn windows(spec: &FacesAugmentation, side: usize, rng: &mut ChaCha8Rng) -> Vec<Window> {
    let cut = |rng: &mut ChaCha8Rng| (side as f32 * between([0.3, 0.7], rng)) as usize;
    let kind = rng.random::<f64>();
    let (x, y) = (cut(rng), cut(rng));
    let window = |left, top, right, bottom| Window { left, top, right, bottom };
    if kind < spec.mosaic {
        vec![window(0, 0, x, y), window(x, 0, side, y), window(0, y, x, side), window(x, y, side, side)]
    } else if kind < spec.mosaic + spec.pair {
        vec![window(0, 0, x, side), window(x, 0, side, side)]
    } else {
        vec![window(0, 0, side, side)]
    }
}

/// How a picture is placed on the canvas: mirrored or not, scaled by `scale`, rotated, and with the point `from` at `to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    scale: f32,
    cos: f32,
    sin: f32,
    mirrored: bool,
    from: Point,
    to: Point,
}

/// Largest factor by which a picture is enlarged. Beyond it, faces are mere blurs.
const LARGEST_SCALE: f32 = 3.0;

impl View {
    fn new(scale: f32, degrees: f32, mirrored: bool, from: Point, to: Point) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self { scale, cos, sin, mirrored, from, to }
    }

    /// A random view of a picture.
    fn of(scene: &Scene, window: &Window, spec: &FacesAugmentation, rng: &mut ChaCha8Rng) -> Self {
        let mirrored = rng.random_bool(spec.mirror);
        // Half of the pictures stay nearly upright.
        let most = if rng.random_bool(0.5) { spec.rotation_degrees } else { spec.rotation_degrees / 5.0 };
        let degrees = between([-most, most], rng);
        let whole = scene.picture.whole();
        let (width, height) = (whole.width as f32, whole.height as f32);
        let rect = window.rect();
        let seen: Vec<&Face> = scene.faces.iter().filter(|face| !face.ignored && face.size() >= SMALLEST).collect();
        if let Some(face) = seen.choose(rng).filter(|_| rng.random_bool(spec.focus)) {
            // The face may be too large for its part of the mosaic, since faces are also cut off by edges.
            let largest = spec.sizes[1].min(1.2 * rect.width.min(rect.height)).max(2.0 * spec.sizes[0]);
            let size = log_between([spec.sizes[0], largest], rng);
            let scale = (size / face.size()).min(LARGEST_SCALE);
            let (x, y) = face.rect.center();
            let to = [rect.x + rect.width * rng.random::<f32>(), rect.y + rect.height * rng.random::<f32>()];
            return Self::new(scale, degrees, mirrored, [x, y], to);
        }
        let fit = (rect.width / width).max(rect.height / height);
        let scale = (fit * log_between([0.6, 1.6], rng)).min(LARGEST_SCALE);
        let to = [rect.x + rect.width * between([0.3, 0.7], rng), rect.y + rect.height * between([0.3, 0.7], rng)];
        Self::new(scale, degrees, mirrored, [width / 2.0, height / 2.0], to)
    }

    /// A picture that fills the window, as a background.
    fn covering(scene: &Scene, window: &Window, rng: &mut ChaCha8Rng) -> Self {
        let whole = scene.picture.whole();
        let rect = window.rect();
        let (x, y) = rect.center();
        let fit = (rect.width / whole.width as f32).max(rect.height / whole.height as f32);
        let scale = fit * between([1.0, 1.5], rng);
        let from = [whole.width as f32 / 2.0, whole.height as f32 / 2.0];
        Self::new(scale, 0.0, rng.random(), from, [x, y])
    }

    /// Where a point of the picture lies on the canvas.
    fn place(&self, [x, y]: Point) -> Point {
        let [mut x, y] = [(x - self.from[0]) * self.scale, (y - self.from[1]) * self.scale];
        if self.mirrored {
            x = -x;
        }
        [self.to[0] + self.cos * x - self.sin * y, self.to[1] + self.sin * x + self.cos * y]
    }

    /// A face as it lies on the canvas.
    fn face(&self, face: &Face) -> Face {
        let (x, y) = face.rect.center();
        let [x, y] = self.place([x, y]);
        let (a, b) = (face.rect.width * self.scale, face.rect.height * self.scale);
        let width = (a * self.cos).hypot(b * self.sin);
        let height = (a * self.sin).hypot(b * self.cos);
        let rect = FaceRect { x: x - width / 2.0, y: y - height / 2.0, width, height };
        let landmarks = face.landmarks.map(|landmarks| {
            let placed = landmarks.map(|point| self.place(point));
            if self.mirrored { placed.swapped() } else { placed }
        });
        Face { rect, landmarks, ignored: face.ignored }
    }

    /// Draws a level of the picture's pyramid into a window; the level is `shrunk` times as large as the picture. Beyond its edge, the
    /// canvas stays as it is, or the edge pixels are continued if `smeared`.
    fn draw(&self, (level, shrunk): (&GrayLevel, f32), canvas: &mut [u8], side: usize, window: &Window, smeared: bool) {
        // One pixel to the right and one down on the canvas, in pixels of the level.
        let step = shrunk / self.scale;
        let flip = if self.mirrored { -1.0 } else { 1.0 };
        let right = [flip * self.cos * step, -self.sin * step];
        let down = [flip * self.sin * step, self.cos * step];
        let (last_x, last_y) = (level.width as f32 - 1.0, level.height as f32 - 1.0);
        for (y, row) in (window.top..).zip(window.rows(side)) {
            let dx = window.left as f32 + 0.5 - self.to[0];
            let dy = y as f32 + 0.5 - self.to[1];
            let mut at_x = self.from[0] * shrunk + dx * right[0] + dy * down[0] - 0.5;
            let mut at_y = self.from[1] * shrunk + dx * right[1] + dy * down[1] - 0.5;
            for pixel in &mut canvas[row] {
                let inside = at_x >= -0.5 && at_y >= -0.5 && at_x <= last_x + 0.5 && at_y <= last_y + 0.5;
                if inside || smeared {
                    *pixel = level.sample(at_x.clamp(0.0, last_x), at_y.clamp(0.0, last_y));
                }
                at_x += right[0];
                at_y += right[1];
            }
        }
    }
}

impl GrayLevel {
    /// Samples bilinearly, at a point inside.
    pub(super) fn sample(&self, x: f32, y: f32) -> u8 {
        let (left, top) = (x as usize, y as usize);
        let (part_x, part_y) = (x - left as f32, y - top as f32);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let at = |x: usize, y: usize| f32::from(self.pixels[y * self.width + x]);
        let upper = at(left, top) + (at(right, top) - at(left, top)) * part_x;
        let lower = at(left, bottom) + (at(right, bottom) - at(left, bottom)) * part_x;
        (upper + (lower - upper) * part_y + 0.5) as u8
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::detection::data::Pyramid;
    use mien_core::landmarks::Landmarks;

    /// A dark picture with a bright dot of 5 pixels at each landmark of the face in it.
    fn dotted() -> Scene {
        let landmarks = Landmarks::from_points([[52.0, 40.0], [76.0, 42.0], [64.0, 56.0], [54.0, 70.0], [74.0, 72.0]]);
        let (width, height) = (120, 100);
        let mut pixels = vec![20; width * height];
        for [x, y] in landmarks.points() {
            for row in y as usize - 2..=y as usize + 2 {
                pixels[row * width + x as usize - 2..=row * width + x as usize + 2].fill(250);
            }
        }
        let rect = FaceRect { x: 40.0, y: 24.0, width: 48.0, height: 60.0 };
        let faces = vec![Face { rect, landmarks: Some(landmarks), ignored: false }];
        let picture = Pyramid::new(GrayLevel { pixels, width, height });
        Scene { name: "dotted".into(), set: "portraits".into(), picture, faces }
    }

    const SIDE: usize = 256;

    fn canvas() -> Window {
        Window { left: 0, top: 0, right: SIDE, bottom: SIDE }
    }

    #[test]
    fn landmarks_and_box_stay_on_the_face_however_it_is_laid() {
        let scene = dotted();
        for (scale, degrees, mirrored) in
            [(1.0, 0.0, false), (2.0, 0.0, true), (1.5, 40.0, false), (2.2, -35.0, true), (0.9, 90.0, false)]
        {
            let view = View::new(scale, degrees, mirrored, [64.5, 54.5], [128.0, 120.0]);
            let mut pixels = vec![0; SIDE * SIDE];
            view.draw(scene.picture.level_for(scale), &mut pixels, SIDE, &canvas(), false);
            let face = view.face(&scene.faces[0]);
            let landmarks = face.landmarks.unwrap();
            let told = format!("scale {scale}, {degrees}°, mirrored: {mirrored}");
            for [x, y] in landmarks.points() {
                // Dots were drawn around pixel middles.
                let shown = pixels[(y + 0.5) as usize * SIDE + (x + 0.5) as usize];
                assert!(shown > 180, "{told}: {shown} at {x}, {y}");
                assert!(x > face.rect.x && x < face.rect.x + face.rect.width, "{told}");
                assert!(y > face.rect.y && y < face.rect.y + face.rect.height, "{told}");
            }
            // A mirrored face is still a face: its right eye is on the left of the picture when it is upright.
            let roll = landmarks.roll_degrees();
            let before = scene.faces[0].landmarks.unwrap().roll_degrees();
            let wanted = degrees + if mirrored { -before } else { before };
            assert!((roll - wanted).abs() < 0.1, "{told}: {roll}");
        }
    }

    #[test]
    fn a_turned_box_holds_the_ellipse_and_no_more() {
        let scene = dotted();
        let turned = |degrees| View::new(1.0, degrees, false, [0.0; 2], [0.0; 2]).face(&scene.faces[0]).rect;
        let right_angle = turned(90.0);
        assert!((right_angle.width - 60.0).abs() < 1e-3 && (right_angle.height - 48.0).abs() < 1e-3);
        // At 45° both sides are the root of the mean square.
        let half = ((48.0_f32.powi(2) + 60.0_f32.powi(2)) / 2.0).sqrt();
        assert!((turned(45.0).width - half).abs() < 1e-3 && (turned(45.0).height - half).abs() < 1e-3);
    }

    #[test]
    fn pictures_are_made_the_same_again_from_the_same_seed_and_differ_from_each_other() {
        let empty = Scene { faces: vec![], set: "empty".into(), ..dotted() };
        let scenes = [dotted(), empty];
        let pool = Pool::new(&scenes);
        let spec = FacesAugmentation::default();
        let made = |seed| make(&pool, &spec, SIDE, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(made(1), made(1));
        assert_ne!(made(1).pixels, made(2).pixels);
        let faces: Vec<usize> = (0..60).map(|seed| made(seed).target.faces.len()).collect();
        assert!(faces.contains(&0) && faces.iter().any(|count| *count > 1), "{faces:?}");
    }

    #[test]
    fn sizes_are_spread_from_the_smallest_to_the_whole_height() {
        let scenes = [dotted()];
        let spec = FacesAugmentation { mosaic: 0.0, pair: 0.0, empty: 0.0, focus: 1.0, ..FacesAugmentation::default() };
        let pool = Pool::new(&scenes);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let sizes: Vec<f32> =
            (0..400).flat_map(|_| make(&pool, &spec, SIDE, &mut rng).target.faces).map(|face| face.size()).collect();
        let share = |low: f32, high: f32| {
            sizes.iter().filter(|size| **size >= low && **size < high).count() as f32 / sizes.len() as f32
        };
        // From 13 pixels to three times the face's 54, drawn log-uniformly.
        assert!(share(13.0, 26.0) > 0.15 && share(26.0, 52.0) > 0.15 && share(52.0, 170.0) > 0.25, "{sizes:?}");
    }
}
