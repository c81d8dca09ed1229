//! One visitor: the waiting frame, the tracked faces, and the answers.

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

/// A picture that a visitor sent.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The sender's number for it.
    pub id: u32,
    /// The sender's time for it.
    pub t: f64,
    /// When it arrived.
    pub arrived_at: Instant,
    /// The message as it was sent.
    pub message: Bytes,
    /// Where the picture begins in `message`.
    pub offset: usize,
}

impl Submitted {
    pub(super) fn picture(&self) -> &[u8] {
        self.message.get(self.offset..).unwrap_or_default()
    }
}

/// The result for a picture.
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
    /// It couldn't be analysed.
    Problem {
        /// The sender's number.
        id: u32,
        /// Why.
        failure: Failure,
    },
}

impl Answer {
    /// Whether it ends the visitor's session, because the tracker may be in an inconsistent state.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Problem { failure: Failure::Failed(_) | Failure::Broken, .. })
    }
}

/// Why a picture couldn't be analysed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be decoded.
    #[error("{0}")]
    NotPicture(String),
    /// It has too many pixels.
    #[error("{0}")]
    TooLarge(String),
    /// The detector or the network failed.
    #[error("{0}")]
    Failed(String),
    /// The code that finds faces panicked.
    #[error("the server failed on this picture; please report it")]
    Broken,
}

/// A visitor's state, as the engine's threads see it.
pub(super) struct Place {
    waiting: Mutex<Option<Submitted>>,
    /// Whether it is queued or being processed.
    has_turn: AtomicBool,
    analyzer: Mutex<Analyzer>,
    smoother: Mutex<SceneSmoother>,
    recording: Mutex<VisitorRecording>,
    answers: watch::Sender<Option<Answer>>,
    /// The number of frames processed so far.
    frames: AtomicU64,
    /// The visitor's number, from 1; `None` for a single picture.
    pub number: Option<u64>,
    pub began_at: Instant,
}

/// Ignores poisoning: a panic ends the visitor's session anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub fn take(&self) -> Option<Submitted> {
        lock(&self.waiting).take()
    }

    /// Marks it as having a turn; returns false if it has one already and must not be queued again.
    pub fn begin_waiting(&self) -> bool {
        !self.has_turn.swap(true, Ordering::SeqCst)
    }

    /// Ends its turn; returns true if another frame waits and it must be queued again.
    pub fn end_waiting(&self) -> bool {
        self.has_turn.store(false, Ordering::SeqCst);
        lock(&self.waiting).is_some()
    }

    /// Returns the index for the next frame that is processed. The visitors' own numbers can be anything.
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

    /// Publishes an answer, replacing one that hasn't been fetched. A fatal one is kept, because it must end the session.
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

/// The handle to a visitor. Dropping it removes the visitor.
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

    /// Submits a frame. One that still waits is replaced and counted as dropped.
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
