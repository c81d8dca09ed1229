//! What the window needs from outside: a running pipeline, and the machine's cameras, models and devices.
//!
//! The window uses only these traits, so that tests can provide fakes.

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

    /// Frame rates, latency and dropped frames.
    fn statistics(&self) -> Statistics;

    /// The network in use, once it is loaded.
    fn network(&self) -> Option<NetworkInUse>;

    /// Starts recording the camera into a new folder inside `folder`. Never blocks.
    fn start_recording(&mut self, folder: PathBuf);

    /// Asks the recording to end; an event reports when it is on disk. Never blocks.
    fn stop_recording(&mut self);

    /// Marks a moment in the recording.
    fn mark(&mut self, at: Instant, text: String);

    /// Progress of the recording, while one runs.
    fn recording(&self) -> Option<Progress>;

    /// Recording events since the last call, oldest first.
    fn take_recording_events(&mut self) -> Vec<RecordingEvent>;

    /// Ends the recording, if one runs, and waits until it is on disk: a few milliseconds, or with a slow disk up to the
    /// time limit of [`crate::recording::SessionWriter::finish`]. Returns the remaining events, like
    /// [`Self::take_recording_events`].
    fn finish_recording(&mut self) -> Vec<RecordingEvent>;
}

/// The machine that the window runs on. Shared with background threads, because some calls take time.
pub trait Outside: Send + Sync {
    /// The cameras that are connected now.
    fn cameras(&self) -> Vec<CameraEntry>;

    /// The devices that a network could run on, including unavailable ones.
    fn devices(&self) -> Vec<DeviceEntry>;

    /// The models that are installed.
    fn models(&self) -> Vec<ModelEntry>;

    /// The demo clip, if set-up has fetched it.
    fn demo_clip(&self) -> Option<PathBuf>;

    /// Lets the user choose a video, starting in `folder`. Blocks until the dialog closes; `None` if the user cancels.
    ///
    /// # Errors
    /// When no dialog is available. The message says what to do instead.
    fn ask_for_video(&self, folder: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>>;

    /// Where recordings and pictures go unless the user has chosen another folder.
    fn recordings_folder(&self) -> PathBuf;

    /// Lets the user choose a folder, starting in `folder`. Blocks until the dialog closes.
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

/// What to open and how to analyse it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the frames come from.
    pub source: Source,
    /// Mode to request, if the source is a camera.
    pub camera_mode: CameraMode,
    /// The recording, if the source is one.
    pub recording: Option<Arc<Recording>>,
    /// The network that labels the faces.
    pub network: NetworkChoice,
    /// Time constant of the smoothing; `None` is off.
    pub smoothing: Option<Duration>,
    /// How faces are detected.
    pub detection: DetectionOptions,
    /// What is blurred in recordings.
    pub blur: Option<Blur>,
    /// Playback speed of a video: 2 is twice as fast.
    pub speed: f64,
    /// Whether a video starts again at its end.
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
        /// Which results to show.
        results: Results,
    },
}

/// Which results to show for a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// The recorded ones.
    Recorded,
    /// New ones: its faces are detected and labelled again.
    Anew,
}

impl Source {
    /// The source at a dropped or chosen path: a recording if it is one's folder or metadata file, else a video.
    pub fn of(path: PathBuf) -> Self {
        // A folder without metadata counts as a recording too, because opening it reports what is missing.
        match folder_of(&path).or_else(|| path.is_dir().then(|| path.clone())) {
            Some(folder) => Self::Recording { folder, results: Results::Recorded },
            None => Self::Video(path),
        }
    }
}

/// The mode to request from any camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// Pixel format, such as `MJPG`; `None` leaves it to the camera.
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

/// Camera options of the command line. Those left out keep the saved mode.
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
    /// The choice to request.
    pub choice: DeviceChoice,
    /// Name to display.
    pub name: String,
    /// Why it can't be used, if it can't.
    pub unavailable: Option<String>,
}

/// An installed model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Name to request it by.
    pub key: String,
    /// Short description for the hover text.
    pub description: String,
}
