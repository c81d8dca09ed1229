//! `sequential2` to `sequential4`: long stacks that mix norms and activations, up to 1024 filters.
//!
//! - `sequential2`: the first four convolutions of `sequential3` and its dense layers. Reports of a network without a backbone that came
//!   before the others say no more than that.
//! - `sequential3`: 48×48×1 → 64 filters, batch norm, tanh → 128, group norm, leaky ReLU → 256, batch norm, leaky ReLU,
//!   dropout → 512, group norm, sigmoid → 1024, batch norm, leaky ReLU, dropout → dense 256 with batch norm and ReLU → 7. All
//!   convolutions are 3×3; 2×2 max pooling follows each but the first. As Keras counts, these are twenty layers.
//! - `sequential4`: one more convolution of 512 filters with batch norm before the last, and a third dropout, after the
//!   dense layer.
//!
//! Reports of such stacks name the ingredients, the largest number of filters and the number of layers; the order here is
//! ours.

use tch::nn;

use super::stack::{self, Activation, Conv, Layout, Norm};
use super::{BuildError, Network};

/// Channels that share a group: eight groups are enough to tell apart what the filters see.
const GROUPS: i64 = 8;

const START: [Conv; 4] = [
    Conv { norm: Norm::Batch, activation: Activation::Tanh, ..Conv::new(64) },
    Conv { norm: Norm::Group(GROUPS), activation: Activation::LeakyRelu, pool: true, ..Conv::new(128) },
    Conv { norm: Norm::Batch, activation: Activation::LeakyRelu, pool: true, drop: true, ..Conv::new(256) },
    Conv { norm: Norm::Group(GROUPS), activation: Activation::Sigmoid, pool: true, ..Conv::new(512) },
];
const EXTRA: Conv = Conv { norm: Norm::Batch, activation: Activation::LeakyRelu, ..Conv::new(512) };
const LAST: Conv = Conv { pool: true, drop: true, filters: 1024, ..EXTRA };

pub(super) fn build2(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    stack::build(path, parameters, &layout(&START, 0.0), outputs)
}

pub(super) fn build3(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    stack::build(path, parameters, &layout(&[&START[..], &[LAST]].concat(), 0.0), outputs)
}

pub(super) fn build4(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    stack::build(path, parameters, &layout(&[&START[..], &[EXTRA, LAST]].concat(), 0.5), outputs)
}

fn layout(convolutions: &[Conv], dropout_dense: f64) -> Layout<'_> {
    Layout { convolutions, dense: &[256], dense_norm: true, dropout_conv: 0.25, dropout_dense }
}
