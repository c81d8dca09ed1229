//! What can be asked of a running [`Live`](super::Live), and what it reports.

use std::time::Duration;

use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::source::{FrameSource, Shortfall, SourceError, SourceInfo};
use mien_core::detection::DetectError;
use mien_core::prior::PriorChoice;
use mien_net::classify::Classifier;
use mien_net::device::DeviceChoice;

/// Opens the source; called again each time a lost camera is tried. Runs on the capture thread.
pub type SourceFactory = Box<dyn FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send>;

/// Makes a detector with these options, which computes on this device if it is a network. Runs on the capture thread.
pub type DetectorFactory =
    Box<dyn FnMut(&DetectionOptions, DeviceChoice) -> Result<ScheduledDetector, DetectError> + Send>;

/// Loads a network. Runs on the inference thread.
pub type ClassifierFactory = Box<dyn FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send>;

/// A network and where to run it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkChoice {
    /// Name or path of the model; none is the default model.
    pub model: Option<String>,
    /// Where it runs.
    pub device: DeviceChoice,
    /// How often each class is assumed to be shown; none is the model's default.
    pub prior: Option<PriorChoice>,
    /// Whether it sees each face in a mirror too.
    pub flip: bool,
}

/// What can be asked of a running pipeline, whoever asks. Commands are obeyed in the order in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Freezes the picture. A video that has shown nothing yet still shows its first frame. A camera stays open and shows nothing
    /// that it saw in the pause. A lost camera isn't tried again until [`Command::Resume`] or [`Command::Retry`].
    Pause,
    /// Plays on. At the end of a video: from its start.
    Resume,
    /// Tries a lost camera again at once. Any other source ignores it.
    Retry,
    /// Goes to the frame that is shown at this media time and shows it, in pause too; playing continues from there if
    /// it was playing before. No scene from before the seek is given out after it was sent. A camera ignores it.
    Seek(Duration),
    /// Pauses and goes forward or back by frames. A camera ignores it.
    Step(i32),
    /// How fast a video plays: 1 is its own speed. Limited to 1/16 to 16; a value that isn't a number counts as 1.
    SetSpeed(f64),
    /// Whether a video starts again when it ends.
    SetRepeat(bool),
    /// The time constant of the smoothing; `None` is off. What was recorded stays as it is.
    SetSmoothing(Option<Duration>),
    /// Exchanges the detector, if another one must be made for these options; of several that wait, the last counts. If the new
    /// one can't be made, [`Event::DetectorFailed`] says why and the old one stays. Where recorded faces are shown, nothing is
    /// exchanged.
    SetDetection(DetectionOptions),
    /// Exchanges the network. [`Event::ClassifierReady`] says that it is in use; if it can't be loaded,
    /// [`Event::ClassifierFailed`] says why and the old one stays. A detector that is a network goes along to another device, as by
    /// [`Command::SetDetection`]. Where recorded faces are shown, nothing is exchanged.
    SetNetwork(NetworkChoice),
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
        /// Whether it is there and another program uses it.
        busy: bool,
        /// How long until the next try.
        retry_in: Duration,
    },
    /// A network is loaded and labels from now on: the first one, or one asked for by [`Command::SetNetwork`].
    ClassifierReady,
    /// The network asked for can't be loaded; the one before stays in use.
    ClassifierFailed(String),
    /// The detector asked for can't be made; the one before stays in use.
    DetectorFailed(String),
    /// The scene of the frame that a seek, or a step back, asked for is there: this is its media time.
    Seeked(Duration),
    /// The video ends before the length that it declares. Told once, the first time that it has come to its end.
    CutShort(Shortfall),
    /// The last frame of the video was labelled. Its scene stays, and the video is paused: [`Command::Seek`] and
    /// [`Command::Step`] show another frame, [`Command::Resume`] plays it again.
    EndOfVideo,
    /// The pipeline can't continue and is at its end. Worded for the user.
    Failed(String),
}
