//! Records of a detector's training, epoch by epoch.

use serde::{Deserialize, Serialize};

use crate::plots::{Line, Panel, Plot, PlotError, SERIES, two_panels};
use crate::task::Record;

/// One epoch. Figures are for the validation pictures, with the weights that would be saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FacesRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Mean loss over the epoch's pictures, with its parts weighted as in the recipe.
    pub training_loss: f64,
    /// Mean loss of scores.
    pub score_loss: f64,
    /// Mean loss of boxes.
    pub box_loss: f64,
    /// Mean loss of landmarks.
    pub landmark_loss: f64,
    /// Average precision at an overlap of one half, over all faces that count.
    pub average_precision: f64,
    /// Share of faces found with a score of at least one half.
    pub recall: f64,
    /// Average precision for faces of 40 pixels and more in a picture whose longer side is 640.
    pub average_precision_from_40: f64,
    /// Recall for the same faces.
    pub recall_from_40: f64,
    /// False boxes per 100 pictures.
    pub false_boxes_per_100: f64,
    /// Mean distance of landmarks from their marked positions, in distances between the eyes.
    pub landmark_error: Option<f64>,
    /// Time spent on the epoch in seconds. A resumed training doesn't reproduce it.
    pub seconds: f64,
}

impl Record for FacesRecord {
    fn epoch(&self) -> usize {
        self.epoch
    }

    fn seconds(&self) -> f64 {
        self.seconds
    }

    fn watched_loss(&self) -> f64 {
        1.0 - self.average_precision
    }
}

/// Draws the losses on the left, precision and recall on the right.
pub(super) fn curves(name: &str, history: &[FacesRecord], best_epoch: usize) -> Result<Plot, PlotError> {
    let losses = [
        Line { name: "weighted total", color: SERIES[0], value: |record: &FacesRecord| record.training_loss },
        Line { name: "scores", color: SERIES[1], value: |record| record.score_loss },
        Line { name: "boxes", color: SERIES[2], value: |record| record.box_loss },
    ];
    let found = [
        Line { name: "average precision", color: SERIES[0], value: |r: &FacesRecord| 100.0 * r.average_precision },
        Line { name: "average precision from 40 px", color: SERIES[1], value: |r| 100.0 * r.average_precision_from_40 },
        Line { name: "recall from 40 px", color: SERIES[2], value: |r| 100.0 * r.recall_from_40 },
    ];
    let subtitle = match history.iter().find(|record| record.epoch == best_epoch) {
        Some(best) => format!(
            "{} epochs; the dotted line marks the kept epoch, {best_epoch}: average precision {:.1} %, {:.1} false boxes in 100 pictures",
            history.len(),
            100.0 * best.average_precision,
            best.false_boxes_per_100
        ),
        None => format!("{} epochs", history.len()),
    };
    let panels = [
        Panel { title: "loss on the training pictures", highest_allowed: None, lines: &losses },
        Panel { title: "validation pictures (%)", highest_allowed: Some(100.0), lines: &found },
    ];
    two_panels(name, &subtitle, &panels, history, best_epoch)
}
