//! Records what passes through a running pipeline, on a thread of its own: encoding and disk cost no analysed frame.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, unbounded};
use jiff::ZonedDateTime;
use serde::Serialize;

use super::Counts;
use super::feed::Feed;
use super::files::RecordingError;
use super::sleep::{SessionClock, SleptFor, slept_for};
use super::space::{Filling, FreeSpace, Space};
use super::thread::{Moment, Thread};
use crate::blur::{Blur, Blurrer};
use crate::detect::DetectionOptions;
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Tap};
use crate::source::SourceInfo;

/// Memory for pictures that wait for the disk, in bytes: four seconds of a usual webcam. Hard disks stop for a second
/// at times.
const QUEUE_BYTES: usize = 128 << 20;

/// Fewest and most pictures that wait: large ones need a few places too, and small ones no more than some seconds'.
const QUEUE: std::ops::RangeInclusive<usize> = 8..=300;

/// Rows and marks that wait: half a minute of them, far more than a disk stands still.
const NOTES: usize = 1024;

/// A disk that needs longer for what is waiting doesn't hold the window up. Counts from the moment when the end was asked for.
pub const END_WITHIN: Duration = Duration::from_secs(8);

/// Minimum wait in [`SessionWriter::finish`], also where the end was asked for long before.
const LEAST_WAIT: Duration = Duration::from_secs(2);

/// How users are told that the disk is full.
const DISK_FULL: &str = "the disk is full";

/// What a recording is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The camera, as it was opened.
    pub source: SourceInfo,
    /// What labels the faces.
    pub network: NetworkInUse,
    /// Time constant of the smoothing; `None` is off.
    pub smoothing: Option<Duration>,
    /// How faces are looked for.
    pub detection: DetectionOptions,
    /// What is blurred before it is written. Then the video has those frames alone on which faces were looked for.
    pub blur: Option<Blur>,
}

/// What a writer reports, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordingEvent {
    /// It records to this folder.
    Started(PathBuf),
    /// A mark is on the disk.
    Marked {
        /// The moment.
        at: Instant,
        /// What is said of it.
        text: String,
    },
    /// Something that the user should know while it runs.
    Warning(String),
    /// It ended; the folder can be opened.
    Ended {
        /// Where it is.
        folder: PathBuf,
        /// What came of it.
        counts: Counts,
        /// Why, if nobody asked for the end or not everything could be completed.
        reason: Option<EndReason>,
    },
    /// It could not begin.
    Failed(EndReason),
}

impl RecordingEvent {
    /// Whether it is the last one of its recording.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Failed(_))
    }
}

/// Why a recording ended by itself, isn't complete, or could not begin. In JSON it is its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EndReason {
    /// For the user.
    pub words: String,
    /// Whether the disk is full; it may have room later.
    #[serde(skip)]
    pub is_disk_full: bool,
}

impl EndReason {
    /// A reason other than a full disk.
    pub fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_disk_full: false }
    }

    /// The disk is full, but for the space that may be kept free.
    pub(super) fn no_room() -> Self {
        Self { words: DISK_FULL.to_owned(), is_disk_full: true }
    }
}

impl From<&RecordingError> for EndReason {
    fn from(error: &RecordingError) -> Self {
        if error.is_full_disk() {
            return Self { words: format!("{DISK_FULL}: {error}"), is_disk_full: true };
        }
        Self::new(error.to_string())
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since it began, also while the computer slept.
    pub elapsed: Duration,
    /// Frames in the video.
    pub frames: u64,
    /// Frames that the disk or the processor were too slow for.
    pub lost: u64,
}

/// A running recording. Dropping it ends it.
pub struct SessionWriter {
    feed: Arc<Feed>,
    events: Receiver<RecordingEvent>,
    thread: Option<JoinHandle<()>>,
    /// Whether the last mark of [`Self::note`] says that the camera was lost.
    camera_lost: bool,
}

impl SessionWriter {
    /// Starts to record into a new folder in `parent`. Returns at once; what comes of it is told by [`Self::events`]. `wake` is
    /// called after each event.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(parent: PathBuf, subject: Subject, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::start_on(parent, subject, Box::new(FreeSpace), Box::new(slept_for), wake)
    }

    /// As [`Self::start`]. Free space and time slept come from the caller, for tests.
    pub(super) fn start_on(
        parent: PathBuf,
        subject: Subject,
        space: Box<dyn Space>,
        slept_for: SleptFor,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let SourceInfo { width, height, .. } = subject.source;
        let places = QUEUE_BYTES / (width * height * 3).max(1);
        let (shots, waiting_shots) = bounded(places.clamp(*QUEUE.start(), *QUEUE.end()));
        let (notes, waiting_notes) = bounded(NOTES);
        // No bound: events are rare, and each counts.
        let (event_sender, events) = unbounded();
        let began = Moment { clock: Instant::now(), calendar: ZonedDateTime::now() };
        let feed = Arc::new(Feed::new(began.clock, subject.blur.is_some(), shots, notes));
        let mut thread = Thread {
            feed: Arc::clone(&feed),
            shots: waiting_shots,
            notes: waiting_notes,
            clock: SessionClock::new(began.clock, slept_for),
            space,
            filling: Filling::default(),
            space_due: Instant::now(),
            space_warned: false,
            blurrer: subject.blur.map(Blurrer::new),
            last_frame: None,
            last_labelled: None,
            report: Box::new(move |event| {
                // Nobody listens any more when the writer was dropped.
                if event_sender.send(event).is_ok() {
                    wake();
                }
            }),
        };
        let work = move || {
            // Without an end event it would look as if it ran forever.
            if panic::catch_unwind(AssertUnwindSafe(|| thread.run(&parent, subject, &began))).is_err() {
                thread.report_crash();
            }
        };
        let thread = std::thread::Builder::new().name("mien-recording".to_owned()).spawn(work)?;
        Ok(Self { feed, events, thread: Some(thread), camera_lost: false })
    }

    /// For [`crate::pipeline::Live::set_tap`].
    pub fn tap(&self) -> Arc<dyn Tap> {
        self.feed.clone()
    }

    /// Marks a moment. [`RecordingEvent::Marked`] says that it is on the disk.
    pub fn mark(&self, at: Instant, text: String) {
        self.feed.mark(at, text);
    }

    /// Marks where the camera is lost, and where it is back.
    pub fn note(&mut self, event: &Event) {
        let is_lost = match event {
            Event::CameraLost { .. } => true,
            Event::Opened(_) => false,
            _ => return,
        };
        // Each try that fails reports the loss again.
        if std::mem::replace(&mut self.camera_lost, is_lost) != is_lost {
            self.mark(Instant::now(), if is_lost { "camera: lost" } else { "camera: back" }.to_owned());
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let slept = Duration::from_millis(self.feed.slept_millis.load(Ordering::Relaxed));
        Progress {
            elapsed: self.feed.began.elapsed() + slept,
            frames: self.feed.frames.load(Ordering::Relaxed),
            lost: self.feed.lost.load(Ordering::Relaxed),
        }
    }

    /// What happened since the last call, without waiting.
    pub fn events(&self) -> impl Iterator<Item = RecordingEvent> + '_ {
        self.events.try_iter()
    }

    /// Asks for the end. [`RecordingEvent::Ended`] comes when everything is on the disk.
    pub fn end(&self) {
        self.feed.end();
    }

    /// Ends it and waits until everything is on the disk, though not longer than [`END_WITHIN`] from when the end was first asked
    /// for, or two seconds from now; gives the events that were not fetched. What is late is still written while the program runs.
    pub fn finish(self) -> Vec<RecordingEvent> {
        let deadline = self.deadline();
        self.finish_by(deadline)
    }

    fn finish_by(mut self, deadline: Instant) -> Vec<RecordingEvent> {
        self.wait(deadline)
    }

    /// Asks for the end, and gives until when it is waited for.
    fn deadline(&self) -> Instant {
        (self.feed.end() + END_WITHIN).max(Instant::now() + LEAST_WAIT)
    }

    fn wait(&mut self, deadline: Instant) -> Vec<RecordingEvent> {
        self.end();
        let mut events = Vec::new();
        loop {
            match self.events.recv_deadline(deadline) {
                Ok(event) => events.push(event),
                // The thread has gone, and its end of the channel with it.
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(thread) = self.thread.take()
                        && thread.join().is_err()
                    {
                        tracing::error!("the recording ended unexpectedly; what it wrote before can be read");
                    }
                    return events;
                }
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!("the disk is slow; the recording ends later");
                    // It goes on by itself, and isn't waited for a second time.
                    drop(self.thread.take());
                    if !events.iter().any(RecordingEvent::is_end) {
                        events.push(self.feed.ended_without_a_word("the disk is too slow, so it may be incomplete"));
                    }
                    return events;
                }
            }
        }
    }
}

impl Drop for SessionWriter {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let deadline = self.deadline();
            self.wait(deadline);
        }
    }
}

#[cfg(test)]
mod tests;
