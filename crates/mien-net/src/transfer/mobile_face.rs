//! MobileFaceNet (Chen et al. 2018), a network for face recognition, with the names of its PyTorch port (foamliu/MobileFaceNet).
//!
//! Its pictures have 112×112 pixels, with landmarks where `ArcFace` (Deng et al. 2019) puts them, so faces are smaller than in
//! FER2013's crops. At that scale, those crops are 100 pixels wide (least squares over both sets of five landmarks). Their edge pixels
//! are replicated to fill the rest.

use tch::{TchError, Tensor, nn};

use super::Backbone;
use super::inverted::{self, Activation, Block, Stage, Style};
use crate::layers::{ConvNorm, ConvShape, Layer};
use crate::{BuildError, Pass};

const STAGES: [Stage; 5] = [
    Stage::new(2, 3, 2, 64, 5),
    Stage::new(4, 3, 2, 128, 1),
    Stage::new(2, 3, 1, 128, 6),
    Stage::new(4, 3, 2, 128, 1),
    Stage::new(2, 3, 1, 128, 2),
];
/// Channels of the stem.
const STEM: i64 = 64;
/// Side in pixels of a FER2013 crop at the network's scale.
pub const SIDE: i64 = 100;
/// Pixels that are replicated at its edges: left, right, top, bottom.
const MARGINS: [i64; 4] = [6, 6, 12, 0];
/// Side of the last map, each position of which has its own weights.
const LAST_SIDE: i64 = 7;
/// Channels of the features.
pub const FEATURES: i64 = 512;

struct MobileFace {
    stem: ConvNorm,
    /// A depthwise and a 1×1 convolution.
    separable: [ConvNorm; 2],
    blocks: Vec<Block>,
    /// Number of blocks that are frozen, with everything before them.
    frozen: usize,
    wide: ConvNorm,
    /// For each channel, a learnt weighted mean over the map instead of a plain one.
    everywhere: ConvNorm,
}

pub fn net(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    let stem = ConvNorm::numbered(&(path / "conv1"), ConvShape::new(super::CHANNELS, STEM, 3).stride(2))?;
    let both = path / "dw_conv";
    let depthwise = ConvShape::new(STEM, STEM, 3).depthwise();
    let separable = [
        ConvNorm::named(&(&both / "depthwise"), &(&both / "bn1"), depthwise)?,
        ConvNorm::named(&(&both / "pointwise"), &(&both / "bn2"), ConvShape::new(STEM, STEM, 1))?,
    ];
    let blocks = inverted::mobile_blocks(&(path / "features"), 0, STEM, &STAGES)?;
    let shape = ConvShape::new(STAGES[STAGES.len() - 1].outputs, FEATURES, 1);
    let wide = ConvNorm::numbered(&(path / "conv2"), shape)?;
    let last = path / "gdconv";
    let shape = ConvShape::new(FEATURES, FEATURES, LAST_SIDE).depthwise().unpadded();
    let everywhere = ConvNorm::named(&(&last / "depthwise"), &(&last / "bn"), shape)?;
    Ok(Box::new(MobileFace { stem, separable, blocks, frozen: 0, wide, everywhere }))
}

const ACTIVATION: Activation = Style::MOBILE.activation;

impl MobileFace {
    fn begin(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = pictures.f_replication_pad2d(MARGINS)?;
        let mut x = ACTIVATION.apply(&self.stem.forward(&x, pass)?)?;
        for convolution in &self.separable {
            x = convolution.forward_relu(&x, pass)?;
        }
        self.blocks[..self.frozen].iter().try_fold(x, |x, block| block.forward(&x, pass))
    }
}

impl Backbone for MobileFace {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = if self.frozen > 0 {
            // Without gradients, and with the batch norms' stored statistics, which belong to the weights.
            tch::no_grad(|| self.begin(pictures, Pass { train: false, ..pass }))
        } else {
            self.begin(pictures, pass)
        }?;
        let x = self.blocks[self.frozen..].iter().try_fold(x, |x, block| block.forward(&x, pass))?;
        let x = ACTIVATION.apply(&self.wide.forward(&x, pass)?)?;
        self.everywhere.forward(&x, pass)
    }

    fn freeze_first(&mut self, blocks: usize) -> bool {
        let Some(first) = self.blocks.get_mut(..blocks) else { return false };
        first.iter_mut().for_each(Block::freeze);
        std::iter::once(&mut self.stem).chain(&mut self.separable).for_each(Layer::freeze);
        self.frozen = blocks;
        true
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let ends = [&mut self.stem, &mut self.wide, &mut self.everywhere];
        let blocks = self.blocks.iter_mut().flat_map(Block::layers);
        ends.into_iter().chain(&mut self.separable).chain(blocks).map(|layer| layer as &mut dyn Layer).collect()
    }
}
