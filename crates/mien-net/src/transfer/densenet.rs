//! DenseNet-121 (Huang et al. 2017): each layer sees the outputs of all before it; norms come before convolutions.

use tch::{TchError, Tensor, nn};

use super::Backbone;
use crate::BuildError;
use crate::Pass;
use crate::layers::{ConvNorm, ConvShape, Layer, Norm};

struct DenseNet {
    stem: ConvNorm,
    blocks: Vec<(Vec<DenseLayer>, Option<Transition>)>,
    last: Norm,
}

/// Norm, 1×1 convolution with a norm after it, 3×3 convolution. The result is concatenated with the input.
struct DenseLayer {
    norm: Norm,
    squeeze: ConvNorm,
    grow: ConvNorm,
}

/// Halves the channels and the sides.
struct Transition {
    norm: Norm,
    squeeze: ConvNorm,
}

/// Layers of each block.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];
/// Channels that a layer adds.
const GROWTH: i64 = 32;
/// Channels of a layer's 1×1 convolution.
const SQUEEZED: i64 = 4 * GROWTH;

pub fn densenet121(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let path = path / "features";
    let mut channels = 64;
    let shape = ConvShape::new(super::CHANNELS, channels, 7).stride(2);
    let stem = ConvNorm::named(&(&path / "conv0"), &(&path / "norm0"), shape)?;
    let mut blocks = Vec::new();
    for (i, count) in BLOCKS.into_iter().enumerate() {
        let block = &path / format!("denseblock{}", i + 1);
        let mut layers = Vec::new();
        for layer in 0..count {
            layers.push(DenseLayer::new(&(&block / format!("denselayer{}", layer + 1)), channels)?);
            channels += GROWTH;
        }
        let transition = (i + 1 < BLOCKS.len()).then(|| {
            let path = &path / format!("transition{}", i + 1);
            let norm = Norm::new(&(&path / "norm"), channels)?;
            channels /= 2;
            let squeeze = ConvNorm::bare(&(&path / "conv"), ConvShape::new(2 * channels, channels, 1))?;
            Ok::<_, BuildError>(Transition { norm, squeeze })
        });
        blocks.push((layers, transition.transpose()?));
    }
    Ok(Box::new(DenseNet { stem, blocks, last: Norm::new(&(&path / "norm5"), channels)? }))
}

impl DenseLayer {
    fn new(path: &nn::Path<'_>, inputs: i64) -> Result<Self, BuildError> {
        let squeeze = ConvShape::new(inputs, SQUEEZED, 1);
        Ok(Self {
            norm: Norm::new(&(path / "norm1"), inputs)?,
            squeeze: ConvNorm::named(&(path / "conv1"), &(path / "norm2"), squeeze)?,
            grow: ConvNorm::bare(&(path / "conv2"), ConvShape::new(SQUEEZED, GROWTH, 3))?,
        })
    }

    fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let y = self.squeeze.forward(&self.norm.forward(x, pass)?.f_relu()?, pass)?.f_relu()?;
        Tensor::f_cat(&[x, &self.grow.forward(&y, pass)?], 1)
    }
}

impl Backbone for DenseNet {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = self.stem.forward(pictures, pass)?.f_relu()?;
        let mut x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        for (layers, transition) in &self.blocks {
            x = layers.iter().try_fold(x, |x, layer| layer.forward(&x, pass))?;
            if let Some(Transition { norm, squeeze }) = transition {
                let halved = squeeze.forward(&norm.forward(&x, pass)?.f_relu()?, pass)?;
                x = halved.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?;
            }
        }
        self.last.forward(&x, pass)?.f_relu()
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let mut all: Vec<&mut dyn Layer> = vec![&mut self.stem, &mut self.last];
        for (layers, transition) in &mut self.blocks {
            for DenseLayer { norm, squeeze, grow } in layers {
                all.extend([norm as &mut dyn Layer, squeeze, grow]);
            }
            if let Some(Transition { norm, squeeze }) = transition {
                all.extend([norm as &mut dyn Layer, squeeze]);
            }
        }
        all
    }
}
