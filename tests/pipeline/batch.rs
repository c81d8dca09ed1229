//! The driver for whole files, with fakes and with a real video.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mien::classes::Classes;
use mien::classify::{Classifier, ClassifyError};
use mien::crop::{FaceCrop, Framing};
use mien::emotion::Emotion;
use mien::face::FaceId;
use mien::pipeline::{Analyzer, Ending, Labeller, PipelineError, Scene, run_to_end};
use mien::probabilities::Probabilities;
use mien::source::{FrameSource, VideoSource};
use mien::track::TrackOptions;
use opencv::core::MatTraitConst as _;

use crate::support::fakes::{self, FakeClassifier, FakeVideo, detector, media_time};

fn analyzer() -> Analyzer {
    Analyzer::new(detector(), TrackOptions::default(), false)
}

fn labeller(classifier: FakeClassifier) -> Labeller {
    Labeller::new(Box::new(classifier), Some(Duration::from_millis(300)))
}

fn happy() -> FakeClassifier {
    FakeClassifier::new(Emotion::Happy)
}

/// Runs a source to its end and collects the scenes.
fn run(source: impl FrameSource + 'static, classifier: FakeClassifier) -> (Result<Ending, PipelineError>, Vec<Scene>) {
    let mut scenes = Vec::new();
    let outcome = run_to_end(Box::new(source), analyzer(), labeller(classifier), &AtomicBool::new(false), |scene| {
        scenes.push(scene);
        Ok(ControlFlow::Continue(()))
    });
    (outcome, scenes)
}

fn indices(scenes: &[Scene]) -> Vec<u64> {
    scenes.iter().map(|scene| scene.frame.index).collect()
}

#[test]
fn each_frame_comes_once_and_in_order_with_its_face() {
    let (outcome, scenes) = run(FakeVideo::new(200), happy());
    assert_eq!(outcome.unwrap(), Ending::EndOfSource(None));
    assert_eq!(indices(&scenes), (0..200).collect::<Vec<_>>());
    for scene in scenes.iter().filter(|scene| (2..100).contains(&scene.frame.index)) {
        let left = fakes::one_face(scene.frame.index)[0].0 as f32;
        assert_eq!(scene.faces.len(), 1, "frame {}", scene.frame.index);
        let face = scene.faces[0];
        assert_eq!((face.id, face.raw.top().0), (FaceId(1), Emotion::Happy.index()));
        assert!((face.rect.x - left).abs() < 10.0, "frame {}: {:?} for {left}", scene.frame.index, face.rect);
    }
}

#[test]
fn a_real_video_goes_through_all_stages() {
    let folder = tempfile::tempdir().unwrap();
    let two_faces = |_| vec![(40, 90), (200, 60)];
    let path = fakes::write_video(&folder.path().join("written.avi"), *b"MJPG", 30, two_faces);
    let (outcome, scenes) = run(VideoSource::open(&path).unwrap(), happy());
    assert_eq!(outcome.unwrap(), Ending::EndOfSource(None));
    assert_eq!(indices(&scenes), (0..30).collect::<Vec<_>>());
    let last = scenes.last().unwrap();
    assert_eq!((last.frame.image.cols(), last.frame.image.rows()), (fakes::WIDTH, fakes::HEIGHT));
    assert!(last.frame.media_time.abs_diff(media_time(29)) < Duration::from_millis(2));
    let ids: Vec<u32> = last.faces.iter().map(|face| face.id.0).collect();
    assert_eq!(ids, [1, 2]);
    assert!(last.timings.read > Duration::ZERO && last.timings.detect > Duration::ZERO);
}

#[test]
fn a_source_that_breaks_off_gives_what_came_before_and_then_its_error() {
    let (outcome, scenes) = run(FakeVideo::new(50).failing_at(17), happy());
    assert!(matches!(outcome, Err(PipelineError::Source(_))), "{outcome:?}");
    assert_eq!(indices(&scenes), (0..17).collect::<Vec<_>>());
}

#[test]
fn a_network_that_fails_gives_what_was_labelled_and_then_its_error() {
    let (outcome, scenes) = run(FakeVideo::new(10_000), happy().failing_at(4));
    assert!(matches!(outcome, Err(PipelineError::Classify(_))), "{outcome:?}");
    // Four calls succeeded, with eight frames each.
    assert_eq!(indices(&scenes), (0..32).collect::<Vec<_>>());
}

#[test]
fn a_thread_that_panics_is_an_error_after_what_was_labelled() {
    let (outcome, scenes) = run(FakeVideo::new(10_000), happy().panicking_at(4));
    let Err(PipelineError::Panicked(reason)) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("told to panic") && scenes.len() == 32);
}

#[test]
fn the_stop_flag_ends_the_run_after_what_was_read() {
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let video = Box::new(FakeVideo::new(100_000));
    let outcome = run_to_end::<PipelineError>(video, analyzer(), labeller(happy()), &stop, |scene| {
        seen.push(scene.frame.index);
        if scene.frame.index == 5 {
            stop.store(true, Ordering::Release);
        }
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(outcome.unwrap(), Ending::Stopped);
    assert!(seen.len() >= 6 && seen.is_sorted());
}

#[test]
fn the_caller_can_end_the_run() {
    let mut seen = 0;
    let stop = AtomicBool::new(false);
    let video = Box::new(FakeVideo::new(100_000));
    let outcome = run_to_end::<PipelineError>(video, analyzer(), labeller(happy()), &stop, |_| {
        seen += 1;
        Ok(if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    assert_eq!((outcome.unwrap(), seen), (Ending::Stopped, 3));
}

#[test]
fn what_the_caller_fails_with_ends_the_run_and_is_its_error() {
    let mut seen = 0;
    let stop = AtomicBool::new(false);
    let video = Box::new(FakeVideo::new(100_000));
    let outcome = run_to_end(video, analyzer(), labeller(happy()), &stop, |_| {
        seen += 1;
        anyhow::ensure!(seen < 3, "the disk is full");
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!((outcome.unwrap_err().to_string(), seen), ("the disk is full".to_owned(), 3));
}

#[test]
fn a_slow_caller_holds_the_source_back() {
    // One batch of 8: a frame with the caller, the others in the queue of labelled frames. The next batch of 8, one frame of which
    // still fits into that queue. A full queue of 8 before the network, and one frame in the capture thread.
    let ahead = 8 + 8 + 8 + 1;
    let video = FakeVideo::new(100);
    let reads = video.reads();
    let read = || reads.load(Ordering::SeqCst);
    let stop = AtomicBool::new(false);
    let outcome = run_to_end::<PipelineError>(Box::new(video), analyzer(), labeller(happy()), &stop, |scene| {
        if scene.frame.index == 0 {
            let deadline = Instant::now() + fakes::PATIENCE;
            while read() < ahead && Instant::now() < deadline {
                std::thread::yield_now();
            }
            // Enough time to read further ahead, which must not happen.
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(read(), ahead);
        }
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!((outcome.unwrap(), read()), (Ending::EndOfSource(None), 100));
}

#[test]
fn frames_of_a_batch_share_its_time() {
    let (outcome, scenes) = run(FakeVideo::new(9), happy());
    assert_eq!(outcome.unwrap(), Ending::EndOfSource(None));
    assert_eq!(indices(&scenes), (0..9).collect::<Vec<_>>());
    let shares: Vec<Duration> = scenes.iter().map(|scene| scene.timings.classify).collect();
    assert!(shares[0].is_zero() && shares[1].is_zero(), "frames without a shown face cost nothing: {shares:?}");
    assert!(shares[2..8].iter().all(|share| *share == shares[2] && !share.is_zero()), "{shares:?}");
}

/// Records how many faces each batch has, and takes `pause` for each batch.
struct Sizes {
    noted: Arc<Mutex<Vec<usize>>>,
    pause: Duration,
    network: FakeClassifier,
}

impl Classifier for Sizes {
    fn classes(&self) -> Classes {
        self.network.classes()
    }

    fn framing(&self) -> Framing {
        self.network.framing()
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        self.noted.lock().unwrap().push(crops.len());
        std::thread::sleep(self.pause);
        self.network.classify(crops)
    }
}

/// The sizes of the batches of a video whose frames arrive every `source`, with a network that takes `network` per batch.
fn batches(source: Duration, network: Duration) -> Vec<usize> {
    let noted = Arc::default();
    let sizes = Sizes { noted: Arc::clone(&noted), pause: network, network: happy() };
    let labeller = Labeller::new(Box::new(sizes), None);
    let video = Box::new(FakeVideo::new(50).slowed_by(source));
    let go_on = |_| Ok::<_, PipelineError>(ControlFlow::Continue(()));
    run_to_end(video, analyzer(), labeller, &AtomicBool::new(false), go_on).unwrap();
    let noted = noted.lock().unwrap();
    noted.clone()
}

#[test]
fn batches_are_the_same_whichever_side_is_slow() {
    // The first two frames have no confirmed face; the last two frames are left over.
    let expected = [6, 8, 8, 8, 8, 8, 2];
    let (at_once, slow) = (Duration::ZERO, Duration::from_millis(4));
    assert_eq!(batches(slow, at_once), expected);
    assert_eq!(batches(at_once, slow), expected);
}
