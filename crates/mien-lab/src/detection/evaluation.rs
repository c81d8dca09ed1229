//! Running a detector over pictures, each scaled to one size.

use tch::{Device, Tensor};

use super::data::{GrayLevel, Scene};
use super::metrics::Judged;
use mien_core::face::{FaceRect, GrayView};
use mien_core::landmarks::Point;
use mien_core::resample::{Filter, Resampler};
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

/// Resamples a picture as the program's detector does for a full scan, so that figures hold for the program.
fn prepare(picture: &GrayLevel, side: usize, resampler: &mut Resampler) -> Prepared {
    let scale = (side as f32 / picture.width.max(picture.height) as f32).min(LARGEST_SCALE);
    let scaled = |length: usize| ((length as f32 * scale).round() as usize).max(1);
    let padded = |length: usize| length.next_multiple_of(COARSEST as usize);
    let (columns, rows) = (scaled(picture.width), scaled(picture.height));
    let (width, height) = (padded(columns), padded(rows));
    let whole = FaceRect::whole(picture.width, picture.height);
    let resampled = GrayView::new(&picture.pixels, picture.width, picture.height)
        .and_then(|view| resampler.resample(view, whole, [columns, rows], Filter::Triangle))
        // Only a picture without pixels can't be resampled, and such a picture isn't read.
        .unwrap_or_default();
    let mut pixels = vec![0; width * height];
    for (row, from) in pixels.chunks_exact_mut(width).zip(resampled.chunks_exact(columns)) {
        row[..columns].copy_from_slice(from);
    }
    Prepared { pixels, width, height, scale }
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
    let mut resampler = Resampler::default();
    let mut rest = order.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take(BATCH).take_while(|index| shape(index) == shape(first)).count();
        let (indices, others) = rest.split_at(count);
        rest = others;
        let prepared = |index: &usize| prepare(scenes[*index].picture.whole(), side, &mut resampler);
        let pictures: Vec<Prepared> = indices.iter().map(prepared).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::data::Pyramid;

    #[test]
    fn pictures_are_resampled_as_the_programs_detector_resamples_a_frame() {
        // Fine stripes, which look different after any other way of shrinking.
        let (width, height) = (150_usize, 90_usize);
        let pixels: Vec<u8> =
            (0..width * height).map(|i| if (i % width).is_multiple_of(3) { 240 } else { 30 }).collect();
        let view = GrayView::new(&pixels, width, height).unwrap();
        let part = FaceRect::whole(width, height);
        let expected = Resampler::default().resample(view, part, [64, 38], Filter::Triangle).unwrap();
        let picture = Pyramid::new(GrayLevel { pixels, width, height });
        let scenes = [Scene { name: "stripes".into(), set: "portraits".into(), picture, faces: vec![] }];
        let mut seen = Vec::new();
        let look = |batch: &Tensor| {
            assert_eq!(batch.size(), [1, 1, 64, 64]);
            seen.extend(Vec::<u8>::try_from(batch.reshape([-1])).unwrap());
            Ok(vec![vec![]])
        };
        find_in(&scenes, 64, Device::Cpu, look).unwrap();
        assert_eq!(seen[..38 * 64], expected[..]);
        assert!(seen[38 * 64..].iter().all(|pixel| *pixel == 0), "black below");
    }
}
