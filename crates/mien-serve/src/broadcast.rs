//! The server's own camera, video or recording, which all visitors can watch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use crossbeam_channel::bounded;
use mien_core::classes::Classes;
use mien_core::face::Face;
use mien_vision::pipeline::{Event, Live, LiveSettings, Parts, PipelineError, Scene};
use opencv::core::{Mat, MatTraitConst as _};
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::picture;
use crate::protocol::{SceneReport, SourceReport, SourceState};

/// How often the stop flag is checked while no frame arrives.
const TICK: Duration = Duration::from_millis(100);

/// Draws boxes and labels into a picture.
pub type Annotate = fn(&mut Mat, &[Face], &Classes) -> opencv::Result<()>;

/// Receives the source's events and can watch its frames, as a recording does. Called on the source's thread.
pub trait SourceObserver: Send {
    /// Called for each frame, and several times a second while none arrives, with the events since the last call.
    fn round(&mut self, events: &[Event], live: &Live);

    /// Called when the server ends. The source still runs, because its last frames aren't labelled yet.
    fn end(self: Box<Self>);
}

/// The server's own source.
pub struct SourceSetup {
    /// Its name.
    pub name: String,
    /// The parts of its pipeline.
    pub parts: Parts,
    /// The settings of its pipeline.
    pub settings: LiveSettings,
    /// Whether it is being recorded.
    pub is_recorded: Arc<AtomicBool>,
    /// Records it, if that is wanted.
    pub observer: Option<Box<dyn SourceObserver>>,
}

/// A frame with its faces. Its JPEGs are encoded when first requested.
pub struct Shown {
    /// The scene as programs get it.
    pub json: Utf8Bytes,
    /// The same without its faces: what programs get if the source is lost after this frame.
    pub emptied: Utf8Bytes,
    image: Arc<Mat>,
    faces: Vec<Face>,
    classes: Classes,
    plain: OnceLock<Bytes>,
    annotated: OnceLock<Bytes>,
    with_scene: OnceLock<Bytes>,
    annotate: Annotate,
}

impl Shown {
    pub(crate) fn new(name: &str, scene: Scene, annotate: Annotate) -> Self {
        // Serialising numbers and strings can't fail.
        let json = |report: &SceneReport| -> Utf8Bytes { serde_json::to_string(report).unwrap_or_default().into() };
        let report = SceneReport::new(name, &scene);
        Self {
            json: json(&report),
            emptied: json(&SceneReport { faces: Vec::new(), ..report }),
            image: scene.frame.image,
            faces: scene.faces,
            classes: scene.classes,
            plain: OnceLock::new(),
            annotated: OnceLock::new(),
            with_scene: OnceLock::new(),
            annotate,
        }
    }

    /// The frame as JPEG. The first call takes some milliseconds, so it mustn't be made on the serving threads.
    fn jpeg(&self) -> &Bytes {
        self.plain.get_or_init(|| encoded(&self.image))
    }

    /// The frame with boxes and labels as JPEG. The first call takes some milliseconds.
    pub fn annotated(&self) -> Bytes {
        let draw = || -> opencv::Result<Mat> {
            let mut copy = self.image.try_clone()?;
            (self.annotate)(&mut copy, &self.faces, &self.classes)?;
            Ok(copy)
        };
        self.annotated.get_or_init(|| encoded(&draw().unwrap_or_else(|_error| Mat::default()))).clone()
    }

    /// The length of the scene's JSON in four bytes (little-endian), the JSON, and the frame as JPEG. The first call takes some
    /// milliseconds.
    pub fn scene_and_picture(&self) -> Bytes {
        let join = || {
            let (json, jpeg) = (self.json.as_bytes(), self.jpeg());
            let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes();
            [&length, json, jpeg].concat().into()
        };
        self.with_scene.get_or_init(join).clone()
    }
}

/// Encodes a picture as JPEG. Empty on failure, which browsers show as no picture.
fn encoded(image: &Mat) -> Bytes {
    let jpeg = picture::encode(image).unwrap_or_else(|error| {
        tracing::warn!("a frame can't be encoded as JPEG: {error}");
        Vec::new()
    });
    jpeg.into()
}

/// The running source. Dropping it ends its threads.
pub struct Broadcast {
    scenes: watch::Receiver<Option<Arc<Shown>>>,
    states: watch::Receiver<SourceReport>,
    is_recorded: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Broadcast {
    /// Starts the source.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(setup: SourceSetup, annotate: Annotate, metrics: Arc<Metrics>) -> Result<Self, PipelineError> {
        let SourceSetup { name, parts, settings, is_recorded, mut observer } = setup;
        let (waker, awake) = bounded(1);
        // If the channel is full, a wake-up is already pending.
        let live = Live::start(parts, settings, move || {
            waker.try_send(()).ok();
        })?;
        let (scene_sender, scenes) = watch::channel(None);
        let (state_sender, states) = watch::channel(quiet(SourceState::Opening));
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let mut reports = Reports::default();
        let thread = thread::Builder::new().name("mien-broadcast".to_owned()).spawn(move || {
            while !stopping.load(Ordering::SeqCst) {
                // Check for events and scenes even if nothing woke the thread.
                awake.recv_timeout(TICK).ok();
                let events: Vec<_> = live.events().collect();
                if let Some(observer) = &mut observer {
                    observer.round(&events, &live);
                }
                for report in events.iter().filter_map(|event| reports.after(event)) {
                    state_sender.send_replace(report);
                }
                if let Some(scene) = live.take_scene() {
                    metrics.labelled(&scene);
                    scene_sender.send_replace(Some(Arc::new(Shown::new(&name, scene, annotate))));
                }
                metrics.source(&live.statistics());
            }
            if let Some(observer) = observer {
                observer.end();
            }
        })?;
        Ok(Self { scenes, states, is_recorded, stop, thread: Some(thread) })
    }

    /// A receiver of scenes. A slow reader gets the newest one and misses those before it.
    pub fn scenes(&self) -> watch::Receiver<Option<Arc<Shown>>> {
        self.scenes.clone()
    }

    /// Whether the source is being recorded.
    pub fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    /// A receiver of the source's state.
    pub fn states(&self) -> watch::Receiver<SourceReport> {
        self.states.clone()
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported it.
            thread.join().ok();
        }
    }
}

/// A report without a message.
fn quiet(state: SourceState) -> SourceReport {
    SourceReport { state, message: String::new() }
}

/// Turns the source's events into reports for visitors and log lines for the operator.
#[derive(Default)]
struct Reports {
    was_open: bool,
    /// The reason for a lost camera that was logged last; reset to `None` when the source opens.
    told: Option<String>,
}

impl Reports {
    /// The report for visitors after an event, if it changes anything.
    fn after(&mut self, event: &Event) -> Option<SourceReport> {
        Some(match event {
            Event::Opening => quiet(SourceState::Opening),
            Event::Opened(_) => {
                (self.was_open, self.told) = (true, None);
                quiet(SourceState::Playing)
            }
            Event::CameraLost { reason, retry_in, .. } => {
                if self.is_news(reason) {
                    tracing::warn!("the server's camera gives no picture and is tried again: {reason}");
                }
                let what = if self.was_open { "is lost" } else { "can't be opened" };
                // Without the reason, which names devices and programs of the server's machine.
                let message = format!("The server's camera {what}; it tries again in {:.0} s", retry_in.as_secs_f64());
                SourceReport { state: SourceState::Lost, message }
            }
            Event::Failed(reason) => {
                tracing::error!("the server's source has ended: {reason}");
                let message = "The server's source has ended with an error".to_owned();
                SourceReport { state: SourceState::Failed, message }
            }
            _ => return None,
        })
    }

    /// Whether this reason hasn't been logged yet; remembers it. A camera is retried every few seconds.
    fn is_news(&mut self, reason: &str) -> bool {
        let is_news = self.told.as_deref() != Some(reason);
        if is_news {
            self.told = Some(reason.to_owned());
        }
        is_news
    }
}

/// Waits for the newest scene after the one received last; `None` when the source has ended.
pub async fn next(scenes: &mut watch::Receiver<Option<Arc<Shown>>>) -> Option<Arc<Shown>> {
    loop {
        scenes.changed().await.ok()?;
        if let Some(shown) = scenes.borrow_and_update().clone() {
            return Some(shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use mien_vision::source::{SourceInfo, SourceKind};

    use super::*;

    fn opened() -> Event {
        Event::Opened(SourceInfo {
            name: "Desk cam".to_owned(),
            kind: SourceKind::Camera,
            width: 64,
            height: 48,
            fps: 30.0,
            fourcc: "MJPG".to_owned(),
        })
    }

    #[test]
    fn a_camera_that_was_never_open_is_not_lost_and_visitors_are_not_told_why() {
        let mut reports = Reports::default();
        let reason = "camera 0 is in use by obs".to_owned();
        let lost = Event::CameraLost { reason, busy: true, retry_in: Duration::from_secs(2) };
        let mut told = |event: &Event| reports.after(event).unwrap();
        let message = "The server's camera can't be opened; it tries again in 2 s".to_owned();
        assert_eq!(told(&lost), SourceReport { state: SourceState::Lost, message });
        assert_eq!(told(&opened()).state, SourceState::Playing);
        let message = told(&lost).message;
        assert!(message.contains("is lost") && !message.contains("obs"), "{message}");
    }

    #[test]
    fn the_operator_is_told_a_reason_once_and_again_when_the_camera_came_back_meanwhile() {
        let mut reports = Reports::default();
        assert_eq!(["busy", "busy", "gone"].map(|reason| reports.is_news(reason)), [true, false, true]);
        reports.after(&opened());
        assert!(reports.is_news("gone"));
    }
}
