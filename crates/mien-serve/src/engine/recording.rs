//! A visitor's recording, where the operator asks for that.

use std::sync::Arc;

use mien_vision::frame::Frame;
use mien_vision::pipeline::{Scene, Tap};

/// Begins to record the visitor of this number, whose pictures have this width and height. The recording ends when what is given is
/// dropped; `None` if it can't begin, which the operator is told.
pub type RecordVisitor = Box<dyn Fn(u64, usize, usize) -> Option<Arc<dyn Tap>> + Send + Sync>;

/// What is recorded of a visitor now.
#[derive(Default)]
pub(super) struct VisitorRecording {
    size: (usize, usize),
    tap: Option<Arc<dyn Tap>>,
}

impl VisitorRecording {
    /// Takes a picture that has come. A recording has one size, so a phone that is turned begins another one. The picture that begins one
    /// came before it, and isn't in it.
    pub fn captured(&mut self, frame: &Frame, begin: impl FnOnce(usize, usize) -> Option<Arc<dyn Tap>>) {
        let size = (frame.width(), frame.height());
        if self.size != size {
            // The one before ends first.
            self.tap = None;
            *self = Self { size, tap: begin(size.0, size.1) };
        }
        if let Some(tap) = &self.tap {
            tap.captured(frame);
        }
    }

    /// Takes the faces of a picture that has come.
    pub fn labelled(&self, scene: &Scene) {
        if let Some(tap) = &self.tap {
            tap.labelled(scene);
        }
    }
}
