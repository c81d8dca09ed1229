//! A plain stack: convolutions one after the other, then dense layers. A [`Layout`] describes such an architecture; this module builds
//! and runs it.

use serde::Deserialize;
use serde::de::Error as _;
use tch::{Kind, TchError, Tensor, nn};

use super::layers::{ConvNorm, ConvShape, Dense, DenseNorm, Layer as _};
use super::onnx::{Attribute, Graph, Value};
use super::{BuildError, ExportError, Network, Pass, Precision};
use mien_core::crop::CROP_SIZE;

/// Parameters that a recipe may set. The architecture has a default for each.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// Dropout rate after those convolutions that have dropout.
    dropout_conv: Option<f64>,
    /// Dropout rate after each dense layer.
    dropout_dense: Option<f64>,
    /// Whether the layers have their norms. Without norms, every layer has a bias.
    norm: Option<bool>,
}

/// A convolution and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    /// Output channels.
    pub filters: i64,
    /// Side of the square kernel, odd.
    pub kernel: i64,
    /// Its norm.
    pub norm: Norm,
    /// Its activation.
    pub activation: Activation,
    /// Whether 2×2 max pooling halves the map.
    pub pool: bool,
    /// Whether dropout follows.
    pub drop: bool,
}

impl Conv {
    /// 3×3 with ReLU, nothing else.
    pub const fn new(filters: i64) -> Self {
        Self { filters, kernel: 3, norm: Norm::None, activation: Activation::Relu, pool: false, drop: false }
    }
}

/// The norm after a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// None, only a bias.
    None,
    /// Batch norm (Ioffe & Szegedy 2015).
    Batch,
    /// Group norm (Wu & He 2018) with this many groups.
    Group(i64),
}

/// The available activations. None is decreasing anywhere, so max pooling may come before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x above zero, a hundredth of it below
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
}

impl Activation {
    fn apply(self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Relu => x.f_relu(),
            Self::LeakyRelu => x.f_leaky_relu(),
            Self::Tanh => x.f_tanh(),
            Self::Sigmoid => x.f_sigmoid(),
        }
    }

    fn draw(self, graph: &mut Graph, x: &Value) -> Value {
        match self {
            Self::Relu => graph.relu(x),
            Self::LeakyRelu => graph.node("LeakyRelu", &[x], &[("alpha", Attribute::Float(0.01))]),
            Self::Tanh => graph.node("Tanh", &[x], &[]),
            Self::Sigmoid => graph.node("Sigmoid", &[x], &[]),
        }
    }
}

/// An architecture that is a plain stack.
pub struct Layout {
    /// The convolutions, first to last.
    pub convolutions: Vec<Conv>,
    /// Outputs of each hidden dense layer.
    pub dense: &'static [i64],
    /// Whether batch norm follows the dense layers.
    pub dense_norm: bool,
    /// Dropout rate after convolutions that have dropout, unless a recipe sets another.
    pub dropout_conv: f64,
    /// Dropout rate after dense layers, unless a recipe sets another.
    pub dropout_dense: f64,
}

struct Stack {
    convolutions: Vec<(Conv, ConvNorm)>,
    dense: Vec<DenseNorm>,
    output: Dense,
    dropout_conv: f64,
    dropout_dense: f64,
}

impl Layout {
    /// Creates the variables `conv1.*`, `conv2.*`, …, `dense1.*`, …, `output.*` under `path`.
    pub fn build(
        self,
        path: &nn::Path<'_>,
        parameters: toml::Table,
        outputs: i64,
    ) -> Result<Box<dyn Network>, BuildError> {
        let parameters: Parameters = parameters.try_into()?;
        let dropout_conv = share("dropout_conv", parameters.dropout_conv.unwrap_or(self.dropout_conv))?;
        let dropout_dense = share("dropout_dense", parameters.dropout_dense.unwrap_or(self.dropout_dense))?;
        let norm = parameters.norm.unwrap_or(true);
        let (mut channels, mut side) = (1, CROP_SIZE as i64);
        let mut convolutions = Vec::new();
        for (i, conv) in self.convolutions.into_iter().enumerate() {
            let path = path / format!("conv{}", i + 1);
            let shape = ConvShape::new(channels, conv.filters, conv.kernel);
            let layer = match conv.norm {
                _ if !norm => ConvNorm::biased(&path, shape)?,
                Norm::None => ConvNorm::biased(&path, shape)?,
                Norm::Batch => ConvNorm::new(&path, channels, conv.filters, conv.kernel)?,
                Norm::Group(groups) => ConvNorm::grouped(&path, shape, groups)?,
            };
            convolutions.push((conv, layer));
            channels = conv.filters;
            side = if conv.pool { side / 2 } else { side };
        }
        let mut features = channels * side * side;
        let mut dense = Vec::new();
        for (i, width) in self.dense.iter().enumerate() {
            let path = path / format!("dense{}", i + 1);
            let make = if self.dense_norm && norm { DenseNorm::new } else { DenseNorm::biased };
            dense.push(make(&path, features, *width)?);
            features = *width;
        }
        let output = Dense::new(&(path / "output"), features, outputs)?;
        Ok(Box::new(Stack { convolutions, dense, output, dropout_conv, dropout_dense }))
    }
}

/// Checks a dropout rate. libtorch would end the program on an invalid one.
///
/// # Errors
/// When it isn't at least 0 and less than 1.
pub fn share(name: &str, value: f64) -> Result<f64, toml::de::Error> {
    if (0.0..1.0).contains(&value) {
        Ok(value)
    } else {
        Err(toml::de::Error::custom(format!("`{name}` is {value}, and must be at least 0 and less than 1")))
    }
}

impl Network for Stack {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut x = faces.shallow_clone();
        for (conv, layer) in &self.convolutions {
            x = if conv.activation == Activation::Relu && !conv.pool {
                layer.forward_relu(&x, pass)?
            } else {
                x = layer.forward(&x, pass)?;
                if conv.pool {
                    // Pooling before the activation gives the same numbers, and leaves it a quarter of the pixels.
                    x = x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?;
                }
                conv.activation.apply(&x)?
            };
            if pass.train && conv.drop {
                x = x.f_dropout(self.dropout_conv, true)?;
            }
        }
        x = x.f_flatten(1, -1)?.f_to_kind(Kind::Float)?;
        for dense in &self.dense {
            x = dense.forward(&x, pass)?.f_relu()?.f_dropout(self.dropout_dense, pass.train)?;
        }
        self.output.forward(&x)
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.convolutions.iter_mut().try_for_each(|(_, layer)| layer.fold())?;
        self.dense.iter_mut().try_for_each(DenseNorm::fold)
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.convolutions.iter_mut().try_for_each(|(_, layer)| layer.pack(precision))
    }

    fn draw(&self, graph: &mut Graph, faces: &Value) -> Result<Value, ExportError> {
        let mut x = faces.clone();
        for (conv, layer) in &self.convolutions {
            x = layer.draw(graph, &x)?;
            if conv.pool {
                let attributes = [("kernel_shape", Attribute::Ints(&[2, 2])), ("strides", Attribute::Ints(&[2, 2]))];
                x = graph.node("MaxPool", &[&x], &attributes);
            }
            x = conv.activation.draw(graph, &x);
        }
        x = graph.flatten(&x);
        for dense in &self.dense {
            x = dense.draw(graph, &x)?;
            x = graph.relu(&x);
        }
        self.output.draw(graph, &x)
    }
}
