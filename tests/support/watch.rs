//! Runs a live pipeline and collects what comes out of it.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use mien::pipeline::{ClassifierFactory, Event, FaceSource, Live, LiveSettings, Parts, Scene, SourceFactory};

use super::fakes::{FakeCamera, FakeClassifier, FakeVideo, PATIENCE, detector_factory};

/// A running pipeline and everything that came out of it.
pub struct Watch {
    pub live: Live,
    woken: Receiver<()>,
    pub events: Vec<Event>,
    pub scenes: Vec<Scene>,
}

impl Watch {
    pub fn start(source: SourceFactory, retry: bool, classifier: ClassifierFactory, settings: LiveSettings) -> Self {
        let faces = FaceSource::Analysis { detector: detector_factory(), classifier };
        Self::parts(Parts { source, retry, faces }, settings)
    }

    pub fn parts(parts: Parts, settings: LiveSettings) -> Self {
        let (wake, woken) = unbounded();
        let live = Live::start(parts, settings, move || {
            wake.send(()).ok();
        })
        .unwrap();
        Self { live, woken, events: Vec::new(), scenes: Vec::new() }
    }

    /// Runs a camera, which is opened again after a loss.
    pub fn camera(camera: &FakeCamera, classifier: FakeClassifier) -> Self {
        Self::start(camera.factory(), true, classifier.factory(), LiveSettings::default())
    }

    /// Runs a video at 16 times its speed.
    pub fn video(video: FakeVideo, classifier: FakeClassifier, settings: LiveSettings) -> Self {
        Self::start(video.factory(), false, classifier.factory(), LiveSettings { speed: 16.0, ..settings })
    }

    /// Collects what comes until `done`.
    pub fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Events first: a scene is published before events about it, so the scenes of these events are there.
            self.events.extend(self.live.events());
            self.scenes.extend(self.live.take_scene());
            if done(self) {
                return;
            }
            // Nothing wakes this thread when a counter changes, so look now and then.
            self.woken.recv_timeout(Duration::from_millis(20)).ok();
            assert!(Instant::now() < deadline, "{what} never came; events: {:?}; {}", self.events, self.seen());
        }
    }

    pub fn until_event(&mut self, event: &Event) {
        self.until(&format!("{event:?}"), |watch| watch.events.contains(event));
    }

    pub fn until_frame(&mut self, index: u64) {
        self.until(&format!("frame {index}"), |watch| watch.last_index() == Some(index));
    }

    /// The text of [`Event::Failed`].
    pub fn failure(&mut self) -> String {
        let text = |event: &Event| if let Event::Failed(text) = event { Some(text.clone()) } else { None };
        self.until("a failure", |watch| watch.events.iter().any(|event| text(event).is_some()));
        self.events.iter().find_map(text).unwrap()
    }

    pub fn last_index(&self) -> Option<u64> {
        self.scenes.last().map(|scene| scene.frame.index)
    }

    fn seen(&self) -> String {
        format!("frames: {:?}", self.scenes.iter().map(|scene| scene.frame.index).collect::<Vec<_>>())
    }
}
