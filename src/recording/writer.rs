//! Records what passes through a running pipeline, on a thread of its own: encoding and disk cost no analysed frame.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select, unbounded};
use jiff::ZonedDateTime;
use opencv::core::Mat;

use super::feed::{Feed, Note, Shot};
use super::files::{Files, RecordingError};
use super::space::{FreeSpace, Space};
use super::{Counts, Mark, Metadata, RECORDING_SCHEMA, folder};
use crate::blur::{Blur, Blurrer};
use crate::detect::DetectionOptions;
use crate::network::NetworkInUse;
use crate::pipeline::Tap;
use crate::source::SourceInfo;
use crate::version::Versions;

/// Memory for pictures that wait for the disk, in bytes: four seconds of a usual webcam. Hard disks stop for a second
/// at times.
const QUEUE_BYTES: usize = 128 << 20;

/// Fewest and most pictures that wait: large ones need a few places too, and small ones no more than some seconds'.
const QUEUE: std::ops::RangeInclusive<usize> = 8..=300;

/// Rows and marks that wait: half a minute of them, far more than a disk stands still.
const NOTES: usize = 1024;

/// How often the end and the free space are looked at when nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// How often free space is asked for.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// At the end, frames are still on their way through the network; they are waited for as long as this.
const LAST_LABELS: Duration = Duration::from_millis(300);

/// A disk that needs longer for what is waiting doesn't hold the window up.
const END_WITHIN: Duration = Duration::from_secs(8);

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
        reason: Option<String>,
    },
    /// It could not begin.
    Failed(String),
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since it began.
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
}

impl SessionWriter {
    /// Starts to record into a new folder in `parent`. Returns at once; what comes of it is told by [`Self::events`]. `wake` is
    /// called after each event.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(parent: PathBuf, subject: Subject, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::start_on(parent, subject, Box::new(FreeSpace), wake)
    }

    /// As [`Self::start`], on a disk that says itself how much room it has.
    pub(super) fn start_on(
        parent: PathBuf,
        subject: Subject,
        space: Box<dyn Space>,
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
            space,
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
        let work = move || thread.run(&parent, subject, &began);
        let thread = std::thread::Builder::new().name("mien-recording".to_owned()).spawn(work)?;
        Ok(Self { feed, events, thread: Some(thread) })
    }

    /// For [`crate::pipeline::Live::set_tap`].
    pub fn tap(&self) -> Arc<dyn Tap> {
        self.feed.clone()
    }

    /// Marks a moment. [`RecordingEvent::Marked`] says that it is on the disk.
    pub fn mark(&self, at: Instant, text: String) {
        self.feed.mark(at, text);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            elapsed: self.feed.began.elapsed(),
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

    /// Ends it and waits until everything is on the disk, though not longer than 8 s; gives the events that were not
    /// fetched.
    pub fn finish(mut self) -> Vec<RecordingEvent> {
        self.wait()
    }

    fn wait(&mut self) -> Vec<RecordingEvent> {
        self.end();
        let deadline = Instant::now() + END_WITHIN;
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
                    return events;
                }
            }
        }
    }
}

impl Drop for SessionWriter {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.wait();
        }
    }
}

/// The beginning by two clocks.
struct Moment {
    clock: Instant,
    calendar: ZonedDateTime,
}

/// The writer's thread.
struct Thread {
    feed: Arc<Feed>,
    shots: Receiver<Shot>,
    notes: Receiver<Note>,
    space: Box<dyn Space>,
    space_due: Instant,
    space_warned: bool,
    /// With the number of the frame and when it was captured.
    blurrer: Option<Blurrer<(u64, Instant)>>,
    /// Numbers of the last frame in the video and of the last one that was labelled.
    last_frame: Option<u64>,
    last_labelled: Option<u64>,
    report: Box<dyn Fn(RecordingEvent) + Send>,
}

/// Why a recording ends.
enum End {
    Asked,
    NoRoom,
    Error(RecordingError),
}

impl From<RecordingError> for End {
    fn from(error: RecordingError) -> Self {
        if error.is_full_disk() { Self::NoRoom } else { Self::Error(error) }
    }
}

impl Thread {
    fn run(&mut self, parent: &Path, subject: Subject, began: &Moment) {
        let name = folder::name(&began.calendar, &subject.source.name);
        let made = folder::create(parent, &name)
            .map_err(|reason| RecordingError::Folder { folder: parent.to_owned(), reason })
            .and_then(|folder| Ok((Files::create(&folder, metadata(subject, &began.calendar))?, folder)));
        let (mut files, folder) = match made {
            Ok(made) => made,
            Err(error) => return (self.report)(RecordingEvent::Failed(error.to_string())),
        };
        (self.report)(RecordingEvent::Started(folder.clone()));
        let end = self.record(&mut files, &folder);
        // Nothing more is taken, and nothing more counts as lost.
        self.feed.end();
        let (counts, completed) = files.finish(now(), self.feed.lost.load(Ordering::Relaxed));
        let why = match end {
            End::Asked => None,
            End::NoRoom => Some("the disk is full".to_owned()),
            End::Error(error) => Some(error.to_string()),
        };
        let reason = why.or_else(|| completed.err().map(|error| error.to_string()));
        (self.report)(RecordingEvent::Ended { folder, counts, reason });
    }

    /// Writes what comes, until it is to end or can't continue.
    fn record(&mut self, files: &mut Files, folder: &Path) -> End {
        while !self.feed.is_ending() {
            let written = select! {
                recv(self.shots) -> shot => shot.map_or(Ok(()), |shot| self.write_shot(files, shot)),
                recv(self.notes) -> note => note.map_or(Ok(()), |note| self.write_note(files, note)),
                default(TICK) => Ok(()),
            };
            if let Err(error) = written {
                return error.into();
            }
            if !self.has_room(files, folder) {
                return End::NoRoom;
            }
        }
        self.write_rest(files).map_or_else(End::from, |()| End::Asked)
    }

    /// Writes what still waits, and what the network says of it.
    fn write_rest(&mut self, files: &mut Files) -> Result<(), RecordingError> {
        self.write_shots(files)?;
        let deadline = Instant::now() + LAST_LABELS;
        while self.last_labelled < self.last_frame
            && let Ok(note) = self.notes.recv_deadline(deadline)
        {
            self.write_note(files, note)?;
        }
        while let Ok(note) = self.notes.try_recv() {
            self.write_note(files, note)?;
        }
        // One may have been on its way when the end was asked for.
        self.write_shots(files)?;
        match self.blurrer.take() {
            Some(blurrer) => self.write_blurred(files, blurrer.finish()?),
            None => Ok(()),
        }
    }

    fn write_blurred(
        &mut self,
        files: &mut Files,
        blurred: Vec<(Arc<Mat>, (u64, Instant))>,
    ) -> Result<(), RecordingError> {
        blurred.into_iter().try_for_each(|(picture, (frame, at))| self.write_picture(files, &picture, frame, at))
    }

    fn write_shots(&mut self, files: &mut Files) -> Result<(), RecordingError> {
        while let Ok(shot) = self.shots.try_recv() {
            self.write_shot(files, shot)?;
        }
        Ok(())
    }

    fn write_shot(&mut self, files: &mut Files, shot: Shot) -> Result<(), RecordingError> {
        let Shot { image, frame, captured_at, faces } = shot;
        let time = self.time_of(captured_at);
        match &mut self.blurrer {
            Some(blurrer) => {
                let ready = blurrer.push(image, &faces, time, (frame, captured_at))?;
                self.write_blurred(files, ready)
            }
            None => self.write_picture(files, &image, frame, captured_at),
        }
    }

    fn write_picture(
        &mut self,
        files: &mut Files,
        picture: &Mat,
        frame: u64,
        captured_at: Instant,
    ) -> Result<(), RecordingError> {
        files.frame(picture, frame, self.time_of(captured_at))?;
        self.last_frame = Some(frame);
        self.feed.frames.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn write_note(&mut self, files: &mut Files, note: Note) -> Result<(), RecordingError> {
        match note {
            Note::Faces { faces, frame, captured_at } => {
                files.faces(&faces, frame, self.time_of(captured_at))?;
                self.last_labelled = Some(frame);
            }
            Note::Mark { at, text } => {
                files.mark(&Mark { time: self.time_of(at), text: text.clone() })?;
                (self.report)(RecordingEvent::Marked { at, text });
            }
        }
        Ok(())
    }

    fn time_of(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.feed.began)
    }

    /// Looks at the free space now and then, and warns once when it becomes short.
    fn has_room(&mut self, files: &Files, folder: &Path) -> bool {
        let now = Instant::now();
        if now < self.space_due {
            return true;
        }
        self.space_due = now + SPACE_INTERVAL;
        let Some(room) = self.space.room(folder, files.bytes(), self.feed.began.elapsed()) else { return true };
        if room.is_short() && !self.space_warned {
            self.space_warned = true;
            (self.report)(RecordingEvent::Warning(room.to_string()));
        }
        !room.is_over()
    }
}

/// What is known at the start.
fn metadata(subject: Subject, began: &ZonedDateTime) -> Metadata {
    let Subject { source, network, smoothing, detection, blur } = subject;
    Metadata {
        schema: RECORDING_SCHEMA,
        started: rfc3339(began),
        ended: None,
        device: source.name,
        width: source.width,
        height: source.height,
        fps: source.fps,
        fourcc: source.fourcc,
        model: network.model,
        model_sha256: network.sha256,
        prior: network.prior,
        flip: network.flip,
        network_device: network.device,
        smoothing_secs: smoothing.map_or(0.0, |constant| constant.as_secs_f64()),
        detection,
        blur,
        versions: Versions::here(),
        counts: None,
    }
}

fn now() -> String {
    rfc3339(&ZonedDateTime::now())
}

/// Without the zone's name in brackets, which RFC 3339 doesn't know.
fn rfc3339(time: &ZonedDateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
