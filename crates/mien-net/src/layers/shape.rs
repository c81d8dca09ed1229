//! The shape of convolutions, and how they are computed.

use tch::{Device, TchError, Tensor, nn};

use super::NORM_EPSILON;
use crate::variable::{Start, variable};
use crate::{BuildError, macs};

/// The shape of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    pub(super) inputs: i64,
    pub(super) outputs: i64,
    /// Height and width.
    pub(super) kernel: [i64; 2],
    pub(super) stride: i64,
    pub(super) groups: i64,
    pub(super) padding: Padding,
    /// Added to the variance in the batch norm that follows.
    pub(super) epsilon: f64,
}

/// How the edges of a picture are padded with zeros.
#[derive(Clone, Copy, Debug)]
pub(super) enum Padding {
    /// By these amounts on both sides, vertically and horizontally.
    Sides([i64; 2]),
    /// TensorFlow's “same”: as much as an output of size ⌈input ÷ stride⌉ needs, with the odd pixel at the bottom and right.
    Same,
}

/// Brings a picture `[N, C, H, W]` on the CPU into channels-last memory order; on other devices, returns it unchanged. oneDNN then gets
/// pictures as they are, and the layers after a convolution keep that order. Otherwise oneDNN would reorder each picture and each
/// gradient, and back again.
fn channels_last(pictures: &Tensor) -> Result<Tensor, TchError> {
    if pictures.device() != Device::Cpu {
        return Ok(pictures.shallow_clone());
    }
    pictures.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

impl ConvShape {
    /// A square kernel of odd side, padded by half of it, with stride 1.
    pub fn new(inputs: i64, outputs: i64, kernel: i64) -> Self {
        Self::oblong(inputs, outputs, [kernel, kernel])
    }

    /// A kernel of odd height and width, padded by half of each, with stride 1.
    pub fn oblong(inputs: i64, outputs: i64, kernel: [i64; 2]) -> Self {
        let padding = Padding::Sides(kernel.map(|side| side / 2));
        Self { inputs, outputs, kernel, stride: 1, groups: 1, padding, epsilon: NORM_EPSILON }
    }

    /// With another stride: the picture's sides are divided by it, rounded up.
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Convolves each channel separately.
    pub fn depthwise(self) -> Self {
        Self { groups: self.inputs, ..self }
    }

    /// Without padding: at stride 1, each side shrinks by one less than the kernel's.
    pub fn unpadded(self) -> Self {
        Self { padding: Padding::Sides([0, 0]), ..self }
    }

    /// Padded as in TensorFlow.
    pub fn same(self) -> Self {
        Self { padding: Padding::Same, ..self }
    }

    /// With another epsilon in the batch norm.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    pub(super) fn weight(&self, path: &nn::Path<'_>) -> Result<Tensor, BuildError> {
        let [height, width] = self.kernel;
        variable(path, "weight", &[self.outputs, self.inputs / self.groups, height, width], Start::HeNormal)
    }

    /// The size of the output for an input `[N, inputs, H, W]`.
    pub(super) fn output_size(&self, input: &[i64]) -> [i64; 4] {
        let side = |i: usize| {
            let input = input.get(2 + i).copied().unwrap_or(0);
            match self.padding {
                Padding::Sides(sides) => (input + 2 * sides[i] - self.kernel[i]) / self.stride + 1,
                Padding::Same => (input + self.stride - 1) / self.stride,
            }
        };
        [input.first().copied().unwrap_or(0), self.outputs, side(0), side(1)]
    }

    pub(super) fn convolve(&self, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
        if let Some(output) = macs::output(weight, &self.output_size(&input.size()))? {
            return Ok(output);
        }
        let (input, padding) = self.padded(input)?;
        channels_last(&input)?.f_conv2d(weight, bias, [self.stride; 2], padding, [1, 1], self.groups)
    }

    /// Returns the input and the padding that the convolution must apply. A convolution can only pad both sides equally, so
    /// TensorFlow's padding is added to the input here.
    pub(super) fn padded(&self, input: &Tensor) -> Result<(Tensor, [i64; 2]), TchError> {
        match self.padding {
            Padding::Sides(sides) => Ok((input.shallow_clone(), sides)),
            Padding::Same => {
                let size = input.size();
                let missing = |side: i64, kernel: i64| {
                    let outputs = (side + self.stride - 1) / self.stride;
                    ((outputs - 1) * self.stride + kernel - side).max(0)
                };
                let (y, x) = (missing(size[2], self.kernel[0]), missing(size[3], self.kernel[1]));
                Ok((input.f_zero_pad2d(x / 2, x - x / 2, y / 2, y - y / 2)?, [0, 0]))
            }
        }
    }
}
