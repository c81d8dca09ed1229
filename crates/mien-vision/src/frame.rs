//! A frame and the stamps that travel with it to the end of its journey.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst as _};

/// One picture from a source.
#[derive(Debug)]
pub struct Frame {
    /// Counts the frames of a source from 0; in a file, the position of the frame in it.
    pub index: u64,
    /// When the frame is to be shown: time since the start of the file, or since the camera was opened.
    pub media_time: Duration,
    /// When the frame was read. Age is measured from here.
    pub captured_at: Instant,
    /// The picture: 8-bit BGR, never empty. Shared with a recording without copying, so it must not be modified.
    pub image: Arc<Mat>,
}

impl Frame {
    /// Width in pixels.
    pub fn width(&self) -> usize {
        usize::try_from(self.image.cols()).unwrap_or(0)
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        usize::try_from(self.image.rows()).unwrap_or(0)
    }
}

/// A picture ready for a texture: red, green, blue and alpha (always 255) in one `u32` per pixel, in memory order.
///
/// `u32` has the alignment that lets the window take over the buffer without copying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbaPicture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width × height` pixels, row by row.
    pub pixels: Vec<u32>,
}
