//! Layers that the architectures share. They report their multiply-adds (see [`super::macs`]), and know how to be deployed.

use tch::{Kind, Tensor, nn};

use super::{Pass, Precision, macs};

/// What a network asks of its layers one by one.
pub trait Layer {
    /// Merges what can be merged, for evaluation alone.
    fn fold(&mut self) {}

    /// Converts folded weights to `precision`, which input and output have from then on.
    fn convert(&mut self, _precision: Precision) {}

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

    fn weight(&self, path: &nn::Path<'_>) -> Tensor {
        let [height, width] = self.kernel;
        path.var("weight", &[self.outputs, self.inputs / self.groups, height, width], HE_NORMAL)
    }

    fn convolve(&self, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let stride = [self.stride; 2];
        let output = match self.padding {
            Padding::Sides(sides) => input.conv2d(weight, bias, stride, sides, [1, 1], self.groups),
            Padding::Same => {
                let size = input.size();
                let missing = |side: i64, kernel: i64| {
                    let outputs = (side + self.stride - 1) / self.stride;
                    ((outputs - 1) * self.stride + kernel - side).max(0)
                };
                let (y, x) = (missing(size[2], self.kernel[0]), missing(size[3], self.kernel[1]));
                let input = input.zero_pad2d(x / 2, x - x / 2, y / 2, y - y / 2);
                input.conv2d(weight, bias, stride, [0, 0], [1, 1], self.groups)
            }
        };
        macs::report(weight, &output);
        output
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
    /// Batch norm, with the constant that keeps its division finite.
    Norm(nn::BatchNorm, f64),
    /// Group norm. It depends on the picture, so it can't be folded.
    Group(nn::GroupNorm),
    /// A bias that is learnt.
    Bias(Tensor),
    /// Neither: a norm comes later, when more has been put together.
    Nothing,
    /// The bias of folded weights, whose number format the input has too.
    Folded(Tensor),
}

/// Initialisation for layers followed by ReLU (He et al. 2015).
const HE_NORMAL: nn::Init = nn::Init::Kaiming {
    dist: nn::init::NormalOrUniform::Normal,
    fan: nn::init::FanInOut::FanIn,
    non_linearity: nn::init::NonLinearity::ReLU,
};

/// Keeps the division by the standard deviation finite. libtorch's default; folding needs to know it.
const NORM_EPSILON: f64 = 1e-5;

/// Batch norm that starts as the identity (tch's default draws its scale at random).
fn norm_config(epsilon: f64) -> nn::BatchNormConfig {
    nn::BatchNormConfig { eps: epsilon, ws_init: nn::Init::Const(1.0), ..nn::BatchNormConfig::default() }
}

impl ConvNorm {
    /// With stride 1, which keeps the picture's size. Variables `weight` `[outputs, inputs, kernel, kernel]` and `norm.*`
    /// under `path`. `kernel` is odd.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64) -> Self {
        Self::strided(path, inputs, outputs, kernel, 1)
    }

    /// With any stride: the picture's sides are divided by it, rounded up.
    pub fn strided(path: &nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Self {
        Self::named(path, &(path / "norm"), ConvShape::new(inputs, outputs, kernel).stride(stride))
    }

    /// Of any shape, with `weight` under `conv` and the batch norm's variables under `norm`.
    pub fn named(conv: &nn::Path<'_>, norm: &nn::Path<'_>, shape: ConvShape) -> Self {
        let weight = shape.weight(conv);
        let norm = nn::batch_norm2d(norm, shape.outputs, norm_config(shape.epsilon));
        Self { weight, shape, after: After::Norm(norm, shape.epsilon) }
    }

    /// With group norm: variables `weight` and `norm.*` under `path`. `groups` divides the outputs.
    pub fn grouped(path: &nn::Path<'_>, shape: ConvShape, groups: i64) -> Self {
        let weight = shape.weight(path);
        let norm = nn::group_norm(path / "norm", groups, shape.outputs, nn::GroupNormConfig::default());
        Self { weight, shape, after: After::Group(norm) }
    }

    /// With a bias alone: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, shape: ConvShape) -> Self {
        let weight = shape.weight(path);
        Self { weight, shape, after: After::Bias(path.zeros("bias", &[shape.outputs])) }
    }

    /// The multiplication alone: the variable `weight` under `path`.
    pub fn bare(path: &nn::Path<'_>, shape: ConvShape) -> Self {
        Self { weight: shape.weight(path), shape, after: After::Nothing }
    }

    /// `[N, inputs, H, W]` to `[N, outputs, H, W]`, in the number format of `pass` until the weights are deployed.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Tensor {
        if let After::Folded(bias) = &self.after {
            return self.shape.convolve(input, &self.weight, Some(bias));
        }
        let kind = pass.precision.kind();
        let bias = if let After::Bias(bias) = &self.after { Some(bias.to_kind(kind)) } else { None };
        let output = self.shape.convolve(&input.to_kind(kind), &self.weight.to_kind(kind), bias.as_ref());
        match &self.after {
            // Computes in 32 bit whatever comes in.
            After::Norm(norm, _) => nn::ModuleT::forward_t(norm, &output, pass.train),
            After::Group(norm) => nn::Module::forward(norm, &output.to_kind(Kind::Float)).to_kind(kind),
            After::Bias(_) | After::Nothing | After::Folded(_) => output,
        }
    }

    /// Lays the folded weights out as oneDNN wants them, once instead of at each pass, which is worth a fifth of the time
    /// of one face. From then on input and output are oneDNN tensors of `precision`.
    ///
    /// # Errors
    /// When this libtorch has no oneDNN.
    pub fn pack(&mut self, precision: Precision) -> Result<(), tch::TchError> {
        if let (After::Folded(bias), Padding::Sides(padding)) = (&mut self.after, self.shape.padding) {
            let one_dnn = |tensor: &Tensor| tensor.detach().to_kind(precision.kind()).f_to_mkldnn(None::<Kind>);
            let (stride, groups) = ([self.shape.stride; 2], self.shape.groups);
            self.weight = one_dnn(&self.weight)?.f_mkldnn_reorder_conv2d_weight(
                padding,
                stride,
                [1, 1],
                groups,
                None::<&[i64]>,
            )?;
            *bias = one_dnn(bias)?;
        }
        Ok(())
    }

    /// Adds another folded convolution of the same stride, whose kernel is no larger: the sum of both becomes this one.
    pub fn add_folded(&mut self, other: &Self) {
        let (After::Folded(bias), After::Folded(more)) = (&mut self.after, &other.after) else { return };
        let [y, x] = [0, 1].map(|axis| (self.shape.kernel[axis] - other.shape.kernel[axis]) / 2);
        tch::no_grad(|| {
            self.weight = &self.weight + other.weight.zero_pad2d(x, x, y, y);
            *bias = &*bias + more;
        });
    }

    /// Adds what comes in, after a norm of its own, to a folded convolution that keeps the shape.
    pub fn add_identity(&mut self, norm: &Norm) {
        let After::Folded(bias) = &mut self.after else { return };
        let (scale, shift) = scale_and_shift(&norm.0, NORM_EPSILON);
        let [y, x] = self.shape.kernel.map(|side| side / 2);
        tch::no_grad(|| {
            self.weight = &self.weight + scale.diag(0).unsqueeze(-1).unsqueeze(-1).zero_pad2d(x, x, y, y);
            *bias = &*bias + shift;
        });
    }

    /// Whether evaluation is one multiplication once the layer is folded: without it it can't be packed.
    pub fn folds(&self) -> bool {
        !matches!(self.after, After::Group(_))
    }
}

impl Layer for ConvNorm {
    /// Merges the batch norm into weight and bias.
    fn fold(&mut self) {
        match &self.after {
            After::Norm(norm, epsilon) => {
                let (scale, bias) = scale_and_shift(norm, *epsilon);
                self.weight = tch::no_grad(|| &self.weight * scale.view([-1, 1, 1, 1]));
                self.after = After::Folded(bias);
            }
            After::Bias(bias) => self.after = After::Folded(bias.shallow_clone()),
            After::Nothing => {
                let options = (self.weight.kind(), self.weight.device());
                self.after = After::Folded(Tensor::zeros([self.shape.outputs], options));
            }
            After::Group(_) | After::Folded(_) => {}
        }
    }

    fn convert(&mut self, precision: Precision) {
        if let After::Folded(bias) = &mut self.after {
            self.weight = self.weight.detach().to_kind(precision.kind());
            *bias = bias.detach().to_kind(precision.kind());
        }
    }

    fn freeze(&mut self) {
        exclude([Some(&self.weight)]);
        match &self.after {
            After::Norm(norm, _) => exclude([norm.ws.as_ref(), norm.bs.as_ref()]),
            After::Group(norm) => exclude([norm.ws.as_ref(), norm.bs.as_ref()]),
            After::Bias(bias) | After::Folded(bias) => exclude([Some(bias)]),
            After::Nothing => {}
        }
    }
}

/// Takes variables out of training. The store's own tensors change with these: both are the same.
fn exclude<'a>(variables: impl IntoIterator<Item = Option<&'a Tensor>>) {
    for variable in variables.into_iter().flatten() {
        let _ = variable.set_requires_grad(false);
    }
}

/// Batch norm of a map on its own, where no convolution comes right before it.
#[derive(Debug)]
pub struct Norm(nn::BatchNorm);

impl Norm {
    /// Variables under `path`.
    pub fn new(path: &nn::Path<'_>, channels: i64) -> Self {
        Self(nn::batch_norm2d(path, channels, norm_config(NORM_EPSILON)))
    }

    /// `[N, channels, H, W]` to the same.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Tensor {
        nn::ModuleT::forward_t(&self.0, input, pass.train)
    }
}

impl Layer for Norm {
    fn freeze(&mut self) {
        exclude([self.0.ws.as_ref(), self.0.bs.as_ref()]);
    }
}

/// A dense layer with a bias.
#[derive(Debug)]
pub struct Dense(nn::Linear);

impl Dense {
    /// Variables `weight` `[outputs, inputs]` and `bias` under `path`.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Self {
        Self(nn::linear(path, inputs, outputs, nn::LinearConfig::default()))
    }

    /// `[N, inputs]` to `[N, outputs]`.
    pub fn forward(&self, input: &Tensor) -> Tensor {
        let output = input.apply(&self.0);
        macs::report(&self.0.ws, &output);
        output
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
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Self {
        Self {
            weight: path.var("weight", &[outputs, inputs], HE_NORMAL),
            after: After::Norm(nn::batch_norm1d(path / "norm", outputs, norm_config(NORM_EPSILON)), NORM_EPSILON),
        }
    }

    /// With a bias alone: variables `weight` and `bias` under `path`.
    pub fn biased(path: &nn::Path<'_>, inputs: i64, outputs: i64) -> Self {
        let weight = path.var("weight", &[outputs, inputs], HE_NORMAL);
        Self { weight, after: After::Bias(path.zeros("bias", &[outputs])) }
    }

    /// `[N, inputs]` to `[N, outputs]`.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Tensor {
        let bias = if let After::Bias(bias) | After::Folded(bias) = &self.after { Some(bias) } else { None };
        let output = input.linear(&self.weight, bias);
        macs::report(&self.weight, &output);
        match &self.after {
            After::Norm(norm, _) => nn::ModuleT::forward_t(norm, &output, pass.train),
            _ => output,
        }
    }

    /// Merges the batch norm into weight and bias.
    pub fn fold(&mut self) {
        if let After::Norm(norm, epsilon) = &self.after {
            let (scale, bias) = scale_and_shift(norm, *epsilon);
            self.weight = tch::no_grad(|| &self.weight * scale.view([-1, 1]));
            self.after = After::Folded(bias);
        }
    }
}

/// Batch norm in evaluation is `x · scale + shift` per channel.
fn scale_and_shift(norm: &nn::BatchNorm, epsilon: f64) -> (Tensor, Tensor) {
    tch::no_grad(|| {
        let deviation = (&norm.running_var + epsilon).sqrt();
        let scale = norm.ws.as_ref().map_or_else(|| deviation.reciprocal(), |weight| weight / &deviation);
        let mean = &norm.running_mean * &scale;
        let shift = norm.bs.as_ref().map_or_else(|| mean.neg(), |bias| bias - &mean);
        (scale, shift)
    })
}
