//! Layers that the architectures share. They report their multiply-adds (see [`super::macs`]), and know how to be deployed.

use tch::{Kind, TchError, Tensor, nn};

use super::one_dnn::{Packed, Steps};
use super::onnx::{Attribute, Graph, Value};
use super::variable::{Start, variable};
use super::{BuildError, ExportError, Pass, Precision, macs};

/// What a network asks of its layers one by one.
pub trait Layer {
    /// Merges what can be merged, for evaluation alone.
    ///
    /// # Errors
    /// When libtorch fails.
    fn fold(&mut self) -> Result<(), TchError> {
        Ok(())
    }

    /// Gives folded weights to oneDNN, which computes in `precision` from then on; the output has that number format then.
    ///
    /// # Errors
    /// When libtorch fails.
    fn pack(&mut self, _precision: Precision) -> Result<(), TchError> {
        Ok(())
    }

    /// Takes the weights out of training.
    fn freeze(&mut self);
}

/// The shape of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    inputs: i64,
    outputs: i64,
    /// Height and width.
    kernel: [i64; 2],
    stride: i64,
    groups: i64,
    padding: Padding,
    /// Added to the variance in the batch norm that follows.
    epsilon: f64,
}

/// How the edges of a picture are continued with zeros.
#[derive(Clone, Copy, Debug)]
enum Padding {
    /// By so much on both sides, vertically and horizontally.
    Sides([i64; 2]),
    /// TensorFlow's “same”: as much as the output's size of ⌈input ÷ stride⌉ needs, the odd pixel at bottom and right.
    Same,
}

impl ConvShape {
    /// A square, odd kernel, padded by its half; stride 1.
    pub fn new(inputs: i64, outputs: i64, kernel: i64) -> Self {
        Self::oblong(inputs, outputs, [kernel, kernel])
    }

    /// A kernel of odd height and width, padded by its half; stride 1.
    pub fn oblong(inputs: i64, outputs: i64, kernel: [i64; 2]) -> Self {
        let padding = Padding::Sides(kernel.map(|side| side / 2));
        Self { inputs, outputs, kernel, stride: 1, groups: 1, padding, epsilon: NORM_EPSILON }
    }

    /// With another stride: the picture's sides are divided by it, rounded up.
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Each channel convolved by itself.
    pub fn depthwise(self) -> Self {
        Self { groups: self.inputs, ..self }
    }

    /// Without padding: the picture shrinks by the kernel.
    pub fn unpadded(self) -> Self {
        Self { padding: Padding::Sides([0, 0]), ..self }
    }

    /// Padded as TensorFlow does it.
    pub fn same(self) -> Self {
        Self { padding: Padding::Same, ..self }
    }

    /// With another constant in the batch norm.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    fn weight(&self, path: &nn::Path<'_>) -> Result<Tensor, BuildError> {
        let [height, width] = self.kernel;
        variable(path, "weight", &[self.outputs, self.inputs / self.groups, height, width], Start::HeNormal)
    }

    /// The size of the output for an input `[N, inputs, H, W]`.
    fn output_size(&self, input: &[i64]) -> [i64; 4] {
        let side = |i: usize| {
            let input = input.get(2 + i).copied().unwrap_or(0);
            match self.padding {
                Padding::Sides(sides) => (input + 2 * sides[i] - self.kernel[i]) / self.stride + 1,
                Padding::Same => (input + self.stride - 1) / self.stride,
            }
        };
        [input.first().copied().unwrap_or(0), self.outputs, side(0), side(1)]
    }

    fn convolve(&self, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
        if let Some(output) = macs::output(weight, &self.output_size(&input.size()))? {
            return Ok(output);
        }
        let (input, padding) = self.padded(input)?;
        input.f_conv2d(weight, bias, [self.stride; 2], padding, [1, 1], self.groups)
    }

    /// The input, and by how much the convolution itself has to pad it: it knows no other padding than the same on both sides.
    fn padded(&self, input: &Tensor) -> Result<(Tensor, [i64; 2]), TchError> {
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

/// A convolution and what follows it: batch norm, group norm, or a bias alone.
#[derive(Debug)]
pub struct ConvNorm {
    weight: Tensor,
    shape: ConvShape,
    after: After,
}

/// What follows the multiplication.
#[derive(Debug)]
enum After {
    /// Batch norm.
    Norm(BatchNorm),
    /// Group norm. It depends on the picture, so it can't be folded.
    Group(GroupNorm),
    /// A bias that is learnt.
    Bias(Tensor),
    /// Neither: a norm comes later, when more has been put together.
    Nothing,
    /// The bias of folded weights.
    Folded(Tensor),
    /// Folded, and computed by oneDNN.
    Packed(Packed),
}

/// Keeps the division by the standard deviation finite. libtorch's default; folding needs to know it.
const NORM_EPSILON: f64 = 1e-5;

/// How much of a batch's statistics goes into the running ones. libtorch's default.
const MOMENTUM: f64 = 0.1;

/// Batch norm (Ioffe & Szegedy 2015) of maps or of vectors. Starts as the identity.
#[derive(Debug)]
struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    epsilon: f64,
}

impl BatchNorm {
    /// Variables `weight`, `bias`, `running_mean` and `running_var` under `path`.
    fn new(path: &nn::Path<'_>, channels: i64, epsilon: f64) -> Result<Self, BuildError> {
        Ok(Self {
            weight: variable(path, "weight", &[channels], Start::Ones)?,
            bias: variable(path, "bias", &[channels], Start::Zeros)?,
            running_mean: variable(path, "running_mean", &[channels], Start::FixedZeros)?,
            running_var: variable(path, "running_var", &[channels], Start::FixedOnes)?,
            epsilon,
        })
    }

    /// By the statistics of the batch in training, else by the running ones. Computes in 32 bit whatever comes in.
    fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let Self { weight, bias, running_mean, running_var, epsilon } = self;
        let (mean, variance) = (Some(running_mean), Some(running_var));
        input.f_batch_norm(Some(weight), Some(bias), mean, variance, pass.train, MOMENTUM, *epsilon, true)
    }

    /// In evaluation it is `x · scale + shift` for each channel.
    fn scale_and_shift(&self) -> Result<(Tensor, Tensor), TchError> {
        tch::no_grad(|| {
            let deviation = self.running_var.f_add_scalar(self.epsilon)?.f_sqrt()?;
            let scale = self.weight.f_div(&deviation)?;
            let shift = self.bias.f_sub(&self.running_mean.f_mul(&scale)?)?;
            Ok((scale, shift))
        })
    }
}

/// Group norm (Wu & He 2018).
#[derive(Debug)]
struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
}

impl GroupNorm {
    /// Variables `weight` and `bias` under `path`.
    fn new(path: &nn::Path<'_>, channels: i64, groups: i64) -> Result<Self, BuildError> {
        let weight = variable(path, "weight", &[channels], Start::Ones)?;
        Ok(Self { weight, bias: variable(path, "bias", &[channels], Start::Zeros)?, groups })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        input.f_group_norm(self.groups, Some(&self.weight), Some(&self.bias), NORM_EPSILON, true)
    }
}

impl ConvNorm {
    /// With stride 1, which keeps the picture's size. Variables `weight` `[outputs, inputs, kernel, kernel]` and `norm.*`
    /// under `path`. `kernel` is odd.
    ///
    /// # Errors
    /// This and all that create layers: when the network becomes too large with it, or memory is full.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64) -> Result<Self, BuildError> {
        Self::strided(path, inputs, outputs, kernel, 1)
    }

    /// With any stride: the picture's sides are divided by it, rounded up.
    pub fn strided(
        path: &nn::Path<'_>,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
    ) -> Result<Self, BuildError> {
        Self::named(path, &(path / "norm"), ConvShape::new(inputs, outputs, kernel).stride(stride))
    }

    /// Of any shape, with `weight` under `conv` and the batch norm's variables under `norm`.
    pub fn named(conv: &nn::Path<'_>, norm: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        let weight = shape.weight(conv)?;
        let norm = BatchNorm::new(norm, shape.outputs, shape.epsilon)?;
        Ok(Self { weight, shape, after: After::Norm(norm) })
    }

    /// With group norm: variables `weight` and `norm.*` under `path`. `groups` divides the outputs.
    pub fn grouped(path: &nn::Path<'_>, shape: ConvShape, groups: i64) -> Result<Self, BuildError> {
        let weight = shape.weight(path)?;
        let norm = GroupNorm::new(&(path / "norm"), shape.outputs, groups)?;
        Ok(Self { weight, shape, after: After::Group(norm) })
    }

    /// With a bias alone: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        let weight = shape.weight(path)?;
        let bias = variable(path, "bias", &[shape.outputs], Start::Zeros)?;
        Ok(Self { weight, shape, after: After::Bias(bias) })
    }

    /// The multiplication alone: the variable `weight` under `path`.
    pub fn bare(path: &nn::Path<'_>, shape: ConvShape) -> Result<Self, BuildError> {
        Ok(Self { weight: shape.weight(path)?, shape, after: After::Nothing })
    }

    /// `[N, inputs, H, W]` to `[N, outputs, H, W]`, in the number format of `pass` until the weights are deployed.
    ///
    /// # Errors
    /// When libtorch fails, as when memory is full.
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

    /// The same with a ReLU after it, which costs nothing once the layer is packed.
    ///
    /// # Errors
    /// When libtorch fails, as when memory is full.
    pub fn forward_relu(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        match &self.after {
            After::Packed(packed) => packed.forward(&self.shape.padded(input)?.0, true),
            _ => self.forward(input, pass)?.f_relu(),
        }
    }

    /// Adds the folded layer to a graph.
    ///
    /// # Errors
    /// When it can't be folded into one convolution, or libtorch can't copy the weights.
    pub fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let After::Folded(bias) = &self.after else { return Err(ExportError::Part("group norm")) };
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

    /// The same with a ReLU after it.
    ///
    /// # Errors
    /// As [`Self::draw`].
    pub fn draw_relu(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let output = self.draw(graph, input)?;
        Ok(graph.relu(&output))
    }

    /// Adds another folded convolution of the same stride, whose kernel is no larger: the sum of both becomes this one.
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

    /// Adds what comes in, after a norm of its own, to a folded convolution that keeps the shape.
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

/// Takes variables out of training. The store's own tensors change with these: both are the same.
fn exclude<'a>(variables: impl IntoIterator<Item = &'a Tensor>) {
    for variable in variables {
        let _ = variable.set_requires_grad(false);
    }
}

/// Batch norm of a map on its own, where no convolution comes right before it.
#[derive(Debug)]
pub struct Norm(BatchNorm);

impl Norm {
    /// Variables under `path`.
    pub fn new(path: &nn::Path<'_>, channels: i64) -> Result<Self, BuildError> {
        Ok(Self(BatchNorm::new(path, channels, NORM_EPSILON)?))
    }

    /// `[N, channels, H, W]` to the same.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        self.0.forward(input, pass)
    }
}

impl Layer for Norm {
    fn freeze(&mut self) {
        exclude([&self.0.weight, &self.0.bias]);
    }
}

/// A dense layer with a bias.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Variables `weight` `[outputs, inputs]` and `bias` under `path`.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Result<Self, BuildError> {
        // The bias first, as tch and libtorch have it: the random numbers follow from the order.
        let bias = variable(path, "bias", &[outputs], Start::Uniform(1.0 / (inputs as f64).sqrt()))?;
        Ok(Self { weight: variable(path, "weight", &[outputs, inputs], Start::HeUniform)?, bias })
    }

    /// `[N, inputs]` to `[N, outputs]`.
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

    /// Adds the layer to a graph for maps of one place, `[N, inputs, 1, 1]`, which it keeps.
    ///
    /// # Errors
    /// When libtorch can't copy the weights.
    pub fn draw_on_map(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        let weight = graph.constant(&self.weight.f_unsqueeze(-1)?.f_unsqueeze(-1)?)?;
        let bias = graph.constant(&self.bias)?;
        Ok(graph.node("Conv", &[input, &weight, &bias], &[("kernel_shape", Attribute::Ints(&[1, 1]))]))
    }
}

/// A dense layer followed by batch norm.
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

    /// With a bias alone: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Result<Self, BuildError> {
        let weight = variable(path, "weight", &[outputs, inputs], Start::HeNormal)?;
        Ok(Self { weight, after: After::Bias(variable(path, "bias", &[outputs], Start::Zeros)?) })
    }

    /// `[N, inputs]` to `[N, outputs]`.
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
    /// When libtorch can't copy the weights.
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

/// `[N, inputs]` by a weight `[outputs, inputs]`.
fn multiplied(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let size = [input.size().first().copied().unwrap_or(0), weight.size().first().copied().unwrap_or(0)];
    match macs::output(weight, &size)? {
        Some(output) => Ok(output),
        None => input.f_linear(weight, bias),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn outputs_have_the_size_that_is_told_before() {
        let store = nn::VarStore::new(Device::Cpu);
        let shapes = [
            ConvShape::new(2, 3, 3),
            ConvShape::new(2, 3, 7).stride(2),
            ConvShape::oblong(2, 3, [1, 7]),
            ConvShape::new(2, 3, 3).stride(2).unpadded(),
            ConvShape::new(2, 3, 5).stride(2).same(),
            ConvShape::new(2, 2, 3).stride(3).depthwise(),
        ];
        for (i, shape) in shapes.into_iter().enumerate() {
            let layer = ConvNorm::bare(&(store.root() / i), shape).unwrap();
            for sides in [[48, 48], [7, 12], [9, 10]] {
                let input = Tensor::zeros([2, 2, sides[0], sides[1]], (Kind::Float, Device::Cpu));
                let output = layer.forward(&input, Pass::EVALUATE).unwrap();
                assert_eq!(output.size(), shape.output_size(&input.size()), "{shape:?} of {sides:?}");
            }
        }
    }
}
