//! The block that MobileNetV2 and EfficientNet are made of: 1×1 to more channels, depthwise, 1×1 to fewer.

use tch::{Kind, TchError, Tensor, nn};

use crate::layers::{ConvNorm, ConvShape, Layer};
use crate::{BuildError, Pass};

/// The activations of these networks.
#[derive(Clone, Copy, Debug)]
pub enum Activation {
    /// min(max(x, 0), 6)
    Relu6,
    /// x · sigmoid(x), also called swish
    Silu,
}

impl Activation {
    pub fn apply(self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Relu6 => x.f_clamp(0.0, 6.0),
            Self::Silu => x.f_silu(),
        }
    }
}

/// What the layers of a network have in common.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Ratio of a block's inputs to its squeezed channels; `None` without squeeze-and-excitation.
    pub squeeze: Option<i64>,
    pub activation: Activation,
    /// Padding and norms as in TensorFlow.
    pub tensorflow: bool,
}

/// TensorFlow's epsilon in these networks' batch norms.
const TENSORFLOW_EPSILON: f64 = 1e-3;

impl Style {
    /// MobileNetV2's.
    pub const MOBILE: Self = Self { squeeze: None, activation: Activation::Relu6, tensorflow: false };

    /// Returns a convolution's shape in this style.
    pub fn conv(&self, inputs: i64, outputs: i64, kernel: i64) -> ConvShape {
        let shape = ConvShape::new(inputs, outputs, kernel);
        if self.tensorflow { shape.same().epsilon(TENSORFLOW_EPSILON) } else { shape }
    }
}

/// Blocks in a row; all of them have the same outputs.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Ratio of the channels of a block's depthwise convolution to its inputs.
    pub expansion: i64,
    pub kernel: i64,
    /// Stride of the first block; the others have 1.
    pub stride: i64,
    pub outputs: i64,
    /// Number of blocks.
    pub blocks: usize,
}

impl Stage {
    pub const fn new(expansion: i64, kernel: i64, stride: i64, outputs: i64, blocks: usize) -> Self {
        Self { expansion, kernel, stride, outputs, blocks }
    }
}

/// The shape of a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    pub inputs: i64,
    pub outputs: i64,
    pub kernel: i64,
    pub stride: i64,
    /// Ratio of the channels of the depthwise convolution to the inputs.
    pub expansion: i64,
    pub style: Style,
}

/// Returns the blocks of all stages in order, after a layer of `inputs` channels: the stage, the block's index in it, both from 0, and
/// the block's shape.
pub fn shapes(stages: &[Stage], mut inputs: i64, style: Style) -> Vec<(usize, usize, BlockShape)> {
    let mut shapes = Vec::new();
    for (i, &Stage { expansion, kernel, stride, outputs, blocks }) in stages.iter().enumerate() {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            shapes.push((i, block, BlockShape { inputs, outputs, kernel, stride, expansion, style }));
            inputs = outputs;
        }
    }
    shapes
}

/// Paths of a convolution and its norm.
pub type Names<'a> = [nn::Path<'a>; 2];

/// Paths of a block's variables.
pub struct BlockNames<'a> {
    /// Used if the block expands.
    pub expand: Names<'a>,
    pub depthwise: Names<'a>,
    /// The two layers of squeeze-and-excitation.
    pub squeeze: Option<Names<'a>>,
    pub project: Names<'a>,
}

impl<'a> BlockNames<'a> {
    /// Torchvision's names: layers and their norms are numbered under `path`, beginning with the expansion if there is one.
    pub fn numbered(path: &nn::Path<'a>, expands: bool) -> Self {
        let at = usize::from(expands);
        Self {
            expand: [path / 0 / 0, path / 0 / 1],
            depthwise: [path / at / 0, path / at / 1],
            squeeze: None,
            project: [path / (at + 1), path / (at + 2)],
        }
    }
}

pub struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    squeeze: Option<[ConvNorm; 2]>,
    project: ConvNorm,
    activation: Activation,
    residual: bool,
}

impl Block {
    pub fn new(names: &BlockNames<'_>, shape: BlockShape) -> Result<Self, BuildError> {
        let named = |[conv, norm]: &Names<'_>, shape| ConvNorm::named(conv, norm, shape);
        let BlockShape { inputs, outputs, kernel, stride, expansion, style } = shape;
        let hidden = expansion * inputs;
        let squeeze = names.squeeze.as_ref().zip(style.squeeze).map(|([down, up], squeeze)| {
            let squeezed = inputs / squeeze;
            let down = ConvNorm::biased(down, ConvShape::new(hidden, squeezed, 1))?;
            Ok::<_, BuildError>([down, ConvNorm::biased(up, ConvShape::new(squeezed, hidden, 1))?])
        });
        let squeeze = squeeze.transpose()?;
        let expand = (expansion != 1).then(|| named(&names.expand, style.conv(inputs, hidden, 1)));
        let depthwise = style.conv(hidden, hidden, kernel).stride(stride).depthwise();
        Ok(Self {
            expand: expand.transpose()?,
            depthwise: named(&names.depthwise, depthwise)?,
            squeeze,
            project: named(&names.project, style.conv(hidden, outputs, 1))?,
            activation: style.activation,
            residual: stride == 1 && inputs == outputs,
        })
    }

    pub fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let mut x = input.shallow_clone();
        for convolution in self.expand.iter().chain([&self.depthwise]) {
            x = self.activation.apply(&convolution.forward(&x, pass)?)?;
        }
        if let Some([down, up]) = &self.squeeze {
            let means = x.f_mean_dim([2, 3].as_slice(), true, Kind::Float)?.f_to_kind(x.kind())?;
            let squeezed = self.activation.apply(&down.forward(&means, pass)?)?;
            x = x.f_mul(&up.forward(&squeezed, pass)?.f_sigmoid()?)?;
        }
        let x = self.project.forward(&x, pass)?;
        if self.residual { x.f_add(input) } else { Ok(x) }
    }

    /// Excludes all of its weights from training.
    pub fn freeze(&mut self) {
        self.layers().for_each(Layer::freeze);
    }

    pub fn layers(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        let Self { expand, depthwise, squeeze, project, .. } = self;
        expand.iter_mut().chain([depthwise, project]).chain(squeeze.iter_mut().flatten())
    }
}

/// Creates blocks of MobileNetV2's kind after a stem of `inputs` channels. The first is called `first` under `path`, and each has its
/// layers under `conv`.
pub fn mobile_blocks(
    path: &nn::Path<'_>,
    first: usize,
    inputs: i64,
    stages: &[Stage],
) -> Result<Vec<Block>, BuildError> {
    let blocks = shapes(stages, inputs, Style::MOBILE).into_iter().enumerate().map(|(i, (_, _, shape))| {
        let path = path / (first + i) / "conv";
        Block::new(&BlockNames::numbered(&path, shape.expansion != 1), shape)
    });
    blocks.collect()
}

/// A network of these blocks: a strided stem, the blocks, a 1×1 convolution.
pub struct Chain {
    pub stem: ConvNorm,
    pub blocks: Vec<Block>,
    pub last: ConvNorm,
    pub activation: Activation,
}

impl super::Backbone for Chain {
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let x = self.activation.apply(&self.stem.forward(pictures, pass)?)?;
        let x = self.blocks.iter().try_fold(x, |x, block| block.forward(&x, pass))?;
        self.activation.apply(&self.last.forward(&x, pass)?)
    }

    fn layers(&mut self) -> Vec<&mut dyn Layer> {
        let blocks = self.blocks.iter_mut().flat_map(Block::layers);
        [&mut self.stem, &mut self.last].into_iter().chain(blocks).map(|layer| layer as &mut dyn Layer).collect()
    }
}
