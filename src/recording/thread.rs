//! The thread that writes a recording.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use jiff::ZonedDateTime;
use opencv::core::Mat;

use super::feed::{Feed, Note, Shot};
use super::files::{Files, RecordingError};
use super::sleep::SessionClock;
use super::space::{Filling, Space};
use super::writer::{EndReason, RecordingEvent, Subject};
use super::{Counts, Mark, Metadata, OWN_CLASSES_SCHEMA, RECORDING_SCHEMA, folder};
use crate::blur::Blurrer;
use crate::version::Versions;

/// How often the end and the free space are checked while nothing arrives.
const TICK: Duration = Duration::from_millis(100);

/// How often the free space is queried.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait at the end for frames that are still on their way through the network.
const LAST_LABELS: Duration = Duration::from_millis(300);

/// The start of the recording on two clocks.
pub(super) struct Moment {
    pub clock: Instant,
    pub calendar: ZonedDateTime,
}

/// State of the writer's thread.
pub(super) struct Thread {
    pub feed: Arc<Feed>,
    pub shots: Receiver<Shot>,
    pub notes: Receiver<Note>,
    pub clock: SessionClock,
    pub space: Box<dyn Space>,
    pub filling: Filling,
    pub space_due: Instant,
    pub space_warned: bool,
    /// Carries each frame's number and capture time along.
    pub blurrer: Option<Blurrer<(u64, Instant)>>,
    /// Numbers of the last frame in the video and of the last one that was labelled.
    pub last_frame: Option<u64>,
    pub last_labelled: Option<u64>,
    pub report: Box<dyn Fn(RecordingEvent) + Send>,
}

/// Why a recording ends without an error.
enum End {
    Asked,
    NoRoom,
}

impl Thread {
    pub fn run(&mut self, parent: &Path, subject: Subject, began: &Moment) {
        let name = folder::name(&began.calendar, &subject.source.name);
        let made = folder::create(parent, &name)
            .map_err(|reason| RecordingError::Folder { folder: parent.to_owned(), reason })
            .and_then(|folder| Ok((Files::create(&folder, metadata(subject, &began.calendar))?, folder)));
        let (mut files, folder) = match made {
            Ok(made) => made,
            Err(error) => {
                self.feed.end();
                return self.report_end(RecordingEvent::Failed(EndReason::from(&error)));
            }
        };
        // Not set anywhere else.
        self.feed.folder.set(folder.clone()).ok();
        (self.report)(RecordingEvent::Started(folder.clone()));
        let end = self.record(&mut files, &folder);
        // From here on, no frame is taken.
        self.feed.end();
        if let Err(error) = &end {
            self.write_what_fits(&mut files, error);
        }
        let totals = self.totals(&end, files.frames());
        let (counts, completed) = files.finish(now(), totals);
        let why = match &end {
            Ok(End::Asked) => None,
            Ok(End::NoRoom) => Some(EndReason::no_room()),
            Err(error) if error.is_full_disk() => Some(EndReason::no_room()),
            Err(error) => Some(EndReason::from(error)),
        };
        let reason = why.or_else(|| completed.err().as_ref().map(EndReason::from));
        self.report_end(RecordingEvent::Ended { folder, counts, reason });
    }

    fn report_end(&self, event: RecordingEvent) {
        // What is never written. The channel would keep it, and its place in the memory, as long as somebody has the tap.
        self.shots.try_iter().for_each(drop);
        (self.report)(event);
    }

    /// Reports that [`Self::run`] has panicked.
    pub fn report_crash(&self) {
        self.feed.end();
        self.report_end(self.feed.ended_without_a_word("its thread has crashed, which is a bug in Mien"));
    }

    /// Writes what arrives, until the end is requested or the disk is full but for the reserve.
    ///
    /// # Errors
    /// When something can't be written, or belongs to another recording.
    fn record(&mut self, files: &mut Files, folder: &Path) -> Result<End, RecordingError> {
        while !self.feed.is_ending() {
            let written = select! {
                recv(self.shots) -> shot => shot.map_or(Ok(()), |shot| self.write_shot(files, shot)),
                recv(self.notes) -> note => note.map_or(Ok(()), |note| self.write_note(files, note)),
                default(TICK) => Ok(()),
            };
            written?;
            self.mark_sleeps(files)?;
            if !self.has_room(files, folder) {
                self.feed.end();
                // What is queued fits into the reserve.
                return self.write_rest(files).map(|()| End::NoRoom);
            }
        }
        self.write_rest(files).map(|()| End::Asked)
    }

    /// Writes what is still queued, and the labels that are still to come.
    fn write_rest(&mut self, files: &mut Files) -> Result<(), RecordingError> {
        self.write_shots(files)?;
        let deadline = Instant::now() + LAST_LABELS;
        while let Some(note) = self.next_note(deadline) {
            self.write_note(files, note)?;
        }
        // A frame may have been on its way when the end was requested.
        self.write_shots(files)?;
        self.mark_sleeps(files)?;
        self.write_held_back(files)
    }

    /// Writes the pictures that are held back to be blurred. None may follow: it would not be blurred.
    fn write_held_back(&mut self, files: &mut Files) -> Result<(), RecordingError> {
        match self.blurrer.take() {
            Some(blurrer) => self.write_blurred(files, blurrer.finish()?),
            None => Ok(()),
        }
    }

    /// After an error, writes the labels and marks that still fit: they need far less room than a picture. The others are counted.
    fn write_what_fits(&mut self, files: &mut Files, error: &RecordingError) {
        // Pictures have no classes.
        if matches!(error, RecordingError::OtherClasses { .. }) {
            // The first error is the one that is reported.
            self.write_shots(files).and_then(|()| self.write_held_back(files)).ok();
        }
        let deadline = Instant::now() + LAST_LABELS;
        while let Some(note) = self.next_note(deadline) {
            let is_of_video = match &note {
                Note::Faces { frame, .. } => Some(*frame) <= self.last_frame,
                Note::Mark { .. } => true,
            };
            if is_of_video {
                self.write_note(files, note).ok();
            }
        }
    }

    /// The next queued label or mark. Until `deadline`, waits for labels of frames that are in the video.
    fn next_note(&self, deadline: Instant) -> Option<Note> {
        if self.last_labelled < self.last_frame {
            self.notes.recv_deadline(deadline).ok()
        } else {
            self.notes.try_recv().ok()
        }
    }

    /// The totals, once nothing more is written and the video has this many frames.
    fn totals(&self, end: &Result<End, RecordingError>, in_video: u64) -> Counts {
        let mut counts = self.feed.counts();
        // Frames of another size belong to another recording.
        if end.as_ref().is_err_and(|error| !matches!(error, RecordingError::OtherSize { .. })) {
            // Queued, or held back to be blurred.
            counts.frames_lost += self.feed.queued.load(Ordering::Relaxed).saturating_sub(in_video);
        }
        counts
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
        let Shot { image, frame, captured_at, faces, place } = shot;
        drop(place);
        let time = self.clock.time_of(captured_at);
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
        files.frame(picture, frame, self.clock.time_of(captured_at))?;
        self.last_frame = Some(frame);
        self.feed.frames.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn write_note(&mut self, files: &mut Files, note: Note) -> Result<(), RecordingError> {
        match note {
            Note::Faces { faces, classes, frame, captured_at } => {
                self.last_labelled = Some(frame);
                let written = files.faces(&faces, &classes, frame, self.clock.time_of(captured_at));
                written.inspect_err(|error| count_lost(&self.feed.labels_lost, error))?;
                self.feed.faces.fetch_add(faces.len() as u64, Ordering::Relaxed);
            }
            Note::Mark { at, text } => {
                let mark = Mark { time: self.clock.time_of(at), text };
                self.write_mark(files, at, mark)?;
            }
        }
        Ok(())
    }

    fn write_mark(&self, files: &Files, at: Instant, mark: Mark) -> Result<(), RecordingError> {
        files.mark(&mark).inspect_err(|error| count_lost(&self.feed.marks_lost, error))?;
        (self.report)(RecordingEvent::Marked { at, text: mark.text });
        Ok(())
    }

    /// Marks where the computer slept, which leaves a gap in the times.
    fn mark_sleeps(&mut self, files: &Files) -> Result<(), RecordingError> {
        for sleep in self.clock.sleeps() {
            let millis = u64::try_from(sleep.lasted.as_millis()).unwrap_or_default();
            self.feed.slept_millis.fetch_add(millis, Ordering::Relaxed);
            self.write_mark(files, sleep.at, Mark { time: sleep.time, text: sleep.to_string() })?;
        }
        Ok(())
    }

    /// Checks the free space at intervals, and warns when it runs short. Returns whether the recording can continue.
    fn has_room(&mut self, files: &Files, folder: &Path) -> bool {
        let now = Instant::now();
        if now < self.space_due {
            return true;
        }
        self.space_due = now + SPACE_INTERVAL;
        let Some(free) = self.space.free(folder) else { return true };
        let room = self.filling.room(free, files.bytes(), self.feed.began.elapsed());
        // Once there is ample room again, the next shortage gets another warning.
        self.space_warned &= !room.is_ample();
        if room.is_short() && !self.space_warned {
            self.space_warned = true;
            (self.report)(RecordingEvent::Warning(room.to_string()));
        }
        !room.is_over()
    }
}

/// Counts labels or a mark that could not be written. Labels of other classes belong to another recording.
fn count_lost(counter: &AtomicU64, error: &RecordingError) {
    if !matches!(error, RecordingError::OtherClasses { .. }) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The metadata known at the start.
fn metadata(subject: Subject, began: &ZonedDateTime) -> Metadata {
    let Subject { source, network, smoothing, detection, blur } = subject;
    Metadata {
        schema: if network.classes.are_emotions() { RECORDING_SCHEMA } else { OWN_CLASSES_SCHEMA },
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
        classes: network.classes,
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

/// Without the zone's name in brackets, which RFC 3339 doesn't allow.
fn rfc3339(time: &ZonedDateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
