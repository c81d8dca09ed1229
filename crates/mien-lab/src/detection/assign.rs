//! Which cells learn which face: SimOTA (Ge et al. 2021, YOLOX), on plain slices.
//!
//! A face may be learnt by cells near its centre, on the levels for its size. Of these, the cells that already predict it best learn
//! it, and the better they predict it, the more of them. A cell that two faces claim goes to the one that it predicts better.

use mien_core::face::FaceRect;
use mien_net::faces::STRIDES;

/// A cell of any level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its centre, in pixels.
    pub middle: [f32; 2],
    /// Its level's stride.
    pub stride: f32,
}

/// A cell's prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Logit of the score.
    pub logit: f32,
    /// The box.
    pub rect: FaceRect,
}

/// A cell and the face that it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index of the cell.
    pub cell: usize,
    /// Index of the face.
    pub face: usize,
    /// Intersection over union of the predicted box and the face's.
    pub overlap: f32,
}

/// The cells of a picture, level by level, row by row: the order of a network's outputs.
pub fn cells(width: usize, height: usize) -> Vec<Cell> {
    let level = |stride: i64| {
        let side = stride as usize;
        let stride = stride as f32;
        (0..height / side).flat_map(move |y| {
            (0..width / side)
                .map(move |x| Cell { middle: [(x as f32 + 0.5) * stride, (y as f32 + 0.5) * stride], stride })
        })
    };
    STRIDES.into_iter().flat_map(level).collect()
}

/// How far from a face's centre its cells may be, in strides (as in YOLOX).
const RADIUS: f32 = 2.5;
/// Sizes of faces, in strides, that a level may learn. The levels overlap, so that no size falls between two; the first has no
/// lower bound and the last no upper one.
const SIZES: [f32; 2] = [3.0, 9.0];
/// Number of overlaps whose sum gives the number of a face's cells (as in YOLOX).
const SUMMED: usize = 10;
/// Weight of the box relative to the score when cells are compared (as in YOLOX).
const BOX_COST: f32 = 3.0;

/// Returns the cells that learn `faces`, in the order of cells.
pub fn assign(cells: &[Cell], predictions: &[Prediction], faces: &[FaceRect]) -> Vec<Match> {
    // For each cell, the face that claims it at the least cost.
    let mut wanted: Vec<Option<(f32, Match)>> = vec![None; cells.len()];
    for (index, face) in faces.iter().enumerate() {
        let mut candidates: Vec<(f32, Match)> = cells
            .iter()
            .zip(predictions)
            .enumerate()
            .filter(|(_, (cell, _))| may_learn(cell, face))
            .map(|(cell, (_, prediction))| {
                let overlap = prediction.rect.iou(face);
                // Negative logarithms of the score and of the overlap.
                let score_cost = (-prediction.logit).exp().ln_1p().min(50.0);
                (score_cost - BOX_COST * overlap.max(1e-8).ln(), Match { cell, face: index, overlap })
            })
            .collect();
        if candidates.is_empty() {
            // The face is smaller than a cell and lies between two centres.
            candidates.extend(nearest(cells, face).map(|cell| {
                let overlap = predictions[cell].rect.iou(face);
                (0.0, Match { cell, face: index, overlap })
            }));
        }
        let mut overlaps: Vec<f32> = candidates.iter().map(|(_, candidate)| candidate.overlap).collect();
        overlaps.sort_by(|a, b| b.total_cmp(a));
        let count = (overlaps.iter().take(SUMMED).sum::<f32>() as usize).max(1);
        candidates.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        for (cost, candidate) in candidates.into_iter().take(count) {
            let cell = &mut wanted[candidate.cell];
            if cell.is_none_or(|(least, _)| cost < least) {
                *cell = Some((cost, candidate));
            }
        }
    }
    wanted.into_iter().flatten().map(|(_, best)| best).collect()
}

/// Whether a cell is near the centre of a face, inside its box, and on a level for its size.
fn may_learn(cell: &Cell, face: &FaceRect) -> bool {
    let (x, y) = face.center();
    let [dx, dy] = [(cell.middle[0] - x).abs(), (cell.middle[1] - y).abs()];
    let radius = RADIUS * cell.stride;
    let size = face.area().sqrt() / cell.stride;
    let fits = (size >= SIZES[0] || cell.stride == STRIDES[0] as f32)
        && (size <= SIZES[1] || cell.stride == STRIDES[STRIDES.len() - 1] as f32);
    fits && dx < radius.min(face.width / 2.0) && dy < radius.min(face.height / 2.0)
}

/// Returns the finest level's cell whose centre is nearest to a face's.
fn nearest(cells: &[Cell], face: &FaceRect) -> Option<usize> {
    let (x, y) = face.center();
    let distance = |cell: &Cell| (cell.middle[0] - x).hypot(cell.middle[1] - y);
    let finest = cells.iter().enumerate().filter(|(_, cell)| cell.stride == STRIDES[0] as f32);
    finest.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b))).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an untrained network predicts: boxes of four strides around each cell.
    fn untrained(cells: &[Cell]) -> Vec<Prediction> {
        let rect = |cell: &Cell| {
            let side = 4.0 * cell.stride;
            FaceRect { x: cell.middle[0] - side / 2.0, y: cell.middle[1] - side / 2.0, width: side, height: side }
        };
        cells.iter().map(|cell| Prediction { logit: -4.6, rect: rect(cell) }).collect()
    }

    #[test]
    fn cells_come_level_by_level_and_row_by_row() {
        let cells = cells(64, 32);
        assert_eq!(cells.len(), 8 * 4 + 4 * 2 + 2);
        assert_eq!(cells[9], Cell { middle: [12.0, 12.0], stride: 8.0 });
        assert_eq!(cells[32], Cell { middle: [8.0, 8.0], stride: 16.0 });
        assert_eq!(cells[41], Cell { middle: [48.0, 16.0], stride: 32.0 });
    }

    #[test]
    fn a_face_goes_to_the_level_of_its_size_and_to_cells_near_its_middle() {
        let cells = cells(256, 256);
        for (size, strides) in [(14.0, &[8.0][..]), (60.0, &[8.0, 16.0]), (120.0, &[16.0, 32.0]), (240.0, &[32.0])] {
            let face = FaceRect { x: 128.0 - size / 2.0, y: 120.0 - size / 2.0, width: size, height: size };
            let matches = assign(&cells, &untrained(&cells), &[face]);
            assert!(!matches.is_empty(), "{size}");
            for found in matches {
                let cell = cells[found.cell];
                assert!(strides.contains(&cell.stride), "{size}: {cell:?}");
                assert!((cell.middle[0] - 128.0).abs() < RADIUS * cell.stride);
            }
        }
    }

    #[test]
    fn a_face_between_the_middles_of_all_cells_is_still_learnt() {
        let cells = cells(64, 64);
        let face = FaceRect { x: 15.0, y: 15.0, width: 2.0, height: 2.0 };
        assert_eq!(assign(&cells, &untrained(&cells), &[face]).len(), 1);
    }

    #[test]
    fn a_cell_that_two_faces_want_learns_the_one_that_it_predicts_better() {
        let cells = cells(64, 64);
        let (left, right) = (
            FaceRect { x: 8.0, y: 8.0, width: 24.0, height: 24.0 },
            FaceRect { x: 20.0, y: 8.0, width: 24.0, height: 24.0 },
        );
        let mut predictions = untrained(&cells);
        // All cells predict the right-hand face, so those that both claim go to it. The left-hand one keeps others.
        predictions.iter_mut().for_each(|prediction| prediction.rect = right);
        let matches = assign(&cells, &predictions, &[left, right]);
        let of = |face: usize| matches.iter().filter(|found| found.face == face).count();
        assert!(of(1) > of(0) && of(0) >= 1, "{matches:?}");
        let mut taken: Vec<usize> = matches.iter().map(|found| found.cell).collect();
        taken.dedup();
        assert_eq!(taken.len(), matches.len(), "no cell learns two faces");
    }

    #[test]
    fn a_well_predicted_face_has_more_cells_than_a_badly_predicted_one() {
        let cells = cells(128, 128);
        let face = FaceRect { x: 40.0, y: 40.0, width: 40.0, height: 40.0 };
        let few = assign(&cells, &untrained(&cells), &[face]).len();
        let mut predictions = untrained(&cells);
        predictions.iter_mut().for_each(|prediction| prediction.rect = face);
        assert_eq!(assign(&cells, &predictions, &[face]).len(), SUMMED);
        assert!(few < SUMMED, "{few}");
    }
}
