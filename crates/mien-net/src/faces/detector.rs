//! Mien's own face detector: it finds heads that are tilted, turned or laughing, and their eyes, noses and mouths.

use tch::{Device, Tensor};

use super::super::{ModelSource, Precision};
use super::{COARSEST, FaceNetwork, FoundFace};
use mien_core::detection::{DetectError, Detection, FaceDetector, nearest, one_a_face};
use mien_core::face::{FaceRect, GrayView};
use mien_core::landmarks::Point;
use mien_core::resample::{Filter, Resampler};

/// Longer side in pixels to which a picture is scaled for a full scan, unless the smallest face needs more.
const WORKING_SIDE: f32 = 320.0;

/// The smallest face that the network finds well, in pixels of its input: it was trained on faces from 11 pixels.
const SMALLEST_FOUND: f32 = 11.0;

/// Small pictures aren't enlarged by more than this, because enlarging adds no detail.
const LARGEST_SCALE: f32 = 2.0;

/// Longest side of the network's input in pixels, even if very small faces are requested: beyond it, a scan takes seconds.
const LONGEST_SIDE: f32 = 1920.0;

/// Side of the square that is searched around a known face, in sides of its box. A face may move by half of its size from one frame to
/// the next.
const REGION_SIDES: f32 = 2.0;

/// Side in pixels to which this square is resampled: four cells of the coarsest stride. The face is half as large.
///
/// Of faces that a full scan had just found, 118 of 123 on the demo clip and 201 of 203 in portraits were found again, with scores that
/// were lower by 0.04 and 0.03 (medians). At 96 pixels they were lower by 0.28 and 0.18, too low for faces that are clearly there.
const REGION_PIXELS: usize = 4 * COARSEST as usize;

/// Least probability of a face that a full scan finds.
const FOUND: f32 = 0.3;

/// Least probability of a face near a known one, which needs less evidence to be followed.
const FOLLOWED: f32 = 0.2;

/// Least probability of a face that is certain, so that it may be shown.
const CERTAIN: f32 = 0.5;

/// Side of the square that is passed to classifiers, relative to the geometric mean of the width and height of the network's box, which
/// is tight around the face. Both have the same centre. Classifiers learnt from squares like Haar's and FER2013's.
///
/// Medians on 118 frames of the demo clip and 200 portraits: the sides of Haar's squares are 1.06 and 0.89 (portraits leave them no
/// room), and their centres lie within 0.01 sides of the box's. The distance between eyes and mouth matches FER2013's (0.375 sides) at
/// 1.18 and 1.07, that between the eyes (0.379 sides) at 1.08 and 0.97. 1.06 lies between all of these.
const SQUARE_SIDES: f32 = 1.06;

/// Options of a full scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanOptions {
    /// Smallest face, as a share of the picture's height.
    pub smallest_face: f32,
    /// Height in pixels to which pictures are scaled; `None` means what the smallest face needs.
    pub working_height: Option<u32>,
}

/// Finds faces with the network that is compiled into the program.
pub struct NeuralDetector {
    network: FaceNetwork,
    resampler: Resampler,
    options: ScanOptions,
    /// Whether libtorch still has to be set to one thread, on the thread that the detector runs on.
    to_one_thread: bool,
}

impl NeuralDetector {
    /// Loads the network that is compiled into the program onto a device. On x86-64 CPUs, convolutions compute in `precision`. Only
    /// resampled patches are copied to a graphics card: 61 kB for a full scan, 16 kB for each known face.
    ///
    /// # Errors
    /// When the network can't be loaded.
    pub fn new(options: ScanOptions, device: Device, precision: Precision) -> Result<Self, DetectError> {
        let network = FaceNetwork::load(&ModelSource::default_detector(), device, precision)
            .map_err(|error| DetectError::Network(Box::new(error)))?;
        Ok(Self { network, resampler: Resampler::default(), options, to_one_thread: false })
    }

    /// Returns the network's name and the SHA-256 of its weights.
    #[must_use]
    pub fn version() -> String {
        let network = ModelSource::default_detector();
        format!("{network} {}", network.sha256().unwrap_or_default())
    }

    /// Makes libtorch use one thread on the thread that the detector will run on; libtorch keeps this number for each thread. One face,
    /// or a small picture, doesn't keep a second thread busy.
    #[must_use]
    pub fn on_one_thread(self) -> Self {
        Self { to_one_thread: true, ..self }
    }

    /// Finds the faces in patches of one size, which fill `pixels` one after another. Returns them for each patch, in pixels of the
    /// picture.
    fn find(
        &mut self,
        patches: &[Patch],
        pixels: &[u8],
        (width, height): (usize, usize),
        threshold: f32,
    ) -> Result<Vec<Vec<Detection>>, DetectError> {
        if std::mem::take(&mut self.to_one_thread) {
            crate::torch::use_threads(1);
        }
        let shape = [patches.len() as i64, 1, height as i64, width as i64];
        let batch = Tensor::f_from_slice(pixels).and_then(|pixels| pixels.f_view(shape)).map_err(failed)?;
        let found = self.network.find(&batch, threshold).map_err(failed)?;
        let in_picture =
            |(patch, faces): (&Patch, Vec<FoundFace>)| faces.iter().map(|face| patch.detection(face)).collect();
        Ok(patches.iter().zip(found).map(in_picture).collect())
    }
}

impl FaceDetector for NeuralDetector {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        let (width, height) = (picture.width(), picture.height());
        let smallest = height as f32 * self.options.smallest_face;
        let scale = scan_scale(width, height, &self.options);
        let patch = Patch::whole(width, height, scale);
        let (across, down) = (padded(patch.size.0), padded(patch.size.1));
        let mut pixels = vec![0; across * down];
        patch.fill(&mut pixels, across, picture, &mut self.resampler);
        let mut found = self.find(&[patch], &pixels, (across, down), FOUND)?.pop().unwrap_or_default();
        found.retain(|face| face.rect.height >= smallest);
        Ok(one_a_face(found))
    }

    fn refresh(&mut self, picture: GrayView<'_>, expected: &[FaceRect]) -> Result<Vec<Option<Detection>>, DetectError> {
        // A place outside the picture has no patch.
        let places: Vec<_> =
            expected.iter().map(|place| Patch::around(*place, picture.width(), picture.height())).collect();
        let patches: Vec<Patch> = places.iter().flatten().copied().collect();
        if patches.is_empty() {
            return Ok(vec![None; expected.len()]);
        }
        let mut pixels = vec![0; patches.len() * REGION_PIXELS * REGION_PIXELS];
        for (patch, part) in patches.iter().zip(pixels.chunks_exact_mut(REGION_PIXELS * REGION_PIXELS)) {
            patch.fill(part, REGION_PIXELS, picture, &mut self.resampler);
        }
        let mut found = self.find(&patches, &pixels, (REGION_PIXELS, REGION_PIXELS), FOLLOWED)?.into_iter();
        let face = |(place, patch): (&FaceRect, &Option<Patch>)| {
            patch.and_then(|_| found.next()).and_then(|faces| nearest(&faces, *place))
        };
        Ok(expected.iter().zip(&places).map(face).collect())
    }
}

/// A part of a picture that is resampled, and its place in the network's input, which is black around it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Patch {
    /// The part, in pixels of the picture and entirely inside it.
    part: FaceRect,
    /// Its left and top edge in the network's input.
    at: (usize, usize),
    /// Its width and height there.
    size: (usize, usize),
}

impl Patch {
    /// A whole picture, at the top left.
    fn whole(width: usize, height: usize, scale: f32) -> Self {
        let scaled = |length: usize| ((length as f32 * scale).round() as usize).max(1);
        Self { part: FaceRect::whole(width, height), at: (0, 0), size: (scaled(width), scaled(height)) }
    }

    /// The surroundings of a face in a picture of this size; `None` if they lie outside it, or the box is invalid.
    fn around(face: FaceRect, width: usize, height: usize) -> Option<Self> {
        let side = REGION_SIDES * (face.width + face.height) / 2.0;
        let (x, y) = face.center();
        let square = FaceRect { x: x - side / 2.0, y: y - side / 2.0, width: side, height: side };
        let part = square.clipped(width, height)?;
        let scale = REGION_PIXELS as f32 / side;
        let scaled = |length: f32| ((length * scale).round() as usize).min(REGION_PIXELS);
        let (left, top) = (scaled(part.x - square.x), scaled(part.y - square.y));
        let right = scaled(part.x + part.width - square.x);
        let bottom = scaled(part.y + part.height - square.y);
        // `None` if less than a pixel of it is in the picture.
        (right > left && bottom > top).then_some(Self { part, at: (left, top), size: (right - left, bottom - top) })
    }

    /// Writes the part, resampled with a filter that averages, to the network's input, whose rows are `across` wide.
    fn fill(&self, pixels: &mut [u8], across: usize, picture: GrayView<'_>, resampler: &mut Resampler) {
        let (columns, rows) = self.size;
        // Parts lie inside the picture. One that didn't would stay black, and no face would be found in it.
        let resampled = resampler.resample(picture, self.part, [columns, rows], Filter::Triangle).unwrap_or_default();
        for (row, from) in pixels.chunks_exact_mut(across).skip(self.at.1).zip(resampled.chunks_exact(columns)) {
            if let Some(row) = row.get_mut(self.at.0..self.at.0 + columns) {
                row.copy_from_slice(from);
            }
        }
    }

    /// Pixels of the picture per pixel of the network's input, across and down.
    fn step(&self) -> (f32, f32) {
        (self.part.width / self.size.0 as f32, self.part.height / self.size.1 as f32)
    }

    /// Converts a point from the network's input to the picture.
    fn to_picture(self, [x, y]: Point) -> Point {
        let (across, down) = self.step();
        [self.part.x + (x - self.at.0 as f32) * across, self.part.y + (y - self.at.1 as f32) * down]
    }

    /// Converts what the network found to pixels of the picture.
    fn detection(&self, face: &FoundFace) -> Detection {
        let [x, y] = self.to_picture([face.rect.x, face.rect.y]);
        let (across, down) = self.step();
        let tight = FaceRect { x, y, width: face.rect.width * across, height: face.rect.height * down };
        Detection {
            rect: square_of(tight),
            score: face.score,
            is_certain: face.score >= CERTAIN,
            landmarks: Some(face.landmarks.map(|point| self.to_picture(point))),
        }
    }
}

/// The square that classifiers expect for a tight box around a face.
fn square_of(tight: FaceRect) -> FaceRect {
    let side = SQUARE_SIDES * tight.area().sqrt();
    let (x, y) = tight.center();
    FaceRect { x: x - side / 2.0, y: y - side / 2.0, width: side, height: side }
}

/// Factor by which a picture is scaled for a full scan.
fn scan_scale(width: usize, height: usize, options: &ScanOptions) -> f32 {
    let longer = width.max(height) as f32;
    let for_smallest = SMALLEST_FOUND / (options.smallest_face * height as f32);
    let chosen = options.working_height.map(|asked| asked as f32 / height as f32);
    chosen.unwrap_or(for_smallest.max(WORKING_SIDE / longer)).min(LARGEST_SCALE).min(LONGEST_SIDE / longer)
}

/// Rounds a length up to one that the network accepts.
fn padded(length: usize) -> usize {
    length.next_multiple_of(COARSEST as usize)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DetectError {
    DetectError::Failed(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::landmarks::Landmarks;

    fn options(smallest_face: f32) -> ScanOptions {
        ScanOptions { smallest_face, working_height: None }
    }

    #[test]
    fn a_scan_sees_the_smallest_face_that_is_asked_for() {
        assert_eq!(scan_scale(640, 360, &options(0.2)), 0.5);
        // Faces of 18 pixels in 360 have to be scaled to 11.
        assert!((scan_scale(640, 360, &options(0.05)) - 11.0 / 18.0).abs() < 1e-6);
        assert_eq!(scan_scale(3840, 2160, &options(0.001)), LONGEST_SIDE / 3840.0);
        let low = ScanOptions { working_height: Some(90), ..options(0.05) };
        assert_eq!(scan_scale(640, 360, &low), 0.25);
        assert_eq!(scan_scale(48, 48, &options(0.2)), LARGEST_SCALE);
    }

    #[test]
    fn points_come_back_from_a_patch_that_reaches_over_the_edge() {
        // A face of 40 pixels around (10, 20): the square begins at (−30, −20), and is enlarged 1.6 times.
        let patch = Patch::around(FaceRect { x: -10.0, y: 0.0, width: 40.0, height: 40.0 }, 200, 100).unwrap();
        assert_eq!(patch.part, FaceRect { x: 0.0, y: 0.0, width: 50.0, height: 60.0 });
        assert_eq!((patch.at, patch.size), ((48, 32), (80, 96)));
        let [x, y] = patch.to_picture([48.0 + 16.0, 32.0 + 32.0]);
        assert!((x - 10.0).abs() < 1e-4 && (y - 20.0).abs() < 1e-4, "{x} {y}");
    }

    #[test]
    fn the_pixels_of_a_patch_are_where_their_points_are() {
        // A white dot at (10..14, 20..24) of a black picture.
        let (width, height) = (200, 100);
        let is_white = |i: usize| (10..14).contains(&(i % width)) && (20..24).contains(&(i / width));
        let picture: Vec<u8> = (0..width * height).map(|i| if is_white(i) { 255 } else { 0 }).collect();
        let view = GrayView::new(&picture, width, height).unwrap();
        let patch = Patch::around(FaceRect { x: -10.0, y: 0.0, width: 40.0, height: 40.0 }, width, height).unwrap();
        let mut pixels = vec![0; REGION_PIXELS * REGION_PIXELS];
        patch.fill(&mut pixels, REGION_PIXELS, view, &mut Resampler::default());
        let (mut x, mut y, mut sum) = (0.0, 0.0, 0.0);
        for (i, value) in pixels.iter().enumerate() {
            let value = f32::from(*value);
            x += value * ((i % REGION_PIXELS) as f32 + 0.5);
            y += value * ((i / REGION_PIXELS) as f32 + 0.5);
            sum += value;
        }
        let [x, y] = patch.to_picture([x / sum, y / sum]);
        assert!((x - 12.0).abs() < 0.1 && (y - 22.0).abs() < 0.1, "{x} {y}");
    }

    #[test]
    fn a_place_outside_the_picture_or_without_size_has_no_patch() {
        let face = FaceRect { x: 500.0, y: 20.0, width: 40.0, height: 40.0 };
        assert_eq!(Patch::around(face, 200, 100), None);
        assert_eq!(Patch::around(FaceRect { x: f32::NAN, ..face }, 200, 100), None);
        assert_eq!(Patch::around(FaceRect { x: 20.0, width: 0.0, height: 0.0, ..face }, 200, 100), None);
    }

    #[test]
    fn a_full_scan_gives_boxes_back_in_pixels_of_the_picture() {
        let patch = Patch::whole(1280, 720, 0.25);
        assert_eq!((patch.size, padded(patch.size.1)), ((320, 180), 192));
        let landmarks = Landmarks::from_points([[10.0, 20.0]; 5]);
        let rect = FaceRect { x: 10.0, y: 20.0, width: 30.0, height: 30.0 };
        let face = patch.detection(&FoundFace { rect, score: 0.9, landmarks });
        assert_eq!(face.rect.center(), square_of(FaceRect { x: 40.0, y: 80.0, width: 120.0, height: 120.0 }).center());
        assert_eq!(face.landmarks.map(|landmarks| landmarks.nose), Some([40.0, 80.0]));
        assert!(face.is_certain);
    }

    #[test]
    fn a_picture_without_a_face_has_none_and_known_places_are_answered_one_by_one() {
        let mut detector = NeuralDetector::new(options(0.1), Device::Cpu, Precision::F32).unwrap();
        let pixels = vec![90; 300 * 200];
        let view = GrayView::new(&pixels, 300, 200).unwrap();
        assert_eq!(detector.detect(view).unwrap(), []);
        let inside = FaceRect { x: 50.0, y: 50.0, width: 60.0, height: 60.0 };
        let outside = FaceRect { x: 900.0, ..inside };
        assert_eq!(detector.refresh(view, &[outside, inside]).unwrap(), [None, None]);
        assert_eq!(detector.refresh(view, &[outside]).unwrap(), [None]);
        assert_eq!(detector.refresh(view, &[]).unwrap(), []);
    }
}
