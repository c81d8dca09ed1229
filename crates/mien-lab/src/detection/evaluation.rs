//! Running a detector over pictures, each scaled to one size.

use tch::{Device, Tensor};

use super::data::{GrayLevel, Pyramid, Scene};
use super::metrics::Judged;
use mien_core::face::FaceRect;
use mien_core::landmarks::Point;
use mien_net::faces::{COARSEST, FindError, FoundFace};

/// Pictures per batch.
const BATCH: usize = 16;
/// Small pictures aren't enlarged by more than this, because enlarging adds no detail.
const LARGEST_SCALE: f32 = 2.0;

/// A picture as the network sees it: scaled, and padded with black to multiples of the coarsest stride.
struct Prepared {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    scale: f32,
}

fn prepare(picture: &Pyramid, side: usize) -> Prepared {
    let whole = picture.whole();
    let scale = (side as f32 / whole.width.max(whole.height) as f32).min(LARGEST_SCALE);
    let scaled = |length: usize| ((length as f32 * scale).round() as usize).max(1);
    let padded = |length: usize| length.next_multiple_of(COARSEST as usize);
    let (inner_width, inner_height) = (scaled(whole.width), scaled(whole.height));
    let (width, height) = (padded(inner_width), padded(inner_height));
    let (level, _) = picture.level_for(scale);
    let mut pixels = vec![0; width * height];
    let step = |length: usize, inner: usize| length as f32 / inner as f32;
    let (step_x, step_y) = (step(level.width, inner_width), step(level.height, inner_height));
    for (y, row) in pixels.chunks_exact_mut(width).take(inner_height).enumerate() {
        for (x, pixel) in row.iter_mut().take(inner_width).enumerate() {
            *pixel = level.sample_near((x as f32 + 0.5) * step_x - 0.5, (y as f32 + 0.5) * step_y - 0.5);
        }
    }
    Prepared { pixels, width, height, scale }
}

impl GrayLevel {
    /// Samples bilinearly. Beyond the edge, its pixels repeat.
    pub(super) fn sample_near(&self, x: f32, y: f32) -> u8 {
        self.sample(x.clamp(0.0, self.width as f32 - 1.0), y.clamp(0.0, self.height as f32 - 1.0))
    }
}

/// Runs `find` on each scene, scaled to a longer side of `side` pixels. Returns the faces in pixels of the scene. `find` gets gray
/// bytes `[N, 1, H, W]` on `device`.
///
/// # Errors
/// When `find` fails.
pub fn find_in<'a>(
    scenes: &'a [Scene],
    side: usize,
    device: Device,
    mut find: impl FnMut(&Tensor) -> Result<Vec<Vec<FoundFace>>, FindError>,
) -> Result<Vec<Judged<'a>>, FindError> {
    let mut judged: Vec<Judged<'a>> = scenes.iter().map(|scene| Judged::new(scene, Vec::new())).collect();
    // Only pictures of the same shape share a batch.
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    let shape = |index: &usize| {
        let whole = scenes[*index].picture.whole();
        (whole.width, whole.height)
    };
    order.sort_by_key(shape);
    let mut rest = order.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take(BATCH).take_while(|index| shape(index) == shape(first)).count();
        let (indices, others) = rest.split_at(count);
        rest = others;
        let pictures: Vec<Prepared> = indices.iter().map(|index| prepare(&scenes[*index].picture, side)).collect();
        let Prepared { width, height, scale, .. } = pictures[0];
        let bytes: Vec<u8> = pictures.into_iter().flat_map(|picture| picture.pixels).collect();
        let batch = Tensor::from_slice(&bytes).view([count as i64, 1, height as i64, width as i64]).to_device(device);
        for (index, faces) in indices.iter().zip(find(&batch)?) {
            judged[*index].found = faces.into_iter().map(|face| scaled(&face, 1.0 / scale)).collect();
        }
    }
    Ok(judged)
}

fn scaled(face: &FoundFace, factor: f32) -> FoundFace {
    let FaceRect { x, y, width, height } = face.rect;
    let rect = FaceRect { x: x * factor, y: y * factor, width: width * factor, height: height * factor };
    let landmarks = face.landmarks.map(|point: Point| point.map(|at| at * factor));
    FoundFace { rect, landmarks, ..*face }
}

/// Converts square pictures of `side` pixels, one after the other, to gray bytes `[N, 1, side, side]` on `device`.
pub fn batch_of(pixels: &[u8], side: usize, device: Device) -> Tensor {
    let side = side as i64;
    Tensor::from_slice(pixels).view([-1, 1, side, side]).to_device(device)
}
