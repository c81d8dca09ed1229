//! Mien without a window: a video processed to files, a camera watched for its figures.

mod camera;
mod export;
mod recording;
mod summary;
mod video;

pub use self::camera::CameraJob;
pub use self::export::RecordingJob;
pub use self::video::VideoJob;
