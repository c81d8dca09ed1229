//! What can be asked of a running [`Live`](super::Live), and what it reports.

use std::fmt;
use std::time::Duration;

use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::source::{FrameSource, SourceError, SourceInfo};
use mien_core::detection::DetectError;
use mien_net::classify::Classifier;

/// Opens the source; called again each time a lost camera is tried. Runs on the capture thread.
pub type SourceFactory = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send>;

/// Makes a detector. Runs on the capture thread.
pub type DetectorFactory = Box<dyn FnOnce() -> Result<ScheduledDetector, DetectError> + Send>;

/// Loads a network. Runs on the inference thread.
pub type ClassifierFactory = Box<dyn FnOnce() -> anyhow::Result<Box<dyn Classifier>> + Send>;

/// What can be asked of a running pipeline. Commands are obeyed in the order in which they were sent.
pub enum Command {
    /// Freezes the picture. A camera stays open. A lost camera isn't tried again until [`Command::Resume`].
    Pause,
    /// Goes on. At the end of a video: from its start.
    Resume,
    /// Goes to the frame that is shown at this media time and shows it, in pause too; playing goes on from there if it
    /// went on before. No scene from before the seek is given out after it was sent. A camera ignores it.
    Seek(Duration),
    /// Pauses and goes forward or back by frames. A camera ignores it.
    Step(i32),
    /// How fast a video plays: 1 is its own speed. Limited to 1/16 to 16; a value that isn't a number counts as 1.
    SetSpeed(f64),
    /// Whether a video starts again when it ends.
    SetRepeat(bool),
    /// The time constant of the smoothing; `None` is off.
    SetSmoothing(Option<Duration>),
    /// Exchanges the detector. If the new one can't be made, [`Event::DetectorFailed`] says why and the old one goes on.
    SetDetector(DetectorFactory),
    /// Exchanges the network. [`Event::ClassifierReady`] says that it is in use; if it can't be loaded,
    /// [`Event::ClassifierFailed`] says why and the old one goes on.
    SetClassifier(ClassifierFactory),
}

impl Command {
    /// Looks for faces with other options.
    pub fn set_detection(options: DetectionOptions) -> Self {
        Self::SetDetector(Box::new(move || ScheduledDetector::make(&options)))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("Pause"),
            Self::Resume => f.write_str("Resume"),
            Self::Seek(to) => f.debug_tuple("Seek").field(to).finish(),
            Self::Step(frames) => f.debug_tuple("Step").field(frames).finish(),
            Self::SetSpeed(speed) => f.debug_tuple("SetSpeed").field(speed).finish(),
            Self::SetRepeat(repeat) => f.debug_tuple("SetRepeat").field(repeat).finish(),
            Self::SetSmoothing(constant) => f.debug_tuple("SetSmoothing").field(constant).finish(),
            Self::SetDetector(_) => f.write_str("SetDetector"),
            Self::SetClassifier(_) => f.write_str("SetClassifier"),
        }
    }
}

/// What a running pipeline reports, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The source is being opened, for the first time or again.
    Opening,
    /// The source is open; this is what it granted.
    Opened(SourceInfo),
    /// The camera can't be opened or went away. It is tried again after `retry_in`, without being asked.
    CameraLost {
        /// Why, worded for the user.
        reason: String,
        /// How long until the next try.
        retry_in: Duration,
    },
    /// A network is loaded and labels from now on: the first one, or one asked for by [`Command::SetClassifier`].
    ClassifierReady,
    /// The network asked for can't be loaded; the one before goes on.
    ClassifierFailed(String),
    /// The detector asked for can't be made; the one before goes on.
    DetectorFailed(String),
    /// The scene of the frame that a seek, or a step back, asked for is there: this is its media time.
    Seeked(Duration),
    /// The last frame of the video was labelled. Its scene stays, and the video is paused: [`Command::Seek`] and
    /// [`Command::Step`] show another frame, [`Command::Resume`] plays it again.
    EndOfVideo,
    /// The pipeline can't go on and is at its end. Worded for the user.
    Failed(String),
}
