//! The journey of a frame through its stages: threads, pacing and statistics.
//!
//! The stages are two plain structs, [`Analyzer`] (what a capture thread does) and [`Labeller`] (what an inference
//! thread does). Two drivers move frames through them: [`Live`], for a camera or a video that somebody watches, and
//! [`run_to_end`], for a file that is processed as fast as possible.

mod analyzer;
mod batch;
mod capture;
mod command;
mod inference;
mod labeller;
mod live;
mod pacing;
mod player;
mod slot;
mod statistics;
mod tap;
mod worker;

use std::time::{Duration, Instant};

use crate::frame::{Frame, RgbaPicture};
use mien_core::classes::Classes;
use mien_core::face::Face;

pub use analyzer::{AnalyzeError, Analyzer, Detected, DetectedFace};
pub use batch::{Ending, MAX_BATCH_FACES, frames_that_wait, run_to_end};
pub use command::{ClassifierFactory, Command, DetectorFactory, Event, NetworkChoice, SourceFactory};
pub use labeller::{Labeller, RecordedFaces, SceneSmoother, classify_together};
pub use live::{FaceSource, Live, LiveSettings, OpenSource, Parts, SourceRequest};
pub use statistics::{Meter, Statistics};
pub use tap::Tap;
pub use worker::PipelineError;

/// A labelled frame, at the end of its journey.
#[derive(Debug)]
pub struct Scene {
    /// The frame itself with its stamps.
    pub frame: Frame,
    /// The frame for a texture, if the driver was asked for it.
    pub picture: Option<RgbaPicture>,
    /// The network's classes, in the order of the faces' probabilities.
    pub classes: Classes,
    /// The faces on it, in the order of their ids.
    pub faces: Vec<Face>,
    /// How long each stage took.
    pub timings: StageTimings,
    /// When the labels were ready. `labelled_at − frame.captured_at` is the age.
    pub labelled_at: Instant,
}

/// Time spent on one frame, stage by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTimings {
    /// Waiting for the source and decoding.
    pub read: Duration,
    /// Colour conversion: gray, and RGBA if asked for.
    pub convert: Duration,
    /// Finding faces, tracking included.
    pub detect: Duration,
    /// Cutting out and resampling the faces.
    pub crop: Duration,
    /// The network, for all faces of the frame in one batch.
    pub classify: Duration,
}

impl StageTimings {
    /// The stages with their names, in the order of a frame's journey.
    pub fn each(&self) -> [(&'static str, Duration); 5] {
        let Self { read, convert, detect, crop, classify } = *self;
        [("read", read), ("convert", convert), ("detect", detect), ("crop", crop), ("classify", classify)]
    }
}
