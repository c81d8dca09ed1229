//! Loading and running a detector: found by name or path, checked, put on a device, and run on pictures.

use tch::{Device, Kind, Tensor, nn};

use super::super::loaded::{self, Loaded};
use super::super::{ModelError, ModelSource, Pass, Precision};
use super::decode::{decode, suppress};
use super::{COARSEST, DetectionNetwork, FacesCard, FoundFace, OUTPUTS, STRIDES, ScoreCalibration};

/// How detectors are loaded.
const DETECTOR: loaded::Kind<FacesCard, dyn DetectionNetwork> = loaded::Kind {
    shipped: || ModelSource::shipped_detectors().collect(),
    card: FacesCard::from_toml,
    survey: |card| card.network.survey_detector(),
    make: |card, path| card.network.make_detector(path),
};

/// A detector that is ready to run on a device.
pub struct FaceNetwork {
    /// The detector's card.
    pub card: FacesCard,
    /// Where the weights are.
    pub device: Device,
    /// SHA-256 of the weights file, in hexadecimal.
    pub sha256: String,
    pub(crate) network: Box<dyn DetectionNetwork>,
    /// Owns the variables.
    _store: nn::VarStore,
}

/// The detector can't be run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The pictures don't have a shape that the network accepts.
    #[error("the detector takes gray pictures whose sides are multiples of {COARSEST}, not a tensor of shape {0:?}")]
    Shape(Vec<i64>),
    /// libtorch failed.
    #[error("the detector failed: {}", crate::torch::said(.0))]
    Torch(#[from] tch::TchError),
}

impl FaceNetwork {
    /// Reads, checks and deploys a detector. On x86-64 CPUs, convolutions compute in `precision`.
    ///
    /// # Errors
    /// When a file is missing, damaged, or doesn't fit its card.
    pub fn load(source: &ModelSource, device: Device, precision: Precision) -> Result<Self, ModelError> {
        DETECTOR.load(source, device, |network| network.deploy(device, precision)).map(Self::of)
    }

    /// Reads, checks and folds a detector on the CPU. Unlike after [`Self::load`], its weights can still be read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn folded(source: &ModelSource) -> Result<Self, ModelError> {
        DETECTOR.load(source, Device::Cpu, DetectionNetwork::fold).map(Self::of)
    }

    fn of(loaded: Loaded<FacesCard, dyn DetectionNetwork>) -> Self {
        let Loaded { card, network, sha256, store } = loaded;
        Self { card, device: store.device(), sha256, network, _store: store }
    }

    /// Finds the faces in each of `pictures`: gray bytes `[N, 1, H, W]` on any device, whose sides are multiples of [`COARSEST`].
    /// Returns those with a probability of at least `threshold`, the most likely first, in pixels of their picture.
    ///
    /// # Errors
    /// When the shape doesn't fit or libtorch fails.
    pub fn find(&self, pictures: &Tensor, threshold: f32) -> Result<Vec<Vec<FoundFace>>, FindError> {
        self.find_with(pictures, self.card.score, threshold)
    }

    /// Like [`Self::find`], with another calibration of the scores than the card's.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_with(
        &self,
        pictures: &Tensor,
        score: ScoreCalibration,
        threshold: f32,
    ) -> Result<Vec<Vec<FoundFace>>, FindError> {
        match pictures.size()[..] {
            [_, 1, height, width] if height % COARSEST == 0 && width % COARSEST == 0 && height * width > 0 => {}
            _ => return Err(FindError::Shape(pictures.size())),
        }
        let input = self.card.normalization.apply(&pictures.f_to_device(self.device)?)?;
        let levels = tch::no_grad(|| self.network.forward(&input, Pass::EVALUATE))?;
        faces_in(&levels, score, score.logit(threshold))
    }
}

/// Returns the faces in each picture from a network's outputs: those with a logit of at least `least_logit`, the most likely first.
///
/// # Errors
/// When libtorch can't copy the outputs.
pub fn faces_in(
    levels: &[Tensor; STRIDES.len()],
    score: ScoreCalibration,
    least_logit: f32,
) -> Result<Vec<Vec<FoundFace>>, FindError> {
    let mut pictures: Vec<Vec<FoundFace>> = Vec::new();
    for (level, stride) in levels.iter().zip(STRIDES) {
        let size = level.size();
        let (cells, columns) = ((size[2] * size[3]) as usize, size[3] as usize);
        let plain = level.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
        let numbers: Vec<f32> = Vec::try_from(plain.f_contiguous()?.f_reshape([-1])?)?;
        pictures.resize_with(size[0] as usize, Vec::new);
        for (picture, outputs) in pictures.iter_mut().zip(numbers.chunks_exact(OUTPUTS * cells)) {
            picture.extend(decode(outputs, columns, stride, score, least_logit));
        }
    }
    Ok(pictures.into_iter().map(suppress).collect())
}
