//! Reasons to doubt a benchmark, and what to do about each.

use std::fmt;

use serde::{Serialize, Serializer};

/// A run with fewer frames is short: its slowest hundredth would be a single frame or none.
const SHORT_RUN_FRAMES: u64 = 200;

/// A run that takes less time, in seconds, is short too: processors change their clock rate within a second or so.
const SHORT_RUN_SECONDS: f64 = 2.0;

/// Relative spread of the frame rate over the slices of a run, above which the run counts as noisy.
const NOISY_SPREAD: f64 = 0.10;

/// CPU use by other programs, in cores, above which the machine counts as busy.
const BUSY_CORES: f64 = 0.25;

/// A reason to doubt the figures. Its `Display` says what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warning {
    /// Too few frames, or too little time.
    ShortRun {
        /// Frames measured.
        frames: u64,
        /// Time measured, in seconds.
        seconds: f64,
    },
    /// The frame rate varied.
    Noisy {
        /// Its relative standard deviation.
        spread: f64,
    },
    /// Other programs used the processor during the run.
    BusyMachine {
        /// How much of it, in cores.
        cores: f64,
    },
    /// Compiled without optimisation.
    DebugBuild,
    /// No face was found.
    NoFace,
    /// CUDA works here but the network ran on the CPU.
    CudaUnused,
    /// NVIDIA's driver is installed, but this libtorch has no CUDA.
    CudaNotInLibtorch,
}

/// The properties of a run that decide which warnings apply.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Frames measured.
    pub frames: u64,
    /// Time measured, in seconds.
    pub seconds: f64,
    /// Relative standard deviation of the frame rate, if known.
    pub spread: Option<f64>,
    /// CPU use by other programs during the run, in cores, if known.
    pub other_load_cores: Option<f64>,
    /// Faces seen.
    pub faces: u64,
    /// Whether the code is compiled without optimisation.
    pub debug_build: bool,
    /// Whether the network ran on CUDA.
    pub on_cuda: bool,
    /// Whether CUDA works here.
    pub cuda_works: bool,
    /// Whether libtorch was built with CUDA.
    pub cuda_in_libtorch: bool,
    /// Whether NVIDIA's driver is installed.
    pub nvidia_driver: bool,
}

impl Warning {
    /// Returns the warnings that apply, most serious first.
    #[must_use]
    pub fn all(conditions: &Conditions) -> Vec<Self> {
        let &Conditions { frames, seconds, .. } = conditions;
        let mut warnings = Vec::new();
        if conditions.debug_build {
            warnings.push(Self::DebugBuild);
        }
        if conditions.faces == 0 {
            warnings.push(Self::NoFace);
        }
        if !conditions.on_cuda && conditions.cuda_works {
            warnings.push(Self::CudaUnused);
        } else if conditions.nvidia_driver && !conditions.cuda_in_libtorch {
            warnings.push(Self::CudaNotInLibtorch);
        }
        if frames < SHORT_RUN_FRAMES || seconds < SHORT_RUN_SECONDS {
            warnings.push(Self::ShortRun { frames, seconds });
        }
        if let Some(cores) = conditions.other_load_cores.filter(|cores| *cores > BUSY_CORES) {
            warnings.push(Self::BusyMachine { cores });
        }
        if let Some(spread) = conditions.spread.filter(|spread| *spread > NOISY_SPREAD) {
            warnings.push(Self::Noisy { spread });
        }
        warnings
    }

    /// The kind as an identifier for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ShortRun { .. } => "short_run",
            Self::Noisy { .. } => "noisy",
            Self::BusyMachine { .. } => "busy_machine",
            Self::DebugBuild => "debug_build",
            Self::NoFace => "no_face",
            Self::CudaUnused => "cuda_unused",
            Self::CudaNotInLibtorch => "cuda_not_in_libtorch",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortRun { frames, seconds } => {
                write!(f, "Only {frames} frames in {seconds:.1} s were measured. Use --frames to measure more.")
            }
            Self::Noisy { spread } => write!(
                f,
                "The frame rate varied by {:.0} % during the run. Close other programs, plug the machine in, and run it again.",
                spread * 100.0
            ),
            Self::BusyMachine { cores } => write!(
                f,
                "Other programs used {cores:.1} cores meanwhile. Stop them to measure what this machine can do."
            ),
            Self::DebugBuild => f.write_str("This is a debug build. Measure with `cargo run --release -- bench`."),
            Self::NoFace => f.write_str(
                "No face was found, so the network had nothing to do. Give a video with a face, or lower --min-face.",
            ),
            Self::CudaUnused => f.write_str("CUDA works here, but the network ran on the CPU. Try --device cuda."),
            Self::CudaNotInLibtorch => f.write_str(
                "There is an NVIDIA driver, but this libtorch is built for the CPU only. docs/install.md says how to get one with CUDA.",
            ),
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields {
            kind: &'static str,
            message: String,
        }
        Fields { kind: self.kind(), message: self.to_string() }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Conditions = Conditions {
        frames: 600,
        seconds: 5.0,
        spread: Some(0.02),
        other_load_cores: Some(0.05),
        faces: 590,
        debug_build: false,
        on_cuda: false,
        cuda_works: false,
        cuda_in_libtorch: false,
        nvidia_driver: false,
    };

    fn kinds(conditions: &Conditions) -> Vec<&'static str> {
        Warning::all(conditions).iter().map(Warning::kind).collect()
    }

    #[test]
    fn a_good_run_has_no_warning() {
        assert_eq!(Warning::all(&GOOD), []);
    }

    #[test]
    fn each_doubt_is_named() {
        assert_eq!(kinds(&Conditions { frames: 50, ..GOOD }), ["short_run"]);
        assert_eq!(kinds(&Conditions { seconds: 0.5, ..GOOD }), ["short_run"]);
        assert_eq!(kinds(&Conditions { spread: Some(0.3), ..GOOD }), ["noisy"]);
        assert_eq!(kinds(&Conditions { other_load_cores: Some(1.0), ..GOOD }), ["busy_machine"]);
        assert_eq!(kinds(&Conditions { debug_build: true, faces: 0, ..GOOD }), ["debug_build", "no_face"]);
        assert_eq!(kinds(&Conditions { cuda_works: true, cuda_in_libtorch: true, ..GOOD }), ["cuda_unused"]);
        assert_eq!(kinds(&Conditions { nvidia_driver: true, ..GOOD }), ["cuda_not_in_libtorch"]);
    }

    #[test]
    fn a_run_on_cuda_has_no_warning_about_cuda() {
        let cuda = Conditions { on_cuda: true, cuda_works: true, cuda_in_libtorch: true, nvidia_driver: true, ..GOOD };
        assert_eq!(Warning::all(&cuda), []);
    }
}
