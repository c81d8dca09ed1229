//! Where the network runs.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Once;

use tch::{Cuda, Device, Kind, TchError, Tensor};

/// What the CUDA libtorch needs, from [NVIDIA's table](https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/).
pub const CUDA_NEEDS: &str = "CUDA 13 needs NVIDIA's driver 580 or newer (nvidia-smi shows yours) and a card of the \
                              generation Turing (2018) or newer";

/// Parts of CUDA's messages that mean that the card or its memory isn't available at the moment.
const TAKEN: [&str; 3] = ["CUDA out of memory", "CUDA error: out of memory", "busy or unavailable"];

/// Whether the user was warned that the card doesn't work.
static TOLD: Once = Once::new();

/// The user's choice: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DeviceChoice {
    /// CUDA if there is a card that works, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this number.
    Cuda(usize),
}

/// The requested device can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The libtorch that was loaded has no CUDA part.
    #[error(
        "CUDA was asked for, but this libtorch is built for the CPU only; docs/install.md says how to get one with CUDA"
    )]
    NoCudaInLibtorch,
    /// libtorch has a CUDA part, but the driver or the card is missing.
    #[error("CUDA was asked for, but libtorch finds no NVIDIA card that it can use: {}", CUDA_NEEDS)]
    NoCudaDevice,
    /// No card has the requested number.
    #[error("there is no cuda:{asked}; this machine has {present} CUDA device(s), counted from 0")]
    NoSuchCudaDevice {
        /// The requested number.
        asked: usize,
        /// Number of cards.
        present: i64,
    },
}

impl DeviceChoice {
    /// Returns the device to run on.
    ///
    /// # Errors
    /// When CUDA was requested explicitly and isn't available: it never silently falls back to the CPU.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(match try_cuda() {
                Some(Ok(())) => Device::Cuda(0),
                // The card is only busy. An error that suggests a retry is better than results from another device.
                Some(Err(error)) if is_taken(&error.to_string()) => Device::Cuda(0),
                Some(Err(error)) => {
                    // Only once, because the window asks repeatedly.
                    TOLD.call_once(|| {
                        tracing::warn!("using the CPU, because the card doesn't work: {}", crate::torch::said(&error));
                    });
                    Device::Cpu
                }
                None => Device::Cpu,
            }),
            Self::Cuda(index) => {
                if !has_cuda_part() {
                    return Err(DeviceError::NoCudaInLibtorch);
                }
                if !Cuda::is_available() {
                    return Err(DeviceError::NoCudaDevice);
                }
                let present = Cuda::device_count();
                if index as i64 >= present {
                    return Err(DeviceError::NoSuchCudaDevice { asked: index, present });
                }
                Ok(Device::Cuda(index))
            }
        }
    }
}

/// Whether the loaded libtorch has a CUDA part.
pub fn has_cuda_part() -> bool {
    tch::utils::has_cuda()
}

/// Computes a sum on the first card, if there is one. libtorch also lists cards that are too old for it to compute on.
pub fn try_cuda() -> Option<Result<(), TchError>> {
    let compute = || Tensor::f_ones([8], (Kind::Float, Device::Cuda(0)))?.f_sum(Kind::Float)?.f_to_device(Device::Cpu);
    Cuda::is_available().then(|| compute().map(drop))
}

/// Whether a message of libtorch means that the card or its memory isn't available at the moment.
pub fn is_taken(words: &str) -> bool {
    TAKEN.iter().any(|taken| words.contains(taken))
}

/// Cores that this process may use: the default number of threads where only speed matters.
pub fn cores() -> i32 {
    std::thread::available_parallelism().map_or(1, |n| i32::try_from(n.get()).unwrap_or(1))
}

/// The name of a device in reports: `CPU` or `CUDA 0`.
pub fn describe(device: Device) -> String {
    match device {
        Device::Cpu => "CPU".to_owned(),
        Device::Cuda(index) => format!("CUDA {index}"),
        other => format!("{other:?}"),
    }
}

/// A number of threads in reports: `1 thread`, `2 threads`.
pub fn describe_threads(threads: i32) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("“{text}” is not a device; write auto, cpu, cuda or cuda:N")),
        }
    }
}

/// Returns the manufacturer's name for the device, if the system provides it. For cards this works only on Linux, and only if all are
/// the same model.
pub fn hardware(device: Device) -> Option<String> {
    let made = match device {
        Device::Cpu => cpu()?,
        // CUDA numbers only the cards visible to it, in its own order, so we can't tell which one this is.
        Device::Cuda(_) => {
            let cards = std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?;
            let model = |card: &Path| field(&std::fs::read_to_string(card.join("information")).ok()?, "Model");
            common(cards.map(|card| model(&card.ok()?.path())))?
        }
        _ => return None,
    };
    Some(made.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|made| !made.is_empty())
}

/// Returns the name that all have in common, if they do.
fn common(mut names: impl Iterator<Item = Option<String>>) -> Option<String> {
    let first = names.next()??;
    names.all(|name| name.as_ref() == Some(&first)).then_some(first)
}

#[cfg(target_os = "linux")]
fn cpu() -> Option<String> {
    field(&std::fs::read_to_string("/proc/cpuinfo").ok()?, "model name")
}

#[cfg(target_os = "macos")]
fn cpu() -> Option<String> {
    let output = std::process::Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn cpu() -> Option<String> {
    std::env::var("PROCESSOR_IDENTIFIER").ok()
}

/// The value of a line `name : value` of /proc.
fn field(text: &str, name: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert!("gpu".parse::<DeviceChoice>().is_err());
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn a_card_is_named_only_where_all_are_of_one_model() {
        let common = |names: &[Option<&str>]| common(names.iter().map(|name| name.map(str::to_owned)));
        assert_eq!(common(&[Some("H200"), Some("H200")]).as_deref(), Some("H200"));
        assert_eq!(common(&[Some("H200"), Some("T4")]), None);
        assert_eq!(common(&[Some("H200"), None]), None);
        assert_eq!(common(&[]), None);
    }

    #[test]
    fn cuda_that_is_not_there_is_an_error_that_says_why() {
        if Cuda::is_available() {
            eprintln!("skipped: this machine has CUDA");
            return;
        }
        let error = DeviceChoice::Cuda(0).resolve().unwrap_err();
        assert!(error.to_string().contains("CUDA was asked for"), "{error}");
        assert_eq!(DeviceChoice::Auto.resolve(), Ok(Device::Cpu));
    }
}
