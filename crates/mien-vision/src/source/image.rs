//! A still picture as a source of one frame.

use std::path::Path;
use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst as _};

use super::{FrameSource, SourceError, SourceInfo, SourceKind, decode_picture, file};
use crate::frame::Frame;
use mien_core::jpeg;
use mien_core::pixels::PixelLimit;

/// One picture, read once.
#[derive(Debug)]
pub struct ImageSource {
    info: SourceInfo,
    image: Mat,
    is_read: bool,
}

impl ImageSource {
    /// Reads a picture and applies its EXIF orientation.
    ///
    /// # Errors
    /// When the file can't be read, isn't a picture, is cut off, or has more pixels than `limit`.
    pub fn open(path: &Path, limit: PixelLimit) -> Result<Self, SourceError> {
        file::check_readable(path)?;
        // Read here and not by OpenCV, whose `imread` doesn't support Unicode paths on Windows.
        let bytes = std::fs::read(path).map_err(|reason| SourceError::Unreadable { path: path.to_owned(), reason })?;
        let not_picture = || SourceError::NotPicture(path.to_owned());
        let size = imagesize::blob_size(&bytes).map_err(|error| {
            tracing::debug!("{} doesn't tell its size: {error}", path.display());
            not_picture()
        })?;
        limit
            .check(size.width as u64, size.height as u64)
            .map_err(|reason| SourceError::TooLarge { path: path.to_owned(), reason })?;
        if jpeg::is_cut(&bytes) {
            return Err(SourceError::CutPicture(path.to_owned()));
        }
        let image = decode_picture(&bytes).map_err(|error| {
            tracing::debug!("OpenCV can't decode {}: {error}", path.display());
            not_picture()
        })?;
        if image.empty() {
            return Err(not_picture());
        }
        let info = SourceInfo {
            name: file::name(path),
            kind: SourceKind::File { duration: None, frames: Some(1) },
            width: usize::try_from(image.cols()).unwrap_or(0),
            height: usize::try_from(image.rows()).unwrap_or(0),
            fps: 0.0,
            fourcc: String::new(),
        };
        Ok(Self { info, image, is_read: false })
    }
}

impl FrameSource for ImageSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(None);
        }
        let image = self.image.try_clone()?;
        Ok(Some(Frame { index: 0, media_time: Duration::ZERO, captured_at: Instant::now(), image: image.into() }))
    }

    fn seek(&mut self, _media_time: Duration) -> Result<(), SourceError> {
        self.is_read = false;
        Ok(())
    }
}
