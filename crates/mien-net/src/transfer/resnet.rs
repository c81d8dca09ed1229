//! ResNet-50 (He et al. 2016): bottleneck blocks with the stride in the 3×3 convolution, as in torchvision.

use tch::{TchError, Tensor, nn};

use super::Backbone;
use crate::BuildError;
use crate::Pass;
use crate::layers::{ConvNorm, ConvShape, Layer};

struct ResNet {
    stem: ConvNorm,
    blocks: Vec<Bottleneck>,
}

/// 1×1 to fewer channels, 3×3, 1×1 to more; added to the input.
struct Bottleneck {
    convolutions: [ConvNorm; 3],
    shortcut: Option<ConvNorm>,
}

/// Blocks of each stage, and the channels of their 3×3 convolutions.
const STAGES: [(usize, i64); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];
/// Factor by which a block's last convolution widens.
const EXPANSION: i64 = 4;

pub fn resnet50(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let stem = ConvNorm::named(&(path / "conv1"), &(path / "bn1"), ConvShape::new(super::CHANNELS, 64, 7).stride(2))?;
    let mut inputs = 64;
    let mut blocks = Vec::new();
    for (stage, (count, width)) in STAGES.into_iter().enumerate() {
        for block in 0..count {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let path = path / format!("layer{}", stage + 1) / block;
            blocks.push(Bottleneck::new(&path, inputs, width, stride)?);
            inputs = EXPANSION * width;
        }
    }
    Ok(Box::new(ResNet { stem, blocks }))
}

impl Bottleneck {
    fn new(path: &nn::Path<'_>, inputs: i64, width: i64, stride: i64) -> Result<Self, BuildError> {
        let outputs = EXPANSION * width;
        let conv = |i: usize, shape| ConvNorm::named(&(path / format!("conv{i}")), &(path / format!("bn{i}")), shape);
        let convolutions = [
            conv(1, ConvShape::new(inputs, width, 1))?,
            conv(2, ConvShape::new(width, width, 3).stride(stride))?,
            conv(3, ConvShape::new(width, outputs, 1))?,
        ];
        let shortcut = (stride != 1 || inputs != outputs)
            .then(|| ConvNorm::numbered(&(path / "downsample"), ConvShape::new(inputs, outputs, 1).stride(stride)));
        Ok(Self { convolutions, shortcut: shortcut.transpose()? })
    }

    fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let [first, second, third] = &self.convolutions;
        let y = second.forward(&first.forward(x, pass)?.f_relu()?, pass)?.f_relu()?;
        let y = third.forward(&y, pass)?;
        match &self.shortcut {
            Some(shortcut) => y.f_add(&shortcut.forward(x, pass)?)?.f_relu(),
            None => y.f_add(x)?.f_relu(),
        }
    }
}

impl Backbone for ResNet {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = self.stem.forward(pictures, pass)?.f_relu()?;
        let x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        self.blocks.iter().try_fold(x, |x, block| block.forward(&x, pass))
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let blocks = self.blocks.iter_mut().flat_map(|block| block.convolutions.iter_mut().chain(&mut block.shortcut));
        std::iter::once(&mut self.stem).chain(blocks).map(|layer| layer as &mut dyn Layer).collect()
    }
}
