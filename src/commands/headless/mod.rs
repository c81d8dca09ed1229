//! Commands without a window: a video processed, a recording exported, a camera watched.

mod camera;
mod export;
mod outcome;
mod outputs;
mod recording;
mod stream;
mod summary;
mod video;

pub use self::camera::CameraJob;
pub use self::export::RecordingJob;
#[cfg(feature = "serve")]
pub use self::recording::{HeadlessWriter, RecordingPlan, SavedSession};
pub use self::video::VideoJob;
