//! `cnn5`: five blocks of convolution with batch norm and dropout, what many a comparison on FER+ ends with.
//!
//! 48×48×1 → five blocks of two 3×3 convolutions, each with batch norm and ReLU (32, 64, 128, 256, 512 filters), 2×2 max
//! pooling and dropout, which leaves one pixel → dense 256 with batch norm, ReLU and dropout → 7. Published descriptions
//! agree on the five blocks and what is in them; the numbers of filters are the usual doubling ones.

use tch::nn;

use super::stack::{self, Conv, Layout, Norm};
use super::{BuildError, Network};

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let block = |filters| {
        let first = Conv { norm: Norm::Batch, ..Conv::new(filters) };
        [first, Conv { pool: true, drop: true, ..first }]
    };
    let layout = Layout {
        convolutions: &[32, 64, 128, 256, 512].map(block).concat(),
        dense: &[256],
        dense_norm: true,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    };
    stack::build(path, parameters, &layout, outputs)
}
