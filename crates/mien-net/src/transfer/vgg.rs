//! VGG (Simonyan & Zisserman 2015): 3×3 convolutions with biases and ReLU, in five blocks that each end in max pooling.

use tch::{TchError, Tensor, nn};

use super::Backbone;
use crate::BuildError;
use crate::Pass;
use crate::layers::{ConvNorm, ConvShape, Layer};

struct Vgg {
    blocks: Vec<Vec<ConvNorm>>,
}

/// Filters of each block.
const FILTERS: [i64; 5] = [64, 128, 256, 512, 512];
/// Convolutions of each block of VGG16.
pub const VGG16: [usize; 5] = [2, 2, 3, 3, 3];
const VGG19: [usize; 5] = [2, 2, 4, 4, 4];

pub fn vgg16(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(Vgg::new(path, VGG16)?))
}

pub fn vgg19(path: &nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError> {
    Ok(Box::new(Vgg::new(path, VGG19)?))
}

/// Positions of each block's convolutions in torchvision's list of layers, where ReLU and pooling are numbered too.
pub fn positions(counts: [usize; 5]) -> [Vec<usize>; 5] {
    let mut next = 0;
    counts.map(|count| {
        let block = (0..count).map(|i| next + 2 * i).collect();
        next += 2 * count + 1;
        block
    })
}

impl Vgg {
    fn new(path: &nn::Path<'_>, counts: [usize; 5]) -> Result<Self, BuildError> {
        let path = path / "features";
        let mut inputs = super::CHANNELS;
        let mut blocks = Vec::new();
        for (positions, filters) in positions(counts).into_iter().zip(FILTERS) {
            let mut block = Vec::new();
            for position in positions {
                block.push(ConvNorm::biased(&(&path / position), ConvShape::new(inputs, filters, 3))?);
                inputs = filters;
            }
            blocks.push(block);
        }
        Ok(Self { blocks })
    }
}

impl Backbone for Vgg {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut x = pictures.shallow_clone();
        for block in &self.blocks {
            for convolution in block {
                x = convolution.forward(&x, pass)?.f_relu()?;
            }
            x = x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?;
        }
        Ok(x)
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        self.blocks.iter_mut().flatten().map(|layer| layer as &mut dyn Layer).collect()
    }
}
