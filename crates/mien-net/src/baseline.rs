//! `baseline` and `baseline-deep`: the small networks that a project on FER2013 begins with.
//!
//! - `baseline`: 48×48×1 → two 3×3 convolutions (32, 64 filters) with ReLU and 2×2 max pooling → dense 128 with ReLU and
//!   dropout → 7.
//! - `baseline-deep`: the same with four convolutions (32, 64, 128, 256 filters), batch norm, dropout after each pooling,
//!   and dense 256.
//!
//! Published reports call them “small” and “deep” and print accuracies; the sizes are chosen to fit those words.

use tch::nn;

use super::stack::{self, Conv, Layout, Norm};
use super::{BuildError, Network};

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let layout = Layout {
        convolutions: &[32, 64].map(|filters| Conv { pool: true, ..Conv::new(filters) }),
        dense: &[128],
        dense_norm: false,
        dropout_conv: 0.0,
        dropout_dense: 0.5,
    };
    stack::build(path, parameters, &layout, outputs)
}

pub(super) fn build_deep(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let conv = |filters| Conv { norm: Norm::Batch, pool: true, drop: true, ..Conv::new(filters) };
    let layout = Layout {
        convolutions: &[32, 64, 128, 256].map(conv),
        dense: &[256],
        dense_norm: false,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    };
    stack::build(path, parameters, &layout, outputs)
}
