//! `mien`: Mien's own network, small enough to run on every frame of a camera on one core.
//!
//! A residual network (He et al. 2016) with squeeze-and-excitation (Hu et al. 2018), designed for 48×48 pixels: most of the computation
//! is on maps of 24×24 and 12×12, which still resolve the corners of eyes and mouth.
//!
//! 48×48×1 → 24 filters → 40 at 24×24 → four stages of residual blocks: 40 at 24×24, 88 at 12×12, 176 at 6×6, 208 at
//! 3×3 → mean over the map → dropout → 7. About 1.4 M parameters and 60 M multiply-adds per face.

use tch::{Kind, TchError, Tensor, nn};

use super::layers::{ConvNorm, Dense, Layer as _};
use super::onnx::{Graph, Value};
use super::stages::{STAGES, Stages};
use super::{BuildError, ExportError, Network, Pass, Precision};

/// Reduction ratio of squeeze-and-excitation (the paper's 16 leaves too few channels here).
const SQUEEZE: i64 = 8;

struct Mien {
    stem: ConvNorm,
    shrink: ConvNorm,
    blocks: Vec<Block>,
    output: Dense,
    dropout: f64,
}

/// Two convolutions whose output, weighted per channel, is added to the input.
struct Block {
    first: ConvNorm,
    second: ConvNorm,
    squeeze: Dense,
    excite: Dense,
    /// A 1×1 convolution that brings the input to the output's shape, where the two differ.
    shortcut: Option<ConvNorm>,
}

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let usual = Stages { channels: [24, 40, 88, 176, 208], blocks: [1; STAGES], dropout: 0.2 };
    // A stage's first block sets its channels and, except in the first stage, halves the map. A stage without blocks would silently
    // disappear.
    let Stages { channels, blocks: counts, dropout } = Stages::of(parameters, usual, SQUEEZE, 1)?;
    let stem = ConvNorm::new(&(path / "stem"), 1, channels[0], 3)?;
    let shrink = ConvNorm::strided(&(path / "shrink"), channels[0], channels[1], 3, 2)?;
    let mut inputs = channels[1];
    let mut blocks = Vec::new();
    for stage in 0..STAGES {
        let filters = channels[stage + 1];
        for block in 0..counts[stage] {
            let path = path / format!("stage{}", stage + 1) / block;
            // `shrink` has already halved the picture for the first stage.
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            blocks.push(Block::new(&path, inputs, filters, stride)?);
            inputs = filters;
        }
    }
    let output = Dense::new(&(path / "output"), inputs, outputs)?;
    Ok(Box::new(Mien { stem, shrink, blocks, output, dropout }))
}

impl Block {
    fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, stride: i64) -> Result<Self, BuildError> {
        let changes = inputs != outputs || stride != 1;
        let shortcut = changes.then(|| ConvNorm::strided(&(path / "shortcut"), inputs, outputs, 1, stride));
        Ok(Self {
            first: ConvNorm::strided(&(path / "conv1"), inputs, outputs, 3, stride)?,
            second: ConvNorm::new(&(path / "conv2"), outputs, outputs, 3)?,
            squeeze: Dense::new(&(path / "squeeze"), outputs, outputs / SQUEEZE)?,
            excite: Dense::new(&(path / "excite"), outputs / SQUEEZE, outputs)?,
            shortcut: shortcut.transpose()?,
        })
    }

    fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = self.second.forward(&self.first.forward_relu(input, pass)?, pass)?;
        let means = x.f_mean_dim([2, 3].as_slice(), false, Kind::Float)?;
        let weights = self.excite.forward(&self.squeeze.forward(&means)?.f_relu()?)?.f_sigmoid()?;
        let weighted = x.f_mul(&weights.f_to_kind(x.kind())?.f_unsqueeze(-1)?.f_unsqueeze(-1)?)?;
        match &self.shortcut {
            Some(shortcut) => weighted.f_add(&shortcut.forward(input, pass)?)?.f_relu(),
            None => weighted.f_add(input)?.f_relu(),
        }
    }

    fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let first = self.first.draw_relu(graph, input)?;
        let x = self.second.draw(graph, &first)?;
        let means = graph.node("GlobalAveragePool", &[&x], &[]);
        let squeezed = self.squeeze.draw_on_map(graph, &means)?;
        let squeezed = graph.relu(&squeezed);
        let excited = self.excite.draw_on_map(graph, &squeezed)?;
        let weights = graph.node("Sigmoid", &[&excited], &[]);
        let weighted = graph.node("Mul", &[&x, &weights], &[]);
        let came_in = match &self.shortcut {
            Some(shortcut) => shortcut.draw(graph, input)?,
            None => input.clone(),
        };
        let sum = graph.node("Add", &[&weighted, &came_in], &[]);
        Ok(graph.relu(&sum))
    }

    fn convolutions(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        [&mut self.first, &mut self.second].into_iter().chain(&mut self.shortcut)
    }
}

impl Network for Mien {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut x = self.shrink.forward_relu(&self.stem.forward_relu(faces, pass)?, pass)?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        let features = x.f_mean_dim([2, 3].as_slice(), false, Kind::Float)?;
        self.output.forward(&features.f_dropout(self.dropout, pass.train)?)
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.convolutions().try_for_each(ConvNorm::fold)
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.convolutions().try_for_each(|convolution| convolution.pack(precision))
    }

    fn draw(&self, graph: &mut Graph, faces: &Value) -> Result<Value, ExportError> {
        let stem = self.stem.draw_relu(graph, faces)?;
        let first = self.shrink.draw_relu(graph, &stem)?;
        let x = self.blocks.iter().try_fold(first, |x, block| block.draw(graph, &x))?;
        let features = graph.mean_of_maps(&x);
        self.output.draw(graph, &features)
    }
}

impl Mien {
    fn convolutions(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        [&mut self.stem, &mut self.shrink].into_iter().chain(self.blocks.iter_mut().flat_map(Block::convolutions))
    }
}
