//! EfficientNet (Tan & Le 2019): B2 with torchvision's names and edges, Lite0 with those of the published PyTorch port,
//! which are TensorFlow's.

use tch::nn;

use super::Backbone;
use super::inverted::{Activation, Block, BlockNames, BlockShape, Chain};
use crate::BuildError;
use crate::layers::ConvNorm;

/// A stage of B0, which the others scale.
struct Stage {
    expansion: i64,
    kernel: i64,
    stride: i64,
    outputs: i64,
    blocks: usize,
}

const fn stage(expansion: i64, kernel: i64, stride: i64, outputs: i64, blocks: usize) -> Stage {
    Stage { expansion, kernel, stride, outputs, blocks }
}

const B0: [Stage; 7] = [
    stage(1, 3, 1, 16, 1),
    stage(6, 3, 2, 24, 2),
    stage(6, 5, 2, 40, 2),
    stage(6, 3, 2, 80, 3),
    stage(6, 5, 1, 112, 3),
    stage(6, 5, 2, 192, 4),
    stage(6, 3, 1, 320, 1),
];

/// Channels of B0's stem.
const STEM: i64 = 32;

/// What distinguishes the networks of the family.
struct Variant {
    /// Factor to the channels.
    width: f64,
    /// Factor to the blocks of a stage.
    depth: f64,
    /// Channels of the last convolution.
    last: i64,
    squeeze: bool,
    activation: Activation,
    tensorflow: bool,
}

impl Variant {
    /// Channels, scaled and rounded to a multiple of eight, never by more than a tenth downwards.
    fn channels(&self, b0: i64) -> i64 {
        const STEP: i64 = 8; // what accelerators like
        let scaled = b0 as f64 * self.width;
        let rounded = ((scaled + STEP as f64 / 2.0) as i64 / STEP * STEP).max(STEP);
        if (rounded as f64) < 0.9 * scaled { rounded + STEP } else { rounded }
    }

    fn blocks(&self, b0: usize) -> usize {
        (b0 as f64 * self.depth).ceil() as usize
    }

    fn shape(&self) -> BlockShape {
        BlockShape {
            inputs: self.channels(STEM),
            outputs: self.channels(STEM),
            kernel: 3,
            stride: 1,
            expansion: 1,
            squeezed: None,
            activation: self.activation,
            tensorflow: self.tensorflow,
        }
    }

    /// The blocks in order: stage and place in it, both from 0, with the shape.
    fn plan(&self) -> Vec<(usize, usize, BlockShape)> {
        let mut inputs = self.channels(STEM);
        let mut plan = Vec::new();
        for (i, Stage { expansion, kernel, stride, outputs, blocks }) in B0.iter().enumerate() {
            let outputs = self.channels(*outputs);
            for block in 0..self.blocks(*blocks) {
                let shape = BlockShape {
                    inputs,
                    outputs,
                    kernel: *kernel,
                    stride: if block == 0 { *stride } else { 1 },
                    expansion: *expansion,
                    squeezed: self.squeeze.then_some(inputs / SQUEEZE),
                    ..self.shape()
                };
                plan.push((i, block, shape));
                inputs = outputs;
            }
        }
        plan
    }
}

/// By how much squeezed channels are fewer than a block's inputs.
const SQUEEZE: i64 = 4;

const B2: Variant =
    Variant { width: 1.1, depth: 1.2, last: 1408, squeeze: true, activation: Activation::Silu, tensorflow: false };

const LITE0: Variant =
    Variant { width: 1.0, depth: 1.0, last: 1280, squeeze: false, activation: Activation::Relu6, tensorflow: true };

pub fn b2(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(torchvision(path, &B2)?))
}

/// B2 with the edges and norms that TensorFlow and `tch::vision` give it.
#[cfg(test)]
pub fn b2_tensorflow(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(torchvision(path, &Variant { tensorflow: true, ..B2 })?))
}

fn torchvision(path: &nn::Path<'_>, variant: &Variant) -> Result<Chain, BuildError> {
    let path = path / "features";
    let named = |path: nn::Path<'_>, shape| ConvNorm::named(&(&path / 0), &(&path / 1), shape);
    let usual = variant.shape();
    let stem = named(&path / 0, usual.conv(super::CHANNELS, usual.outputs, 3).stride(2))?;
    let mut inputs = usual.outputs;
    let mut blocks = Vec::new();
    for (stage, block, shape) in variant.plan() {
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
        inputs = shape.outputs;
    }
    let last = named(&path / (B0.len() + 1), usual.conv(inputs, variant.last, 1))?;
    Ok(Chain { stem, blocks, last, activation: variant.activation })
}

pub fn lite0(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let usual = LITE0.shape();
    let named = |conv: &str, norm: &str, shape| ConvNorm::named(&(path / conv), &(path / norm), shape);
    let stem = named("_conv_stem", "_bn0", usual.conv(super::CHANNELS, usual.outputs, 3).stride(2))?;
    let mut inputs = usual.outputs;
    let mut blocks = Vec::new();
    for (_, _, shape) in LITE0.plan() {
        let path = path / "_blocks" / blocks.len();
        let names = BlockNames {
            expand: [&path / "_expand_conv", &path / "_bn0"],
            depthwise: [&path / "_depthwise_conv", &path / "_bn1"],
            squeeze: None,
            project: [&path / "_project_conv", &path / "_bn2"],
        };
        blocks.push(Block::new(&names, shape)?);
        inputs = shape.outputs;
    }
    let last = named("_conv_head", "_bn1", usual.conv(inputs, LITE0.last, 1))?;
    Ok(Box::new(Chain { stem, blocks, last, activation: LITE0.activation }))
}
