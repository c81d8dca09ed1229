//! Layers in which each output depends on all inputs.

use tch::{TchError, Tensor, nn};

use super::NORM_EPSILON;
use super::conv::After;
use super::norm::BatchNorm;
use crate::onnx::{Attribute, Graph, Value};
use crate::variable::{Start, variable};
use crate::{BuildError, ExportError, Pass, macs};

/// A dense layer with a bias.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Variables `weight` `[outputs, inputs]` and `bias` under `path`.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Result<Self, BuildError> {
        // The bias first, as in tch: the random numbers depend on the order.
        let bias = variable(path, "bias", &[outputs], Start::Uniform(1.0 / (inputs as f64).sqrt()))?;
        Ok(Self { weight: variable(path, "weight", &[outputs, inputs], Start::HeUniform)?, bias })
    }

    /// Maps `[N, inputs]` to `[N, outputs]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        multiplied(input, &self.weight, Some(&self.bias))
    }

    /// Adds the layer to a graph.
    ///
    /// # Errors
    /// When libtorch can't copy the weights.
    pub fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        graph.dense(input, &self.weight, &self.bias)
    }

    /// Adds the layer to a graph as a 1×1 convolution of maps `[N, inputs, 1, 1]`, which stay maps.
    ///
    /// # Errors
    /// When libtorch can't copy the weights.
    pub fn draw_on_map(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let weight = graph.constant(&self.weight.f_unsqueeze(-1)?.f_unsqueeze(-1)?)?;
        let bias = graph.constant(&self.bias)?;
        Ok(graph.node("Conv", &[input, &weight, &bias], &[("kernel_shape", Attribute::Ints(&[1, 1]))]))
    }
}

/// A dense layer followed by batch norm, or with only a bias.
#[derive(Debug)]
pub struct DenseNorm {
    weight: Tensor,
    after: After,
}

impl DenseNorm {
    /// Variables `weight` `[outputs, inputs]` and `norm.*` under `path`.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Result<Self, BuildError> {
        let weight = variable(path, "weight", &[outputs, inputs], Start::HeNormal)?;
        Ok(Self { weight, after: After::Norm(BatchNorm::new(&(path / "norm"), outputs, NORM_EPSILON)?) })
    }

    /// With only a bias: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Result<Self, BuildError> {
        let weight = variable(path, "weight", &[outputs, inputs], Start::HeNormal)?;
        Ok(Self { weight, after: After::Bias(variable(path, "bias", &[outputs], Start::Zeros)?) })
    }

    /// Maps `[N, inputs]` to `[N, outputs]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let bias = if let After::Bias(bias) | After::Folded(bias) = &self.after { Some(bias) } else { None };
        let output = multiplied(input, &self.weight, bias)?;
        match &self.after {
            After::Norm(norm) => norm.forward(&output, pass),
            _ => Ok(output),
        }
    }

    /// Adds the folded layer to a graph.
    ///
    /// # Errors
    /// When the norm isn't folded, or libtorch can't copy the weights.
    pub fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        match &self.after {
            After::Bias(bias) | After::Folded(bias) => graph.dense(input, &self.weight, bias),
            _ => Err(ExportError::Part("a norm that isn't folded")),
        }
    }

    /// Merges the batch norm into weight and bias.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn fold(&mut self) -> Result<(), TchError> {
        if let After::Norm(norm) = &self.after {
            let (scale, bias) = norm.scale_and_shift()?;
            self.weight = tch::no_grad(|| self.weight.f_mul(&scale.f_view([-1, 1])?))?;
            self.after = After::Folded(bias);
        }
        Ok(())
    }
}

/// Multiplies `[N, inputs]` by a weight `[outputs, inputs]` and adds the bias.
fn multiplied(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let size = [input.size().first().copied().unwrap_or(0), weight.size().first().copied().unwrap_or(0)];
    match macs::output(weight, &size)? {
        Some(output) => Ok(output),
        None => input.f_linear(weight, bias),
    }
}
