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
    /// The source can't be opened or read.
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
    /// A thread panicked because of a defect in Mien.
    #[error("a defect in Mien stopped it: {0}")]
    Panicked(String),
    /// The system can't start more threads.
    #[error("a thread can't be started: {0}; close other programs and try again")]
    Spawn(#[from] std::io::Error),
}

impl PipelineError {
    /// From the payload of a thread's panic.
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
    /// The video has ended; all its frames were sent before.
    End,
}

/// A frame on its way.
pub(super) struct Passage {
    pub(super) detected: Detected,
    /// How its faces were cut out.
    pub(super) framing: Framing,
    pub(super) ticket: Ticket,
}

/// Which stretch of a video a frame belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// Number of seeks before the frame.
    pub(super) generation: u64,
    /// Whether this is the very frame that a seek asked for.
    pub(super) landed: bool,
}

/// What the window's side and the two threads share.
pub(super) struct Shared {
    stop: AtomicBool,
    /// Number of seeks sent.
    generation: AtomicU64,
    /// Whether a network is loaded: until then, replaced frames don't count as dropped.
    labelling: AtomicBool,
    /// Whether the network wants upright crops.
    upright: AtomicBool,
    /// The device of a newly loaded network, until the capture thread has moved the detector there.
    device: Mutex<Option<DeviceChoice>>,
    latest: Mutex<Option<(Scene, Ticket)>>,
    meter: Mutex<Meter>,
    taps: Mutex<Taps>,
    /// Whether nothing more comes for now.
    still: AtomicBool,
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// The observers of a pipeline.
#[derive(Default)]
pub(super) struct Taps {
    /// Stay until the pipeline ends.
    pub(super) lasting: Vec<Arc<dyn Tap>>,
    /// Stays until it is removed or replaced.
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

    /// Begins a new stretch of the video: from now on, scenes of the previous one aren't given out.
    pub(super) fn begin_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a scene with this ticket may be given out. The frame that a seek landed on may, even if another seek was
    /// sent since: while a user drags the seek bar, the picture follows instead of standing still.
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        ticket.landed || ticket.generation == self.generation.load(Ordering::Acquire)
    }

    pub(super) fn set_labelling(&self) {
        self.labelling.store(true, Ordering::Release);
    }

    pub(super) fn is_labelling(&self) -> bool {
        self.labelling.load(Ordering::Acquire)
    }

    /// Sets which crops the capture thread makes. The inference thread crops the few frames on their way again.
    pub(super) fn set_framing(&self, framing: Framing) {
        self.upright.store(framing == Framing::Upright, Ordering::Release);
    }

    /// Notes that the network was loaded on this device, so that the detector moves there too.
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

    /// Sets whether nothing more comes for now, and tells the taps when that begins; `publish` repeats it after scenes still in flight.
    pub(super) fn set_still(&self, still: bool) {
        if self.still.swap(still, Ordering::AcqRel) != still && still {
            self.taps().each().for_each(|tap| tap.stands_still());
        }
    }

    /// Replaces the latest scene by this one, and wakes the window.
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
        // A scene that a seek made obsolete doesn't count as overtaken.
        if before.is_some_and(|(_, ticket)| self.is_current(ticket)) {
            self.meter().overtaken();
        }
        (self.wake)();
    }

    pub(super) fn take_scene(&self) -> Option<Scene> {
        let (scene, ticket) = self.latest.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.is_current(ticket).then_some(scene)
    }

    /// Reports an event to the window's side.
    pub(super) fn report(&self, event: Event) {
        // Sending fails only while the pipeline is being dropped.
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }
}

/// A named thread that can be joined with a time limit.
pub(super) struct Worker {
    name: &'static str,
    thread: JoinHandle<()>,
    ended: Receiver<Infallible>,
}

impl Worker {
    /// Starts a thread. If `body` fails or panics, [`Event::Failed`] reports it and the other threads are stopped.
    ///
    /// # Errors
    /// When the system can't start more threads.
    pub(super) fn spawn(
        name: &'static str,
        shared: &Arc<Shared>,
        body: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<Self, PipelineError> {
        let (alive, ended) = bounded(0);
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped when the thread ends, however it ends: that is the signal.
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

    /// Waits for the end of the thread until `deadline`. A thread that is still in a driver's call then is left to end by
    /// itself: its stop flag is set.
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
