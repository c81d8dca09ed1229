//! Running a network over many pictures.

use tch::{Device, Kind, Tensor};

use super::metrics::Confusion;
use crate::classify::ClassifyError;
use crate::emotion::Emotion;
use crate::net::{Network, Pass};
use crate::preprocess::Normalization;

/// Pictures a batch: enough to keep any device busy, little enough for any memory.
const BATCH: i64 = 256;

/// Logits `[N, 7]` for gray bytes `[N, 1, 48, 48]`, on the CPU.
pub fn predict(
    network: &dyn Network,
    normalization: Normalization,
    bytes: &Tensor,
    pass: Pass,
    device: Device,
) -> Tensor {
    tch::no_grad(|| {
        let logits: Vec<Tensor> = bytes
            .split(BATCH, 0)
            .iter()
            .map(|batch| network.forward(&normalization.apply(&batch.to_device(device)), pass).to_device(Device::Cpu))
            .collect();
        Tensor::cat(&logits, 0)
    })
}

/// Compares the leading emotion of each row of `logits` with the right answer.
///
/// # Errors
/// When a row holds a number that isn't finite: its leader would mean nothing.
pub fn evaluate(logits: &Tensor, answers: &[Emotion]) -> Result<Confusion, ClassifyError> {
    if !bool::try_from(logits.isfinite().all())? {
        return Err(ClassifyError::NotANumber);
    }
    let leaders: Vec<i64> = logits.argmax(1, false).to_kind(Kind::Int64).try_into()?;
    let mut confusion = Confusion::default();
    for (truth, leader) in answers.iter().zip(leaders) {
        if let Some(answer) = usize::try_from(leader).ok().and_then(Emotion::from_index) {
            confusion.add(*truth, answer);
        }
    }
    Ok(confusion)
}
