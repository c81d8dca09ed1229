//! How good a detector is, computed from plain lists of what it found, so that any detector can be measured.

use mien_core::face::FaceRect;
use mien_net::faces::{FacesFigures, FoundFace, SizeFigures};

use super::data::{Face, GrayLevel, Scene};

/// A box has found a face if they overlap by at least this (intersection over union).
pub const OVERLAP: f32 = 0.5;
/// A box isn't a mistake if at least this share of it lies in an ignored face.
const IN_IGNORED: f32 = 0.5;
/// Faces smaller than this, in pixels of a picture whose longer side is 640, don't count.
pub const SMALLEST_COUNTED: f32 = 20.0;
/// Where the ranges of sizes begin, in pixels of a picture whose longer side is 640.
pub const SIZES: [f32; 4] = [20.0, 40.0, 80.0, 160.0];
/// Longer side of the picture to which sizes are normalised.
pub const LONGER_SIDE: f32 = 640.0;
/// Where the ranges of roll begin, in degrees to either side.
pub const ROLLS: [f32; 4] = [0.0, 15.0, 30.0, 45.0];
/// A face is seen from the side if its eyes are closer together than this share of its size. Their distance is no useful unit then.
const FRONTAL: f32 = 0.25;

/// A picture with its marked faces and the boxes found in it, the most likely first.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// Width of the picture in pixels.
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// All marked faces in it.
    pub faces: &'a [Face],
    /// The boxes found, in pixels of the picture.
    pub found: Vec<FoundFace>,
}

impl<'a> Judged<'a> {
    /// Combines a scene with the boxes found in it, which may be in any order.
    pub fn new(scene: &'a Scene, mut found: Vec<FoundFace>) -> Self {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let GrayLevel { width, height, .. } = *scene.picture.whole();
        Self { width, height, faces: &scene.faces, found }
    }

    /// Size of a box in pixels of a picture whose longer side is [`LONGER_SIDE`].
    fn told_size(&self, rect: &FaceRect) -> f32 {
        rect.area().sqrt() * LONGER_SIDE / self.width.max(self.height) as f32
    }

    /// The part of a box inside the picture: people draw boxes only up to its edge, networks don't.
    fn visible(&self, rect: &FaceRect) -> FaceRect {
        rect.clipped(self.width, self.height).unwrap_or(FaceRect { width: 0.0, height: 0.0, ..*rect })
    }
}

/// What a box turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It found the face with this index.
    Hit(usize),
    /// It found nothing.
    False,
    /// Neither, because the face or the box's size doesn't count.
    Passed,
}

/// Which faces count in a figure: by size, in pixels of a picture whose longer side is 640, and by roll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Sizes.
    pub sizes: [f32; 2],
    /// Rolls to either side in degrees; `None` takes all, also faces without marked eyes.
    pub rolls: Option<[f32; 2]>,
}

impl Range {
    /// Every face that counts at all.
    pub const ALL: Self = Self { sizes: [SMALLEST_COUNTED, f32::INFINITY], rolls: None };

    fn holds_size(&self, size: f32) -> bool {
        size >= self.sizes[0] && size < self.sizes[1]
    }

    fn holds(&self, face: &Face, size: f32) -> bool {
        let roll = || face.landmarks.map(|landmarks| landmarks.roll_degrees().abs());
        !face.ignored
            && self.holds_size(size)
            && self.rolls.is_none_or(|[low, high]| roll().is_some_and(|roll| roll >= low && roll < high))
    }
}

/// Returns the verdict on each box of a picture, where only faces in `range` count.
pub(super) fn verdicts(picture: &Judged<'_>, range: &Range) -> Vec<Verdict> {
    let seen: Vec<(FaceRect, bool)> = picture
        .faces
        .iter()
        .map(|face| (picture.visible(&face.rect), range.holds(face, picture.told_size(&face.rect))))
        .collect();
    let mut taken = vec![false; seen.len()];
    let mut judge = |found: &FoundFace| {
        let rect = picture.visible(&found.rect);
        let best = |counted: bool| {
            let faces = seen.iter().enumerate().filter(|(i, (_, counts))| *counts == counted && !taken[*i]);
            let overlaps = faces.map(|(i, (face, _))| (i, face.iou(&rect))).filter(|(_, iou)| *iou >= OVERLAP);
            overlaps.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(i, _)| i)
        };
        if let Some(face) = best(true) {
            taken[face] = true;
            return Verdict::Hit(face);
        }
        if let Some(face) = best(false) {
            // A second box on it is a mistake, as on any face that isn't ignored.
            taken[face] = !picture.faces[face].ignored;
            return Verdict::Passed;
        }
        let ignored = picture.faces.iter().zip(&seen).filter(|(face, _)| face.ignored);
        let within = ignored.map(|(_, (face, _))| face.shared_area(&rect)).fold(0.0, f32::max);
        let passed = within >= IN_IGNORED * rect.area() || !range.holds_size(picture.told_size(&found.rect));
        if passed { Verdict::Passed } else { Verdict::False }
    };
    picture.found.iter().map(&mut judge).collect()
}

/// What became of a face or a box.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// Found, by this box.
    Found(FoundFace),
    /// Not found.
    Missed(Face),
    /// A false box.
    Mistaken(FoundFace),
}

/// Returns the found and missed faces and the false boxes of a picture, for boxes with a score of at least `threshold`.
pub fn outcomes(picture: &Judged<'_>, threshold: f32, range: &Range) -> Vec<Outcome> {
    let mut missed: Vec<bool> =
        picture.faces.iter().map(|face| range.holds(face, picture.told_size(&face.rect))).collect();
    let mut outcomes = Vec::new();
    for (found, verdict) in picture.found.iter().zip(verdicts(picture, range)) {
        match verdict {
            _ if found.score < threshold => {}
            Verdict::Hit(face) => {
                missed[face] = false;
                outcomes.push(Outcome::Found(*found));
            }
            Verdict::False => outcomes.push(Outcome::Mistaken(*found)),
            Verdict::Passed => {}
        }
    }
    let faces = picture.faces.iter().zip(missed).filter(|(_, missed)| *missed);
    outcomes.extend(faces.map(|(face, _)| Outcome::Missed(*face)));
    outcomes
}

/// Recall at a threshold, false boxes and average precision over pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Faces to be found, the share found at the threshold, average precision at an overlap of [`OVERLAP`].
    pub figures: FacesFigures,
    /// False boxes at the threshold, per 100 pictures.
    pub false_boxes_per_100: f64,
    /// Mean distance of a landmark from its marked position, over the faces found, in distances between the eyes.
    pub landmark_error: Option<f64>,
}

/// Measures on the faces in `range`. Recall and false boxes consider only boxes with a score of at least `threshold`. The average
/// precision needs those with lower scores in `found`, too.
pub fn measure(pictures: &[Judged<'_>], threshold: f32, range: &Range) -> Measured {
    let mut boxes: Vec<(f32, bool)> = Vec::new();
    let (mut faces, mut hits, mut mistakes) = (0, 0, 0);
    let (mut errors, mut measured) = (0.0, 0);
    for picture in pictures {
        faces += picture.faces.iter().filter(|face| range.holds(face, picture.told_size(&face.rect))).count();
        for (found, verdict) in picture.found.iter().zip(verdicts(picture, range)) {
            let sure = found.score >= threshold;
            match verdict {
                Verdict::Hit(face) => {
                    boxes.push((found.score, true));
                    hits += usize::from(sure);
                    if let Some(error) = landmark_error(&picture.faces[face], found).filter(|_| sure) {
                        errors += error;
                        measured += 1;
                    }
                }
                Verdict::False => {
                    boxes.push((found.score, false));
                    mistakes += usize::from(sure);
                }
                Verdict::Passed => {}
            }
        }
    }
    let share = |count: usize, of: usize| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    Measured {
        figures: FacesFigures { faces, recall: share(hits, faces), average_precision: average_precision(boxes, faces) },
        false_boxes_per_100: 100.0 * share(mistakes, pictures.len()),
        landmark_error: (measured > 0).then(|| errors / f64::from(measured)),
    }
}

/// Returns the lowest threshold with at most `most` false boxes per 100 pictures, at which detectors can be compared by how much they
/// find. If even the most likely boxes are mistakes, it is above every score.
pub fn threshold_for(pictures: &[Judged<'_>], most: f64) -> f32 {
    let mut mistakes: Vec<f32> = pictures
        .iter()
        .flat_map(|picture| picture.found.iter().zip(verdicts(picture, &Range::ALL)))
        .filter(|(_, verdict)| *verdict == Verdict::False)
        .map(|(found, _)| found.score)
        .collect();
    mistakes.sort_by(|a, b| b.total_cmp(a));
    // The first mistake too many has to stay below the threshold.
    let allowed = (most * pictures.len() as f64 / 100.0).floor() as usize;
    mistakes.get(allowed).map_or(f32::MIN_POSITIVE, |score| score.next_up())
}

/// Measures on all faces that count, on those from each of [`SIZES`], and on those between two of them.
pub fn by_size(pictures: &[Judged<'_>], threshold: f32) -> Vec<(Range, Measured)> {
    let from = |from: f32| Range { sizes: [from, f32::INFINITY], rolls: None };
    let between = |sizes: &[f32]| Range { sizes: [sizes[0], sizes[1]], rolls: None };
    let ranges = SIZES.into_iter().map(from).chain(SIZES.windows(2).map(between));
    ranges.map(|range| (range, measure(pictures, threshold, &range))).collect()
}

/// Measures on the faces in each range of [`ROLLS`].
pub fn by_roll(pictures: &[Judged<'_>], threshold: f32) -> Vec<(Range, Measured)> {
    let ends = ROLLS[1..].iter().copied().chain([f32::INFINITY]);
    let ranges = ROLLS.into_iter().zip(ends).map(|(from, to)| Range { rolls: Some([from, to]), ..Range::ALL });
    ranges.map(|range| (range, measure(pictures, threshold, &range))).collect()
}

/// The figures as a card holds them.
pub fn size_figures(range: &Range, measured: &Measured) -> SizeFigures {
    let [from, to] = range.sizes;
    SizeFigures { from, to: to.is_finite().then_some(to), figures: measured.figures }
}

/// Area under the curve of precision over recall, where precision is the highest at that recall or a higher one (as in PASCAL VOC since
/// 2010).
fn average_precision(mut boxes: Vec<(f32, bool)>, faces: usize) -> f64 {
    if faces == 0 {
        return 0.0;
    }
    boxes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut hits = 0;
    let mut precisions: Vec<f64> = Vec::new();
    for (count, (_, hit)) in boxes.iter().enumerate() {
        if *hit {
            hits += 1;
            precisions.push(f64::from(hits) / (count + 1) as f64);
        }
    }
    let mut highest = 0.0_f64;
    let sum: f64 = precisions
        .iter()
        .rev()
        .map(|precision| {
            highest = highest.max(*precision);
            highest
        })
        .sum();
    sum / faces as f64
}

/// Mean distance of the five landmarks from their marked positions, in distances between the eyes; `None` if they weren't marked or the
/// face is seen from the side.
fn landmark_error(face: &Face, found: &FoundFace) -> Option<f64> {
    let landmarks = face.landmarks.filter(|landmarks| landmarks.eye_distance() >= FRONTAL * face.size())?;
    let pairs = landmarks.points().into_iter().zip(found.landmarks.points());
    let sum: f32 = pairs.map(|([ax, ay], [bx, by])| (ax - bx).hypot(ay - by)).sum();
    Some(f64::from(sum / landmarks.points().len() as f32 / landmarks.eye_distance()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use mien_core::landmarks::Landmarks;

    fn rect(x: f32, side: f32) -> FaceRect {
        FaceRect { x, y: 10.0, width: side, height: side }
    }

    pub(in crate::detection) fn face(x: f32, side: f32) -> Face {
        Face { rect: rect(x, side), landmarks: None, ignored: false }
    }

    pub(in crate::detection) fn found(x: f32, side: f32, score: f32) -> FoundFace {
        FoundFace { rect: rect(x, side), score, landmarks: Landmarks::from_points([[0.0; 2]; 5]) }
    }

    pub(in crate::detection) fn judged<'a>(faces: &'a [Face], found: &[FoundFace]) -> Judged<'a> {
        Judged { width: 640, height: 480, faces, found: found.to_vec() }
    }

    #[test]
    fn recall_false_boxes_and_precision_are_counted_by_hand() {
        let faces = [face(0.0, 50.0), face(100.0, 50.0), face(200.0, 50.0)];
        // A likely box on a face, a likely box on nothing, a second box on the first face, an unlikely box on a face.
        let boxes = [found(2.0, 50.0, 0.9), found(400.0, 50.0, 0.8), found(4.0, 50.0, 0.7), found(101.0, 50.0, 0.3)];
        let measured = measure(&[judged(&faces, &boxes), judged(&[], &[])], 0.5, &Range::ALL);
        assert_eq!(measured.figures.faces, 3);
        assert!((measured.figures.recall - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(measured.false_boxes_per_100, 100.0);
        // Precision 1 up to a recall of a third, a half up to two thirds.
        assert!((measured.figures.average_precision - 0.5).abs() < 1e-9);
        assert_eq!(measured.landmark_error, None);
    }

    #[test]
    fn the_threshold_for_a_number_of_false_boxes_lets_no_more_through() {
        let faces = [face(0.0, 50.0)];
        let boxes = [found(400.0, 50.0, 0.9), found(2.0, 50.0, 0.8), found(300.0, 50.0, 0.6), found(500.0, 50.0, 0.2)];
        let pictures = [judged(&faces, &boxes), judged(&[], &[])];
        for (most, mistakes, recall) in [(0.0, 0.0, 0.0), (50.0, 50.0, 1.0), (149.0, 100.0, 1.0), (1e3, 150.0, 1.0)] {
            let measured = measure(&pictures, threshold_for(&pictures, most), &Range::ALL);
            assert_eq!((measured.false_boxes_per_100, measured.figures.recall), (mistakes, recall), "{most}");
        }
    }

    #[test]
    fn ignored_and_small_faces_are_neither_missed_nor_mistakes() {
        let ignored = Face { ignored: true, ..face(100.0, 80.0) };
        let faces = [face(0.0, 12.0), ignored];
        // On the small face, on the ignored one, and on a part of it.
        let boxes = [found(0.0, 12.0, 0.9), found(100.0, 80.0, 0.9), found(110.0, 40.0, 0.9)];
        let measured = measure(&[judged(&faces, &boxes)], 0.5, &Range::ALL);
        assert_eq!((measured.figures.faces, measured.false_boxes_per_100), (0, 0.0));
    }

    #[test]
    fn boxes_beyond_the_edge_are_compared_by_what_is_in_the_picture() {
        // People drew what is visible, the network guessed the whole face.
        let drawn = FaceRect { x: 0.0, y: 0.0, width: 60.0, height: 100.0 };
        let guessed = FaceRect { x: -80.0, y: 0.0, width: 140.0, height: 100.0 };
        let faces = [Face { rect: drawn, landmarks: None, ignored: false }];
        let boxes = [FoundFace { rect: guessed, ..found(0.0, 1.0, 0.9) }];
        assert_eq!(measure(&[judged(&faces, &boxes)], 0.5, &Range::ALL).figures.recall, 1.0);
    }

    #[test]
    fn sizes_and_rolls_are_told_apart() {
        let turned = Landmarks::from_points([[0.0, 0.0], [20.0, 20.0], [5.0, 20.0], [0.0, 30.0], [10.0, 40.0]]);
        let faces = [face(0.0, 30.0), Face { landmarks: Some(turned), ..face(100.0, 100.0) }];
        let boxes = [FoundFace { landmarks: turned.map(|[x, y]| [x + 2.0, y + 2.0]), ..found(100.0, 100.0, 0.9) }];
        let pictures = [judged(&faces, &boxes)];
        let sizes: Vec<_> = by_size(&pictures, 0.5).iter().map(|(_, m)| (m.figures.faces, m.figures.recall)).collect();
        // From 20, 40, 80 and 160 pixels, then 20 to 40, 40 to 80, 80 to 160.
        assert_eq!(sizes, [(2, 0.5), (1, 1.0), (1, 1.0), (0, 0.0), (1, 0.0), (0, 0.0), (1, 1.0)]);
        let rolls: Vec<_> = by_roll(&pictures, 0.5).iter().map(|(_, m)| m.figures.faces).collect();
        assert_eq!(rolls, [0, 0, 0, 1]);
        let error = measure(&pictures, 0.5, &Range::ALL).landmark_error.unwrap();
        assert!((error - 0.1).abs() < 1e-6, "{error}");
    }
}
