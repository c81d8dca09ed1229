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

/// The parts that a pipeline is made of, each made on the thread that uses it, so that the window doesn't wait for a
/// camera to open or a network to load.
pub struct Parts {
    /// Opens the camera or the video.
    pub source: SourceFactory,
    /// Whether a source that can't be opened or read is tried again, with growing waits: right for a camera.
    pub retry: bool,
    /// What finds the faces and names them.
    pub faces: FaceSource,
}

/// Where a frame's faces and what they show come from.
pub enum FaceSource {
    /// They are found and named.
    Analysis {
        /// Makes the detectors.
        detector: DetectorFactory,
        /// Loads the networks.
        classifier: ClassifierFactory,
    },
    /// They are looked up: neither detector nor network is made.
    Recorded(Arc<dyn RecordedFaces>),
}

impl Parts {
    /// The real parts: a camera (tried again when it is lost) or a video, a detector (on `device` whatever is chosen later, if it is a
    /// network), and a network.
    ///
    /// OpenCV and libtorch get one thread each: on few cores their pools stall each other for tens of milliseconds
    /// (both spin while they wait), and one face keeps no second thread busy.
    pub fn new(
        source: SourceRequest,
        device: Device,
        classifier: impl FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send + 'static,
    ) -> Self {
        Self::on(source, move |_| device, classifier)
    }

    /// As [`Self::new`], where the device is chosen with the network, at the start and later: what the choice means is asked for on the
    /// thread that makes the detectors, as CUDA takes seconds to begin with.
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

    /// A source whose frames' faces were found and named before.
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
    /// What labels them.
    pub network: NetworkChoice,
    /// How fast a video plays: 1 is its own speed.
    pub speed: f64,
    /// Whether a video starts again when it ends.
    pub repeat: bool,
    /// Whether each scene brings a picture for a texture.
    pub picture: bool,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            // Half of a flicker between two labels is gone; a smile still shows in a third of a second.
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
/// Dropping it ends both threads within a second.
pub struct Live {
    capture: Sender<Command>,
    inference: Sender<Command>,
    events: Receiver<Event>,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Live {
    /// Starts the threads and returns at once; what comes of it is told by [`Self::events`]. `wake` is called from the
    /// threads after each new scene or event: ask for a repaint there, and for nothing that blocks.
    ///
    /// # Errors
    /// When the system gives no more threads.
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
        // No bound: commands come from a user's hand and are fetched between two frames.
        let (capture_sender, capture_commands) = unbounded();
        let (inference_sender, inference_commands) = unbounded();
        // No bound: events are rare, a few a minute, and each counts.
        let (event_sender, events) = unbounded();
        let (out, frames) = slot();
        let shared = Arc::new(Shared::new(event_sender, Box::new(wake)));

        // If the second thread can't be started, the drop of `live` ends the first.
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
                    // How faces are followed depends on the source, which isn't open yet: see `Analyzer::prepare_for`.
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

    /// The newest labelled scene, once. The window paints exactly this frame and keeps it until the next.
    pub fn take_scene(&self) -> Option<Scene> {
        self.shared.take_scene()
    }

    /// What happened since the last call, without waiting.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.try_iter()
    }

    /// Asks for something; it is done soon, by the threads. After [`Event::Failed`] nothing comes of it.
    pub fn send(&self, command: Command) {
        if matches!(command, Command::Seek(_)) {
            self.shared.begin_generation();
        }
        // Each thread obeys what is its own. One that has failed has said so by an event.
        self.inference.send(command.clone()).ok();
        self.capture.send(command).ok();
    }

    /// Lets somebody see what passes, from now on to the end.
    pub fn add_tap(&self, tap: Arc<dyn Tap>) {
        self.shared.taps().lasting.push(tap);
    }

    /// Lets somebody see what passes from now on, in place of whoever was set before; `None` is nobody.
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
        // The flag first: a thread that is woken by its closed channel, or is between two frames, finds it set.
        self.shared.stop();
        self.capture = unbounded().0;
        self.inference = unbounded().0;
        let deadline = Instant::now() + JOIN_WITHIN;
        for worker in self.workers.drain(..) {
            worker.join(deadline);
        }
        // Last: the threads can't take it back any more.
        self.shared.set_still(true);
    }
}
