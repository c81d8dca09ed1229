//! What a writer takes from a running pipeline, on the pipeline's own threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use opencv::core::Mat;

use crate::classes::Classes;
use crate::face::Face;
use crate::frame::Frame;
use crate::pipeline::{Scene, Tap};

/// A frame for the video. Shares its pixels with the pipeline, where nobody writes into them.
pub(super) struct Shot {
    pub image: Arc<Mat>,
    pub frame: u64,
    pub captured_at: Instant,
    /// The faces on it, if it was analysed before it came here.
    pub faces: Vec<Face>,
}

/// Everything else that is written down.
pub(super) enum Note {
    Faces { faces: Vec<Face>, classes: Classes, frame: u64, captured_at: Instant },
    Mark { at: Instant, text: String },
}

/// Takes what passes by and never waits.
pub(super) struct Feed {
    pub began: Instant,
    /// Whether pictures are taken with their faces, and those that nobody looked for faces on not at all.
    with_faces: bool,
    shots: Sender<Shot>,
    notes: Sender<Note>,
    ending: AtomicBool,
    /// One more than the number of the last frame that belongs to the recording.
    taken_to: AtomicU64,
    /// In the video.
    pub frames: AtomicU64,
    /// Not in it.
    pub lost: AtomicU64,
}

impl Feed {
    pub fn new(began: Instant, with_faces: bool, shots: Sender<Shot>, notes: Sender<Note>) -> Self {
        let none = || AtomicU64::new(0);
        let ending = AtomicBool::new(false);
        Self { began, with_faces, shots, notes, ending, taken_to: none(), frames: none(), lost: none() }
    }

    fn take(&self, frame: &Frame, faces: Vec<Face>) {
        let Frame { index, captured_at, .. } = *frame;
        let shot = Shot { image: Arc::clone(&frame.image), frame: index, captured_at, faces };
        if let Err(TrySendError::Full(_)) = self.shots.try_send(shot) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn mark(&self, at: Instant, text: String) {
        if self.notes.try_send(Note::Mark { at, text }).is_err() {
            tracing::warn!("a mark was lost: the recording has ended, or the disk stands still");
        }
    }

    /// Takes no more frames; labels of those that were taken are still welcome.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
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
        if let Err(TrySendError::Full(_)) = self.notes.try_send(note) {
            tracing::warn!("the faces of frame {index} are not recorded: the disk stands still");
        }
    }
}
