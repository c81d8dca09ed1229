//! Records a running pipeline on a separate thread, so that encoding and the disk cost no analysed frame.

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
use super::waiting::Waiting;
use crate::blur::{Blur, Blurrer};
use crate::detect::DetectionOptions;
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Tap};
use crate::source::SourceInfo;

/// Maximum number of waiting pictures: small ones need only some seconds' worth, less than [`Waiting`] has memory for.
const SHOTS: usize = 300;

/// Maximum number of waiting rows and marks: half a minute's worth, far longer than a disk stalls.
const NOTES: usize = 1024;

/// How long to wait for the disk, from when the end was requested. A slower one doesn't hold up the window.
pub const END_WITHIN: Duration = Duration::from_secs(8);

/// Minimum wait in [`SessionWriter::finish`], even if the end was requested long before.
const LEAST_WAIT: Duration = Duration::from_secs(2);

/// How users are told that the disk is full.
const DISK_FULL: &str = "the disk is full";

/// What is recorded, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The camera, as it was opened.
    pub source: SourceInfo,
    /// The network that labels the faces.
    pub network: NetworkInUse,
    /// Time constant of the smoothing; `None` is off.
    pub smoothing: Option<Duration>,
    /// How faces are detected.
    pub detection: DetectionOptions,
    /// What is blurred before it is written. If anything is, the video has only the analysed frames.
    pub blur: Option<Blur>,
}

/// What a writer reports, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordingEvent {
    /// The recording to this folder has started.
    Started(PathBuf),
    /// A mark is on the disk.
    Marked {
        /// The moment.
        at: Instant,
        /// Its text.
        text: String,
    },
    /// Something that the user should know while it runs.
    Warning(String),
    /// It ended; the folder can be opened.
    Ended {
        /// Where it is.
        folder: PathBuf,
        /// Totals of the recording.
        counts: Counts,
        /// Why, if nobody requested the end or not everything could be completed.
        reason: Option<EndReason>,
    },
    /// It could not be started.
    Failed(EndReason),
}

impl RecordingEvent {
    /// Whether it is the last event of its recording.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Failed(_))
    }
}

/// Why a recording ended by itself, is incomplete, or could not be started. In JSON, only its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EndReason {
    /// Text for the user.
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

    /// The disk is full, apart from the reserve that is kept free.
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

/// Progress of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Time since it began, including any sleep of the computer.
    pub elapsed: Duration,
    /// Frames in the video.
    pub frames: u64,
    /// Frames for which the disk or the processor was too slow.
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
    /// Starts recording into a new folder in `parent`. Pictures wait for the disk in `waiting`. Returns at once; [`Self::events`]
    /// reports the outcome. `wake` is called after each event.
    ///
    /// # Errors
    /// When the system can't start another thread.
    pub fn start(
        parent: PathBuf,
        subject: Subject,
        waiting: Waiting,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        Self::start_on(parent, subject, waiting, Box::new(FreeSpace), Box::new(slept_for), wake)
    }

    /// As [`Self::start`]. Free space and time slept come from the caller, for tests.
    pub(super) fn start_on(
        parent: PathBuf,
        subject: Subject,
        waiting: Waiting,
        space: Box<dyn Space>,
        slept_for: SleptFor,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (shots, waiting_shots) = bounded(SHOTS);
        let (notes, waiting_notes) = bounded(NOTES);
        // No bound: events are rare, and each counts.
        let (event_sender, events) = unbounded();
        let began = Moment { clock: Instant::now(), calendar: ZonedDateTime::now() };
        let feed = Arc::new(Feed::new(began.clock, subject.blur.is_some(), shots, waiting, notes));
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
                // Fails once the writer was dropped.
                if event_sender.send(event).is_ok() {
                    wake();
                }
            }),
        };
        let work = move || {
            // Without an end event, it would seem to run forever.
            if panic::catch_unwind(AssertUnwindSafe(|| thread.run(&parent, subject, &began))).is_err() {
                thread.report_crash();
            }
        };
        let thread = std::thread::Builder::new().name("mien-recording".to_owned()).spawn(work)?;
        Ok(Self { feed, events, thread: Some(thread), camera_lost: false })
    }

    /// The tap for [`crate::pipeline::Live::set_tap`].
    pub fn tap(&self) -> Arc<dyn Tap> {
        self.feed.clone()
    }

    /// Marks a moment. [`RecordingEvent::Marked`] reports that it is on the disk.
    pub fn mark(&self, at: Instant, text: String) {
        self.feed.mark(at, text);
    }

    /// Marks when the camera is lost, and when it is back.
    pub fn note(&mut self, event: &Event) {
        let is_lost = match event {
            Event::CameraLost { .. } => true,
            Event::Opened(_) => false,
            _ => return,
        };
        // Each failed retry reports the loss again.
        if std::mem::replace(&mut self.camera_lost, is_lost) != is_lost {
            self.mark(Instant::now(), if is_lost { "camera: lost" } else { "camera: back" }.to_owned());
        }
    }

    /// Its progress.
    pub fn progress(&self) -> Progress {
        let slept = Duration::from_millis(self.feed.slept_millis.load(Ordering::Relaxed));
        Progress {
            elapsed: self.feed.began.elapsed() + slept,
            frames: self.feed.frames.load(Ordering::Relaxed),
            lost: self.feed.lost.load(Ordering::Relaxed),
        }
    }

    /// The events since the last call. Doesn't wait for any.
    pub fn events(&self) -> impl Iterator<Item = RecordingEvent> + '_ {
        self.events.try_iter()
    }

    /// Requests the end. [`RecordingEvent::Ended`] comes when everything is on the disk.
    pub fn end(&self) {
        self.feed.end();
    }

    /// Ends the recording and waits until everything is on the disk, at most until [`END_WITHIN`] after the end was first
    /// requested or two seconds from now, whichever is later. Returns the remaining events. What is late is still written
    /// while the program runs.
    pub fn finish(self) -> Vec<RecordingEvent> {
        let deadline = self.deadline();
        self.finish_by(deadline)
    }

    fn finish_by(mut self, deadline: Instant) -> Vec<RecordingEvent> {
        self.wait(deadline)
    }

    /// Requests the end, and returns until when to wait for it.
    fn deadline(&self) -> Instant {
        (self.feed.end() + END_WITHIN).max(Instant::now() + LEAST_WAIT)
    }

    fn wait(&mut self, deadline: Instant) -> Vec<RecordingEvent> {
        self.end();
        let mut events = Vec::new();
        loop {
            match self.events.recv_deadline(deadline) {
                Ok(event) => events.push(event),
                // The thread has ended, which closed its end of the channel.
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
                    // The thread continues by itself; `drop` must not wait for it again.
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
