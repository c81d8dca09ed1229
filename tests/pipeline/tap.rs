//! What recordings and other outputs see of a running pipeline: every frame of a camera, every scene, and when it stands still.

use std::sync::{Arc, Mutex};

use mien::emotion::Emotion;
use mien::frame::Frame;
use mien::pipeline::{Command, Event, FaceSource, Live, LiveSettings, Parts, Scene, Tap};

use crate::support::fakes::{self, Act, FakeCamera, FakeClassifier, FakeVideo, Gate};
use crate::support::watch::Watch;

/// Records the numbers of the frames that pass.
#[derive(Default)]
struct Seen {
    captured: Mutex<Vec<u64>>,
    labelled: Mutex<Vec<u64>>,
    /// The number of labelled frames at each call of `stands_still`.
    still: Mutex<Vec<usize>>,
}

impl Seen {
    /// Whether `stands_still` was called after the last scene.
    fn is_still(&self) -> bool {
        self.still.lock().unwrap().last() == Some(&self.labelled.lock().unwrap().len())
    }

    fn still(&self) -> usize {
        self.still.lock().unwrap().len()
    }
}

impl Tap for Seen {
    fn captured(&self, frame: &Frame) {
        self.captured.lock().unwrap().push(frame.index);
    }

    fn labelled(&self, scene: &Scene) {
        self.labelled.lock().unwrap().push(scene.frame.index);
    }

    fn stands_still(&self) {
        let labelled = self.labelled.lock().unwrap().len();
        self.still.lock().unwrap().push(labelled);
    }
}

fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + fakes::PATIENCE;
    while !so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[test]
fn a_tap_sees_frames_that_are_dropped_too_and_none_of_a_pause() {
    let (camera, gate, seen) = (FakeCamera::new(), Gate::new(), Arc::new(Seen::default()));
    let parts = Parts {
        source: camera.factory(),
        retry: true,
        faces: FaceSource::Analysis {
            detector: fakes::detector_factory(),
            classifier: FakeClassifier::new(Emotion::Happy).behind(&gate).factory(),
        },
    };
    let live = Live::start(parts, LiveSettings::default(), || ()).unwrap();
    live.set_tap(Some(seen.clone()));
    // The network is held at the first frame while more arrive.
    camera.gives(1);
    gate.wait_until_entered();
    camera.gives(5);
    let captured = |frames: usize| seen.captured.lock().unwrap().len() == frames;
    until("all frames are seen", || captured(6));
    assert_eq!(*seen.captured.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    // The tap sees a frame before the frame replaces a waiting one.
    until("the frames between are dropped", || live.statistics().dropped == 4);
    gate.let_through(2);
    until("two frames are labelled", || seen.labelled.lock().unwrap().len() == 2);
    assert_eq!(*seen.labelled.lock().unwrap(), [0, 5]);

    live.send(Command::Pause);
    // One frame may already be on its way when the command takes effect.
    camera.gives(1);
    until("the pause is reached", || camera.reads() == 7);
    let before = seen.captured.lock().unwrap().len();
    camera.gives(3);
    until("the camera is read in the pause", || camera.reads() == 10);
    assert_eq!(seen.captured.lock().unwrap().len(), before);

    live.set_tap(None);
    assert_eq!(Arc::strong_count(&seen), 1, "the pipeline holds a tap that was taken away");
    gate.let_through(10);
}

#[test]
fn whoever_takes_results_is_told_when_a_camera_is_paused_or_lost_and_when_all_is_over() {
    let (camera, seen) = (FakeCamera::new(), Arc::new(Seen::default()));
    let mut watch = Watch::camera(&camera, FakeClassifier::new(Emotion::Happy));
    watch.live.add_tap(seen.clone());
    camera.gives(1);
    watch.until_frame(0);
    assert_eq!(seen.still(), 0);

    watch.live.send(Command::Pause);
    // The frame that is being read when the command comes may still be shown.
    camera.gives(3);
    let is_labelled = || seen.captured.lock().unwrap().len() == seen.labelled.lock().unwrap().len();
    until("the pause is told", || camera.reads() == 4 && is_labelled() && seen.is_still());
    let told = seen.still();
    watch.live.send(Command::Resume);
    camera.gives(3);
    watch.until("another frame", |watch| watch.last_index() == Some(6));
    assert_eq!(seen.still(), told);

    camera.does(Act::Unplug);
    watch.until("the loss", |watch| watch.events.iter().any(|event| matches!(event, Event::CameraLost { .. })));
    until("the loss is told", || seen.still() > told && seen.is_still());
    let told = seen.still();
    watch.until("a second opening", |_| camera.opened() == 2);
    camera.gives(1);
    watch.until("a frame after the loss", |watch| watch.last_index() == Some(7));
    assert_eq!(seen.still(), told);

    // The pipeline ends between two frames.
    camera.gives(1);
    drop(watch);
    until("the end is told", || seen.still() > told && seen.is_still());
}

#[test]
fn each_scene_of_a_video_is_told_though_nobody_fetches_it_and_in_a_pause_it_is_followed_by_stillness() {
    let seen = Arc::new(Seen::default());
    let classifier = FakeClassifier::new(Emotion::Happy);
    let gate = Gate::new();
    let mut watch = Watch::video(FakeVideo::new(30), classifier.behind(&gate), LiveSettings::default());
    // Two taps. `set_tap` replaces the first one only.
    let recording = Arc::new(Seen::default());
    watch.live.set_tap(Some(recording.clone()));
    watch.live.add_tap(seen.clone());
    gate.let_through(100);
    until("the last frame", || seen.labelled.lock().unwrap().len() == 30);
    assert_eq!(*seen.labelled.lock().unwrap(), (0..30).collect::<Vec<_>>());
    until("the end is told", || seen.is_still());
    watch.live.set_tap(None);

    watch.live.send(Command::Step(-1));
    watch.until_frame(28);
    until("the stillness", || seen.is_still());
    assert_eq!(seen.labelled.lock().unwrap().last(), Some(&28));
    assert_eq!(recording.labelled.lock().unwrap().last(), Some(&29));

    drop(watch);
    assert!(seen.is_still());
    assert_eq!(Arc::strong_count(&seen), 1, "the pipeline holds a tap after its end");
}

#[test]
fn whoever_takes_results_is_told_when_the_pipeline_fails() {
    let (camera, seen) = (FakeCamera::new(), Arc::new(Seen::default()));
    let mut watch = Watch::camera(&camera, FakeClassifier::new(Emotion::Happy));
    watch.live.add_tap(seen.clone());
    camera.gives(1);
    watch.until_frame(0);
    camera.does(Act::Panic);
    watch.failure();
    until("the failure is told", || seen.is_still());
}
