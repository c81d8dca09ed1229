//! EfficientNet (Tan & Le 2019): B2 with torchvision's names and padding, Lite0 with the names of the published PyTorch port and
//! TensorFlow's padding.

use tch::nn;

use super::Backbone;
use super::inverted::{Activation, Block, BlockNames, Chain, Stage, Style, shapes};
use crate::BuildError;
use crate::layers::ConvNorm;

/// The stages of B0, which the other variants scale.
const B0: [Stage; 7] = [
    Stage::new(1, 3, 1, 16, 1),
    Stage::new(6, 3, 2, 24, 2),
    Stage::new(6, 5, 2, 40, 2),
    Stage::new(6, 3, 2, 80, 3),
    Stage::new(6, 5, 1, 112, 3),
    Stage::new(6, 5, 2, 192, 4),
    Stage::new(6, 3, 1, 320, 1),
];

/// Channels of B0's stem.
const STEM: i64 = 32;

/// What distinguishes the networks of the family.
struct Variant {
    /// Factor for the channels.
    width: f64,
    /// Factor for the blocks of a stage.
    depth: f64,
    /// Channels of the last convolution.
    last: i64,
    style: Style,
}

impl Variant {
    /// Scales a number of channels and rounds it to a multiple of eight, never down by more than a tenth.
    fn channels(&self, b0: i64) -> i64 {
        const STEP: i64 = 8; // what accelerators like
        let scaled = b0 as f64 * self.width;
        let rounded = ((scaled + STEP as f64 / 2.0) as i64 / STEP * STEP).max(STEP);
        if (rounded as f64) < 0.9 * scaled { rounded + STEP } else { rounded }
    }

    fn blocks(&self, b0: usize) -> usize {
        (b0 as f64 * self.depth).ceil() as usize
    }

    fn stages(&self) -> [Stage; B0.len()] {
        B0.map(|b0| Stage { outputs: self.channels(b0.outputs), blocks: self.blocks(b0.blocks), ..b0 })
    }
}

const B2: Variant = Variant {
    width: 1.1,
    depth: 1.2,
    last: 1408,
    style: Style { squeeze: Some(4), activation: Activation::Silu, tensorflow: false },
};

const LITE0: Variant = Variant {
    width: 1.0,
    depth: 1.0,
    last: 1280,
    style: Style { squeeze: None, activation: Activation::Relu6, tensorflow: true },
};

pub fn b2(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(torchvision(path, &B2)?))
}

/// B2 with the padding and norms of TensorFlow and `tch::vision`.
#[cfg(test)]
pub fn b2_tensorflow(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(torchvision(path, &Variant { style: Style { tensorflow: true, ..B2.style }, ..B2 })?))
}

fn torchvision(path: &nn::Path<'_>, variant: &Variant) -> Result<Chain, BuildError> {
    let path = path / "features";
    let (channels, stages, style) = (variant.channels(STEM), variant.stages(), variant.style);
    let stem = ConvNorm::numbered(&(&path / 0), style.conv(super::CHANNELS, channels, 3).stride(2))?;
    let mut blocks = Vec::new();
    for (stage, block, shape) in shapes(&stages, channels, style) {
        let path = &path / (stage + 1) / block / "block";
        let at = usize::from(shape.expansion != 1);
        let pair = |i: usize| [&path / i / 0, &path / i / 1];
        let names = BlockNames {
            expand: pair(0),
            depthwise: pair(at),
            squeeze: Some([&path / (at + 1) / "fc1", &path / (at + 1) / "fc2"]),
            project: pair(at + 2),
        };
        blocks.push(Block::new(&names, shape)?);
    }
    let shape = style.conv(stages[stages.len() - 1].outputs, variant.last, 1);
    let last = ConvNorm::numbered(&(&path / (stages.len() + 1)), shape)?;
    Ok(Chain { stem, blocks, last, activation: style.activation })
}

pub fn lite0(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let (channels, stages, style) = (LITE0.channels(STEM), LITE0.stages(), LITE0.style);
    let named = |conv: &str, norm: &str, shape| ConvNorm::named(&(path / conv), &(path / norm), shape);
    let stem = named("_conv_stem", "_bn0", style.conv(super::CHANNELS, channels, 3).stride(2))?;
    let mut blocks = Vec::new();
    for (_, _, shape) in shapes(&stages, channels, style) {
        let path = path / "_blocks" / blocks.len();
        let names = BlockNames {
            expand: [&path / "_expand_conv", &path / "_bn0"],
            depthwise: [&path / "_depthwise_conv", &path / "_bn1"],
            squeeze: None,
            project: [&path / "_project_conv", &path / "_bn2"],
        };
        blocks.push(Block::new(&names, shape)?);
    }
    let last = named("_conv_head", "_bn1", style.conv(stages[stages.len() - 1].outputs, LITE0.last, 1))?;
    Ok(Box::new(Chain { stem, blocks, last, activation: style.activation }))
}
