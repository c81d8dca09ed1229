//! MobileNetV2 (Sandler et al. 2018), with torchvision's names.

use tch::nn;

use super::Backbone;
use super::inverted::{self, Chain, Stage, Style};
use crate::BuildError;
use crate::layers::{ConvNorm, ConvShape};

const STAGES: [Stage; 7] = [
    Stage::new(1, 3, 1, 16, 1),
    Stage::new(6, 3, 2, 24, 2),
    Stage::new(6, 3, 2, 32, 3),
    Stage::new(6, 3, 2, 64, 4),
    Stage::new(6, 3, 1, 96, 3),
    Stage::new(6, 3, 2, 160, 3),
    Stage::new(6, 3, 1, 320, 1),
];
/// Channels of the stem and of the last convolution.
const ENDS: (i64, i64) = (32, 1280);

pub fn v2(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let path = path / "features";
    let stem = ConvNorm::numbered(&(&path / 0), ConvShape::new(super::CHANNELS, ENDS.0, 3).stride(2))?;
    let blocks = inverted::mobile_blocks(&path, 1, ENDS.0, &STAGES)?;
    let shape = ConvShape::new(STAGES[STAGES.len() - 1].outputs, ENDS.1, 1);
    let last = ConvNorm::numbered(&(&path / (blocks.len() + 1)), shape)?;
    Ok(Box::new(Chain { stem, blocks, last, activation: Style::MOBILE.activation }))
}
