//! Batch norm and group norm.

use tch::{TchError, Tensor, nn};

use super::{Layer, NORM_EPSILON, exclude};
use crate::variable::{Start, variable};
use crate::{BuildError, Pass};

/// Weight of a batch's statistics in the running ones. libtorch's default.
const MOMENTUM: f64 = 0.1;
/// Batch norm (Ioffe & Szegedy 2015) of maps or of vectors. Starts as the identity.
#[derive(Debug)]
pub(super) struct BatchNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    epsilon: f64,
}

impl BatchNorm {
    /// Variables `weight`, `bias`, `running_mean` and `running_var` under `path`.
    pub(super) fn new(path: &nn::Path<'_>, channels: i64, epsilon: f64) -> Result<Self, BuildError> {
        Ok(Self {
            weight: variable(path, "weight", &[channels], Start::Ones)?,
            bias: variable(path, "bias", &[channels], Start::Zeros)?,
            running_mean: variable(path, "running_mean", &[channels], Start::FixedZeros)?,
            running_var: variable(path, "running_var", &[channels], Start::FixedOnes)?,
            epsilon,
        })
    }

    /// Normalises by the statistics of the batch in training, otherwise by the running ones. Computes in 32 bits for any input.
    pub(super) fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let Self { weight, bias, running_mean, running_var, epsilon } = self;
        let (mean, variance) = (Some(running_mean), Some(running_var));
        input.f_batch_norm(Some(weight), Some(bias), mean, variance, pass.train, MOMENTUM, *epsilon, true)
    }

    /// Returns scale and shift for each channel. In evaluation, the norm computes `x · scale + shift`.
    pub(super) fn scale_and_shift(&self) -> Result<(Tensor, Tensor), TchError> {
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
pub(super) struct GroupNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    pub(super) groups: i64,
}

impl GroupNorm {
    /// Variables `weight` and `bias` under `path`.
    pub(super) fn new(path: &nn::Path<'_>, channels: i64, groups: i64) -> Result<Self, BuildError> {
        let weight = variable(path, "weight", &[channels], Start::Ones)?;
        Ok(Self { weight, bias: variable(path, "bias", &[channels], Start::Zeros)?, groups })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        input.f_group_norm(self.groups, Some(&self.weight), Some(&self.bias), NORM_EPSILON, true)
    }
}
/// A separate batch norm, where no convolution comes right before it.
#[derive(Debug)]
pub struct Norm(pub(super) BatchNorm);

impl Norm {
    /// Variables under `path`.
    pub fn new(path: &nn::Path<'_>, channels: i64) -> Result<Self, BuildError> {
        Ok(Self(BatchNorm::new(path, channels, NORM_EPSILON)?))
    }

    /// Normalises `[N, channels, H, W]`.
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
