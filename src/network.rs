//! The network that labels, in words: one description for reports, result records, recordings and the window.

use std::fmt;

use serde::Serialize;
use tch::Device;

use crate::classes::Classes;
use crate::classify::TorchClassifier;
use crate::device::{describe, describe_threads};
use crate::net::{Model, Precision};
use crate::prior::{PriorChoice, never_named};

/// The network in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkInUse {
    /// Where it runs: `CPU` or `CUDA 0`, in the window with the threads: `CPU, 1 thread`.
    pub device: String,
    /// What it computes with there, as in `cpu bf16`; `None` where that isn't known. Results of different arithmetic differ a little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<String>,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the weights' file, in hexadecimal. Reports that give it have a field of their own for it.
    #[serde(skip)]
    pub sha256: String,
    /// The prior that it answers under.
    pub prior: String,
    /// Whether it sees each face in a mirror too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// What it tells apart; of the seven emotions nothing is said.
    #[serde(skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// Classes that its training never had: their prior is 0 whatever is assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never_named: Vec<String>,
}

impl NetworkInUse {
    /// A model that answers under a prior. It doesn't know what its convolutions compute with.
    pub fn of(model: &Model, prior: &PriorChoice) -> Self {
        let Model { card, sha256, device, .. } = model;
        Self {
            device: describe(*device),
            arithmetic: None,
            model: card.name.clone(),
            sha256: sha256.clone(),
            prior: prior.to_string(),
            flip: model.flip,
            classes: card.labels.clone(),
            never_named: card.calibration.never_named(),
        }
    }

    /// The same, with the threads that it uses on the CPU.
    #[must_use]
    pub fn with_threads(mut self, threads: i32) -> Self {
        if self.device == describe(Device::Cpu) {
            self.device = format!("{}, {}", self.device, describe_threads(threads));
        }
        self
    }
}

impl From<&TorchClassifier> for NetworkInUse {
    fn from(classifier: &TorchClassifier) -> Self {
        let arithmetic = Some(fastest_arithmetic(classifier.model().device));
        Self { arithmetic, ..Self::of(classifier.model(), classifier.prior()) }
    }
}

/// What classifiers and detectors compute with that are loaded to be fast ([`TorchClassifier::load`]). In bfloat16 it is oneDNN that
/// computes.
fn fastest_arithmetic(device: Device) -> String {
    let has_bf16 = || tch::utils::has_mkldnn() && Precision::fastest_on_cpu() == Precision::Bf16;
    match device {
        Device::Cpu if has_bf16() => "cpu bf16".to_owned(),
        Device::Cpu => "cpu f32".to_owned(),
        Device::Cuda(_) => "cuda f32".to_owned(),
        other => format!("{} f32", describe(other).to_lowercase()),
    }
}

impl fmt::Display for NetworkInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, {} prior", self.model, self.device, self.prior)?;
        f.write_str(if self.flip { ", each face mirrored too" } else { "" })?;
        never_named(&self.never_named).map_or(Ok(()), |words| write!(f, "; {words}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_it_tells_whether_faces_are_mirrored_too() {
        let plain = NetworkInUse {
            model: "mien".to_owned(),
            device: "CPU".to_owned(),
            prior: "uniform".to_owned(),
            ..Default::default()
        };
        assert_eq!(plain.to_string(), "mien on CPU, uniform prior");
        let flipping = NetworkInUse { flip: true, ..plain };
        assert_eq!(flipping.to_string(), "mien on CPU, uniform prior, each face mirrored too");
    }

    #[test]
    fn the_arithmetic_is_named_by_the_kind_of_device_and_the_numbers() {
        let on_cpu = fastest_arithmetic(Device::Cpu);
        assert!(["cpu bf16", "cpu f32"].contains(&on_cpu.as_str()), "{on_cpu}");
        assert_eq!(fastest_arithmetic(Device::Cuda(1)), "cuda f32");
        let json = |network: &NetworkInUse| serde_json::to_value(network).unwrap();
        let known = NetworkInUse { arithmetic: Some(on_cpu.clone()), ..NetworkInUse::default() };
        assert_eq!(json(&known)["arithmetic"], on_cpu.as_str());
        assert!(json(&NetworkInUse::default()).get("arithmetic").is_none());
    }

    #[test]
    fn threads_are_named_on_the_cpu_alone() {
        let on = |device: &str| NetworkInUse { device: device.to_owned(), ..NetworkInUse::default() };
        assert_eq!(on("CPU").with_threads(1).device, "CPU, 1 thread");
        assert_eq!(on("CPU").with_threads(2).device, "CPU, 2 threads");
        assert_eq!(on("CUDA 0").with_threads(2).device, "CUDA 0");
    }
}
