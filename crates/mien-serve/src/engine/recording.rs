//! The recording of a visitor, if the operator enabled it.

use std::sync::Arc;

use mien_vision::frame::Frame;
use mien_vision::pipeline::{Scene, Tap};

/// Starts to record a visitor, given their number and the width and height of their pictures. The recording ends when the returned tap is
/// dropped. Returns `None` if it can't start, after reporting that to the operator.
pub type RecordVisitor = Box<dyn Fn(u64, usize, usize) -> Option<Arc<dyn Tap>> + Send + Sync>;

/// A visitor's current recording.
#[derive(Default)]
pub(super) struct VisitorRecording {
    size: (usize, usize),
    tap: Option<Arc<dyn Tap>>,
}

impl VisitorRecording {
    /// Records a picture that arrived. A recording has one size, so a rotated phone starts another one. The picture that starts a recording
    /// arrived before it, and isn't in it.
    pub fn captured(&mut self, frame: &Frame, begin: impl FnOnce(usize, usize) -> Option<Arc<dyn Tap>>) {
        let size = (frame.width(), frame.height());
        if self.size != size {
            // End the previous recording first.
            self.tap = None;
            *self = Self { size, tap: begin(size.0, size.1) };
        }
        if let Some(tap) = &self.tap {
            tap.captured(frame);
        }
    }

    /// Records the faces of a picture.
    pub fn labelled(&self, scene: &Scene) {
        if let Some(tap) = &self.tap {
            tap.labelled(scene);
        }
    }
}
