//! The driver for a camera or a video that somebody watches.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::Device;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::capture::{Capture, Controls, Detectors};
use super::inference::{self, Labels};
use super::slot::slot;
use super::worker::{Shared, Worker};
use super::{
    Analyzer, ClassifierFactory, Command, DetectorFactory, Event, NetworkChoice, PipelineError, RecordedFaces, Scene,
    SourceFactory, Statistics, Tap,
};
use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::source::{CameraRequest, CameraSource, FrameSource, SourceError, VideoSource};
use mien_core::smooth::DEFAULT_SMOOTHING;
use mien_core::track::TrackOptions;
use mien_net::classify::Classifier;
use mien_net::device::DeviceChoice;

/// How long a drop waits for the threads.
const JOIN_WITHIN: Duration = Duration::from_millis(800);

/// The parts of a pipeline. Each is made on the thread that uses it, so that the window doesn't wait for a
/// camera to open or a network to load.
pub struct Parts {
    /// Opens the camera or the video.
    pub source: SourceFactory,
    /// Whether a source that can't be opened or read is tried again, after growing waits, as is right for a camera.
    pub retry: bool,
    /// What finds and labels the faces.
    pub faces: FaceSource,
}

/// Where a frame's faces and their labels come from.
pub enum FaceSource {
    /// They are found and labelled by a detector and a network.
    Analysis {
        /// Makes the detectors.
        detector: DetectorFactory,
        /// Loads the networks.
        classifier: ClassifierFactory,
    },
    /// They are looked up; neither a detector nor a network is made.
    Recorded(Arc<dyn RecordedFaces>),
}

impl Parts {
    /// The real parts: a camera (tried again when it is lost) or a video, a detector, and a network. A detector that is a network always
    /// runs on `device`, whatever is chosen later.
    ///
    /// OpenCV and libtorch get one thread each: on few cores their pools stall each other for tens of milliseconds
    /// (both spin while they wait), and one face doesn't keep a second thread busy.
    pub fn new(
        source: SourceRequest,
        device: Device,
        classifier: impl FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send + 'static,
    ) -> Self {
        Self::on(source, move |_| device, classifier)
    }

    /// Like [`Self::new`], but the detector's device is the one chosen with the network, at the start and later. `device` resolves the
    /// choice on the thread that makes the detectors, because CUDA takes seconds to start.
    pub fn on(
        source: SourceRequest,
        mut device: impl FnMut(DeviceChoice) -> Device + Send + 'static,
        mut classifier: impl FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send + 'static,
    ) -> Self {
        Self {
            retry: matches!(source, SourceRequest::Camera(_)),
            source: source.into_factory(),
            faces: FaceSource::Analysis {
                detector: Box::new(move |options, choice| {
                    opencv::core::set_num_threads(1).map_err(crate::detect::failed)?;
                    ScheduledDetector::make(options, device(choice))
                }),
                classifier: Box::new(move |choice| {
                    // libtorch keeps this number per thread: it must be set on the one that runs the network.
                    mien_net::torch::use_threads(1);
                    classifier(choice)
                }),
            },
        }
    }

    /// The parts for a source whose faces were found and labelled before.
    pub fn recorded(source: Arc<dyn OpenSource>, faces: Arc<dyn RecordedFaces>) -> Self {
        Self { retry: false, source: SourceRequest::Other(source).into_factory(), faces: FaceSource::Recorded(faces) }
    }
}

/// A source of another kind than cameras and video files, such as a recording.
pub trait OpenSource: std::fmt::Debug + Send + Sync {
    /// Opens it.
    ///
    /// # Errors
    /// When it can't be opened.
    fn open(self: Arc<Self>) -> Result<Box<dyn FrameSource>, SourceError>;
}

/// What to open.
#[derive(Clone, Debug)]
pub enum SourceRequest {
    /// A camera.
    Camera(CameraRequest),
    /// A video file.
    Video(PathBuf),
    /// Another kind of source.
    Other(Arc<dyn OpenSource>),
}

impl SourceRequest {
    fn into_factory(self) -> SourceFactory {
        Box::new(move || self.open())
    }

    /// Opens it.
    ///
    /// # Errors
    /// Those of [`CameraSource::open`], [`VideoSource::open`] and [`OpenSource::open`].
    pub fn open(&self) -> Result<Box<dyn FrameSource>, SourceError> {
        Ok(match self {
            Self::Camera(request) => Box::new(CameraSource::open(request)?),
            Self::Video(path) => Box::new(VideoSource::open(path)?),
            Self::Other(source) => Arc::clone(source).open()?,
        })
    }
}

/// How a pipeline starts. All but `picture` can be changed by [`Live::send`] later.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// Time constant of the smoothing; `None` is off.
    pub smoothing: Option<Duration>,
    /// How faces are looked for.
    pub detection: DetectionOptions,
    /// The network that labels them.
    pub network: NetworkChoice,
    /// How fast a video plays: 1 is its own speed.
    pub speed: f64,
    /// Whether a video starts again when it ends.
    pub repeat: bool,
    /// Whether each scene includes a picture for a texture.
    pub picture: bool,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            // Removes half of the flicker between two labels; a smile still shows within a third of a second.
            smoothing: Some(DEFAULT_SMOOTHING),
            detection: DetectionOptions::default(),
            network: NetworkChoice::default(),
            speed: 1.0,
            repeat: false,
            picture: true,
        }
    }
}

/// A running pipeline: a capture thread that reads, finds and tracks, and an inference thread that labels.
///
/// A camera's frames that come too fast are dropped and counted; a video's frames are all labelled, at its own pace.
/// Dropping it stops both threads and waits up to 0.8 s for them; one that is blocked in a driver ends later.
pub struct Live {
    capture: Sender<Command>,
    inference: Sender<Command>,
    events: Receiver<Event>,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Live {
    /// Starts the threads and returns at once; [`Self::events`] reports what happens. `wake` is called from the
    /// threads after each new scene or event: request a repaint there, and don't block.
    ///
    /// # Errors
    /// When the system can't start more threads.
    pub fn start(
        parts: Parts,
        settings: LiveSettings,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, PipelineError> {
        let Parts { source, retry, faces } = parts;
        let LiveSettings { smoothing, detection, network, speed, repeat, picture } = settings;
        let device = network.device;
        let (make_detector, labels) = match faces {
            FaceSource::Analysis { detector, classifier } => (Some(detector), Labels::Network(classifier, network)),
            FaceSource::Recorded(faces) => (None, Labels::Recorded(faces)),
        };
        // No bound: commands come from a user's actions and are fetched between two frames.
        let (capture_sender, capture_commands) = unbounded();
        let (inference_sender, inference_commands) = unbounded();
        // No bound: events are rare, a few a minute, and none may be lost.
        let (event_sender, events) = unbounded();
        let (out, frames) = slot();
        let shared = Arc::new(Shared::new(event_sender, Box::new(wake)));

        // If the second thread can't be started, dropping `live` ends the first.
        let mut live = Self {
            capture: capture_sender,
            inference: inference_sender,
            events,
            shared: Arc::clone(&shared),
            workers: Vec::with_capacity(2),
        };
        let for_inference = Arc::clone(&shared);
        live.workers.push(Worker::spawn("mien-inference", &shared, move || {
            inference::run(labels, smoothing, &frames, &inference_commands, &for_inference)
        })?);
        let for_capture = Arc::clone(&shared);
        live.workers.push(Worker::spawn("mien-capture", &shared, move || {
            let (analyzer, detectors) = match make_detector {
                Some(mut make) => {
                    // How faces are tracked depends on the source, which isn't open yet: see `Analyzer::prepare_for`.
                    let analyzer = Analyzer::new(make(&detection, device)?, TrackOptions::default(), picture);
                    (analyzer, Some(Detectors { make, made_with: detection, made_on: device }))
                }
                None => (Analyzer::without_search(picture), None),
            };
            let capture = Capture {
                open: source,
                retries: retry,
                analyzer,
                controls: Controls::new(speed, repeat, detectors),
                commands: capture_commands,
                out,
                shared: for_capture,
            };
            capture.run()
        })?);
        Ok(live)
    }

    /// Takes the newest labelled scene, if it wasn't taken yet. The window paints exactly this frame and keeps it until the next.
    pub fn take_scene(&self) -> Option<Scene> {
        self.shared.take_scene()
    }

    /// What happened since the last call, without waiting.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.try_iter()
    }

    /// Sends a command, which the threads carry out soon. After [`Event::Failed`] it has no effect.
    pub fn send(&self, command: Command) {
        if matches!(command, Command::Seek(_)) {
            self.shared.begin_generation();
        }
        // Each thread obeys the commands that concern it. A thread that failed has reported that by an event.
        self.inference.send(command.clone()).ok();
        self.capture.send(command).ok();
    }

    /// Adds a tap that stays until the pipeline ends.
    pub fn add_tap(&self, tap: Arc<dyn Tap>) {
        self.shared.taps().lasting.push(tap);
    }

    /// Sets a tap in place of the one that was set before; `None` removes it. Taps from [`Self::add_tap`] stay.
    pub fn set_tap(&self, tap: Option<Arc<dyn Tap>>) {
        self.shared.taps().passing = tap;
    }

    /// How fast it runs.
    pub fn statistics(&self) -> Statistics {
        self.shared.meter().read(Instant::now())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Set the flag first, so that a thread that is woken by its closed channel, or is between two frames, sees it.
        self.shared.stop();
        self.capture = unbounded().0;
        self.inference = unbounded().0;
        let deadline = Instant::now() + JOIN_WITHIN;
        for worker in self.workers.drain(..) {
            worker.join(deadline);
        }
        // Last, so that the threads can't reset it.
        self.shared.set_still(true);
    }
}
