//! The video of a recording, with the recorded numbers and times of its frames.

use std::sync::Arc;
use std::time::Duration;

use super::{Recording, VIDEO};
use crate::frame::Frame;
use crate::pipeline::{OpenSource, Parts, SourceRequest};
use crate::source::{FrameSource, SourceError, SourceInfo, SourceKind, VideoSource};

/// Reads the frames of a recording's video with their recorded numbers and times. The container doesn't hold these; its own
/// times are evenly spaced.
pub struct RecordingSource {
    recording: Arc<Recording>,
    video: VideoSource,
    info: SourceInfo,
    /// The constant rate of the container, in frames per second.
    even_rate: f64,
    /// Position of the next frame in the video; `None` after a seek, until a frame is read.
    next_place: Option<usize>,
}

impl RecordingSource {
    /// Opens the video.
    ///
    /// # Errors
    /// Those of [`VideoSource::open`].
    pub fn open(recording: Arc<Recording>) -> Result<Self, SourceError> {
        let video = VideoSource::open(&recording.folder().join(VIDEO))?;
        let frames = &recording.frames;
        let kind = SourceKind::File { duration: Some(frames.duration()), frames: Some(frames.len() as u64) };
        let even_rate = Some(video.info().fps).filter(|fps| *fps > 0.0).unwrap_or(recording.metadata.fps);
        let info = SourceInfo { name: recording.name(), kind, fps: frames.rate(), ..video.info().clone() };
        Ok(Self { recording, video, info, even_rate, next_place: Some(0) })
    }

    /// Position in the video of the frame with this evenly spaced time.
    fn place(&self, even_time: Duration) -> usize {
        (even_time.as_secs_f64() * self.even_rate).round() as usize
    }
}

impl OpenSource for Recording {
    fn open(self: Arc<Self>) -> Result<Box<dyn FrameSource>, SourceError> {
        Ok(Box::new(RecordingSource::open(self)?))
    }
}

impl Recording {
    /// Its video as a source, with the recorded times of the frames.
    pub fn request(self: &Arc<Self>) -> SourceRequest {
        SourceRequest::Other(Arc::<Self>::clone(self))
    }

    /// Its video with the recorded faces.
    pub fn parts(self: &Arc<Self>) -> Parts {
        Parts::recorded(Arc::<Self>::clone(self), self.faces.clone())
    }
}

impl FrameSource for RecordingSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(frame) = self.video.read()? else { return Ok(None) };
        let place = self.next_place.unwrap_or_else(|| self.place(frame.media_time));
        self.next_place = Some(place + 1);
        // After a kill the video may be longer than the list of its frames.
        let Some(stamp) = self.recording.frames.at(place) else { return Ok(None) };
        Ok(Some(Frame { index: stamp.frame, media_time: stamp.time, ..frame }))
    }

    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        let place = self.recording.frames.place_at(media_time);
        self.next_place = None;
        // To the middle of the frame, so that rounding can't select a neighbour.
        self.video.seek(Duration::from_secs_f64((place as f64 + 0.5) / self.even_rate))
    }

    fn time_before(&self, media_time: Duration, frames: u32) -> Option<Duration> {
        let times = &self.recording.frames;
        let place = times.place_at(media_time).saturating_sub(frames as usize);
        times.at(place).map(|stamp| stamp.time)
    }
}
