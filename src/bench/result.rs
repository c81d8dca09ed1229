//! A benchmark's result: one struct behind both the report for people and the JSON for programs.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

use super::Warning;
use crate::source_summary::SourceSummary;
use crate::version::Versions;

/// A finished benchmark. Its JSON names are stable: fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct BenchResult {
    /// What was measured.
    pub scope: Scope,
    /// Frames per second of wall-clock time, without the warm-up. For a single stage: frames divided by the time spent in it.
    pub fps: f64,
    /// Standard deviation of the frame rate over ten equal slices of the run, relative to their mean; `None` if there are too few frames.
    pub fps_spread: Option<f64>,
    /// Frames measured.
    pub frames: u64,
    /// Unmeasured frames before those.
    pub warmup_frames: u64,
    /// Time measured, in seconds.
    pub seconds: f64,
    /// Faces in the measured frames, added up over all frames.
    pub faces: u64,
    /// Measured frames with at least one face.
    pub frames_with_face: u64,
    /// Where the network ran: `CPU` or `CUDA 0`.
    pub device: String,
    /// The network's name.
    pub model: String,
    /// The network's architecture, size and prior.
    pub model_details: ModelSummary,
    /// Number of libtorch threads.
    pub threads: u32,
    /// The video.
    pub source: MeasuredVideo,
    /// Time of each stage per frame.
    pub stages: Breakdown,
    /// Milliseconds from the start of the process to the first frame with a labelled face; `None` without a face.
    pub time_to_first_label_ms: Option<f64>,
    /// Peak memory of the process in bytes, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
    /// The processor's name, if the system reports it.
    pub cpu: Option<String>,
    /// Cores that the process may use.
    pub cores: u32,
    /// CPU use by other programs during the run, in cores, if the system reports it.
    pub other_load_cores: Option<f64>,
    /// Versions of Mien and its libraries.
    pub versions: Versions,
    /// Reasons to doubt the figures.
    pub warnings: Vec<Warning>,
}

/// What a benchmark measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole pipeline, with its threads.
    Pipeline,
    /// Finding and tracking faces alone.
    Detect,
    /// The network alone, one face at a time.
    Classify,
}

/// The network of a benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Architecture as the card names it.
    pub architecture: Option<String>,
    /// Number of parameters.
    pub parameters: Option<u64>,
    /// The prior that its probabilities assume.
    pub prior: Option<String>,
}

/// The video of a benchmark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredVideo {
    /// Its name, size, frame rate and codec.
    #[serde(flatten)]
    pub about: SourceSummary,
    /// Number of its frames, if it declares it. A longer benchmark repeats the video.
    pub frames: Option<u64>,
}

/// Time of each stage per frame, in pipeline order. Stages that didn't run are left out. Frames may share a batch, whose time is divided
/// among its faces. In JSON, an object keyed by stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakdown(pub Vec<(&'static str, StageSummary)>);

impl Breakdown {
    /// Keeps only the stage with this name.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        self.0.retain(|(stage, _)| *stage == name);
        self
    }
}

impl Serialize for Breakdown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, stage)| (name, stage)))
    }
}

/// How long a stage took per frame, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageSummary {
    /// Arithmetic mean.
    #[serde(serialize_with = "micros")]
    pub mean_ms: f64,
    /// Median.
    #[serde(serialize_with = "micros")]
    pub p50_ms: f64,
    /// 95th percentile.
    #[serde(serialize_with = "micros")]
    pub p95_ms: f64,
    /// 99th percentile.
    #[serde(serialize_with = "micros")]
    pub p99_ms: f64,
    /// The slowest frame.
    #[serde(serialize_with = "micros")]
    pub max_ms: f64,
}

/// Rounds to microseconds: more digits are noise.
fn micros<S: Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((ms * 1e3).round() / 1e3)
}

impl StageSummary {
    /// Summarises a histogram of nanoseconds; `None` if it is empty.
    pub fn of(nanoseconds: &Histogram<u64>) -> Option<Self> {
        let ms = |ns: u64| Duration::from_nanos(ns).as_secs_f64() * 1e3;
        (!nanoseconds.is_empty()).then(|| Self {
            mean_ms: nanoseconds.mean() / 1e6,
            p50_ms: ms(nanoseconds.value_at_quantile(0.50)),
            p95_ms: ms(nanoseconds.value_at_quantile(0.95)),
            p99_ms: ms(nanoseconds.value_at_quantile(0.99)),
            max_ms: ms(nanoseconds.max()),
        })
    }
}
