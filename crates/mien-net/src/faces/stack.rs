//! `faces`: Mien's own detector, designed for libtorch on one core at batch size 1: few, plain 3×3 convolutions, an early stride, and
//! one memory layout throughout.
//!
//! A stem of stride 2 is followed by one stage for each stride from 4 to 32, which begins with a convolution of stride 2. At strides 8
//! and 16, the output of the next coarser stage goes through a 1×1 convolution, is doubled in size and added before the last block (a
//! feature pyramid, Lin et al. 2017): what is around a small face helps to recognise it, and the blocks on fine maps alone see 47
//! pixels. One 1×1 convolution for each of the last three stages gives the outputs.

use serde::Deserialize;
use serde::de::Error as _;
use tch::{Kind, TchError, Tensor, nn};

use super::super::layers::{ConvNorm, ConvShape, Layer as _};
use super::super::onnx::{Graph, Value};
use super::super::rep::RepBlock;
use super::super::{BuildError, ExportError, Pass, Precision, macs};
use super::{DetectionNetwork, OUTPUTS, STRIDES};

/// Parameters that a recipe may set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// Filters of the stem and of the stages at strides 4, 8, 16 and 32.
    channels: [i64; 1 + STAGES],
    /// Blocks of each stage after the one that halves the picture. The last of those at strides 8 and 16 also sees the coarser stage.
    blocks: [usize; STAGES],
}

/// Stages after the stem, at strides 4, 8, 16 and 32.
const STAGES: usize = 4;

/// The first stage that gives outputs.
const FIRST_WITH_OUTPUTS: usize = STAGES - STRIDES.len();

impl Default for Parameters {
    fn default() -> Self {
        Self { channels: [16, 32, 48, 64, 96], blocks: [0, 2, 2, 2] }
    }
}

/// Score that a new network gives to every cell, so that the many cells without a face don't dominate the first steps (Lin et al.
/// 2017).
const FIRST_SCORE: f64 = 0.01;

struct Faces {
    /// The stem, then the stages. Of stages with a joint, all blocks but the last, which the joint holds.
    stages: Vec<Vec<RepBlock>>,
    /// One for each pair of neighbouring stages with outputs, the finest first.
    joints: Vec<Joint>,
    /// Output layers of the stages with outputs.
    heads: Vec<ConvNorm>,
}

/// Adds the output of the next coarser stage to that of a stage.
struct Joint {
    /// Brings the coarser stage's output to the finer stage's channels.
    lateral: ConvNorm,
    /// The finer stage's last block.
    block: RepBlock,
}

impl Joint {
    /// `fine` is `[N, C, H, W]`, and `coarse` has half its height and width.
    fn forward(&self, fine: &Tensor, coarse: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let coarse = self.lateral.forward(coarse, pass)?;
        let size = coarse.size();
        let larger = coarse.f_upsample_nearest2d([2 * size[2], 2 * size[3]], None, None)?;
        self.block.forward(&fine.f_add(&larger)?, pass)
    }

    fn draw(&self, graph: &mut Graph, fine: &Value, coarse: &Value) -> Result<Value, ExportError> {
        let coarse = self.lateral.draw(graph, coarse)?;
        let larger = graph.doubled(&coarse)?;
        let sum = graph.node("Add", &[fine, &larger], &[]);
        self.block.draw(graph, &sum)
    }
}

pub(super) fn build(path: &nn::Path<'_>, parameters: toml::Table) -> Result<Box<dyn DetectionNetwork>, BuildError> {
    let Parameters { channels, blocks } = parameters.try_into()?;
    if channels.iter().any(|filters| *filters < 1) {
        return Err(toml::de::Error::custom("each of `channels` has to be at least 1").into());
    }
    if blocks[FIRST_WITH_OUTPUTS..STAGES - 1].contains(&0) {
        return Err(toml::de::Error::custom("`blocks` has to be at least 1 at strides 8 and 16").into());
    }
    // No branches on the largest maps: they would take as much time as the rest of the training, for next to no weights.
    let mut stages = vec![vec![RepBlock::new(&(path / "stem"), 1, channels[0], 2, false)?]];
    let mut joints = Vec::new();
    for stage in 0..STAGES {
        let (inputs, outputs) = (channels[stage], channels[stage + 1]);
        let path = path / format!("stage{}", stage + 1);
        let branches = stage >= FIRST_WITH_OUTPUTS;
        let shrink = RepBlock::new(&(&path / 0), inputs, outputs, 2, branches);
        let rest = (1..=blocks[stage]).map(|i| RepBlock::new(&(&path / i), outputs, outputs, 1, branches));
        let mut stage_blocks: Vec<RepBlock> = std::iter::once(shrink).chain(rest).collect::<Result<_, _>>()?;
        if (FIRST_WITH_OUTPUTS..STAGES - 1).contains(&stage)
            && let Some(block) = stage_blocks.pop()
        {
            let lateral = ConvNorm::strided(&(&path / "lateral"), channels[stage + 2], outputs, 1, 1)?;
            joints.push(Joint { lateral, block });
        }
        stages.push(stage_blocks);
    }
    let heads = (FIRST_WITH_OUTPUTS..STAGES)
        .map(|stage| {
            let path = path / format!("head{}", stage + 1);
            let layer = ConvNorm::biased(&path, ConvShape::new(channels[stage + 1], OUTPUTS as i64, 1))?;
            // The stand-ins for variables in a survey have no memory of their own to write to.
            if !macs::is_surveying()
                && let (Some(weight), Some(bias)) = (path.get("weight"), path.get("bias"))
            {
                tch::no_grad(|| -> Result<(), TchError> {
                    // Small weights, so that the first boxes have about the base size of their level.
                    let _ = weight.shallow_clone().f_mul_scalar_(0.1)?;
                    let _ = bias.narrow(0, 0, 1).f_fill_((FIRST_SCORE / (1.0 - FIRST_SCORE)).ln())?;
                    Ok(())
                })?;
            }
            Ok(layer)
        })
        .collect::<Result<_, BuildError>>()?;
    Ok(Box::new(Faces { stages, joints, heads }))
}

impl DetectionNetwork for Faces {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<[Tensor; STRIDES.len()], TchError> {
        let mut x = pictures.shallow_clone();
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            for block in stage {
                x = block.forward(&x, pass)?;
            }
            maps.push(x.shallow_clone());
        }
        let mut with_outputs = maps.split_off(1 + FIRST_WITH_OUTPUTS);
        for (level, joint) in self.joints.iter().enumerate().rev() {
            with_outputs[level] = joint.forward(&with_outputs[level], &with_outputs[level + 1], pass)?;
        }
        let level = |level: usize| self.heads[level].forward(&with_outputs[level], pass)?.f_to_kind(Kind::Float);
        Ok([level(0)?, level(1)?, level(2)?])
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.blocks().try_for_each(RepBlock::fold)?;
        self.single().try_for_each(ConvNorm::fold)
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.blocks().try_for_each(|block| block.pack(precision))?;
        self.single().try_for_each(|layer| layer.pack(precision))
    }

    fn draw(&self, graph: &mut Graph, pictures: &Value) -> Result<[Value; STRIDES.len()], ExportError> {
        let mut x = pictures.clone();
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.iter().try_fold(x, |x, block| block.draw(graph, &x))?;
            maps.push(x.clone());
        }
        let mut with_outputs = maps.split_off(1 + FIRST_WITH_OUTPUTS);
        for (level, joint) in self.joints.iter().enumerate().rev() {
            with_outputs[level] = joint.draw(graph, &with_outputs[level], &with_outputs[level + 1])?;
        }
        Ok([
            self.heads[0].draw(graph, &with_outputs[0])?,
            self.heads[1].draw(graph, &with_outputs[1])?,
            self.heads[2].draw(graph, &with_outputs[2])?,
        ])
    }
}

impl Faces {
    fn blocks(&mut self) -> impl Iterator<Item = &mut RepBlock> {
        self.stages.iter_mut().flatten().chain(self.joints.iter_mut().map(|joint| &mut joint.block))
    }

    /// The convolutions outside blocks.
    fn single(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        self.joints.iter_mut().map(|joint| &mut joint.lateral).chain(&mut self.heads)
    }
}
