//! `cnn4`: the four-convolution network that is trained on FER2013 in many a notebook, with batch norm throughout.
//!
//! 48×48×1 → 64 filters 3×3 → 128 of 5×5 → 512 of 3×3 → 512 of 3×3, each with batch norm, ReLU, 2×2 max pooling and
//! dropout → dense 256 → dense 512, each with batch norm, ReLU and dropout → 7. About 4.5 M parameters and 290 M
//! multiply-adds per face.

use tch::nn;

use super::stack::{self, Conv, Layout, Norm};
use super::{BuildError, Network};

pub(super) fn build(
    path: &nn::Path<'_>,
    parameters: toml::Table,
    outputs: i64,
) -> Result<Box<dyn Network>, BuildError> {
    let conv = |filters, kernel| Conv { kernel, norm: Norm::Batch, pool: true, drop: true, ..Conv::new(filters) };
    let layout = Layout {
        convolutions: &[conv(64, 3), conv(128, 5), conv(512, 3), conv(512, 3)],
        dense: &[256, 512],
        dense_norm: true,
        dropout_conv: 0.25,
        dropout_dense: 0.25,
    };
    stack::build(path, parameters, &layout, outputs)
}
