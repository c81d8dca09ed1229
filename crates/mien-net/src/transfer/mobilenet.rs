//! MobileNetV2 (Sandler et al. 2018), with torchvision's names.

use tch::nn;

use super::Backbone;
use super::inverted::{self, Activation, Chain, Stage};
use crate::BuildError;
use crate::layers::{ConvNorm, ConvShape};

const STAGES: [Stage; 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
/// Channels of the stem and of the last convolution.
const ENDS: (i64, i64) = (32, 1280);

pub fn v2(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let path = path / "features";
    let named = |path: nn::Path<'_>, shape| ConvNorm::named(&(&path / 0), &(&path / 1), shape);
    let stem = named(&path / 0, ConvShape::new(super::CHANNELS, ENDS.0, 3).stride(2))?;
    let blocks = inverted::stages(&path, 1, ENDS.0, &STAGES)?;
    let last = named(&path / (blocks.len() + 1), ConvShape::new(STAGES[STAGES.len() - 1].1, ENDS.1, 1))?;
    Ok(Box::new(Chain { stem, blocks, last, activation: Activation::Relu6 }))
}
