//! The loss of a detector's training.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::assign::{Cell, Match, Prediction, assign};
use super::targets::Target;
use crate::recipe::Problems;
use mien_core::face::FaceRect;
use mien_core::landmarks::LANDMARKS;
use mien_net::faces::{BASE_SIZE, OUTPUTS, STRIDES};

/// Weights of the parts of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FacesLoss {
    /// Scores: quality focal loss (Li et al. 2020) towards the overlap of the predicted box.
    pub score: f64,
    /// Boxes: distance-IoU loss (Zheng et al. 2020).
    pub rect: f64,
    /// Landmarks: smooth L1 in sizes of the face.
    pub landmarks: f64,
}

impl Default for FacesLoss {
    fn default() -> Self {
        Self { score: 1.0, rect: 2.0, landmarks: 10.0 }
    }
}

/// The exponent of the quality focal loss (the paper's).
const FOCUS: f64 = 2.0;
/// Where smooth L1 becomes linear, in sizes of the face: about as much as teachers differ (see `teacher` in recipes).
const LANDMARK_BEND: f64 = 0.02;

/// The parts of the loss, each a mean over the cells that learn a face.
pub struct Parts {
    /// See [`FacesLoss::score`].
    pub score: Tensor,
    /// See [`FacesLoss::rect`].
    pub rect: Tensor,
    /// See [`FacesLoss::landmarks`].
    pub landmarks: Tensor,
}

impl FacesLoss {
    /// The weighted sum of the parts.
    pub fn sum(&self, parts: &Parts) -> Tensor {
        &parts.score * self.score + &parts.rect * self.rect + &parts.landmarks * self.landmarks
    }

    /// Adds what is wrong with the weights to `found`.
    pub fn check(&self, found: &mut Problems) {
        let weights = [("loss.score", self.score), ("loss.rect", self.rect), ("loss.landmarks", self.landmarks)];
        for (field, weight) in weights {
            found.check(field, weight.is_finite() && weight >= 0.0, "has to be at least 0");
        }
    }
}

/// Joins the levels' outputs to `[N, cells, OUTPUTS]`.
pub fn flatten(levels: &[Tensor; STRIDES.len()]) -> Tensor {
    Tensor::cat(&levels.each_ref().map(|level| level.flatten(2, 3).transpose(1, 2)), 1)
}

/// Converts the outputs of a picture's cells, `OUTPUTS` numbers each, to predictions.
fn predictions(numbers: &[f32], cells: &[Cell]) -> Vec<Prediction> {
    let predict = |(outputs, cell): (&[f32], &Cell)| {
        let [x, y] = [0, 1].map(|axis| cell.middle[axis] + outputs[1 + axis] * cell.stride);
        let [width, height] = [3, 4].map(|i| outputs[i].exp() * cell.stride * BASE_SIZE as f32);
        let rect = FaceRect { x: x - width / 2.0, y: y - height / 2.0, width, height };
        Prediction { logit: outputs[0], rect }
    };
    numbers.chunks_exact(OUTPUTS).zip(cells).map(predict).collect()
}

/// Assigns the faces of each picture in a batch to cells and computes the parts of the loss. `outputs` are as [`flatten`] returns them,
/// on any device. There is one target for each picture.
pub fn compare(outputs: &Tensor, cells: &[Cell], targets: &[Target]) -> Parts {
    let device = outputs.device();
    let count = cells.len();
    let numbers: Vec<f32> =
        Vec::try_from(outputs.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).reshape([-1]))
            .unwrap_or_default();
    let mut wanted = vec![0.0_f32; targets.len() * count];
    let mut counts = vec![1.0_f32; targets.len() * count];
    let mut rows: Vec<i64> = Vec::new();
    let (mut middles, mut strides) = (Vec::new(), Vec::new());
    let (mut boxes, mut points, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for (picture, target) in targets.iter().enumerate() {
        let start = picture * count;
        let Some(numbers) = numbers.get(start * OUTPUTS..(start + count) * OUTPUTS) else { continue };
        for (cell, weight) in cells.iter().zip(&mut counts[start..]) {
            if target.is_ignored(cell.middle) {
                *weight = 0.0;
            }
        }
        let rects: Vec<FaceRect> = target.faces.iter().map(|face| face.rect).collect();
        for Match { cell, face, overlap } in assign(cells, &predictions(numbers, cells), &rects) {
            wanted[start + cell] = overlap;
            counts[start + cell] = 1.0;
            rows.push((start + cell) as i64);
            middles.extend(cells[cell].middle);
            strides.push(cells[cell].stride);
            let face = &target.faces[face];
            let (x, y) = face.rect.center();
            boxes.extend([x, y, face.rect.width, face.rect.height]);
            let landmarks = face.landmarks.map_or([[0.0; 2]; LANDMARKS], |landmarks| landmarks.points());
            points.extend(landmarks.into_iter().flatten());
            known.push(if face.landmarks.is_some() { 1.0_f32 } else { 0.0 });
        }
    }
    let tensor = |values: &[f32]| Tensor::from_slice(values).to_device(device);
    let outputs = outputs.reshape([-1, OUTPUTS as i64]);
    let learning = (rows.len() as f64).max(1.0);
    let score = quality_focal(&outputs.select(1, 0), &tensor(&wanted), &tensor(&counts)) / learning;
    if rows.is_empty() {
        let nothing = outputs.sum(Kind::Float) * 0.0;
        return Parts { score, rect: nothing.shallow_clone(), landmarks: nothing };
    }
    let positive = outputs.index_select(0, &Tensor::from_slice(&rows).to_device(device));
    let middles = tensor(&middles).view([-1, 2]);
    let strides = tensor(&strides).view([-1, 1]);
    let centers = positive.narrow(1, 1, 2) * &strides + &middles;
    let sizes = positive.narrow(1, 3, 2).clamp(-6.0, 6.0).exp() * (&strides * BASE_SIZE);
    let boxes = tensor(&boxes).view([-1, 4]);
    let rect = distance_iou(&Tensor::cat(&[centers, sizes], 1), &boxes).mean(Kind::Float);

    let places = positive.narrow(1, 5, 2 * LANDMARKS as i64) * &strides + middles.repeat([1, LANDMARKS as i64]);
    let size = (boxes.select(1, 2) * boxes.select(1, 3)).sqrt().unsqueeze(1);
    let wrong = (places - tensor(&points).view([-1, 2 * LANDMARKS as i64])) / size;
    let bent = smooth_l1(&wrong).mean_dim([1].as_slice(), false, Kind::Float);
    let known = tensor(&known);
    let landmarks = (bent * &known).sum(Kind::Float) / known.sum(Kind::Float).clamp_min(1.0);
    Parts { score, rect, landmarks }
}

/// Sum over cells of the quality focal loss: binary cross-entropy towards `wanted`, times the distance between prediction and `wanted`
/// to the power of [`FOCUS`], times `counts`.
fn quality_focal(logits: &Tensor, wanted: &Tensor, counts: &Tensor) -> Tensor {
    let entropy = logits.binary_cross_entropy_with_logits::<Tensor>(wanted, None, None, tch::Reduction::None);
    let distance = (wanted - logits.sigmoid()).abs().pow_tensor_scalar(FOCUS);
    (entropy * distance * counts).sum(Kind::Float)
}

/// 1 − DIoU of each row of boxes `[N, 4]`: centre x and y, width, height.
fn distance_iou(predicted: &Tensor, wanted: &Tensor) -> Tensor {
    let corners = |boxes: &Tensor| {
        let (center, half) = (boxes.narrow(1, 0, 2), boxes.narrow(1, 2, 2) / 2.0);
        (&center - &half, center + half)
    };
    let area = |boxes: &Tensor| boxes.select(1, 2) * boxes.select(1, 3);
    let ((low, high), (wanted_low, wanted_high)) = (corners(predicted), corners(wanted));
    let shared = (high.minimum(&wanted_high) - low.maximum(&wanted_low)).clamp_min(0.0);
    let shared = shared.select(1, 0) * shared.select(1, 1);
    let union = area(predicted) + area(wanted) - &shared;
    let around =
        (high.maximum(&wanted_high) - low.minimum(&wanted_low)).square().sum_dim_intlist(1, false, Kind::Float);
    let apart = (predicted.narrow(1, 0, 2) - wanted.narrow(1, 0, 2)).square().sum_dim_intlist(1, false, Kind::Float);
    1.0 - shared / (union + 1e-6) + apart / (around + 1e-6)
}

/// Quadratic up to [`LANDMARK_BEND`], linear beyond.
fn smooth_l1(wrong: &Tensor) -> Tensor {
    let distance = wrong.abs();
    let bent = distance.clamp_max(LANDMARK_BEND);
    &bent * &bent / (2.0 * LANDMARK_BEND) + (distance - bent)
}

#[cfg(test)]
mod tests {
    use super::super::assign::cells;
    use super::super::data::Face;
    use super::*;
    use mien_core::landmarks::Landmarks;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.reshape([-1])).unwrap()
    }

    #[test]
    fn quality_focal_is_the_definition() {
        // Three cells that predict one half: where 0.8 is wanted, where nothing is, and where the cell doesn't count.
        let logits = Tensor::from_slice(&[0.0_f32, 0.0, 0.0]);
        let (wanted, counts) = (Tensor::from_slice(&[0.8_f32, 0.0, 0.0]), Tensor::from_slice(&[1.0_f32, 1.0, 0.0]));
        let by_hand = 2.0_f64.ln() * (0.3_f64.powi(2) + 0.5_f64.powi(2));
        assert!((quality_focal(&logits, &wanted, &counts).double_value(&[]) - by_hand).abs() < 1e-6);
    }

    #[test]
    fn distance_iou_is_the_definition() {
        // The same box; one shifted by half its width; one that is apart.
        let predicted =
            Tensor::from_slice2(&[[5.0_f32, 5.0, 10.0, 10.0], [5.0, 5.0, 10.0, 10.0], [5.0, 5.0, 10.0, 10.0]]);
        let wanted =
            Tensor::from_slice2(&[[5.0_f32, 5.0, 10.0, 10.0], [10.0, 5.0, 10.0, 10.0], [25.0, 5.0, 10.0, 10.0]]);
        let given = values(&distance_iou(&predicted, &wanted));
        let by_hand = [0.0, 1.0 - 50.0 / 150.0 + 25.0 / (15.0_f32.powi(2) + 100.0), 1.0 + 400.0 / (900.0 + 100.0)];
        for (given, by_hand) in given.iter().zip(by_hand) {
            assert!((given - by_hand).abs() < 1e-5, "{given} {by_hand}");
        }
    }

    #[test]
    fn smooth_l1_is_square_near_zero_and_straight_beyond() {
        let bend = LANDMARK_BEND as f32;
        let given = values(&smooth_l1(&Tensor::from_slice(&[0.0_f32, bend / 2.0, -3.0 * bend])));
        for (given, by_hand) in given.iter().zip([0.0, bend / 8.0, 2.5 * bend]) {
            assert!((given - by_hand).abs() < 1e-7, "{given} {by_hand}");
        }
    }

    fn target(landmarks: Option<Landmarks>) -> Target {
        let rect = FaceRect { x: 12.0, y: 12.0, width: 32.0, height: 32.0 };
        Target { faces: vec![Face { rect, landmarks, ignored: false }], ignored: vec![] }
    }

    #[test]
    fn a_network_that_says_what_is_wanted_has_nothing_to_learn() {
        let cells = cells(64, 64);
        let landmarks = Landmarks::from_points([[20.0, 24.0], [36.0, 24.0], [28.0, 30.0], [22.0, 38.0], [34.0, 38.0]]);
        let target = target(Some(landmarks));
        let rect = target.faces[0].rect;
        let (x, y) = rect.center();
        let mut numbers = Vec::new();
        for cell in &cells {
            let offset =
                |[px, py]: [f32; 2]| [(px - cell.middle[0]) / cell.stride, (py - cell.middle[1]) / cell.stride];
            let size = (rect.width / (4.0 * cell.stride)).ln();
            // Only the cells that learn the face predict one: those of the finest level in a square around its centre.
            let near = cell.stride == 8.0 && (cell.middle[0] - x).abs() < 9.0 && (cell.middle[1] - y).abs() < 9.0;
            numbers.push(if near { 20.0 } else { -20.0 });
            numbers.extend(offset([x, y]));
            numbers.extend([size, size]);
            numbers.extend(landmarks.points().into_iter().flat_map(offset));
        }
        let outputs = Tensor::from_slice(&numbers).view([1, cells.len() as i64, OUTPUTS as i64]);
        let parts = compare(&outputs, &cells, &[target]);
        assert!(parts.rect.double_value(&[]) < 1e-5);
        assert!(parts.landmarks.double_value(&[]) < 1e-9);
    }

    #[test]
    fn without_marked_landmarks_none_are_learnt_and_where_faces_are_ignored_nothing_is() {
        let cells = cells(64, 64);
        let outputs = Tensor::zeros([1, cells.len() as i64, OUTPUTS as i64], (Kind::Float, tch::Device::Cpu));
        assert_eq!(compare(&outputs, &cells, &[target(None)]).landmarks.double_value(&[]), 0.0);
        let everywhere = FaceRect::whole(64, 64);
        let nothing = Target { faces: vec![], ignored: vec![everywhere] };
        assert_eq!(compare(&outputs, &cells, &[nothing]).score.double_value(&[]), 0.0);
        let empty = Target { faces: vec![], ignored: vec![] };
        let by_hand = 2.0_f64.ln() * 0.25 * cells.len() as f64;
        assert!((compare(&outputs, &cells, &[empty]).score.double_value(&[]) - by_hand).abs() < 1e-3);
    }
}
