//! From a network's outputs to faces: plain arithmetic on slices.

use super::{BASE_SIZE, OUTPUTS, ScoreCalibration};
use mien_core::face::FaceRect;
use mien_core::landmarks::{LANDMARKS, Landmarks, Point};

/// A face that a detector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundFace {
    /// The box, in pixels of the picture; may reach beyond it.
    pub rect: FaceRect,
    /// Probability that it is a face, 0 to 1.
    pub score: f32,
    /// Eyes, nose and mouth, in pixels of the picture.
    pub landmarks: Landmarks,
}

/// Boxes that overlap a more likely one by more than this (intersection over union) are the same face. Faces of people side by side
/// overlap less; boxes of one face from two cells overlap more.
const NMS_OVERLAP: f32 = 0.45;

/// Decodes the cells of one level whose logit is at least `least_logit` to faces, in pixels of the network's input. `outputs` is
/// `[OUTPUTS, rows, columns]` of one picture, row by row, as [`super::DetectionNetwork::forward`] describes it.
pub(super) fn decode(
    outputs: &[f32],
    columns: usize,
    stride: i64,
    score: ScoreCalibration,
    least_logit: f32,
) -> Vec<FoundFace> {
    let cells = outputs.len() / OUTPUTS;
    let stride = stride as f32;
    let faces =
        outputs.iter().take(cells).enumerate().filter(|(_, logit)| **logit >= least_logit).map(|(cell, logit)| {
            let output = |channel: usize| outputs[channel * cells + cell];
            let middle = [(cell % columns) as f32, (cell / columns) as f32].map(|index| (index + 0.5) * stride);
            let from_middle =
                |channel: usize| -> Point { [0, 1].map(|axis| middle[axis] + stride * output(channel + axis)) };
            let [x, y] = from_middle(1);
            let [width, height] = [3, 4].map(|channel| output(channel).exp() * stride * BASE_SIZE as f32);
            FoundFace {
                rect: FaceRect { x: x - width / 2.0, y: y - height / 2.0, width, height },
                score: score.probability(*logit),
                landmarks: Landmarks::from_points(std::array::from_fn::<Point, LANDMARKS, _>(|i| {
                    from_middle(5 + 2 * i)
                })),
            }
        });
    // A box that isn't finite is no face.
    faces.filter(|face| face.rect.area().is_finite()).collect()
}

/// Non-maximum suppression: returns the most likely faces first, without those that overlap a more likely one by more than
/// [`NMS_OVERLAP`].
pub(super) fn suppress(mut faces: Vec<FoundFace>) -> Vec<FoundFace> {
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<FoundFace> = Vec::new();
    for face in faces {
        if kept.iter().all(|surer| surer.rect.iou(&face.rect) <= NMS_OVERLAP) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_where_its_face_is_in_strides_from_its_middle() {
        // Two rows of three cells. Only the last cell, whose centre is at (20, 12) with stride 8, has a high enough logit.
        let cells = 6;
        let mut outputs = vec![0.0_f32; OUTPUTS * cells];
        outputs[..cells].copy_from_slice(&[-9.0, -9.0, -9.0, -9.0, -9.0, 2.0]);
        outputs[cells + 5] = 0.5;
        outputs[2 * cells + 5] = -0.25;
        outputs[3 * cells + 5] = 2.0_f32.ln();
        outputs[5 * cells + 5] = -1.0;
        outputs[14 * cells + 5] = 1.5;
        let calibration = ScoreCalibration { slope: 1.5, shift: -1.0 };
        let faces = decode(&outputs, 3, 8, calibration, 0.0);
        assert_eq!(faces.len(), 1);
        let FoundFace { rect, score, landmarks } = faces[0];
        assert_eq!(score, calibration.probability(2.0));
        // Centre (24, 10), 64 wide and 32 high.
        assert!((rect.x + 8.0).abs() < 1e-4 && (rect.y + 6.0).abs() < 1e-4, "{rect:?}");
        assert!((rect.width - 64.0).abs() < 1e-4 && (rect.height - 32.0).abs() < 1e-4, "{rect:?}");
        assert_eq!(landmarks.right_eye, [12.0, 12.0]);
        assert_eq!(landmarks.mouth_left, [20.0, 24.0]);
    }

    #[test]
    fn a_box_without_bounds_is_no_face() {
        let mut outputs = vec![0.0_f32; OUTPUTS];
        outputs[3] = 1e4;
        assert!(decode(&outputs, 1, 8, ScoreCalibration::default(), -1.0).is_empty());
    }

    fn face(x: f32, score: f32) -> FoundFace {
        let landmarks = Landmarks::from_points([[0.0; 2]; LANDMARKS]);
        FoundFace { rect: FaceRect { x, y: 0.0, width: 10.0, height: 10.0 }, score, landmarks }
    }

    #[test]
    fn of_boxes_on_one_face_the_surest_stays() {
        // 2 pixels apart they share two thirds, 6 pixels apart a quarter.
        let kept = suppress(vec![face(2.0, 0.6), face(0.0, 0.9), face(6.0, 0.3), face(50.0, 0.7)]);
        let left: Vec<f32> = kept.iter().map(|face| face.rect.x).collect();
        assert_eq!(left, [0.0, 50.0, 6.0]);
    }
}
