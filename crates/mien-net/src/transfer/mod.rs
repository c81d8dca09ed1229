//! Transfer networks: a backbone made for colour photographs, with our own head.
//!
//! The gray face `[N, 1, 48, 48]` is resized to the side that the backbone expects, repeated to three channels, and scaled as its
//! weights expect. Variables are under `backbone.` (with torchvision's names) and `head.`, so that a trainer can give each its own
//! learning rate, and [`weights`] can fill the first from a file.
//!
//! The backbones are our own. In `tch::vision`, VGG and DenseNet accept only one picture size and carry classifiers of up to 120 M
//! weights, DenseNet sums pixels where its weights expect the mean, batch norms start with random scales, and nothing can be counted,
//! folded or frozen. Tests show that ours compute the same as `tch::vision`'s.

mod densenet;
mod efficientnet;
mod inception;
mod inverted;
mod mobile_face;
mod mobilenet;
mod resnet;
mod vgg;
mod weights;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::Error as _;
use tch::{Device, Kind, TchError, Tensor, nn};

pub use self::weights::{BackboneError, BackboneReport, load_backbone};
use super::layers::{Dense, Layer};
use super::onnx::{Graph, Value};
use super::stack::share;
use super::{BuildError, ExportError, Network, Pass, Precision};
use mien_core::crop::CROP_SIZE;

/// Parameters that a recipe may set. The architecture has a default for each.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// Side in pixels to which a face is resized for the backbone.
    side: Option<i64>,
    /// Outputs of the head's hidden dense layers.
    hidden: Option<Vec<i64>>,
    /// Dropout rate after each hidden layer of the head.
    dropout: Option<f64>,
    /// Whether the backbone is frozen: no gradients, and batch norm keeps its statistics in training too.
    frozen_backbone: bool,
    /// How many of the backbone's first blocks are frozen, with everything before them.
    frozen_blocks: usize,
    /// Subtracted from the three channels after the recipe's normalisation. A recipe with ImageNet's weights sets mean 0 and std 1 in
    /// its normalisation, which gives 0 to 1, and ImageNet's constants here. Without them, the network sees the result of the recipe's
    /// normalisation.
    channel_mean: Option<[f32; CHANNELS as usize]>,
    /// Divides the three channels after that.
    channel_std: Option<[f32; CHANNELS as usize]>,
}

/// Colour channels of the pictures that backbones were made for.
const CHANNELS: i64 = 3;
/// The largest side a recipe may ask for: ImageNet's crops have 224, the largest published ones 600.
const LARGEST_SIDE: i64 = 640;
/// The largest hidden layer: VGG's own.
const LARGEST_HIDDEN: i64 = 4096;

/// A network without its classifier.
trait Backbone: Send {
    /// Features `[N, channels, h, w]` of pictures `[N, 3, side, side]`.
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<Tensor, TchError>;

    /// All layers that have weights, in any order.
    fn layers(&mut self) -> Vec<&mut dyn Layer>;

    /// Freezes the first blocks and everything before them. Returns whether the backbone has that many blocks that can be frozen.
    fn freeze_first(&mut self, _blocks: usize) -> bool {
        false
    }
}

/// Creates a backbone's variables under a path.
type BuildBackbone = fn(&nn::Path<'_>) -> Result<Box<dyn Backbone>, BuildError>;

/// An architecture that is a backbone with a head.
pub(super) struct Plan {
    /// Creates the backbone's variables.
    backbone: BuildBackbone,
    /// Channels of its features.
    channels: i64,
    /// Ratio of the picture's side to its features', for heads that don't pool.
    reduction: i64,
    /// The smallest side of a picture that the backbone accepts.
    smallest: i64,
    /// Default side of the picture.
    pub(super) side: i64,
    /// Whether the head sees the mean over the map, or the whole map.
    pooled: bool,
    /// Default hidden layers of the head.
    hidden: &'static [i64],
}

struct Transfer {
    backbone: Box<dyn Backbone>,
    hidden: Vec<Dense>,
    output: Dense,
    side: i64,
    pooled: bool,
    dropout: f64,
    frozen: bool,
    /// Mean and standard deviation `[1, 3, 1, 1]`.
    scale: Option<(Tensor, Tensor)>,
}

impl Plan {
    /// Creates the variables `backbone.*` and `head.*` under `path`.
    pub(super) fn build(
        &self,
        path: &nn::Path<'_>,
        parameters: toml::Table,
        outputs: i64,
    ) -> Result<Box<dyn Network>, BuildError> {
        let parameters: Parameters = parameters.try_into()?;
        let side = parameters.side.unwrap_or(self.side);
        if !(self.smallest..=LARGEST_SIDE).contains(&side) {
            let (smallest, largest) = (self.smallest, LARGEST_SIDE);
            return Err(
                toml::de::Error::custom(format!("`side` is {side}, and must be {smallest} to {largest}")).into()
            );
        }
        let hidden = parameters.hidden.unwrap_or_else(|| self.hidden.to_vec());
        if let Some(width) = hidden.iter().find(|width| !(1..=LARGEST_HIDDEN).contains(*width)) {
            return Err(
                toml::de::Error::custom(format!("`hidden` holds {width}, must be 1 to {LARGEST_HIDDEN}")).into()
            );
        }
        let dropout = share("dropout", parameters.dropout.unwrap_or(HEAD_DROPOUT))?;
        let scale = scale(parameters.channel_mean, parameters.channel_std, path.device())?;

        let mut backbone = (self.backbone)(&(path / "backbone"))?;
        if parameters.frozen_backbone {
            backbone.layers().into_iter().for_each(Layer::freeze);
        }
        if parameters.frozen_blocks > 0 && !backbone.freeze_first(parameters.frozen_blocks) {
            return Err(toml::de::Error::custom(
                "`frozen_blocks` exceeds the number of blocks that can be frozen in this backbone",
            )
            .into());
        }
        let head = path / "head";
        let pixels = if self.pooled { 1 } else { (side / self.reduction).pow(2) };
        let mut features = self.channels * pixels;
        let mut layers = Vec::new();
        for (i, width) in hidden.into_iter().enumerate() {
            layers.push(Dense::new(&(&head / format!("dense{}", i + 1)), features, width)?);
            features = width;
        }
        let output = Dense::new(&(&head / "output"), features, outputs)?;
        Ok(Box::new(Transfer {
            backbone,
            hidden: layers,
            output,
            side,
            pooled: self.pooled,
            dropout,
            frozen: parameters.frozen_backbone,
            scale,
        }))
    }
}

/// Dropout rate in the head, as in the published recipes.
const HEAD_DROPOUT: f64 = 0.5;

/// The channels' constants as tensors, if a recipe sets any.
fn scale(
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    device: Device,
) -> Result<Option<(Tensor, Tensor)>, BuildError> {
    if mean.is_none() && std.is_none() {
        return Ok(None);
    }
    let (mean, std) = (mean.unwrap_or([0.0; 3]), std.unwrap_or([1.0; 3]));
    if !mean.iter().all(|m| m.is_finite()) || !std.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(toml::de::Error::custom("`channel_mean` must be finite and `channel_std` above 0").into());
    }
    let tensor = |values: [f32; 3]| Tensor::f_from_slice(&values)?.f_view([1, CHANNELS, 1, 1])?.f_to_device(device);
    Ok(Some((tensor(mean)?, tensor(std)?)))
}

impl Transfer {
    /// Faces `[N, 1, 48, 48]` as pictures `[N, 3, side, side]`.
    fn pictures(&self, faces: &Tensor) -> Result<Tensor, TchError> {
        let side = [self.side, self.side];
        let resized = if self.side == CROP_SIZE as i64 {
            faces.shallow_clone()
        } else {
            faces.f_upsample_bilinear2d(side, false, None, None)?
        };
        match &self.scale {
            Some((mean, std)) => resized.f_sub(mean)?.f_div(std),
            None => resized.f_expand([-1, CHANNELS, -1, -1], false),
        }
    }
}

impl Network for Transfer {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let pictures = self.pictures(faces)?;
        let features = if self.frozen {
            // Without gradients, and with the batch norms' stored statistics, which belong to the weights.
            tch::no_grad(|| self.backbone.forward(&pictures, Pass { train: false, ..pass }))
        } else {
            self.backbone.forward(&pictures, pass)
        }?;
        let mut x = if self.pooled {
            features.f_mean_dim([2, 3].as_slice(), false, Kind::Float)?
        } else {
            features.f_flatten(1, -1)?.f_to_kind(Kind::Float)?
        };
        for dense in &self.hidden {
            x = dense.forward(&x)?.f_relu()?.f_dropout(self.dropout, pass.train)?;
        }
        self.output.forward(&x)
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.backbone.layers().into_iter().try_for_each(Layer::fold)
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.backbone.layers().into_iter().try_for_each(|layer| layer.pack(precision))
    }

    fn draw(&self, _graph: &mut Graph, _faces: &Value) -> Result<Value, ExportError> {
        Err(ExportError::Part("backbones that were trained on something else"))
    }
}

/// The head that the published transfer recipes describe: pooling over the map, then this hidden layer.
const POOLED_HEAD: &[i64] = &[1024];
/// The head of keras-vggface's own example of fine-tuning: two hidden layers on the whole map.
const VGG_FACE_HEAD: &[i64] = &[512, 512];

/// What most backbones have in common: they divide the picture's side by 32.
const USUAL: Plan = Plan {
    backbone: vgg::vgg16,
    channels: 512,
    reduction: 32,
    smallest: 32,
    side: CROP_SIZE as i64,
    pooled: true,
    hidden: POOLED_HEAD,
};

/// No hidden layer.
const DIRECT_HEAD: &[i64] = &[];

/// Picture side for backbones that halve the picture five times, so that their filters have enough to see.
const TWICE: i64 = 2 * CROP_SIZE as i64;

/// VGG16 (Simonyan & Zisserman 2015), configuration D.
pub(super) const VGG16: Plan = USUAL;

/// VGG19, configuration E.
pub(super) const VGG19: Plan = Plan { backbone: vgg::vgg19, ..USUAL };

/// VGG-Face (Parkhi et al. 2015): VGG16 trained on the faces of 2622 people, with its own head.
pub(super) const VGG_FACE: Plan = Plan { side: TWICE, pooled: false, hidden: VGG_FACE_HEAD, ..USUAL };

/// Inception V3 (Szegedy et al. 2016). It takes no fewer than 75 pixels.
pub(super) const INCEPTION3: Plan = Plan { backbone: inception::v3, channels: 2048, smallest: 75, side: 75, ..USUAL };

/// ResNet-50 (He et al. 2016).
pub(super) const RESNET50: Plan = Plan { backbone: resnet::resnet50, channels: 2048, ..USUAL };

/// DenseNet-121 (Huang et al. 2017).
pub(super) const DENSENET121: Plan = Plan { backbone: densenet::densenet121, channels: 1024, ..USUAL };

/// EfficientNet-B2 (Tan & Le 2019), as in torchvision.
pub(super) const EFFICIENTNET_B2: Plan = Plan { backbone: efficientnet::b2, channels: 1408, side: TWICE, ..USUAL };

/// EfficientNet-Lite0: B0 without squeeze-and-excitation, with ReLU6.
pub(super) const EFFICIENTNET_LITE0: Plan =
    Plan { backbone: efficientnet::lite0, channels: 1280, side: TWICE, ..USUAL };

/// MobileFaceNet (Chen et al. 2018). Its features are a vector already.
pub(super) const MOBILEFACENET: Plan = Plan {
    backbone: mobile_face::net,
    channels: mobile_face::FEATURES,
    smallest: mobile_face::SIDE,
    side: mobile_face::SIDE,
    hidden: DIRECT_HEAD,
    ..USUAL
};

/// MobileNetV2 (Sandler et al. 2018).
pub(super) const MOBILENET2: Plan = Plan { backbone: mobilenet::v2, channels: 1280, side: TWICE, ..USUAL };
