//! Observers of a running pipeline: recordings, and programs that get results live.

use super::Scene;
use crate::frame::Frame;

/// Observes a running [`Live`](super::Live). Called on its threads between two frames, so it must not block on anything, such as
/// a disk or a full queue.
pub trait Tap: Send + Sync {
    /// A camera captured this frame. Also called for frames that are dropped later, but not for those of a video.
    fn captured(&self, frame: &Frame);

    /// A scene was labelled.
    fn labelled(&self, scene: &Scene);

    /// Nothing more comes for now: the user paused, the camera was lost, or the video or the pipeline has ended. Called again
    /// after each scene that still comes: the last ones on their way, and those requested while paused.
    fn stands_still(&self) {}
}
