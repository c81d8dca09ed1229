//! Networks that find faces: their trait and registry, what their outputs mean, and how a trained one is used.
//!
//! A new architecture is one file here and one line in [`DETECTORS`].

mod card;
mod decode;
mod model;
mod rep;
mod stack;

use tch::{Device, Kind, TchError, Tensor, nn};

pub use card::{FacesCard, FacesEvaluation, FacesFigures, FacesTask, ScoreCalibration, SizeFigures};
pub use decode::{Candidate, NMS_OVERLAP, decode, suppress};
pub use model::{FaceNetwork, FindError, read_levels};

use super::macs::Survey;
use super::{BuildError, Cost, NetworkSpec, Pass, Precision, SpecError, macs};
use mien_core::landmarks::LANDMARKS;

/// Pixels of the picture from one cell of a level to the next. A picture's sides have to be multiples of the last.
pub const STRIDES: [i64; 3] = [8, 16, 32];

/// The coarsest level's stride.
pub const COARSEST: i64 = STRIDES[STRIDES.len() - 1];

/// Numbers that a network gives for each cell, see [`DetectionNetwork::forward`].
pub const OUTPUTS: usize = 5 + 2 * LANDMARKS;

/// Width and height that a cell's box has where its outputs are 0, in strides: the geometric middle of the sizes that a level
/// finds.
pub const BASE_SIZE: f64 = 4.0;

/// A network that finds faces in gray pictures. It has no anchors: each cell may say that it stands in a face, and where that is.
pub trait DetectionNetwork: Send {
    /// For normalised pictures `[N, 1, H, W]` a tensor `[N, OUTPUTS, H / stride, W / stride]` of 32-bit floats for each of
    /// [`STRIDES`]: the logit of the score; from the cell's middle to the box's, x and y, in strides; logarithm of the box's
    /// width and height in units of [`BASE_SIZE`] strides; from the cell's middle to each landmark, x and y, in strides.
    ///
    /// # Errors
    /// When libtorch fails, as when memory is full.
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<[Tensor; STRIDES.len()], TchError>;

    /// Prepares for evaluation alone on `device`, as [`super::Network::deploy`] does.
    ///
    /// # Errors
    /// When libtorch can't lay the weights out.
    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), TchError>;
}

/// Creates a network's variables under a path, by the parameters of a recipe or card.
type Build = fn(&nn::Path<'_>, toml::Table) -> Result<Box<dyn DetectionNetwork>, BuildError>;

/// An entry of the registry.
pub struct Detector {
    /// What recipes and cards call it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    build: Build,
}

/// Every architecture that finds faces.
pub const DETECTORS: &[Detector] =
    &[Detector { name: "faces", about: "re-parameterised 3×3 convolutions at three strides", build: stack::build }];

/// Width and height of the picture that a network's cost is counted on.
pub const COUNTED_ON: [i64; 2] = [320, 192];

impl NetworkSpec {
    /// Creates a detector's variables under `path`, initialised at random from libtorch's generator.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, or memory is full.
    pub fn build_detector(&self, path: &nn::Path<'_>) -> Result<Box<dyn DetectionNetwork>, SpecError> {
        let built = (self.detector()?.build)(path, self.parameters.clone());
        built.map_err(|source| SpecError::new(&self.architecture, source))
    }

    fn detector(&self) -> Result<&'static Detector, SpecError> {
        DETECTORS.iter().find(|detector| detector.name == self.architecture).ok_or_else(|| {
            let known: Vec<_> = DETECTORS.iter().map(|detector| detector.name).collect();
            SpecError::UnknownArchitecture { name: self.architecture.clone(), known: known.join(", ") }
        })
    }

    /// What a detector costs as it is deployed, counted on a picture of [`COUNTED_ON`]. It isn't built for that.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, or the network is too large.
    pub fn detector_cost(&self) -> Result<Cost, SpecError> {
        Ok(self.survey_detector()?.cost)
    }

    /// Looks at a detector before it is built.
    ///
    /// # Errors
    /// As [`Self::detector_cost`].
    pub(super) fn survey_detector(&self) -> Result<Survey, SpecError> {
        let build = self.detector()?.build;
        let [width, height] = COUNTED_ON;
        let pass = |mut network: Box<dyn DetectionNetwork>| {
            // On a device other than the CPU weights are folded and not packed, which the survey can read.
            network.deploy(Device::Cuda(0), Precision::F32)?;
            let no_picture = Tensor::f_zeros([0, 1, height, width], (Kind::Float, Device::Cpu))?;
            let _no_outputs = network.forward(&no_picture, Pass::EVALUATE)?;
            Ok(width)
        };
        macs::survey(|path| build(path, self.parameters.clone()), pass)
            .map_err(|source| SpecError::new(&self.architecture, source))
    }
}
