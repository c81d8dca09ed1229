//! A source that repeats a file until enough frames have been read.

use std::time::Duration;

use crate::frame::Frame;
use crate::source::{FrameSource, SourceError, SourceInfo};

/// Yields a given number of frames, repeating a file that has fewer. Frame numbers and times continue across the seam, so tracking and
/// smoothing see one long film with a cut.
pub struct RepeatedSource {
    inner: Box<dyn FrameSource>,
    left: u64,
    offset: Offset,
    last: Option<Offset>,
}

/// What is added to a frame's index and media time.
#[derive(Clone, Copy, Default)]
struct Offset {
    index: u64,
    media_time: Duration,
}

impl RepeatedSource {
    /// Yields `frames` frames of `inner`.
    pub fn new(inner: Box<dyn FrameSource>, frames: u64) -> Self {
        Self { inner, left: frames, offset: Offset::default(), last: None }
    }
}

impl FrameSource for RepeatedSource {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let mut frame = self.inner.read()?;
        if frame.is_none()
            && let Some(last) = self.last
        {
            self.inner.seek(Duration::ZERO)?;
            self.offset = Offset { index: last.index + 1, media_time: last.media_time + self.inner.info().interval() };
            frame = self.inner.read()?;
        }
        let Some(mut frame) = frame else { return Ok(None) };
        frame.index += self.offset.index;
        frame.media_time += self.offset.media_time;
        self.last = Some(Offset { index: frame.index, media_time: frame.media_time });
        self.left = left;
        Ok(Some(frame))
    }

    /// Seeks within the first pass over the file.
    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        self.offset = Offset::default();
        self.inner.seek(media_time)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opencv::core::Mat;

    use super::*;
    use crate::source::SourceKind;

    /// A file with three frames at 0, 100 and 200 ms.
    struct ThreeFrames {
        info: SourceInfo,
        next: u64,
    }

    impl ThreeFrames {
        fn new() -> Self {
            let kind = SourceKind::File { duration: None, frames: Some(3) };
            let (name, fourcc) = (String::new(), String::new());
            Self { info: SourceInfo { name, kind, width: 1, height: 1, fps: 10.0, fourcc }, next: 0 }
        }
    }

    impl FrameSource for ThreeFrames {
        fn info(&self) -> &SourceInfo {
            &self.info
        }

        fn read(&mut self) -> Result<Option<Frame>, SourceError> {
            let index = self.next;
            self.next = (index + 1).min(3);
            let media_time = Duration::from_millis(100 * index);
            Ok((index < 3).then(|| Frame {
                index,
                media_time,
                captured_at: Instant::now(),
                image: Mat::default().into(),
            }))
        }

        fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
            self.next = (media_time.as_millis() / 100) as u64;
            Ok(())
        }
    }

    fn stamps(source: &mut RepeatedSource) -> Vec<(u64, u128)> {
        std::iter::from_fn(|| source.read().unwrap()).map(|f| (f.index, f.media_time.as_millis())).collect()
    }

    #[test]
    fn a_short_file_is_repeated_with_stamps_that_go_on() {
        let mut source = RepeatedSource::new(Box::new(ThreeFrames::new()), 7);
        let expected: Vec<(u64, u128)> = (0..7).map(|i| (i, u128::from(i) * 100)).collect();
        assert_eq!(stamps(&mut source), expected);
    }

    #[test]
    fn a_long_file_is_cut_off() {
        let mut source = RepeatedSource::new(Box::new(ThreeFrames::new()), 2);
        assert_eq!(stamps(&mut source), [(0, 0), (1, 100)]);
    }
}
