//! Where frames come from: a camera, a video file, still pictures.

mod camera;
mod decode;
mod enumerate;
mod error;
mod excerpt;
mod file;
mod image;
#[cfg(target_os = "linux")]
mod links;
mod matroska;
mod native;
mod network;
mod shortfall;
mod stamps;
mod timeline;
mod video;

use std::time::Duration;

pub use self::camera::{CameraDevice, CameraRequest, CameraSource, FourCc};
pub use self::decode::decode_picture;
pub use self::enumerate::{CameraEntry, list_cameras};
pub use self::error::SourceError;
pub use self::excerpt::{Excerpt, Span};
pub use self::image::ImageSource;
pub use self::native::{CONTAINERS, Reach, limit_decoder_threads, prepare_libraries};
pub use self::network::NetworkCamera;
pub use self::shortfall::Shortfall;
pub use self::video::VideoSource;
use crate::frame::Frame;

/// A source of frames, read one after another.
pub trait FrameSource: Send {
    /// What was opened.
    fn info(&self) -> &SourceInfo;

    /// The next frame, or `None` at the end of a file. Blocks until a camera has one.
    ///
    /// # Errors
    /// When a camera is lost or a file can't be read any further.
    fn read(&mut self) -> Result<Option<Frame>, SourceError>;

    /// Moves to the frame that is shown at `media_time`; the next [`Self::read`] returns it.
    ///
    /// # Errors
    /// When the source is a camera, or the file can't seek.
    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError>;

    /// A time at which the frame is shown that comes `frames` before the one shown at `media_time`, or the first frame if there
    /// are fewer; `None` if it can only be estimated from the frame rate.
    fn time_before(&self, _media_time: Duration, _frames: u32) -> Option<Duration> {
        None
    }

    /// What is missing of the part that was read: a damaged file lacks frames, and a truncated one ends before its declared length, which
    /// is known once [`Self::read`] has returned `None`.
    fn shortfall(&self) -> Option<Shortfall> {
        None
    }
}

/// What was opened, and the settings that it granted.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The name of the camera or file.
    pub name: String,
    /// Camera or file.
    pub kind: SourceKind,
    /// Width of the frames in pixels.
    pub width: usize,
    /// Height of the frames in pixels.
    pub height: usize,
    /// Frames per second as the camera granted or the file declares them; 0 if neither says.
    pub fps: f64,
    /// Pixel format or codec as four characters, such as `MJPG`; empty if unknown.
    pub fourcc: String,
}

impl SourceInfo {
    /// Time from one frame to the next by the declared rate, or a usual interval if none is declared.
    pub fn interval(&self) -> Duration {
        stamps::declared_interval(self.fps).unwrap_or(stamps::FALLBACK_INTERVAL)
    }

    /// Length, if it is a file that declares it.
    pub fn duration(&self) -> Option<Duration> {
        match self.kind {
            SourceKind::File { duration, .. } => duration,
            SourceKind::Camera => None,
        }
    }

    /// Number of frames, if it is a file that declares it.
    pub fn frames(&self) -> Option<u64> {
        match self.kind {
            SourceKind::File { frames, .. } => frames,
            SourceKind::Camera => None,
        }
    }
}

/// Whether frames arrive by themselves or are fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SourceKind {
    /// Frames arrive by themselves; late ones are dropped.
    Camera,
    /// Frames wait to be read; each one is processed.
    File {
        /// Length of the file, if it declares it.
        duration: Option<Duration>,
        /// Number of frames, if it declares it.
        frames: Option<u64>,
    },
}
