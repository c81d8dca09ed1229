//! A part of a source, or every so many frames of it.

use std::time::Duration;

use super::{FrameSource, Shortfall, SourceError, SourceInfo};
use crate::frame::Frame;

/// Which frames of a source take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Media time of the first.
    pub from: Duration,
    /// Media time before which the last lies; `None` is the end.
    pub to: Option<Duration>,
    /// Frames left out after each one that takes part.
    pub skip: u64,
}

/// A source of which some frames are left out; the others keep their numbers and times.
pub struct Excerpt {
    inner: Box<dyn FrameSource>,
    span: Span,
    /// Frames to leave out before the next one that takes part.
    to_skip: u64,
}

impl Excerpt {
    /// Goes to the beginning of the span.
    ///
    /// # Errors
    /// When the source can't be positioned.
    pub fn new(mut inner: Box<dyn FrameSource>, span: Span) -> Result<Self, SourceError> {
        if !span.from.is_zero() {
            inner.seek(span.from)?;
        }
        Ok(Self { inner, span, to_skip: 0 })
    }
}

impl FrameSource for Excerpt {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        while let Some(frame) = self.inner.read()? {
            if self.span.to.is_some_and(|to| frame.media_time >= to) {
                return Ok(None);
            }
            // A seek ends at the frame that is shown at `from`, which began before it.
            if frame.media_time < self.span.from {
                continue;
            }
            if self.to_skip == 0 {
                self.to_skip = self.span.skip;
                return Ok(Some(frame));
            }
            self.to_skip -= 1;
        }
        Ok(None)
    }

    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        self.to_skip = 0;
        self.inner.seek(media_time.max(self.span.from))
    }

    fn shortfall(&self) -> Option<Shortfall> {
        self.inner.shortfall()
    }
}
