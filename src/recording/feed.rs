//! The writer's tap into a running pipeline. It runs on the pipeline's threads.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use opencv::core::Mat;

use super::Counts;
use super::waiting::{Place, Waiting};
use super::writer::{EndReason, RecordingEvent};
use crate::classes::Classes;
use crate::face::Face;
use crate::frame::Frame;
use crate::pipeline::{Scene, Tap};

/// A frame for the video. Shares its pixels with the pipeline, which doesn't modify them.
pub(super) struct Shot {
    pub image: Arc<Mat>,
    pub frame: u64,
    pub captured_at: Instant,
    /// The faces on it, if it was analysed first.
    pub faces: Vec<Face>,
    /// Its memory while it waits.
    pub place: Place,
}

/// Everything else to write.
pub(super) enum Note {
    Faces { faces: Vec<Face>, classes: Classes, frame: u64, captured_at: Instant },
    Mark { at: Instant, text: String },
}

/// Passes frames and notes to the writer's thread. Never blocks.
pub(super) struct Feed {
    pub began: Instant,
    /// Record only analysed frames, with their faces, so that they can be blurred.
    with_faces: bool,
    shots: Sender<Shot>,
    waiting: Waiting,
    notes: Sender<Note>,
    /// When the end was requested.
    ending: OnceLock<Instant>,
    /// One more than the number of the last frame that belongs to the recording.
    taken_to: AtomicU64,
    /// Frames that were queued for the video.
    pub queued: AtomicU64,
    /// Frames in the video.
    pub frames: AtomicU64,
    /// Frames missing from it because too many waited, in this recording or in others that share the memory.
    pub lost: AtomicU64,
    /// Frames whose labels could not be written.
    pub labels_lost: AtomicU64,
    /// Marks that could not be written.
    pub marks_lost: AtomicU64,
    /// Rows in the table of faces.
    pub faces: AtomicU64,
    /// How long the computer has slept during the recording, in milliseconds.
    pub slept_millis: AtomicU64,
    /// The folder of the recording, once it exists.
    pub folder: OnceLock<PathBuf>,
}

impl Feed {
    pub fn new(began: Instant, with_faces: bool, shots: Sender<Shot>, waiting: Waiting, notes: Sender<Note>) -> Self {
        let none = || AtomicU64::new(0);
        Self {
            began,
            with_faces,
            shots,
            waiting,
            notes,
            ending: OnceLock::new(),
            taken_to: none(),
            queued: none(),
            frames: none(),
            lost: none(),
            labels_lost: none(),
            marks_lost: none(),
            faces: none(),
            slept_millis: none(),
            folder: OnceLock::new(),
        }
    }

    fn take(&self, frame: &Frame, faces: Vec<Face>) {
        let Some(place) = self.waiting.place(frame.width() * frame.height() * 3) else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Frame { index, captured_at, .. } = *frame;
        let shot = Shot { image: Arc::clone(&frame.image), frame: index, captured_at, faces, place };
        match self.shots.try_send(shot) {
            Ok(()) => {
                self.queued.fetch_add(1, Ordering::Relaxed);
            }
            // The last frames on their way, after everything was written.
            Err(TrySendError::Disconnected(_)) if self.is_ending() => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub fn mark(&self, at: Instant, text: String) {
        if self.notes.try_send(Note::Mark { at, text }).is_err() {
            self.marks_lost.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a mark was lost: the recording has ended, or the disk doesn't respond");
        }
    }

    /// Stops taking frames; labels of those already taken are still accepted. Returns when this was first requested.
    pub fn end(&self) -> Instant {
        *self.ending.get_or_init(Instant::now)
    }

    pub fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// The totals up to now.
    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            frames: count(&self.frames),
            frames_lost: count(&self.lost),
            labels_lost: count(&self.labels_lost),
            marks_lost: count(&self.marks_lost),
            faces: count(&self.faces),
        }
    }

    /// The final event for a recording whose thread crashed or hangs.
    pub fn ended_without_a_word(&self, reason: &str) -> RecordingEvent {
        let reason = EndReason::new(reason);
        match self.folder.get() {
            Some(folder) => {
                RecordingEvent::Ended { folder: folder.clone(), counts: self.counts(), reason: Some(reason) }
            }
            None => RecordingEvent::Failed(reason),
        }
    }
}

impl Tap for Feed {
    fn captured(&self, frame: &Frame) {
        if self.is_ending() || frame.captured_at < self.began {
            return;
        }
        self.taken_to.store(frame.index + 1, Ordering::Release);
        if !self.with_faces {
            self.take(frame, Vec::new());
        }
    }

    fn labelled(&self, scene: &Scene) {
        let Frame { index, captured_at, .. } = scene.frame;
        if captured_at < self.began || index >= self.taken_to.load(Ordering::Acquire) {
            return;
        }
        if self.with_faces {
            self.take(&scene.frame, scene.faces.clone());
        }
        let (faces, classes) = (scene.faces.clone(), scene.classes.clone());
        let note = Note::Faces { faces, classes, frame: index, captured_at };
        match self.notes.try_send(note) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) if self.is_ending() => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.labels_lost.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    "the faces of frame {index} are not recorded: the disk doesn't respond, or the recording has stopped"
                );
            }
        }
    }
}
