//! Networks: their architectures, their weights on disk, and the card that says what they are.
//!
//! A new architecture is one file here and one line in [`ARCHITECTURES`].

mod calibration;
mod card;
mod checkpoint;
mod cnn4;
mod layers;
mod model;

pub use calibration::{Adjustment, Assumed, Calibration, Temperatures};
pub use card::{Card, CardError, Evaluation, FORMAT as CARD_FORMAT, InputSpec, Training};
pub use checkpoint::{
    CheckpointError, TensorMap, WeightKind, assign, decode, decode_note, encode, load_weights, save_weights, variables,
    write_atomically,
};
pub use model::{Model, ModelError, ModelSource};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

/// A network that classifies 48×48 gray faces.
pub trait Network: Send {
    /// Logits `[N, 7]` in the order of [`crate::emotion::Emotion::ALL`] for normalised faces `[N, 1, 48, 48]`.
    fn forward(&self, faces: &Tensor, pass: Pass) -> Tensor;

    /// Prepares for evaluation alone on `device`: merges each batch norm into the weights before it and lays the weights out
    /// for speed. On the CPU convolutions then compute in `precision`; results stay the same up to its rounding.
    ///
    /// # Errors
    /// When libtorch can't lay the weights out.
    fn deploy(&mut self, device: Device, precision: Precision) -> Result<(), tch::TchError>;
}

/// How a forward pass is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whether dropout drops and batch norm uses (and updates) the statistics of the batch.
    pub train: bool,
    /// Number format of the convolutions' arithmetic. Weights and all other layers stay 32-bit.
    pub precision: Precision,
}

impl Pass {
    /// Evaluation in 32 bit.
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
    /// The fastest format for evaluation on this machine's CPU that costs no accuracy worth naming: bfloat16 where the
    /// processor computes in it, else 32 bit.
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

/// An architecture and its parameters, as a recipe or a card names them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// A name in [`ARCHITECTURES`].
    pub architecture: String,
    /// What else the architecture wants to know; each has a default.
    #[serde(flatten)]
    pub parameters: toml::Table,
}

/// Creates a network's variables under a path, by the parameters of a recipe or card.
type Build = fn(&nn::Path<'_>, toml::Table) -> Result<Box<dyn Network>, toml::de::Error>;

/// An entry of the registry.
pub struct Architecture {
    /// What recipes and cards call it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    build: Build,
}

/// Every architecture that Mien knows.
pub const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "cnn4",
    about: "four convolutions (64 to 512 filters) and two dense layers, 4.5 M parameters",
    build: cnn4::build,
}];

/// The network can't be built from its specification.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The name is in no registry.
    #[error("there is no architecture “{name}”; known are {known}")]
    UnknownArchitecture {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A parameter is unknown or of a wrong type.
    #[error("the parameters of architecture “{name}” don't fit: {source}")]
    Parameters {
        /// The architecture.
        name: String,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
}

impl NetworkSpec {
    /// Creates the network's variables under `path`, initialised at random from libtorch's generator.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown.
    pub fn build(&self, path: &nn::Path<'_>) -> Result<Box<dyn Network>, SpecError> {
        let name = &self.architecture;
        let architecture = ARCHITECTURES.iter().find(|a| a.name == name).ok_or_else(|| {
            let known: Vec<_> = ARCHITECTURES.iter().map(|a| a.name).collect();
            SpecError::UnknownArchitecture { name: name.clone(), known: known.join(", ") }
        })?;
        (architecture.build)(path, self.parameters.clone())
            .map_err(|source| SpecError::Parameters { name: name.clone(), source: Box::new(source) })
    }
}

/// Number of trainable parameters of a store.
pub fn parameter_count(store: &nn::VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> NetworkSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_unknown_architecture_is_refused_with_the_known_names() {
        let store = nn::VarStore::new(Device::Cpu);
        let error = spec("architecture = \"cnn9\"").build(&store.root()).err().unwrap().to_string();
        assert!(error.contains("cnn9") && error.contains("cnn4"), "{error}");
    }

    #[test]
    fn an_unknown_parameter_is_refused() {
        let store = nn::VarStore::new(Device::Cpu);
        let error = spec("architecture = \"cnn4\"\nwidth = 3").build(&store.root()).err().unwrap().to_string();
        assert!(error.contains("width"), "{error}");
    }

    #[test]
    fn deployment_changes_speed_and_not_results() {
        tch::manual_seed(5);
        for architecture in ARCHITECTURES {
            for (precision, tolerance) in [(Precision::F32, 1e-4), (Precision::Bf16, 3e-2)] {
                let store = nn::VarStore::new(Device::Cpu);
                let text = format!("architecture = \"{}\"", architecture.name);
                let mut network = spec(&text).build(&store.root()).unwrap();
                // A pass in training mode gives the batch norms statistics worth folding.
                let faces = Tensor::randn([8, 1, 48, 48], (Kind::Float, Device::Cpu)) * 2.0 + 0.5;
                let training = Pass { train: true, precision: Precision::F32 };
                let _ = tch::no_grad(|| network.forward(&faces, training));
                let before = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE));
                assert_eq!(before.size(), [8, 7]);
                network.deploy(Device::Cpu, precision).unwrap();
                let after = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE));
                let difference = (&before - after).abs().max().double_value(&[]);
                assert!(difference < tolerance * before.abs().max().double_value(&[]).max(1.0), "{difference}");
            }
        }
    }
}
