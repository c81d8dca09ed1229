//! The engine's threads with a fake network.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use axum::body::Bytes;
use mien_core::classes::Classes;
use mien_core::crop::{FaceCrop, Framing};
use mien_core::emotion::{COUNT, Emotion};
use mien_core::probabilities::Probabilities;
use mien_net::classify::ClassifyError;
use opencv::core::{CV_8UC3, Mat, Scalar};

use super::*;

/// Labels every face happy, and records the size of each batch. The first batch waits for `go`, and the first `panics` batches panic.
struct Fake {
    batches: Arc<Mutex<Vec<usize>>>,
    go: Option<mpsc::Receiver<()>>,
    panics: usize,
}

impl Classifier for Fake {
    fn classes(&self) -> Classes {
        Classes::emotions()
    }

    fn framing(&self) -> Framing {
        Framing::Box
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if let Some(go) = self.go.take() {
            go.recv().ok();
        }
        let number = {
            let mut batches = self.batches.lock().unwrap();
            batches.push(crops.len());
            batches.len()
        };
        assert!(number > self.panics, "as asked");
        let mut weights = [0.0; COUNT];
        weights[Emotion::Happy.index()] = 1.0;
        Ok(vec![Probabilities::from_weights(&weights).unwrap(); crops.len()])
    }
}

fn engine(fake: Fake) -> (Engine, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let (classifier, detection, limit) = (Box::new(fake), DetectionOptions::default(), crate::limits::MAX_PIXELS);
    let stages = Stages { classifier, detection, device: Device::Cpu, limit, record_visitor: None };
    (Engine::start(stages, Arc::clone(&metrics)).unwrap(), metrics)
}

fn fake() -> Fake {
    Fake { batches: Arc::default(), go: None, panics: 0 }
}

fn gray_jpeg() -> Bytes {
    let gray = Mat::new_rows_cols_with_default(120, 160, CV_8UC3, Scalar::all(90.0)).unwrap();
    picture::encode(&gray).unwrap().into()
}

fn frame(id: u32, message: Bytes) -> Submitted {
    Submitted { id, t: f64::from(id), arrived_at: Instant::now(), message, offset: 0 }
}

/// How many pictures could not be read, and on how many the server failed.
fn refused_and_failed(metrics: &Metrics) -> [u32; 2] {
    let text = metrics.text(0);
    ["mien_refused_total ", "mien_failed_total "]
        .map(|name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap())
}

async fn next(visitor: &mut Visitor) -> Answer {
    tokio::time::timeout(Duration::from_secs(20), visitor.answer()).await.expect("no answer came").unwrap()
}

#[tokio::test]
async fn each_visitor_gets_the_answer_to_their_own_picture() {
    let (engine, _metrics) = engine(fake());
    let mut visitors: Vec<_> = (0..5).map(|_| engine.visitor(Following::Camera, None)).collect();
    for (number, visitor) in (0..).zip(&visitors) {
        visitor.offer(frame(number, gray_jpeg()));
    }
    for (number, visitor) in (0..).zip(&mut visitors) {
        let Answer::Scene { id, scene, .. } = next(visitor).await else { panic!("a gray picture is one") };
        assert_eq!((id, scene.frame.width(), scene.faces.len()), (number, 160, 0));
    }
}

#[tokio::test]
async fn what_is_no_picture_is_told_to_its_sender_alone() {
    let (engine, metrics) = engine(fake());
    let (mut one, mut other) = (engine.visitor(Following::Camera, None), engine.visitor(Following::Picture, None));
    one.offer(frame(1, Bytes::from_static(b"\xff\xd8\xff no JPEG")));
    other.offer(frame(2, gray_jpeg()));
    assert!(matches!(next(&mut one).await, Answer::Problem { id: 1, failure: Failure::NotPicture(_) }));
    assert!(matches!(next(&mut other).await, Answer::Scene { id: 2, .. }));
    // The session goes on.
    one.offer(frame(3, gray_jpeg()));
    assert!(matches!(next(&mut one).await, Answer::Scene { id: 3, .. }));
    assert_eq!(refused_and_failed(&metrics), [1, 0]);
}

#[tokio::test]
async fn frames_that_come_while_one_is_worked_on_are_dropped_but_for_the_newest() {
    let (go, wait) = mpsc::channel();
    let (engine, metrics) = engine(Fake { go: Some(wait), ..fake() });
    let mut visitor = engine.visitor(Following::Camera, None);
    let jpeg = gray_jpeg();
    for id in 0..500 {
        visitor.offer(frame(id, jpeg.clone()));
    }
    go.send(()).unwrap();
    loop {
        if matches!(next(&mut visitor).await, Answer::Scene { id: 499, .. }) {
            break;
        }
    }
    let text = metrics.text(0);
    let dropped = text.lines().find_map(|line| line.strip_prefix("mien_dropped_total ")).unwrap();
    assert!(dropped.parse::<u32>().unwrap() > 400, "{text}");
}

#[tokio::test]
async fn a_network_that_panics_ends_sessions_and_not_the_server() {
    let (engine, metrics) = engine(Fake { panics: 2, ..fake() });
    for _ in 0..2 {
        let mut visitor = engine.visitor(Following::Camera, None);
        visitor.offer(frame(7, gray_jpeg()));
        assert!(matches!(next(&mut visitor).await, Answer::Problem { id: 7, failure: Failure::Failed(_) }));
    }
    assert_eq!(refused_and_failed(&metrics), [0, 2]);
}

#[tokio::test]
async fn a_failure_that_ends_the_session_is_told_even_if_later_pictures_were_answered() {
    let batches = Arc::default();
    let (engine, _metrics) = engine(Fake { batches: Arc::clone(&batches), panics: 1, ..fake() });
    let mut visitor = engine.visitor(Following::Camera, None);
    for id in 1..=3 {
        visitor.offer(frame(id, gray_jpeg()));
        let deadline = Instant::now() + Duration::from_secs(20);
        // Batches are processed one after another, so the previous picture has been answered by then.
        while batches.lock().unwrap().len() < id as usize {
            assert!(Instant::now() < deadline, "picture {id} didn't reach the network");
            thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(matches!(next(&mut visitor).await, Answer::Problem { id: 1, failure: Failure::Failed(_) }));
}
