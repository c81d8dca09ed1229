//! A source that is read up to a time, where a jump would end elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::frame::Frame;
use crate::source::{FrameSource, Shortfall, SourceError, SourceInfo};

/// A source whose frames before a time were read and left out. It goes forwards alone.
pub struct ReadOn<S> {
    inner: S,
    /// The frame that was read last, if it hasn't been given yet.
    ahead: Option<Frame>,
}

impl<S: FrameSource> ReadOn<S> {
    /// Reads a source up to its first frame that isn't before `from`. `stop` ends that early.
    ///
    /// # Errors
    /// When it can't be read on.
    pub fn to(inner: S, from: Duration, stop: &AtomicBool) -> Result<Self, SourceError> {
        let mut source = Self { inner, ahead: None };
        source.go_on(from, || stop.load(Ordering::Relaxed))?;
        Ok(source)
    }

    /// Reads up to the first frame that isn't before `time`, or the one at which `stop` says so.
    fn go_on(&mut self, time: Duration, stop: impl Fn() -> bool) -> Result<(), SourceError> {
        loop {
            let frame = self.read()?;
            if frame.as_ref().is_none_or(|frame| frame.media_time >= time) || stop() {
                self.ahead = frame;
                return Ok(());
            }
        }
    }
}

impl<S: FrameSource> FrameSource for ReadOn<S> {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        self.ahead.take().map_or_else(|| self.inner.read(), |frame| Ok(Some(frame)))
    }

    /// Goes to the first frame that isn't before `media_time`.
    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        self.go_on(media_time, || false)
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
    use crate::source::{Excerpt, SourceKind, Span};

    /// A hundred frames, 40 ms apart, that can't be positioned.
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

    #[test]
    fn an_excerpt_of_what_is_read_on_has_the_frames_of_its_span_without_a_jump() {
        let millis = Duration::from_millis;
        let numbers = |from: u64, to: Option<u64>, skip: u64| {
            let span = Span { from: millis(from), to: to.map(millis), skip };
            let source = ReadOn::to(Frames::new(), span.from, &AtomicBool::new(false)).unwrap();
            let mut excerpt = Excerpt::new(Box::new(source), span).unwrap();
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
        let mut source = ReadOn::to(Frames::new(), Duration::from_secs(3), &AtomicBool::new(true)).unwrap();
        assert_eq!(source.read().unwrap().map(|frame| frame.index), Some(0));
    }
}
