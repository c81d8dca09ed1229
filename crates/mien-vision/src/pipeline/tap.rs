//! Observers of a running pipeline: recordings, and programs that get results live.

use super::Scene;
use crate::frame::Frame;

/// Sees what passes through a running [`Live`](super::Live). Called on its threads between two frames, so it must not wait:
/// not for a disk, not for a full queue.
pub trait Tap: Send + Sync {
    /// A frame of a camera, as it came; called for those too that are dropped later. A video's frames aren't told.
    fn captured(&self, frame: &Frame);

    /// A labelled scene.
    fn labelled(&self, scene: &Scene);

    /// Nothing more comes for now: somebody paused, the camera was lost, the video has ended, or the pipeline has. Called again
    /// after each scene that still comes: the last on their way, and those that are asked for in a pause.
    fn stands_still(&self) {}
}
