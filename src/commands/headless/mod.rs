//! Mien without a window: a video processed to files, a camera watched for its figures.

mod camera;
mod outputs;
mod record;
mod recorded;
mod summary;
mod video;

pub use self::camera::CameraJob;
#[cfg(feature = "serve")]
pub use self::record::CameraRecording;
pub use self::recorded::RecordingJob;
pub use self::video::VideoJob;
