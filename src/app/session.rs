//! What the window needs of the world outside it: a running pipeline, the cameras, models and devices of the machine.
//!
//! The window is driven by these traits alone, so that tests can put a film of their own making in front of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::blur::Blur;
use crate::detect::DetectionOptions;
use crate::device::DeviceChoice;
use crate::network::NetworkInUse;
use crate::pipeline::{Command, Event, NetworkChoice, Scene, Statistics};
use crate::recording::{Progress, Recording, RecordingEvent, folder_of};
use crate::source::{CameraDevice, CameraEntry, CameraRequest};

/// Wakes the window from any thread when there is something new to show.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A source that is being read, analysed and shown. Dropping it ends its threads.
pub trait Session {
    /// The newest scene since the last call.
    fn take_scene(&mut self) -> Option<Scene>;

    /// What happened since the last call, oldest first.
    fn take_events(&mut self) -> Vec<Event>;

    /// Tells the pipeline what to do. Never blocks.
    fn send(&mut self, command: Command);

    /// How it is doing.
    fn statistics(&self) -> Statistics;

    /// The network that labels, once it is loaded.
    fn network(&self) -> Option<NetworkInUse>;

    /// Records what the camera gives into a new folder in this one. Never blocks.
    fn start_recording(&mut self, folder: PathBuf);

    /// Ends the recording; an event says when it is on the disk. Never blocks.
    fn stop_recording(&mut self);

    /// Marks a moment in the recording.
    fn mark(&mut self, at: Instant, text: String);

    /// How far the recording is, while one runs.
    fn recording(&self) -> Option<Progress>;

    /// What became of recordings since the last call, oldest first.
    fn take_recording_events(&mut self) -> Vec<RecordingEvent>;

    /// Ends the recording, if one runs, and waits until it is on the disk: some milliseconds, or as long as
    /// [`crate::recording::SessionWriter::finish`] has patience with a slow disk. Gives what [`Self::take_recording_events`] would.
    fn finish_recording(&mut self) -> Vec<RecordingEvent>;
}

/// The machine around the window. Shared with threads of its own, because some of it takes time.
pub trait Outside: Send + Sync {
    /// The cameras that are connected now.
    fn cameras(&self) -> Vec<CameraEntry>;

    /// The devices that a network could run on, those that are out of reach included.
    fn devices(&self) -> Vec<DeviceEntry>;

    /// The models that are installed.
    fn models(&self) -> Vec<ModelEntry>;

    /// The demo clip, if set-up has fetched it.
    fn demo_clip(&self) -> Option<PathBuf>;

    /// Lets the user choose a video. Blocks until the dialog closes; `None` if the user thought better of it.
    ///
    /// # Errors
    /// When there is no dialog to be had, with what to do instead.
    fn ask_for_video(&self, folder: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>>;

    /// Where recordings and pictures go unless the user has chosen another folder.
    fn recordings_folder(&self) -> PathBuf;

    /// Lets the user choose a folder, beginning in `folder`. Blocks until the dialog closes.
    ///
    /// # Errors
    /// As [`Self::ask_for_video`].
    fn ask_for_folder(&self, folder: PathBuf) -> anyhow::Result<Option<PathBuf>>;

    /// Starts reading a source.
    ///
    /// # Errors
    /// When the threads can't be started; a source that can't be opened is an [`Event`] later.
    fn start(&self, plan: &Plan, wake: Wake) -> anyhow::Result<Box<dyn Session>>;
}

/// What is to be opened and how it is to be analysed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the frames come from.
    pub source: Source,
    /// What to ask of it, if it is a camera.
    pub camera_mode: CameraMode,
    /// The recording, if the source is one.
    pub recording: Option<Arc<Recording>>,
    /// What labels the faces.
    pub network: NetworkChoice,
    /// Time constant of the smoothing.
    pub smoothing: Option<Duration>,
    /// How faces are looked for.
    pub detection: DetectionOptions,
    /// What is blurred in recordings.
    pub blur: Option<Blur>,
    /// Of a video: 2 is twice as fast.
    pub speed: f64,
    /// Of a video: start again at the end.
    pub repeat: bool,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A camera.
    Camera(CameraDevice),
    /// A video file.
    Video(PathBuf),
    /// A recording.
    Recording {
        /// Its folder.
        folder: PathBuf,
        /// What it is shown with.
        results: Results,
    },
}

/// The results that a recording is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// Those that were recorded.
    Recorded,
    /// New ones: its faces are found and named again.
    Anew,
}

impl Source {
    /// What a path means that was dropped or chosen: a recording, by its folder or its metadata, else a video.
    pub fn of(path: PathBuf) -> Self {
        // A folder without metadata is taken for a recording, whose error says what is missing.
        match folder_of(&path).or_else(|| path.is_dir().then(|| path.clone())) {
            Some(folder) => Self::Recording { folder, results: Results::Recorded },
            None => Self::Video(path),
        }
    }
}

/// What to ask a camera for, whichever it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// Pixel format, `MJPG` say; `None` leaves it to the camera.
    pub fourcc: Option<String>,
}

impl CameraMode {
    /// A request for this mode. An invalid pixel format is ignored; the camera chooses.
    pub fn of(&self, device: CameraDevice) -> CameraRequest {
        let fourcc = self.fourcc.as_ref().and_then(|word| word.parse().ok());
        CameraRequest { device, width: self.width, height: self.height, fps: self.fps, fourcc }
    }
}

impl Default for CameraMode {
    fn default() -> Self {
        let CameraRequest { device: _, width, height, fps, fourcc } = CameraRequest::default();
        Self { width, height, fps, fourcc: fourcc.map(|fourcc| fourcc.to_string()) }
    }
}

/// What the command line asks of cameras; what it leaves out stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraModeChange {
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Frames per second.
    pub fps: Option<f64>,
    /// Pixel format.
    pub fourcc: Option<String>,
}

impl CameraModeChange {
    /// `mode`, with the values from the command line replacing its own.
    pub fn over(&self, mode: &CameraMode) -> CameraMode {
        let (width, height) = self.size.unwrap_or((mode.width, mode.height));
        let fourcc = self.fourcc.clone().or_else(|| mode.fourcc.clone());
        CameraMode { width, height, fps: self.fps.unwrap_or(mode.fps), fourcc }
    }
}

/// A device that a network could run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    /// What to ask for.
    pub choice: DeviceChoice,
    /// What to call it.
    pub name: String,
    /// Why it can't be used, if it can't.
    pub unavailable: Option<String>,
}

/// An installed model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// What to ask for.
    pub key: String,
    /// What it is, in a few words, for the hover text.
    pub description: String,
}
