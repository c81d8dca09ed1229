//! Convolutions and what follows them.

use tch::{Kind, TchError, Tensor, nn};

use super::norm::{BatchNorm, GroupNorm, Norm};
use super::shape::{ConvShape, Padding};
use super::{Layer, exclude};
use crate::one_dnn::{Packed, Steps};
use crate::onnx::{Attribute, Graph, Value};
use crate::variable::{Start, variable};
use crate::{BuildError, ExportError, Pass, Precision};

/// A convolution and what follows it: batch norm, group norm, or a bias alone.
#[derive(Debug)]
pub struct ConvNorm {
    weight: Tensor,
    shape: ConvShape,
    after: After,
}

/// What follows the multiplication.
#[derive(Debug)]
pub(super) enum After {
    /// Batch norm.
    Norm(BatchNorm),
    /// Group norm. Its statistics depend on the picture, so it can't be folded.
    Group(GroupNorm),
    /// A trainable bias.
    Bias(Tensor),
    /// Nothing: a norm comes later, after this output has been combined with others.
    Nothing,
    /// The bias of folded weights.
    Folded(Tensor),
    /// Folded, and computed by oneDNN.
    Packed(Packed),
}
impl ConvNorm {
    /// Creates a convolution of stride 1, which keeps the picture's size, and its batch norm: variables `weight`
    /// `[outputs, inputs, kernel, kernel]` and `norm.*` under `path`. `kernel` must be odd.
    ///
    /// # Errors
    /// As for all functions that create layers: when the network becomes too large, or memory is full.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64) -> Result<Self, BuildError> {
        Self::strided(path, inputs, outputs, kernel, 1)
    }

    /// Like [`Self::new`], with any stride. The picture's sides are divided by it, rounded up.
    pub fn strided(
        path: &nn::Path<'_>,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
    ) -> Result<Self, BuildError> {
        Self::named(path, &(path / "norm"), ConvShape::new(inputs, outputs, kernel).stride(stride))
    }

    /// Creates a convolution of any shape, with `weight` under `conv` and the batch norm's variables under `norm`.
    pub fn named(conv: &nn::Path<'_>, norm: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        let weight = shape.weight(conv)?;
        let norm = BatchNorm::new(norm, shape.outputs, shape.epsilon)?;
        Ok(Self { weight, shape, after: After::Norm(norm) })
    }

    /// Like [`Self::named`], with `weight` under `path.0` and the norm's variables under `path.1`, as PyTorch numbers layers in a
    /// sequence.
    pub fn numbered(path: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        Self::named(&(path / 0), &(path / 1), shape)
    }

    /// Creates a convolution with group norm: variables `weight` and `norm.*` under `path`. The outputs must be divisible by `groups`.
    pub fn grouped(path: &nn::Path<'_>, shape: ConvShape, groups: i64) -> Result<Self, BuildError> {
        let weight = shape.weight(path)?;
        let norm = GroupNorm::new(&(path / "norm"), shape.outputs, groups)?;
        Ok(Self { weight, shape, after: After::Group(norm) })
    }

    /// Creates a convolution with only a bias: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        let weight = shape.weight(path)?;
        let bias = variable(path, "bias", &[shape.outputs], Start::Zeros)?;
        Ok(Self { weight, shape, after: After::Bias(bias) })
    }

    /// Creates a convolution with neither norm nor bias: variable `weight` under `path`.
    pub fn bare(path: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        Ok(Self { weight: shape.weight(path)?, shape, after: After::Nothing })
    }

    /// Maps `[N, inputs, H, W]` to `[N, outputs, …]`. Computes in the number format of `pass`, or in that of the weights once they are
    /// deployed.
    ///
    /// # Errors
    /// When libtorch fails, for example because memory is full.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let kind = pass.precision.kind();
        let bias = match &self.after {
            After::Packed(packed) => return packed.forward(&self.shape.padded(input)?.0, false),
            After::Folded(bias) => {
                return self.shape.convolve(&input.f_to_kind(self.weight.kind())?, &self.weight, Some(bias));
            }
            After::Bias(bias) => Some(bias.f_to_kind(kind)?),
            After::Norm(_) | After::Group(_) | After::Nothing => None,
        };
        let output = self.shape.convolve(&input.f_to_kind(kind)?, &self.weight.f_to_kind(kind)?, bias.as_ref())?;
        match &self.after {
            After::Norm(norm) => norm.forward(&output, pass),
            After::Group(norm) => norm.forward(&output.f_to_kind(Kind::Float)?)?.f_to_kind(kind),
            After::Bias(_) | After::Nothing | After::Folded(_) | After::Packed(_) => Ok(output),
        }
    }

    /// [`Self::forward`] followed by a ReLU, which costs nothing once the layer is packed.
    ///
    /// # Errors
    /// When libtorch fails, for example because memory is full.
    pub fn forward_relu(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        match &self.after {
            After::Packed(packed) => packed.forward(&self.shape.padded(input)?.0, true),
            _ => self.forward(input, pass)?.f_relu(),
        }
    }

    /// Adds the folded layer to a graph.
    ///
    /// # Errors
    /// When the layer isn't folded or has no ONNX export, or libtorch can't copy the weights.
    pub fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let bias = match &self.after {
            After::Folded(bias) => bias,
            After::Group(_) => return Err(ExportError::Part("group norm")),
            After::Norm(_) | After::Bias(_) | After::Nothing => {
                return Err(ExportError::Part("a layer that isn't folded"));
            }
            After::Packed(_) => return Err(ExportError::Part("a layer whose weights oneDNN has laid out")),
        };
        let ConvShape { kernel, stride, groups, padding, .. } = self.shape;
        let Padding::Sides([y, x]) = padding else { return Err(ExportError::Part("TensorFlow's padding")) };
        let (weight, bias) = (graph.constant(&self.weight)?, graph.constant(bias)?);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&kernel)),
            ("strides", Attribute::Ints(&[stride; 2])),
            ("pads", Attribute::Ints(&[y, x, y, x])),
            ("group", Attribute::Int(groups)),
        ];
        Ok(graph.node("Conv", &[input, &weight, &bias], &attributes))
    }

    /// [`Self::draw`] followed by a ReLU.
    ///
    /// # Errors
    /// As [`Self::draw`].
    pub fn draw_relu(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let output = self.draw(graph, input)?;
        Ok(graph.relu(&output))
    }

    /// Merges another folded convolution into this one, which then computes the sum of both. The other must have the same stride and a
    /// kernel that is no larger. Does nothing unless both are folded.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn add_folded(&mut self, other: &Self) -> Result<(), TchError> {
        let (After::Folded(bias), After::Folded(more)) = (&mut self.after, &other.after) else { return Ok(()) };
        let [y, x] = [0, 1].map(|axis| (self.shape.kernel[axis] - other.shape.kernel[axis]) / 2);
        tch::no_grad(|| {
            self.weight = self.weight.f_add(&other.weight.f_zero_pad2d(x, x, y, y)?)?;
            *bias = bias.f_add(more)?;
            Ok(())
        })
    }

    /// Merges an identity branch with its own norm into this folded convolution, which must keep the shape. Does nothing unless it is
    /// folded.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn add_identity(&mut self, norm: &Norm) -> Result<(), TchError> {
        let After::Folded(bias) = &mut self.after else { return Ok(()) };
        let (scale, shift) = norm.0.scale_and_shift()?;
        let [y, x] = self.shape.kernel.map(|side| side / 2);
        tch::no_grad(|| {
            let identity = scale.f_diag(0)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?.f_zero_pad2d(x, x, y, y)?;
            self.weight = self.weight.f_add(&identity)?;
            *bias = bias.f_add(&shift)?;
            Ok(())
        })
    }
}

impl Layer for ConvNorm {
    /// Merges the batch norm into weight and bias.
    fn fold(&mut self) -> Result<(), TchError> {
        match &self.after {
            After::Norm(norm) => {
                let (scale, bias) = norm.scale_and_shift()?;
                self.weight = tch::no_grad(|| self.weight.f_mul(&scale.f_view([-1, 1, 1, 1])?))?;
                self.after = After::Folded(bias);
            }
            After::Bias(bias) => self.after = After::Folded(bias.shallow_clone()),
            After::Nothing => {
                let options = (self.weight.kind(), self.weight.device());
                self.after = After::Folded(Tensor::f_zeros([self.shape.outputs], options)?);
            }
            After::Group(_) | After::Folded(_) | After::Packed(_) => {}
        }
        Ok(())
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        if let After::Folded(bias) = &self.after {
            let padding = match self.shape.padding {
                Padding::Sides(sides) => sides,
                Padding::Same => [0, 0],
            };
            let steps = Steps { stride: [self.shape.stride; 2], padding, groups: self.shape.groups };
            self.after = After::Packed(Packed::new(&self.weight, bias, steps, precision.kind())?);
        }
        Ok(())
    }

    fn freeze(&mut self) {
        exclude([&self.weight]);
        match &self.after {
            After::Norm(norm) => exclude([&norm.weight, &norm.bias]),
            After::Group(norm) => exclude([&norm.weight, &norm.bias]),
            After::Bias(bias) | After::Folded(bias) => exclude([bias]),
            After::Nothing | After::Packed(_) => {}
        }
    }
}
