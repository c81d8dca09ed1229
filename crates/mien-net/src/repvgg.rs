//! `repvgg`: a plain stack of re-parameterised 3×3 convolutions (RepVGG, Ding et al. 2021), designed for 48×48 pixels and for one core
//! at batch size 1: few and large layers, no shortcuts, no weighting of channels, and one memory layout throughout.
//!
//! 48×48×1 → 16 filters → four stages, each beginning with a convolution of stride 2: 32 at 24×24, 80 at 12×12, 160 at 6×6, 288 at 3×3
//! → mean over the map → dropout → 7. Once deployed, it has 11 convolutions, 1.9 M parameters and 59 M multiply-adds per face.

use tch::{Kind, TchError, Tensor, nn};

use super::layers::Dense;
use super::onnx::{Graph, Value};
use super::rep::RepBlock;
use super::stages::{STAGES, Stages};
use super::{BuildError, ExportError, Network, Pass, Precision};

struct RepVgg {
    blocks: Vec<RepBlock>,
    output: Dense,
    dropout: f64,
}

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let usual = Stages { channels: [16, 32, 80, 160, 288], blocks: [1, 2, 2, 1], dropout: 0.2 };
    let Stages { channels, blocks: counts, dropout } = Stages::of(parameters, usual, 1, 0)?;
    let mut blocks = vec![RepBlock::new(&(path / "stem"), 1, channels[0], 1, true)?];
    for stage in 0..STAGES {
        let (inputs, filters) = (channels[stage], channels[stage + 1]);
        let path = path / format!("stage{}", stage + 1);
        blocks.push(RepBlock::new(&(&path / 0), inputs, filters, 2, true)?);
        for block in 1..=counts[stage] {
            blocks.push(RepBlock::new(&(&path / block), filters, filters, 1, true)?);
        }
    }
    let output = Dense::new(&(path / "output"), channels[STAGES], outputs)?;
    Ok(Box::new(RepVgg { blocks, output, dropout }))
}

impl Network for RepVgg {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut x = faces.shallow_clone();
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        let features = x.f_mean_dim([2, 3].as_slice(), false, Kind::Float)?;
        self.output.forward(&features.f_dropout(self.dropout, pass.train)?)
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.blocks.iter_mut().try_for_each(RepBlock::fold)
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.blocks.iter_mut().try_for_each(|block| block.pack(precision))
    }

    fn draw(&self, graph: &mut Graph, faces: &Value) -> Result<Value, ExportError> {
        let x = self.blocks.iter().try_fold(faces.clone(), |x, block| block.draw(graph, &x))?;
        let features = graph.mean_of_maps(&x);
        self.output.draw(graph, &features)
    }
}

#[cfg(test)]
mod tests {
    use crate::NetworkSpec;

    #[test]
    fn it_is_as_small_as_one_core_needs_it() {
        let spec: NetworkSpec = toml::from_str("architecture = \"repvgg\"").unwrap();
        let cost = spec.cost(7).unwrap();
        assert!(cost.parameters <= 3_000_000, "{} parameters", cost.parameters);
        assert!(cost.macs <= 60_000_000, "{} multiply-adds", cost.macs);
    }
}
