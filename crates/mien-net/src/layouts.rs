//! The architectures that are plain stacks.
//!
//! - `baseline` and `baseline-deep` are the small networks that projects on FER2013 start with. Published reports call them “small” and
//!   “deep” and print accuracies; the sizes here were chosen to fit those words.
//! - `cnn3` is the first model in many comparisons on FER+, `cnn5` the last. Published descriptions agree on their blocks and what
//!   these contain; the numbers of filters are the usual ones.
//! - `cnn4` is trained on FER2013 in many notebooks.
//! - `sequential2` to `sequential4` are long stacks that mix norms and activations. Reports on such stacks name the ingredients, the
//!   largest number of filters and the number of layers; the order here is ours.

use super::stack::{Activation, Conv, Layout, Norm};

/// 48×48×1 → two 3×3 convolutions (32, 64 filters) with ReLU and 2×2 max pooling → dense 128 with ReLU and dropout → 7.
pub(super) fn baseline() -> Layout {
    Layout {
        convolutions: [32, 64].map(|filters| Conv { pool: true, ..Conv::new(filters) }).to_vec(),
        dense: &[128],
        dense_norm: false,
        dropout_conv: 0.0,
        dropout_dense: 0.5,
    }
}

/// `baseline` with four convolutions (32, 64, 128, 256 filters), batch norm, dropout after each pooling, and dense 256.
pub(super) fn baseline_deep() -> Layout {
    let conv = |filters| Conv { norm: Norm::Batch, pool: true, drop: true, ..Conv::new(filters) };
    Layout {
        convolutions: [32, 64, 128, 256].map(conv).to_vec(),
        dense: &[256],
        dense_norm: false,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    }
}

/// 48×48×1 → three blocks of two 3×3 convolutions with ReLU (32, 64, 128 filters), 2×2 max pooling and dropout → dense 256 with ReLU and
/// dropout → 7.
pub(super) fn cnn3() -> Layout {
    let block = |filters| [Conv::new(filters), Conv { pool: true, drop: true, ..Conv::new(filters) }];
    Layout {
        convolutions: [32, 64, 128].map(block).concat(),
        dense: &[256],
        dense_norm: false,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    }
}

/// 48×48×1 → 64 filters 3×3 → 128 of 5×5 → 512 of 3×3 → 512 of 3×3, each with batch norm, ReLU, 2×2 max pooling and dropout → dense 256
/// → dense 512, each with batch norm, ReLU and dropout → 7. About 4.5 M parameters and 290 M multiply-adds per face.
pub(super) fn cnn4() -> Layout {
    let conv = |filters, kernel| Conv { kernel, norm: Norm::Batch, pool: true, drop: true, ..Conv::new(filters) };
    Layout {
        convolutions: vec![conv(64, 3), conv(128, 5), conv(512, 3), conv(512, 3)],
        dense: &[256, 512],
        dense_norm: true,
        dropout_conv: 0.25,
        dropout_dense: 0.25,
    }
}

/// 48×48×1 → five blocks of two 3×3 convolutions, each with batch norm and ReLU (32, 64, 128, 256, 512 filters), 2×2 max pooling and
/// dropout, which leaves one pixel → dense 256 with batch norm, ReLU and dropout → 7.
pub(super) fn cnn5() -> Layout {
    let block = |filters| {
        let first = Conv { norm: Norm::Batch, ..Conv::new(filters) };
        [first, Conv { pool: true, drop: true, ..first }]
    };
    Layout {
        convolutions: [32, 64, 128, 256, 512].map(block).concat(),
        dense: &[256],
        dense_norm: true,
        dropout_conv: 0.25,
        dropout_dense: 0.5,
    }
}

/// `sequential3` without its last convolution. Reports mention only an earlier network without a backbone, with no further details.
pub(super) fn sequential2() -> Layout {
    sequential(START.to_vec(), 0.0)
}

/// 48×48×1 → 64 filters, batch norm, tanh → 128, group norm, leaky ReLU → 256, batch norm, leaky ReLU, dropout → 512, group norm,
/// sigmoid → 1024, batch norm, leaky ReLU, dropout → dense 256 with batch norm and ReLU → 7. All convolutions are 3×3; 2×2 max pooling
/// follows each except the first. By Keras's count, these are twenty layers.
pub(super) fn sequential3() -> Layout {
    sequential([&START[..], &[LAST]].concat(), 0.0)
}

/// `sequential3` with an extra convolution of 512 filters and batch norm before the last one, and a third dropout after the dense
/// layer.
pub(super) fn sequential4() -> Layout {
    sequential([&START[..], &[EXTRA, LAST]].concat(), 0.5)
}

/// Groups of a group norm: enough to keep filters apart that respond to different things.
const GROUPS: i64 = 8;

const START: [Conv; 4] = [
    Conv { norm: Norm::Batch, activation: Activation::Tanh, ..Conv::new(64) },
    Conv { norm: Norm::Group(GROUPS), activation: Activation::LeakyRelu, pool: true, ..Conv::new(128) },
    Conv { norm: Norm::Batch, activation: Activation::LeakyRelu, pool: true, drop: true, ..Conv::new(256) },
    Conv { norm: Norm::Group(GROUPS), activation: Activation::Sigmoid, pool: true, ..Conv::new(512) },
];
const EXTRA: Conv = Conv { norm: Norm::Batch, activation: Activation::LeakyRelu, ..Conv::new(512) };
const LAST: Conv = Conv { pool: true, drop: true, filters: 1024, ..EXTRA };

fn sequential(convolutions: Vec<Conv>, dropout_dense: f64) -> Layout {
    Layout { convolutions, dense: &[256], dense_norm: true, dropout_conv: 0.25, dropout_dense }
}
