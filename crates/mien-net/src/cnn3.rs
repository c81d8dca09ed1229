//! `cnn3`: three blocks of convolution without batch norm, the first model in many a comparison on FER+.
//!
//! 48×48×1 → three blocks of two 3×3 convolutions with ReLU (32, 64, 128 filters), 2×2 max pooling and dropout → dense
//! 256 with ReLU and dropout → 7. Published descriptions agree on the three blocks and no more; the numbers of filters are
//! the usual ones.

use tch::nn;

use super::stack::{self, Conv, Layout};
use super::{BuildError, Network};

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let block = |filters| [Conv::new(filters), Conv { pool: true, drop: true, ..Conv::new(filters) }];
    let layout = Layout {
        convolutions: &[32, 64, 128].map(block).concat(),
        dense: &[256],
        dense_norm: false,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    };
    stack::build(path, parameters, &layout, outputs)
}
