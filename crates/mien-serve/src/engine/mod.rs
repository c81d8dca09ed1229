//! Analyses visitors' pictures: a few threads find faces, and one thread runs the network for all visitors.
//!
//! Each visitor has a place for one waiting frame, a tracker and a smoother. A newer frame replaces the waiting one. Visitors take turns,
//! one frame each, so that overload lowers everyone's rate equally.

mod detectors;
mod network;
mod queue;
mod recording;
mod visitor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use mien_core::crop::Framing;
use mien_core::pixels::PixelLimit;
use mien_core::track::TrackOptions;
use mien_net::classify::Classifier;
use mien_vision::detect::{DetectionOptions, ScheduledDetector};
use mien_vision::frame::Frame;
use mien_vision::pipeline::{Analyzer, Detected};
use tch::Device;

use self::detectors::DetectorPool;
use self::queue::Queue;
pub use self::recording::RecordVisitor;
use self::visitor::Place;
pub use self::visitor::{Answer, Failure, Submitted, Visitor};
use crate::metrics::Metrics;
use crate::picture::{self, PictureError};

/// Most threads that find faces; more would wait for the network's thread.
const MOST_THREADS: usize = 8;

/// Most frames that wait for the network: enough for two batches. When the queue is full, threads that find faces wait.
const WAITING_FOR_NETWORK: usize = 32;

/// How a visitor's frames are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// Consecutive frames of a camera.
    Camera,
    /// A single picture: each box is a face, and nothing is smoothed.
    Picture,
}

/// What frames pass through.
pub struct Stages {
    /// The network that all visitors share. It runs on its own thread.
    pub classifier: Box<dyn Classifier>,
    /// How faces are detected.
    pub detection: DetectionOptions,
    /// The device of a detector that is a network.
    pub device: Device,
    /// The largest picture that is decoded.
    pub limit: PixelLimit,
    /// Starts the recording of a visitor. With `None`, nothing that visitors send is stored.
    pub record_visitor: Option<RecordVisitor>,
}

/// A frame on its way to the network.
struct Passage {
    place: Arc<Place>,
    id: u32,
    t: f64,
    detected: Detected,
}

/// The threads, and what they share.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Queue,
    detectors: Arc<DetectorPool>,
    detection: DetectionOptions,
    /// The kind of crops that the network expects.
    framing: Framing,
    limit: PixelLimit,
    record_visitor: Option<RecordVisitor>,
    metrics: Arc<Metrics>,
    /// Frames whose faces haven't been found yet.
    ahead_of_network: AtomicUsize,
    /// The number of visitors with a camera so far.
    visitors: AtomicU64,
    stop: AtomicBool,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread can't be started or the detector can't be made.
    pub fn start(stages: Stages, metrics: Arc<Metrics>) -> Result<Self, EngineError> {
        let Stages { classifier, detection, device, limit, record_visitor } = stages;
        let detectors = Arc::new(DetectorPool::new(detection, device)?);
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            detectors,
            detection,
            framing: classifier.framing(),
            limit,
            record_visitor,
            metrics,
            ahead_of_network: AtomicUsize::new(0),
            visitors: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let (sender, receiver) = bounded(WAITING_FOR_NETWORK);
        let mut engine = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        let for_network = Arc::clone(&shared);
        engine.threads.push(
            thread::Builder::new()
                .name("mien-network".to_owned())
                .spawn(move || network::run(classifier, &receiver, &for_network))?,
        );
        let cores = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        for number in 0..cores {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            let thread = thread::Builder::new().name(format!("mien-faces-{number}"));
            engine.threads.push(thread.spawn(move || find_faces(&shared, &sender))?);
        }
        Ok(engine)
    }

    /// Adds a visitor.
    pub fn visitor(&self, following: Following, smoothing: Option<Duration>) -> Visitor {
        let tracking = match following {
            Following::Camera => TrackOptions::default(),
            Following::Picture => TrackOptions::for_single_pictures(),
        };
        let detector = ScheduledDetector::new(self.shared.detectors.detector(), &self.shared.detection);
        let mut analyzer = Analyzer::new(detector, tracking, false);
        analyzer.set_framing(self.shared.framing);
        let number = (following == Following::Camera).then(|| self.shared.visitors.fetch_add(1, Ordering::Relaxed) + 1);
        Visitor::new(Arc::clone(&self.shared), analyzer, smoothing, number)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.queue.close();
        for thread in self.threads.drain(..) {
            // The thread caught its own panics, and there is nobody to report another one to.
            thread.join().ok();
        }
    }
}

/// Why the engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A thread can't be started.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The detector can't be made.
    #[error(transparent)]
    Detector(#[from] mien_core::detection::DetectError),
}

/// Finds faces until the engine ends. Each detector thread runs this.
fn find_faces(shared: &Shared, network: &Sender<Passage>) {
    // libtorch keeps this number for each thread. A second one would only compete with the other detector threads.
    mien_net::torch::use_threads(1);
    if let Err(error) = opencv::core::set_num_threads(1) {
        tracing::warn!("OpenCV keeps its threads: {error}");
    }
    while let Some(place) = shared.queue.next() {
        if let Some(submitted) = place.take() {
            let (id, t) = (submitted.id, submitted.t);
            // A panic ends only this visitor's session.
            let found = catch_unwind(AssertUnwindSafe(|| find(shared, &place, &submitted)));
            // Before sending, because the network's thread waits as long as others are ahead of it.
            shared.ahead_of_network.fetch_sub(1, Ordering::SeqCst);
            match found.unwrap_or_else(|_panic| Err(Failure::Broken)) {
                Ok(detected) => {
                    let passage = Passage { place: Arc::clone(&place), id, t, detected };
                    if network.send(passage).is_err() {
                        return;
                    }
                }
                Err(failure) => {
                    let problem = Answer::Problem { id, failure };
                    if problem.is_fatal() {
                        shared.metrics.failed();
                    } else {
                        shared.metrics.refused();
                    }
                    place.answer(problem);
                }
            }
        }
        shared.queue.done(&place);
    }
}

fn find(shared: &Shared, place: &Place, submitted: &Submitted) -> Result<Detected, Failure> {
    let image = picture::decode(submitted.picture(), shared.limit)?;
    let media_time = submitted.arrived_at.saturating_duration_since(place.began_at);
    let frame = Frame { index: place.next_index(), media_time, captured_at: submitted.arrived_at, image: image.into() };
    if let Some((begin, number)) = shared.record_visitor.as_ref().zip(place.number) {
        place.record(&frame, |width, height| begin(number, width, height));
    }
    place.analyze(frame)
}

impl From<PictureError> for Failure {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::TooLarge(_) => Self::TooLarge(error.to_string()),
            PictureError::NotPicture => Self::NotPicture(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
