//! A network gets the crops that it was trained on, also of frames that come while it is being loaded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mien::classes::Classes;
use mien::classify::{Classifier, ClassifyError};
use mien::crop::{FaceCrop, Framing};
use mien::detect::{DetectionOptions, ScheduledDetector};
use mien::detection::{DetectError, Detection, FaceDetector};
use mien::emotion::COUNT;
use mien::face::GrayView;
use mien::landmarks::Landmarks;
use mien::pipeline::{Analyzer, ClassifierFactory, Event, FaceSource, LiveSettings, Parts};
use mien::probabilities::Probabilities;
use mien::source::FrameSource as _;
use mien::track::TrackOptions;

use crate::support::fakes::{FakeDetector, FakeVideo, Gate};
use crate::support::watch::Watch;

/// Finds the bright squares, and says that these faces lean by about 30°.
struct Leaning;

impl FaceDetector for Leaning {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        let mut found = FakeDetector.detect(picture)?;
        for Detection { rect, landmarks, .. } in &mut found {
            let at = |x: f32, y: f32| [rect.x + x * rect.width, rect.y + y * rect.height];
            *landmarks = Some(Landmarks {
                right_eye: at(0.39, 0.30),
                left_eye: at(0.72, 0.50),
                nose: at(0.44, 0.57),
                mouth_right: at(0.23, 0.65),
                mouth_left: at(0.49, 0.80),
            });
        }
        Ok(found)
    }
}

fn detector() -> ScheduledDetector {
    let every_frame = DetectionOptions { full_scan_interval: 1, ..DetectionOptions::default() };
    ScheduledDetector::new(Box::new(Leaning), &every_frame)
}

/// A network for upright crops, which notes those that it gets.
#[derive(Clone, Default)]
struct Upright(Arc<Mutex<Vec<FaceCrop>>>);

impl Classifier for Upright {
    fn classes(&self) -> Classes {
        Classes::emotions()
    }

    fn framing(&self) -> Framing {
        Framing::Upright
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        self.0.lock().unwrap().extend_from_slice(crops);
        Ok(vec![Probabilities::uniform(COUNT); crops.len()])
    }
}

/// So far apart that a face is shown at once.
const SPACING: Duration = Duration::from_secs(1);

fn video() -> FakeVideo {
    FakeVideo::new(2).spaced(SPACING)
}

/// The crops of the video's faces if the network is known from the start.
fn expected(framing: Framing) -> Vec<FaceCrop> {
    let (mut video, mut analyzer) = (video(), Analyzer::new(detector(), TrackOptions::default(), false));
    analyzer.prepare_for(SPACING, Some(2));
    analyzer.set_framing(framing);
    std::iter::from_fn(|| video.read().unwrap()).flat_map(|frame| analyzer.analyze(frame).unwrap().crops).collect()
}

#[test]
fn a_frame_that_waits_for_the_network_is_cropped_as_the_network_needs_it() {
    let (network, loading) = (Upright::default(), Gate::new());
    let (loaded, loads) = (network.clone(), loading.clone());
    let classifier: ClassifierFactory = Box::new(move |_| {
        loads.wait_until_entered();
        Ok(Box::new(loaded.clone()))
    });
    let faces = FaceSource::Analysis { detector: Box::new(|_, _| Ok(detector())), classifier };
    let parts = Parts { source: video().factory(), retry: false, faces };
    let mut watch = Watch::parts(parts, LiveSettings { speed: 16.0, ..LiveSettings::default() });
    // The second frame is read once the first one waits.
    watch.until("two frames", |watch| watch.live.statistics().captured == 2);
    loading.enter();
    watch.until_event(&Event::EndOfVideo);

    let upright = expected(Framing::Upright);
    assert!(upright.len() == 2 && upright[0] != expected(Framing::Box)[0]);
    assert_eq!(*network.0.lock().unwrap(), upright);
}
