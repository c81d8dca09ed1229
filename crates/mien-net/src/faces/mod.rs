//! Networks that find faces: their trait and registry, what their outputs mean, and how a trained one is used.
//!
//! A new architecture is one file here and one line in [`DETECTORS`].

mod card;
mod decode;
mod detector;
mod model;
mod stack;

use tch::{Device, Kind, TchError, Tensor, nn};

pub use card::{FacesCard, FacesEvaluation, FacesFigures, FacesTask, ScoreCalibration, SizeFigures};
pub use decode::FoundFace;
pub use detector::{NeuralDetector, ScanOptions};
pub use model::{FaceNetwork, FindError, faces_in};

use super::macs::Survey;
use super::one_dnn::packs_on;
use super::onnx::{Graph, Value};
use super::{BuildError, Cost, ExportError, NetworkSpec, Pass, Precision, SpecError, macs};
use mien_core::landmarks::LANDMARKS;

/// Distance between the cells of each level, in pixels of the picture. A picture's sides must be multiples of the last.
pub const STRIDES: [i64; 3] = [8, 16, 32];

/// The coarsest level's stride.
pub const COARSEST: i64 = STRIDES[STRIDES.len() - 1];

/// Number of outputs for each cell, see [`DetectionNetwork::forward`].
pub const OUTPUTS: usize = 5 + 2 * LANDMARKS;

/// Width and height of a cell's box where its outputs are 0, in strides: the geometric mean of the sizes that a level finds.
pub const BASE_SIZE: f64 = 4.0;

/// A network that finds faces in gray pictures. It has no anchors: each cell predicts whether it lies in a face, and where that face
/// is.
pub trait DetectionNetwork: Send {
    /// Returns, for normalised pictures `[N, 1, H, W]`, a tensor `[N, OUTPUTS, H / stride, W / stride]` of 32-bit floats for each of
    /// [`STRIDES`]. For each cell it holds the logit of the score; from the cell's centre to the box's, x and y, in strides; the
    /// logarithm of the box's width and height in units of [`BASE_SIZE`] strides; from the cell's centre to each landmark, x and y, in
    /// strides.
    ///
    /// # Errors
    /// When libtorch fails, for example because memory is full.
    fn forward(&self, pictures: &Tensor, pass: Pass) -> Result<[Tensor; STRIDES.len()], TchError>;

    /// Merges batch norms and branches into plain convolutions.
    ///
    /// # Errors
    /// When libtorch fails.
    fn fold(&mut self) -> Result<(), TchError>;

    /// See [`super::Network::pack`].
    ///
    /// # Errors
    /// When libtorch can't convert the weights.
    fn pack(&mut self, precision: Precision) -> Result<(), TchError>;

    /// See [`super::Network::deploy`].
    ///
    /// # Errors
    /// When libtorch fails.
    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), TchError> {
        self.fold()?;
        if packs_on(device) { self.pack(precision) } else { Ok(()) }
    }

    /// Adds the computation of the folded network to `graph` and returns the three levels.
    ///
    /// # Errors
    /// When libtorch can't copy the weights.
    fn draw(&self, graph: &mut Graph, pictures: &Value) -> Result<[Value; STRIDES.len()], ExportError>;
}

/// Creates a network's variables under a path, from the parameters in a recipe or card.
type Build = fn(&nn::Path<'_>, toml::Table) -> Result<Box<dyn DetectionNetwork>, BuildError>;

/// An entry of the registry.
pub struct Detector {
    /// Its name in recipes and cards.
    pub name: &'static str,
    /// One-line description.
    pub about: &'static str,
    build: Build,
}

/// All detector architectures.
pub const DETECTORS: &[Detector] =
    &[Detector { name: "faces", about: "re-parameterised 3×3 convolutions at three strides", build: stack::build }];

/// Width and height of the picture for which a network's cost is counted.
pub const COUNTED_ON: [i64; 2] = [320, 192];

impl NetworkSpec {
    /// Creates a detector's variables under `path`, initialised at random from libtorch's generator. The network is surveyed first, so
    /// nothing is allocated for one that is too large.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, the network is too large, or memory is full.
    pub fn build_detector(&self, path: &nn::Path<'_>) -> Result<Box<dyn DetectionNetwork>, SpecError> {
        self.survey_detector()?;
        self.make_detector(path)
    }

    /// [`Self::build_detector`] for callers that have already surveyed the network.
    fn make_detector(&self, path: &nn::Path<'_>) -> Result<Box<dyn DetectionNetwork>, SpecError> {
        let built = (self.detector()?.build)(path, self.parameters.clone());
        built.map_err(|source| self.failed(source))
    }

    fn detector(&self) -> Result<&'static Detector, SpecError> {
        DETECTORS.iter().find(|detector| detector.name == self.architecture).ok_or_else(|| {
            let known: Vec<_> = DETECTORS.iter().map(|detector| detector.name).collect();
            SpecError::UnknownArchitecture { name: self.architecture.clone(), known: known.join(", ") }
        })
    }

    /// Returns the cost of a deployed detector for a picture of [`COUNTED_ON`], without building it.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, or the network is too large.
    pub fn detector_cost(&self) -> Result<Cost, SpecError> {
        Ok(self.survey_detector()?.cost)
    }

    /// Surveys a detector without building it.
    ///
    /// # Errors
    /// As [`Self::detector_cost`].
    pub(super) fn survey_detector(&self) -> Result<Survey, SpecError> {
        let build = self.detector()?.build;
        let [width, height] = COUNTED_ON;
        let pass = |network: Box<dyn DetectionNetwork>| {
            let no_picture = Tensor::f_zeros([0, 1, height, width], (Kind::Float, Device::Cpu))?;
            network.forward(&no_picture, Pass::EVALUATE).map(drop)
        };
        macs::survey(|path| build(path, self.parameters.clone()), pass).map_err(|source| self.failed(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> NetworkSpec {
        NetworkSpec { architecture: name.to_owned(), parameters: toml::Table::new() }
    }

    #[test]
    fn every_detector_is_as_small_as_one_core_needs_it() {
        for detector in DETECTORS {
            let cost = spec(detector.name).detector_cost().unwrap();
            assert!(cost.parameters <= 500_000, "{}: {} parameters", detector.name, cost.parameters);
            assert!(cost.macs <= 120_000_000, "{}: {} multiply-adds", detector.name, cost.macs);
        }
    }

    #[test]
    fn deployment_changes_speed_and_not_results_and_gives_every_level_its_shape() {
        tch::set_num_threads(1);
        tch::manual_seed(11);
        for detector in DETECTORS {
            for (precision, tolerance) in [(Precision::F32, 1e-3), (Precision::Bf16, 5e-2)] {
                let store = nn::VarStore::new(Device::Cpu);
                let mut network = spec(detector.name).build_detector(&store.root()).unwrap();
                let pictures = Tensor::randn([2, 1, 64, 96], (Kind::Float, Device::Cpu)) * 1.5 + 0.3;
                // A pass in training mode gives the batch norms statistics other than the initial ones.
                let training = Pass { train: true, precision: Precision::F32 };
                let _ = tch::no_grad(|| network.forward(&pictures, training)).unwrap();
                let before = tch::no_grad(|| network.forward(&pictures, Pass::EVALUATE)).unwrap();
                network.deploy(Device::Cpu, precision).unwrap();
                let after = tch::no_grad(|| network.forward(&pictures, Pass::EVALUATE)).unwrap();
                for ((before, after), stride) in before.iter().zip(&after).zip(STRIDES) {
                    assert_eq!(after.size(), [2, OUTPUTS as i64, 64 / stride, 96 / stride]);
                    let bound = tolerance * before.abs().max().double_value(&[]).max(1.0);
                    let difference = (before - after).abs().max().double_value(&[]);
                    assert!(difference < bound, "{} in {precision:?}: {difference}", detector.name);
                }
            }
        }
    }

    #[test]
    fn every_variable_learns_in_both_number_formats() {
        tch::set_num_threads(1);
        let pictures = Tensor::randn([2, 1, 64, 64], (Kind::Float, Device::Cpu));
        for detector in DETECTORS {
            let store = nn::VarStore::new(Device::Cpu);
            let network = spec(detector.name).build_detector(&store.root()).unwrap();
            for precision in [Precision::F32, Precision::Bf16] {
                let levels = network.forward(&pictures, Pass { train: true, precision }).unwrap();
                levels.iter().map(|level| level.square().sum(Kind::Float)).sum::<Tensor>().backward();
                for (name, mut variable) in store.variables().into_iter().filter(|(_, v)| v.requires_grad()) {
                    let gradient = variable.grad();
                    assert!(gradient.defined() && bool::try_from(gradient.isfinite().all()).unwrap(), "{name}");
                    variable.zero_grad();
                }
            }
        }
    }

    #[test]
    fn unknown_detectors_and_parameters_are_refused() {
        let store = nn::VarStore::new(Device::Cpu);
        let error = spec("mien").build_detector(&store.root()).err().unwrap().to_string();
        assert!(error.contains("mien") && error.contains("faces"), "{error}");
        let wide: NetworkSpec = toml::from_str("architecture = \"faces\"\nwidth = 3").unwrap();
        assert!(wide.build_detector(&store.root()).err().unwrap().to_string().contains("width"));
    }

    #[test]
    fn a_detector_larger_than_any_sensible_one_is_refused_before_anything_is_made() {
        let store = nn::VarStore::new(Device::Cpu);
        let text = "architecture = \"faces\"\nchannels = [16, 20000, 20000, 64, 96]";
        let error =
            toml::from_str::<NetworkSpec>(text).unwrap().build_detector(&store.root()).err().unwrap().to_string();
        assert!(error.contains("too large") && store.is_empty(), "{error}");
    }
}
