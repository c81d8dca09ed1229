//! A source whose end is remembered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{FrameSource, Shortfall, SourceError, SourceInfo};
use crate::frame::Frame;

/// Keeps what a source says about its end, which the pipeline takes away with the source.
pub struct Watched {
    inner: Box<dyn FrameSource>,
    ending: ShortfallHandle,
}

/// What a source said about its end.
#[derive(Clone, Default)]
pub struct ShortfallHandle(Arc<Mutex<Option<Shortfall>>>);

impl ShortfallHandle {
    /// What was missing, once the source has ended.
    pub fn get(&self) -> Option<Shortfall> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Watches a source.
    pub fn new(inner: Box<dyn FrameSource>) -> (Self, ShortfallHandle) {
        let ending = ShortfallHandle::default();
        (Self { inner, ending: ending.clone() }, ending)
    }
}

impl FrameSource for Watched {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        let frame = self.inner.read()?;
        if frame.is_none() {
            *self.ending.0.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.shortfall();
        }
        Ok(frame)
    }

    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        self.inner.seek(media_time)
    }

    fn shortfall(&self) -> Option<Shortfall> {
        self.inner.shortfall()
    }
}
