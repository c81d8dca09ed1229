//! Inception V3 (Szegedy et al. 2016), with torchvision's names, without its auxiliary classifier.

use tch::{TchError, Tensor, nn};

use super::Backbone;
use crate::BuildError;
use crate::Pass;
use crate::layers::{ConvNorm, ConvShape, Layer};

/// Epsilon of this network's batch norms.
const EPSILON: f64 = 1e-3;

/// A stage of the network.
enum Stage {
    Conv(ConvNorm),
    MaxPool,
    Mixed(Mixed),
}

/// Parallel branches, whose outputs are concatenated.
struct Mixed {
    branches: Vec<Branch>,
    /// The convolution after 3×3 average pooling. If `None`, 3×3 max pooling of stride 2 is a branch instead.
    pool: Option<ConvNorm>,
}

/// Convolutions in a row, optionally followed by two parallel ones.
struct Branch {
    row: Vec<ConvNorm>,
    fork: Option<[ConvNorm; 2]>,
}

fn conv(path: &nn::Path<'_>, name: &str, shape: ConvShape) -> Result<ConvNorm, BuildError> {
    let path = path / name;
    ConvNorm::named(&(&path / "conv"), &(&path / "bn"), shape.epsilon(EPSILON))
}

fn row<const N: usize>(path: &nn::Path<'_>, convolutions: [(&str, ConvShape); N]) -> Result<Branch, BuildError> {
    let row = convolutions.into_iter().map(|(name, shape)| conv(path, name, shape)).collect::<Result<_, _>>()?;
    Ok(Branch { row, fork: None })
}

fn square(inputs: i64, outputs: i64, kernel: i64) -> ConvShape {
    ConvShape::new(inputs, outputs, kernel)
}

fn halving(inputs: i64, outputs: i64) -> ConvShape {
    ConvShape::new(inputs, outputs, 3).stride(2).unpadded()
}

fn wide(inputs: i64, outputs: i64, length: i64) -> ConvShape {
    ConvShape::oblong(inputs, outputs, [1, length])
}

fn tall(inputs: i64, outputs: i64, length: i64) -> ConvShape {
    ConvShape::oblong(inputs, outputs, [length, 1])
}

/// 35×35 in the paper.
fn mixed_a(path: &nn::Path<'_>, inputs: i64, pooled: i64) -> Result<Mixed, BuildError> {
    let branches = vec![
        row(path, [("branch1x1", square(inputs, 64, 1))])?,
        row(path, [("branch5x5_1", square(inputs, 48, 1)), ("branch5x5_2", square(48, 64, 5))])?,
        row(
            path,
            [
                ("branch3x3dbl_1", square(inputs, 64, 1)),
                ("branch3x3dbl_2", square(64, 96, 3)),
                ("branch3x3dbl_3", square(96, 96, 3)),
            ],
        )?,
    ];
    Ok(Mixed { branches, pool: Some(conv(path, "branch_pool", square(inputs, pooled, 1))?) })
}

/// From 35×35 to 17×17.
fn mixed_b(path: &nn::Path<'_>, inputs: i64) -> Result<Mixed, BuildError> {
    let branches = vec![
        row(path, [("branch3x3", halving(inputs, 384))])?,
        row(
            path,
            [
                ("branch3x3dbl_1", square(inputs, 64, 1)),
                ("branch3x3dbl_2", square(64, 96, 3)),
                ("branch3x3dbl_3", halving(96, 96)),
            ],
        )?,
    ];
    Ok(Mixed { branches, pool: None })
}

/// 17×17, with 7×7 factorised into 1×7 and 7×1.
fn mixed_c(path: &nn::Path<'_>, width: i64) -> Result<Mixed, BuildError> {
    const CHANNELS: i64 = 768;
    const BRANCH: i64 = 192;
    let branches = vec![
        row(path, [("branch1x1", square(CHANNELS, BRANCH, 1))])?,
        row(
            path,
            [
                ("branch7x7_1", square(CHANNELS, width, 1)),
                ("branch7x7_2", wide(width, width, 7)),
                ("branch7x7_3", tall(width, BRANCH, 7)),
            ],
        )?,
        row(
            path,
            [
                ("branch7x7dbl_1", square(CHANNELS, width, 1)),
                ("branch7x7dbl_2", tall(width, width, 7)),
                ("branch7x7dbl_3", wide(width, width, 7)),
                ("branch7x7dbl_4", tall(width, width, 7)),
                ("branch7x7dbl_5", wide(width, BRANCH, 7)),
            ],
        )?,
    ];
    Ok(Mixed { branches, pool: Some(conv(path, "branch_pool", square(CHANNELS, BRANCH, 1))?) })
}

/// From 17×17 to 8×8.
fn mixed_d(path: &nn::Path<'_>, inputs: i64) -> Result<Mixed, BuildError> {
    let branches = vec![
        row(path, [("branch3x3_1", square(inputs, 192, 1)), ("branch3x3_2", halving(192, 320))])?,
        row(
            path,
            [
                ("branch7x7x3_1", square(inputs, 192, 1)),
                ("branch7x7x3_2", wide(192, 192, 7)),
                ("branch7x7x3_3", tall(192, 192, 7)),
                ("branch7x7x3_4", halving(192, 192)),
            ],
        )?,
    ];
    Ok(Mixed { branches, pool: None })
}

/// 8×8, with branches that fork.
fn mixed_e(path: &nn::Path<'_>, inputs: i64) -> Result<Mixed, BuildError> {
    let fork = |names: [&str; 2]| {
        let [a, b] = names;
        Ok::<_, BuildError>(Some([conv(path, a, wide(384, 384, 3))?, conv(path, b, tall(384, 384, 3))?]))
    };
    let branches = vec![
        row(path, [("branch1x1", square(inputs, 320, 1))])?,
        Branch {
            fork: fork(["branch3x3_2a", "branch3x3_2b"])?,
            ..row(path, [("branch3x3_1", square(inputs, 384, 1))])?
        },
        Branch {
            fork: fork(["branch3x3dbl_3a", "branch3x3dbl_3b"])?,
            ..row(path, [("branch3x3dbl_1", square(inputs, 448, 1)), ("branch3x3dbl_2", square(448, 384, 3))])?
        },
    ];
    Ok(Mixed { branches, pool: Some(conv(path, "branch_pool", square(inputs, 192, 1))?) })
}

struct Inception {
    stages: Vec<Stage>,
}

pub fn v3(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let stem = |name: &str, shape| conv(path, name, shape).map(Stage::Conv);
    let at = |name: &str| path / name;
    let stages = vec![
        stem("Conv2d_1a_3x3", halving(super::CHANNELS, 32))?,
        stem("Conv2d_2a_3x3", square(32, 32, 3).unpadded())?,
        stem("Conv2d_2b_3x3", square(32, 64, 3))?,
        Stage::MaxPool,
        stem("Conv2d_3b_1x1", square(64, 80, 1))?,
        stem("Conv2d_4a_3x3", square(80, 192, 3).unpadded())?,
        Stage::MaxPool,
        Stage::Mixed(mixed_a(&at("Mixed_5b"), 192, 32)?),
        Stage::Mixed(mixed_a(&at("Mixed_5c"), 256, 64)?),
        Stage::Mixed(mixed_a(&at("Mixed_5d"), 288, 64)?),
        Stage::Mixed(mixed_b(&at("Mixed_6a"), 288)?),
        Stage::Mixed(mixed_c(&at("Mixed_6b"), 128)?),
        Stage::Mixed(mixed_c(&at("Mixed_6c"), 160)?),
        Stage::Mixed(mixed_c(&at("Mixed_6d"), 160)?),
        Stage::Mixed(mixed_c(&at("Mixed_6e"), 192)?),
        Stage::Mixed(mixed_d(&at("Mixed_7a"), 768)?),
        Stage::Mixed(mixed_e(&at("Mixed_7b"), 1280)?),
        Stage::Mixed(mixed_e(&at("Mixed_7c"), 2048)?),
    ];
    Ok(Box::new(Inception { stages }))
}

fn max_pool(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)
}

impl Mixed {
    fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut outputs = Vec::new();
        for Branch { row, fork } in &self.branches {
            let y = row.iter().try_fold(x.shallow_clone(), |y, conv| conv.forward(&y, pass)?.f_relu())?;
            match fork {
                Some([a, b]) => outputs.extend([a.forward(&y, pass)?.f_relu()?, b.forward(&y, pass)?.f_relu()?]),
                None => outputs.push(y),
            }
        }
        outputs.push(match &self.pool {
            Some(conv) => {
                let means = x.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, true, None)?;
                conv.forward(&means, pass)?.f_relu()?
            }
            None => max_pool(x)?,
        });
        Tensor::f_cat(&outputs, 1)
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let mut all: Vec<&mut dyn Layer> = Vec::new();
        for Branch { row, fork } in &mut self.branches {
            all.extend(row.iter_mut().chain(fork.iter_mut().flatten()).map(|layer| layer as &mut dyn Layer));
        }
        if let Some(conv) = &mut self.pool {
            all.push(conv);
        }
        all
    }
}

impl Backbone for Inception {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        self.stages.iter().try_fold(pictures.shallow_clone(), |x, stage| match stage {
            Stage::Conv(conv) => conv.forward(&x, pass)?.f_relu(),
            Stage::MaxPool => max_pool(&x),
            Stage::Mixed(mixed) => mixed.forward(&x, pass),
        })
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let mut all: Vec<&mut dyn Layer> = Vec::new();
        for stage in &mut self.stages {
            match stage {
                Stage::Conv(conv) => all.push(conv),
                Stage::MaxPool => {}
                Stage::Mixed(mixed) => all.extend(mixed.layers()),
            }
        }
        all
    }
}
