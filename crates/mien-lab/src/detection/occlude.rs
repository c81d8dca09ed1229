//! Occlusion of faces: bars, blobs, and pieces of other pictures (hands among them).

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::augment::Sample;
use super::data::Scene;
use super::light::between;
use mien_core::face::FaceRect;

/// Partly covers a share of the faces. Landmarks stay as they are: people know where a covered mouth is, too.
pub fn some(sample: &mut Sample, side: usize, others: &[&Scene], share: f64, rng: &mut ChaCha8Rng) {
    let rects: Vec<FaceRect> = sample.target.faces.iter().map(|face| face.rect).collect();
    for rect in rects {
        if rng.random_bool(share) {
            let (x, y) = rect.center();
            // At most about half of the face, anywhere around its centre.
            let at = [x + rect.width * between([-0.5, 0.5], rng), y + rect.height * between([-0.5, 0.5], rng)];
            cover(&mut sample.pixels, side, at, rect.area().sqrt(), others, rng);
        }
    }
    // Something at a random place too, so that a bar doesn't imply a face.
    if rng.random_bool(share) {
        let at = [0, 1].map(|_| side as f32 * rng.random::<f32>());
        cover(&mut sample.pixels, side, at, side as f32 * between([0.1, 0.6], rng), others, rng);
    }
}

/// What an occluder consists of.
enum Stuff<'a> {
    Gray(u8),
    Picture(&'a Scene, [f32; 2]),
}

/// Draws an ellipse or a bar, rotated at random, in front of a face of `size` pixels.
fn cover(pixels: &mut [u8], side: usize, at: [f32; 2], size: f32, others: &[&Scene], rng: &mut ChaCha8Rng) {
    let is_bar: bool = rng.random();
    let half = if is_bar {
        [size * between([0.5, 1.2], rng), size * between([0.06, 0.2], rng)]
    } else {
        [size * between([0.15, 0.4], rng), size * between([0.15, 0.4], rng)]
    };
    let (sin, cos) = between([0.0, std::f32::consts::PI], rng).sin_cos();
    let stuff = match others.choose(rng).filter(|_| rng.random_bool(0.6)) {
        Some(other) => {
            let whole = other.picture.whole();
            let start = [whole.width, whole.height].map(|length| length as f32 * rng.random::<f32>());
            Stuff::Picture(other, start)
        }
        None => Stuff::Gray(rng.random()),
    };
    let reach = half[0].max(half[1]).ceil();
    let range = |middle: f32| {
        let edge = |value: f32| value.clamp(0.0, side as f32) as usize;
        edge(middle - reach)..edge(middle + reach)
    };
    for y in range(at[1]) {
        for x in range(at[0]) {
            let [dx, dy] = [x as f32 - at[0], y as f32 - at[1]];
            let [u, v] = [(cos * dx + sin * dy) / half[0], (cos * dy - sin * dx) / half[1]];
            let inside = if is_bar { u.abs() < 1.0 && v.abs() < 1.0 } else { u * u + v * v < 1.0 };
            if inside {
                pixels[y * side + x] = match &stuff {
                    Stuff::Gray(gray) => *gray,
                    Stuff::Picture(other, start) => {
                        let whole = other.picture.whole();
                        let wrapped = |start: f32, offset: f32, length: usize| {
                            (start + offset).rem_euclid(length as f32).min(length as f32 - 1.0) as usize
                        };
                        let (column, row) = (wrapped(start[0], dx, whole.width), wrapped(start[1], dy, whole.height));
                        whole.pixels[row * whole.width + column]
                    }
                };
            }
        }
    }
}
