//! What a recording sees of a running pipeline: every frame of a camera, and every scene.

use std::sync::{Arc, Mutex};

use mien::emotion::Emotion;
use mien::frame::Frame;
use mien::pipeline::{Command, FaceSource, Live, LiveSettings, Parts, Scene, Tap};

use crate::support::fakes::{self, FakeCamera, FakeClassifier, Gate};

/// Notes the numbers of what passes.
#[derive(Default)]
struct Seen {
    captured: Mutex<Vec<u64>>,
    labelled: Mutex<Vec<u64>>,
}

impl Tap for Seen {
    fn captured(&self, frame: &Frame) {
        self.captured.lock().unwrap().push(frame.index);
    }

    fn labelled(&self, scene: &Scene) {
        self.labelled.lock().unwrap().push(scene.frame.index);
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
    // The network stands at the first frame while more come.
    camera.gives(1);
    gate.wait_until_entered();
    camera.gives(5);
    let captured = |frames: usize| seen.captured.lock().unwrap().len() == frames;
    until("all frames are seen", || captured(6));
    assert_eq!(*seen.captured.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    // The tap is told before a frame takes the place of a late one.
    until("the frames between are dropped", || live.statistics().dropped == 4);
    gate.let_through(2);
    until("two frames are labelled", || seen.labelled.lock().unwrap().len() == 2);
    assert_eq!(*seen.labelled.lock().unwrap(), [0, 5]);

    live.send(Command::Pause);
    // One frame may be on its way before the command is obeyed.
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
