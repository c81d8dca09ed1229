//! One visitor: the frame that waits, who was seen before, and the answers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use mien_core::classes::Classes;
use mien_core::probabilities::Probabilities;
use mien_vision::frame::Frame;
use mien_vision::pipeline::{Analyzer, Detected, Scene, SceneSmoother, Tap};
use tokio::sync::watch;

use super::Shared;
use super::recording::VisitorRecording;

/// A picture that was sent.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The sender's number of it.
    pub id: u32,
    /// The sender's time of it.
    pub t: f64,
    /// When it came.
    pub arrived_at: Instant,
    /// What was sent; the picture begins at `offset`.
    pub message: Bytes,
    /// Where the picture begins.
    pub offset: usize,
}

impl Submitted {
    pub(super) fn picture(&self) -> &[u8] {
        self.message.get(self.offset..).unwrap_or_default()
    }
}

/// What became of a picture.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Its faces.
    Scene {
        /// The sender's number.
        id: u32,
        /// The sender's time.
        t: f64,
        /// The faces.
        scene: Arc<Scene>,
    },
    /// Nothing, and why.
    Problem {
        /// The sender's number.
        id: u32,
        /// Why.
        failure: Failure,
    },
}

impl Answer {
    /// Whether it ends the visitor's session, whose tracker may be in any state.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Problem { failure: Failure::Failed(_) | Failure::Broken, .. })
    }
}

/// Why a picture has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be decoded.
    #[error("{0}")]
    NotPicture(String),
    /// It has too many pixels.
    #[error("{0}")]
    TooLarge(String),
    /// Something of ours failed.
    #[error("{0}")]
    Failed(String),
    /// It panicked.
    #[error("the server failed on this picture; please report it")]
    Broken,
}

/// What the threads know of a visitor.
pub(super) struct Place {
    waiting: Mutex<Option<Submitted>>,
    /// Whether it is in the queue or being worked on.
    has_turn: AtomicBool,
    analyzer: Mutex<Analyzer>,
    smoother: Mutex<SceneSmoother>,
    recording: Mutex<VisitorRecording>,
    answers: watch::Sender<Option<Answer>>,
    /// Frames that were worked on so far.
    frames: AtomicU64,
    /// From 1; `None` for a single picture.
    pub number: Option<u64>,
    pub began_at: Instant,
}

/// A panic ends the visitor's session, so poisoned state may be taken over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub fn take(&self) -> Option<Submitted> {
        lock(&self.waiting).take()
    }

    /// Whether it may be put into the queue.
    pub fn begin_waiting(&self) -> bool {
        !self.has_turn.swap(true, Ordering::SeqCst)
    }

    /// Whether it has to be put into the queue again.
    pub fn end_waiting(&self) -> bool {
        self.has_turn.store(false, Ordering::SeqCst);
        lock(&self.waiting).is_some()
    }

    /// The number of the next frame that is worked on: visitors' own numbers may be any.
    pub fn next_index(&self) -> u64 {
        self.frames.fetch_add(1, Ordering::Relaxed)
    }

    pub fn record(&self, frame: &Frame, begin: impl FnOnce(usize, usize) -> Option<Arc<dyn Tap>>) {
        lock(&self.recording).captured(frame, begin);
    }

    pub fn analyze(&self, frame: Frame) -> Result<Detected, Failure> {
        lock(&self.analyzer).analyze(frame).map_err(|error| Failure::Failed(error.to_string()))
    }

    pub fn scene(&self, detected: Detected, classes: Classes, probabilities: &[Probabilities]) -> Scene {
        let scene = lock(&self.smoother).scene(detected, classes, probabilities);
        lock(&self.recording).labelled(&scene);
        scene
    }

    /// Gives the newest answer in place of one that was not fetched. A fatal one stays: it has to end the session.
    pub fn answer(&self, answer: Answer) {
        self.answers.send_if_modified(|newest| {
            let is_over = newest.as_ref().is_some_and(Answer::is_fatal);
            if !is_over {
                *newest = Some(answer);
            }
            !is_over
        });
    }
}

/// A visitor's own end. Dropping it frees the place.
pub struct Visitor {
    place: Arc<Place>,
    shared: Arc<Shared>,
    answers: watch::Receiver<Option<Answer>>,
}

impl Visitor {
    pub(super) fn new(
        shared: Arc<Shared>,
        analyzer: Analyzer,
        smoothing: Option<Duration>,
        number: Option<u64>,
    ) -> Self {
        let (sender, answers) = watch::channel(None);
        let place = Place {
            waiting: Mutex::new(None),
            has_turn: AtomicBool::new(false),
            analyzer: Mutex::new(analyzer),
            smoother: Mutex::new(SceneSmoother::new(smoothing)),
            recording: Mutex::default(),
            answers: sender,
            frames: AtomicU64::new(0),
            number,
            began_at: Instant::now(),
        };
        Self { place: Arc::new(place), shared, answers }
    }

    /// Gives a frame to be looked at. One that still waits is replaced and counted as dropped.
    pub fn offer(&self, submitted: Submitted) {
        self.shared.metrics.received();
        if lock(&self.place.waiting).replace(submitted).is_some() {
            self.shared.metrics.dropped();
        } else {
            self.shared.ahead_of_network.fetch_add(1, Ordering::SeqCst);
        }
        self.shared.queue.push(&self.place);
    }

    /// Waits for the next answer; `None` if the engine ended.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answers.changed().await.ok()?;
        self.answers.borrow_and_update().clone()
    }

    /// Changes the smoothing; `None` is off.
    pub fn set_smoothing(&self, time_constant: Option<Duration>) {
        lock(&self.place.smoother).set_time_constant(time_constant);
    }
}
