//! The classifier in use, in words: one description for reports, result records, recordings and the window.

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
    /// Where it runs: `CPU` or `CUDA 0`; in the window with the number of threads, as in `CPU, 1 thread`.
    pub device: String,
    /// Its arithmetic, such as `cpu bf16`, if known. Results depend slightly on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<String>,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the weights' file, in hexadecimal. Not serialised here: reports that include it have their own field for it.
    #[serde(skip)]
    pub sha256: String,
    /// The prior that its probabilities assume.
    pub prior: String,
    /// Whether it is also shown each face mirrored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Its classes; left out of JSON if they are the seven emotions.
    #[serde(skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// Classes that were absent from its training: their prior is 0 whatever is assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never_named: Vec<String>,
}

impl NetworkInUse {
    /// Describes a model under a prior. The arithmetic isn't known here.
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

    /// Adds the number of threads if it runs on the CPU.
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

/// The arithmetic of classifiers and detectors that are loaded for speed ([`TorchClassifier::load`]). Only oneDNN computes in bfloat16.
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
