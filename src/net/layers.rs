//! Layers that the architectures share.

use tch::{Kind, Tensor, nn};

use super::{Pass, Precision};

/// A convolution of stride 1 that keeps the picture's size, followed by batch norm.
#[derive(Debug)]
pub struct ConvNorm {
    weight: Tensor,
    padding: i64,
    after: After,
}

/// What follows the multiplication: batch norm, or, once folded into the weights, its bias.
#[derive(Debug)]
enum After {
    Norm(nn::BatchNorm),
    Bias(Tensor),
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
fn norm_config() -> nn::BatchNormConfig {
    nn::BatchNormConfig { eps: NORM_EPSILON, ws_init: nn::Init::Const(1.0), ..nn::BatchNormConfig::default() }
}

impl ConvNorm {
    /// Variables `weight` `[outputs, inputs, kernel, kernel]` and `norm.*` under `path`. `kernel` is odd.
    pub fn new(path: &nn::Path<'_>, inputs: i64, outputs: i64, kernel: i64) -> Self {
        Self {
            weight: path.var("weight", &[outputs, inputs, kernel, kernel], HE_NORMAL),
            padding: kernel / 2,
            after: After::Norm(nn::batch_norm2d(path / "norm", outputs, norm_config())),
        }
    }

    /// `[N, inputs, H, W]` to `[N, outputs, H, W]`, always 32-bit outside.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Tensor {
        let padding = [self.padding, self.padding];
        match &self.after {
            After::Bias(bias) => input.conv2d(&self.weight, Some(bias), [1, 1], padding, [1, 1], 1),
            After::Norm(norm) => {
                let output = match pass.precision {
                    Precision::F32 => input.conv2d(&self.weight, None::<Tensor>, [1, 1], padding, [1, 1], 1),
                    low @ Precision::Bf16 => input
                        .to_kind(low.kind())
                        .conv2d(&self.weight.to_kind(low.kind()), None::<Tensor>, [1, 1], padding, [1, 1], 1)
                        .to_kind(Kind::Float),
                };
                nn::ModuleT::forward_t(norm, &output, pass.train)
            }
        }
    }

    /// Merges the batch norm into weight and bias.
    pub fn fold(&mut self) {
        if let After::Norm(norm) = &self.after {
            let (scale, bias) = scale_and_shift(norm);
            self.weight = tch::no_grad(|| &self.weight * scale.view([-1, 1, 1, 1]));
            self.after = After::Bias(bias);
        }
    }

    /// Lays the folded weights out as oneDNN wants them, once instead of at each pass, which is worth a fifth of the time
    /// of one face. From then on input and output are oneDNN tensors of `precision`.
    ///
    /// # Errors
    /// When this libtorch has no oneDNN.
    pub fn pack(&mut self, precision: Precision) -> Result<(), tch::TchError> {
        if let After::Bias(bias) = &mut self.after {
            let one_dnn = |tensor: &Tensor| tensor.detach().to_kind(precision.kind()).f_to_mkldnn(None::<Kind>);
            let padding = [self.padding, self.padding];
            self.weight =
                one_dnn(&self.weight)?.f_mkldnn_reorder_conv2d_weight(padding, [1, 1], [1, 1], 1, None::<&[i64]>)?;
            *bias = one_dnn(bias)?;
        }
        Ok(())
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
            after: After::Norm(nn::batch_norm1d(path / "norm", outputs, norm_config())),
        }
    }

    /// `[N, inputs]` to `[N, outputs]`.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Tensor {
        match &self.after {
            After::Bias(bias) => input.linear(&self.weight, Some(bias)),
            After::Norm(norm) => nn::ModuleT::forward_t(norm, &input.linear(&self.weight, None::<Tensor>), pass.train),
        }
    }

    /// Merges the batch norm into weight and bias.
    pub fn fold(&mut self) {
        if let After::Norm(norm) = &self.after {
            let (scale, bias) = scale_and_shift(norm);
            self.weight = tch::no_grad(|| &self.weight * scale.view([-1, 1]));
            self.after = After::Bias(bias);
        }
    }
}

/// Batch norm in evaluation is `x · scale + shift` per channel.
fn scale_and_shift(norm: &nn::BatchNorm) -> (Tensor, Tensor) {
    tch::no_grad(|| {
        let deviation = (&norm.running_var + NORM_EPSILON).sqrt();
        let scale = norm.ws.as_ref().map_or_else(|| deviation.reciprocal(), |weight| weight / &deviation);
        let mean = &norm.running_mean * &scale;
        let shift = norm.bs.as_ref().map_or_else(|| mean.neg(), |bias| bias - &mean);
        (scale, shift)
    })
}
