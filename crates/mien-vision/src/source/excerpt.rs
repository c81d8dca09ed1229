//! A part of a source, or every n-th frame of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{FrameSource, Shortfall, SourceError, SourceInfo};
use crate::frame::Frame;

/// Which frames of a source are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Media time at which the span begins.
    pub from: Duration,
    /// Media time at which the span ends, exclusive; `None` is the end of the source.
    pub to: Option<Duration>,
    /// Frames left out after each one that is used.
    pub skip: u64,
}

/// A source without some of its frames; the others keep their numbers and times.
pub struct Excerpt {
    inner: Box<dyn FrameSource>,
    span: Span,
    /// Frames to leave out before the next one that is used.
    to_skip: u64,
    /// A frame that was read but not checked yet.
    ahead: Option<Frame>,
}

impl Excerpt {
    /// Seeks to the beginning of the span.
    ///
    /// # Errors
    /// When the source can't seek.
    pub fn new(mut inner: Box<dyn FrameSource>, span: Span) -> Result<Self, SourceError> {
        if !span.from.is_zero() {
            inner.seek(span.from)?;
        }
        Ok(Self { inner, span, to_skip: 0, ahead: None })
    }

    /// Reads up to the first frame of the span, for a source in which a seek would end elsewhere. `stop` ends that early.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn read_on(mut inner: Box<dyn FrameSource>, span: Span, stop: &AtomicBool) -> Result<Self, SourceError> {
        let mut ahead = inner.read()?;
        while ahead.as_ref().is_some_and(|frame| frame.media_time < span.from) && !stop.load(Ordering::Relaxed) {
            ahead = inner.read()?;
        }
        Ok(Self { inner, span, to_skip: 0, ahead })
    }

    /// The next frame of the source, whether it is used or not.
    fn read_any(&mut self) -> Result<Option<Frame>, SourceError> {
        self.ahead.take().map_or_else(|| self.inner.read(), |frame| Ok(Some(frame)))
    }
}

impl FrameSource for Excerpt {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        while let Some(frame) = self.read_any()? {
            if self.span.to.is_some_and(|to| frame.media_time >= to) {
                return Ok(None);
            }
            // A seek leads to the frame that is shown at `from`, which may begin before it.
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
        (self.to_skip, self.ahead) = (0, None);
        self.inner.seek(media_time.max(self.span.from))
    }

    fn shortfall(&self) -> Option<Shortfall> {
        self.inner.shortfall()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opencv::core::Mat;

    use super::*;
    use crate::source::SourceKind;

    /// A source of a hundred frames, 40 ms apart, that can't seek.
    struct Frames {
        info: SourceInfo,
        next: u64,
    }

    impl Frames {
        fn new() -> Self {
            let kind = SourceKind::File { duration: None, frames: None };
            let info = SourceInfo { name: "a".into(), kind, width: 1, height: 1, fps: 25.0, fourcc: String::new() };
            Self { info, next: 0 }
        }
    }

    impl FrameSource for Frames {
        fn info(&self) -> &SourceInfo {
            &self.info
        }

        fn read(&mut self) -> Result<Option<Frame>, SourceError> {
            let index = self.next;
            self.next += 1;
            let media_time = Duration::from_millis(40 * index);
            let frame = || Frame { index, media_time, captured_at: Instant::now(), image: Mat::default().into() };
            Ok((index < 100).then(frame))
        }

        fn seek(&mut self, _media_time: Duration) -> Result<(), SourceError> {
            Err(SourceError::NotSeekable("a".to_owned()))
        }
    }

    fn read_on(span: Span, stop: bool) -> Excerpt {
        Excerpt::read_on(Box::new(Frames::new()), span, &AtomicBool::new(stop)).unwrap()
    }

    #[test]
    fn an_excerpt_of_what_is_read_on_has_the_frames_of_its_span_without_a_jump() {
        let millis = Duration::from_millis;
        let numbers = |from: u64, to: Option<u64>, skip: u64| {
            let mut excerpt = read_on(Span { from: millis(from), to: to.map(millis), skip }, false);
            let frames = std::iter::from_fn(|| excerpt.read().unwrap());
            frames.map(|frame| frame.index).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1010, Some(1130), 0), [26, 27, 28]);
        assert_eq!(numbers(1000, Some(1240), 1), [25, 27, 29]);
        assert_eq!(numbers(3900, None, 0), [98, 99]);
        assert_eq!(numbers(5000, None, 0), [0_u64; 0]);
    }

    #[test]
    fn reading_on_ends_when_nobody_wants_it_any_more() {
        let excerpt = read_on(Span { from: Duration::from_secs(3), ..Span::default() }, true);
        assert_eq!(excerpt.ahead.map(|frame| frame.index), Some(0));
    }
}
