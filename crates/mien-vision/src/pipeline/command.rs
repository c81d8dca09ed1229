//! The commands for a running [`Live`](super::Live), and the events that it reports.

use std::time::Duration;

use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::source::{FrameSource, Shortfall, SourceError, SourceInfo};
use mien_core::detection::DetectError;
use mien_core::prior::PriorChoice;
use mien_net::classify::Classifier;
use mien_net::device::DeviceChoice;

/// Opens the source; called again for each attempt to reopen a lost camera. Runs on the capture thread.
pub type SourceFactory = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send>;

/// Makes a detector with these options, on this device if it is a network. Runs on the capture thread.
pub type DetectorFactory =
    Box<dyn FnMut(&DetectionOptions, DeviceChoice) -> Result<ScheduledDetector, DetectError> + Send>;

/// Loads a network. Runs on the inference thread.
pub type ClassifierFactory = Box<dyn FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send>;

/// A network and where to run it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkChoice {
    /// Name or path of the model; `None` is the default model.
    pub model: Option<String>,
    /// Where it runs.
    pub device: DeviceChoice,
    /// How often each class is assumed to occur; `None` is the model's default.
    pub prior: Option<PriorChoice>,
    /// Whether it also classifies each face mirrored.
    pub flip: bool,
}

/// A command for a running pipeline. Commands are carried out in the order in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Freezes the picture. A video that has shown nothing yet still shows its first frame. A camera stays open, but its frames from
    /// the pause are never shown. A lost camera isn't tried again until [`Command::Resume`] or [`Command::Retry`].
    Pause,
    /// Continues playing; at the end of a video, from its start.
    Resume,
    /// Tries to reopen a lost camera at once. Other sources ignore it.
    Retry,
    /// Goes to the frame that is shown at this media time and shows it, even while paused; playing continues from there if
    /// it was playing before. Once it is sent, no scene from before the seek is given out, except the frame that an earlier
    /// seek led to. A camera ignores it.
    Seek(Duration),
    /// Pauses and goes forward or back by frames. A camera ignores it.
    Step(i32),
    /// Analyses the frame on which a video is paused again, because what finds or labels its faces has changed. Has no effect if
    /// another frame was asked for meanwhile. A camera ignores it.
    AnalyseAgain,
    /// How fast a video plays: 1 is its own speed. Limited to 1/16 to 16; a value that isn't a number counts as 1.
    SetSpeed(f64),
    /// Whether a video starts again when it ends.
    SetRepeat(bool),
    /// The time constant of the smoothing; `None` is off. What was recorded stays as it is.
    SetSmoothing(Option<Duration>),
    /// Replaces the detector, if these options need a different one; of several waiting commands, the last counts. If the new
    /// detector can't be made, [`Event::DetectorFailed`] says why and the old one stays. Has no effect if recorded faces are
    /// shown.
    SetDetection(DetectionOptions),
    /// Replaces the network. [`Event::ClassifierReady`] says that it is in use; if it can't be loaded,
    /// [`Event::ClassifierFailed`] says why and the old one stays. If the device changes, a detector that is a network is replaced
    /// too, as by [`Command::SetDetection`]. Has no effect if recorded faces are shown.
    SetNetwork(NetworkChoice),
}

/// What a running pipeline reports, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The source is being opened, for the first time or again.
    Opening,
    /// The source is open; these are the settings that it granted.
    Opened(SourceInfo),
    /// The camera can't be opened or was lost. Unless the pipeline is paused, it is tried again after `retry_in`.
    CameraLost {
        /// Why, worded for the user.
        reason: String,
        /// Whether it exists, but another program uses it.
        busy: bool,
        /// Time until the next try.
        retry_in: Duration,
    },
    /// A network is loaded and labels from now on: the first one, or one requested by [`Command::SetNetwork`]. Also sent at the start
    /// if recorded faces are shown.
    ClassifierReady,
    /// The requested network can't be loaded; the previous one stays in use.
    ClassifierFailed(String),
    /// The requested detector can't be made; the previous one stays in use.
    DetectorFailed(String),
    /// The scene of the frame that a seek, or a step back, requested is ready: this is its media time.
    Seeked(Duration),
    /// The video ends before its declared length. Reported once, when it first reaches its end.
    CutShort(Shortfall),
    /// The last frame of the video was labelled. Its scene stays, and the video is paused: [`Command::Seek`] and
    /// [`Command::Step`] show another frame, [`Command::Resume`] plays it again.
    EndOfVideo,
    /// The pipeline can't continue and has ended. Worded for the user.
    Failed(String),
}
