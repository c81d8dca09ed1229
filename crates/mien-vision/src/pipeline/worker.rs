//! What the threads of a running pipeline share, and how they start and end.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::statistics::Meter;
use super::{AnalyzeError, Detected, Event, Scene, Tap};
use crate::source::SourceError;
use mien_core::crop::Framing;
use mien_core::detection::DetectError;
use mien_net::classify::ClassifyError;
use mien_net::device::DeviceChoice;

/// Why a pipeline can't continue, worded for the user.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The source can't be opened or read on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A frame can't be converted or searched.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// The detector can't be made.
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The network can't be loaded.
    #[error("{0:#}")]
    Load(anyhow::Error),
    /// The network failed on a frame.
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    /// A thread broke off by a defect in Mien.
    #[error("a defect in Mien stopped it: {0}")]
    Panicked(String),
    /// The system gives no more threads.
    #[error("a thread can't be started: {0}; close other programs and try again")]
    Spawn(#[from] std::io::Error),
}

impl PipelineError {
    /// From what a thread panicked with.
    pub(super) fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "no reason given".to_owned()))
    }
}

/// What goes from the capture thread to the inference thread.
pub(super) enum Message {
    /// A frame to label.
    Frame(Box<Passage>),
    /// The video is at its end; all its frames came before.
    End,
}

/// A frame on its way.
pub(super) struct Passage {
    pub(super) detected: Detected,
    pub(super) ticket: Ticket,
}

/// To which stretch of a video a frame belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// How many seeks came before.
    pub(super) generation: u64,
    /// Whether this is the very frame that a seek asked for.
    pub(super) landed: bool,
}

/// What the window's side and the two threads share.
pub(super) struct Shared {
    stop: AtomicBool,
    /// Number of seeks sent.
    generation: AtomicU64,
    /// Whether a network is loaded: until then no frame can be late.
    labelling: AtomicBool,
    /// Whether the network wants upright crops.
    upright: AtomicBool,
    /// Where the network runs since it was loaded anew, until the capture thread has seen to it.
    device: Mutex<Option<DeviceChoice>>,
    latest: Mutex<Option<(Scene, Ticket)>>,
    meter: Mutex<Meter>,
    taps: Mutex<Taps>,
    /// Whether nothing more comes for now.
    still: AtomicBool,
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// Who sees what passes.
#[derive(Default)]
pub(super) struct Taps {
    /// From when they came to the end.
    pub(super) lasting: Vec<Arc<dyn Tap>>,
    /// Until it is taken away, or another one comes.
    pub(super) passing: Option<Arc<dyn Tap>>,
}

impl Taps {
    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<dyn Tap>> {
        self.lasting.iter().chain(&self.passing)
    }
}

impl Shared {
    pub(super) fn new(events: Sender<Event>, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            stop: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            labelling: AtomicBool::new(false),
            upright: AtomicBool::new(false),
            device: Mutex::new(None),
            latest: Mutex::new(None),
            meter: Mutex::new(Meter::default()),
            taps: Mutex::default(),
            still: AtomicBool::new(false),
            events,
            wake,
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Begins a new stretch of the video: scenes of the one before are not given out from now on.
    pub(super) fn begin_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a scene with this ticket may be given out. The frame that a seek landed on may even when another seek
    /// was sent since: while a user drags the seek bar, the picture follows instead of standing still.
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        ticket.landed || ticket.generation == self.generation.load(Ordering::Acquire)
    }

    pub(super) fn set_labelling(&self) {
        self.labelling.store(true, Ordering::Release);
    }

    pub(super) fn is_labelling(&self) -> bool {
        self.labelling.load(Ordering::Acquire)
    }

    /// Tells the capture thread which crops to make. The few frames on the way still have the others.
    pub(super) fn set_framing(&self, framing: Framing) {
        self.upright.store(framing == Framing::Upright, Ordering::Release);
    }

    /// The network was loaded on this device: the detector goes there too.
    pub(super) fn set_device(&self, device: DeviceChoice) {
        *self.device.lock().unwrap_or_else(PoisonError::into_inner) = Some(device);
    }

    pub(super) fn take_device(&self) -> Option<DeviceChoice> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn framing(&self) -> Framing {
        if self.upright.load(Ordering::Acquire) { Framing::Upright } else { Framing::Box }
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn taps(&self) -> MutexGuard<'_, Taps> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether the stream is idle and tells the taps once per change; `publish` repeats it after scenes still in flight.
    pub(super) fn set_still(&self, still: bool) {
        if self.still.swap(still, Ordering::AcqRel) != still && still {
            self.taps().each().for_each(|tap| tap.stands_still());
        }
    }

    /// Puts out a scene in place of the one before and wakes the window.
    pub(super) fn publish(&self, scene: Scene, ticket: Ticket) {
        let age = scene.labelled_at.saturating_duration_since(scene.frame.captured_at);
        self.meter().labelled(scene.labelled_at, age);
        for tap in self.taps().each() {
            tap.labelled(&scene);
            if self.still.load(Ordering::Acquire) {
                tap.stands_still();
            }
        }
        let before = self.latest.lock().unwrap_or_else(PoisonError::into_inner).replace((scene, ticket));
        // What a seek made void isn't missed by anybody.
        if before.is_some_and(|(_, ticket)| self.is_current(ticket)) {
            self.meter().overtaken();
        }
        (self.wake)();
    }

    pub(super) fn take_scene(&self) -> Option<Scene> {
        let (scene, ticket) = self.latest.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.is_current(ticket).then_some(scene)
    }

    /// Tells the window's side what happened.
    pub(super) fn report(&self, event: Event) {
        // Nobody listens any more while the pipeline is being dropped.
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }
}

/// A named thread whose end can be waited for with a limit.
pub(super) struct Worker {
    name: &'static str,
    thread: JoinHandle<()>,
    ended: Receiver<Infallible>,
}

impl Worker {
    /// Starts a thread. If `body` fails or panics, [`Event::Failed`] says so and the others are told to stop.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(super) fn spawn(
        name: &'static str,
        shared: &Arc<Shared>,
        body: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<Self, PipelineError> {
        let (alive, ended) = bounded(0);
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped with the thread, however it ends: that is the signal.
            let _alive: Sender<Infallible> = alive;
            let outcome = catch_unwind(AssertUnwindSafe(body));
            if let Err(error) = outcome.unwrap_or_else(|payload| Err(PipelineError::from_panic(payload.as_ref()))) {
                shared.stop();
                shared.report(Event::Failed(error.to_string()));
                shared.set_still(true);
            }
        })?;
        Ok(Self { name, thread, ended })
    }

    /// Waits for the end of the thread until `deadline`. One that sits in a driver's call any longer is left to end by
    /// itself: it has been told to.
    pub(super) fn join(self, deadline: Instant) {
        match self.ended.recv_deadline(deadline) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Disconnected) => {
                // The thread has caught and reported its own panic.
                drop(self.thread.join());
            }
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("thread {} is still busy with a driver and ends later", self.name);
            }
        }
    }
}
