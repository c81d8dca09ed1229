//! Networks that find faces: their trait and registry, what their outputs mean, and how a trained one is used.
//!
//! A new architecture is one file here and one line in [`DETECTORS`].

mod card;
mod decode;
mod model;
mod rep;
mod stack;

use tch::{Device, Kind, Tensor, nn};

pub use card::{FacesCard, FacesEvaluation, FacesFigures, FacesTask, ScoreCalibration, SizeFigures};
pub use decode::{Candidate, NMS_OVERLAP, decode, suppress};
pub use model::{FaceNetwork, FindError, read_levels};

use super::{Cost, NetworkSpec, Pass, Precision, SpecError, macs, parameter_count};
use crate::landmarks::LANDMARKS;

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
    fn forward(&self, pictures: &Tensor, pass: Pass) -> [Tensor; STRIDES.len()];

    /// Prepares for evaluation alone on `device`, as [`super::Network::deploy`] does.
    ///
    /// # Errors
    /// When libtorch can't lay the weights out.
    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), tch::TchError>;
}

/// Creates a network's variables under a path, by the parameters of a recipe or card.
type Build = fn(&nn::Path<'_>, toml::Table) -> Result<Box<dyn DetectionNetwork>, toml::de::Error>;

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
    /// When the architecture or one of its parameters is unknown.
    pub fn build_detector(&self, path: &nn::Path<'_>) -> Result<Box<dyn DetectionNetwork>, SpecError> {
        let name = &self.architecture;
        let detector = DETECTORS.iter().find(|detector| detector.name == name).ok_or_else(|| {
            let known: Vec<_> = DETECTORS.iter().map(|detector| detector.name).collect();
            SpecError::UnknownArchitecture { name: name.clone(), known: known.join(", ") }
        })?;
        (detector.build)(path, self.parameters.clone())
            .map_err(|source| SpecError::Parameters { name: name.clone(), source: Box::new(source) })
    }

    /// What a detector costs as it is deployed, counted on a picture of [`COUNTED_ON`].
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown.
    pub fn detector_cost(&self) -> Result<Cost, SpecError> {
        let store = nn::VarStore::new(Device::Cpu);
        let mut network = self.build_detector(&store.root())?;
        let parameters = parameter_count(&store);
        let [width, height] = COUNTED_ON;
        // On a device other than the CPU weights are folded and not packed, which the counter can read.
        let folded = network.deploy(Device::Cuda(0), Precision::F32);
        let picture = Tensor::zeros([1, 1, height, width], (Kind::Float, Device::Cpu));
        let macs = macs::count(|| {
            let _ = network.forward(&picture, Pass::EVALUATE);
        });
        folded.map_err(|_| SpecError::UnknownArchitecture { name: self.architecture.clone(), known: String::new() })?;
        Ok(Cost { parameters, macs: macs.macs, input_side: width })
    }
}
