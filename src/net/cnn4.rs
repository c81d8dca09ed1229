//! `cnn4`: the four-convolution network that is trained on FER2013 in many a notebook, with batch norm throughout.
//!
//! 48×48×1 → 64 filters 3×3 → 128 of 5×5 → 512 of 3×3 → 512 of 3×3, each with batch norm, ReLU, 2×2 max pooling and
//! dropout → dense 256 → dense 512, each with batch norm, ReLU and dropout → 7. About 4.5 M parameters and 290 M
//! multiply-adds a face.

use serde::Deserialize;
use tch::{Device, Kind, Tensor, nn};

use super::layers::{ConvNorm, DenseNorm};
use super::{Network, Pass, Precision};
use crate::emotion;

/// What a recipe may say about `cnn4`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// Share of activations dropped after each convolution.
    dropout_conv: f64,
    /// Share dropped after each dense layer.
    dropout_dense: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { dropout_conv: 0.25, dropout_dense: 0.25 }
    }
}

/// Filters and kernel of each convolution.
const CONVOLUTIONS: [(i64, i64); 4] = [(64, 3), (128, 5), (512, 3), (512, 3)];
/// Outputs of each hidden dense layer.
const DENSE: [i64; 2] = [256, 512];
/// Side of the feature map that is left of 48 pixels after four poolings.
const LAST_SIDE: i64 = 3;

struct Cnn4 {
    convolutions: Vec<ConvNorm>,
    dense: Vec<DenseNorm>,
    output: nn::Linear,
    parameters: Parameters,
    /// The number format of the convolutions once they are packed for oneDNN.
    packed: Option<Precision>,
}

pub(super) fn build(path: &nn::Path<'_>, parameters: toml::Table) -> Result<Box<dyn Network>, toml::de::Error> {
    let parameters = parameters.try_into()?;
    let mut channels = 1;
    let mut convolutions = Vec::new();
    for (i, (filters, kernel)) in CONVOLUTIONS.into_iter().enumerate() {
        convolutions.push(ConvNorm::new(&(path / format!("conv{}", i + 1)), channels, filters, kernel));
        channels = filters;
    }
    let mut features = channels * LAST_SIDE * LAST_SIDE;
    let mut dense = Vec::new();
    for (i, outputs) in DENSE.into_iter().enumerate() {
        dense.push(DenseNorm::new(&(path / format!("dense{}", i + 1)), features, outputs));
        features = outputs;
    }
    let output = nn::linear(path / "output", features, emotion::COUNT as i64, nn::LinearConfig::default());
    Ok(Box::new(Cnn4 { convolutions, dense, output, parameters, packed: None }))
}

impl Network for Cnn4 {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Tensor {
        let mut x = match self.packed {
            Some(precision) => faces.to_kind(precision.kind()).to_mkldnn(),
            None => faces.shallow_clone(),
        };
        for convolution in &self.convolutions {
            // Pooling before ReLU gives the same numbers as after it, on a quarter of the pixels.
            x = convolution.forward(&x, pass).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false).relu();
            if pass.train {
                x = x.dropout(self.parameters.dropout_conv, true);
            }
        }
        if self.packed.is_some() {
            x = x.to_dense(None, false).to_kind(Kind::Float);
        }
        x = x.flatten(1, -1);
        for dense in &self.dense {
            x = dense.forward(&x, pass).relu().dropout(self.parameters.dropout_dense, pass.train);
        }
        x.apply(&self.output)
    }

    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), tch::TchError> {
        self.convolutions.iter_mut().for_each(ConvNorm::fold);
        self.dense.iter_mut().for_each(DenseNorm::fold);
        if device == Device::Cpu && tch::utils::has_mkldnn() {
            for convolution in &mut self.convolutions {
                convolution.pack(precision)?;
            }
            self.packed = Some(precision);
        }
        Ok(())
    }
}
