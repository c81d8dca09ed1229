//! Video files through OpenCV and FFmpeg.
//!
//! What OpenCV 4.6 does with time stamps, and what follows from it:
//! - `CAP_PROP_POS_MSEC` *after* a read is the stamp of the frame just read, also with a variable frame rate. It is
//!   zero if FFmpeg gives no stamp, as on the last frames of H.264 files with B-frames. The index of an MP4 has their times; elsewhere
//!   [`StampClock`] adds the last interval.
//! - `CAP_PROP_POS_FRAMES` seeks by `frame / declared rate` and decodes forward from the key frame before it. This is
//!   exact for a constant rate, but only approximate for a variable one. So [`VideoSource::seek`] goes a little before
//!   the target and then reads on by stamps.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst as _, Vector};
use opencv::videoio::{self, VideoCapture, VideoCaptureAPIs, VideoCaptureTrait as _, VideoCaptureTraitConst as _};

use super::shortfall::Shortfall;
use super::stamps::{KnownTimes, StampClock, plausible_fps};
use super::timeline::{Losses, Timeline};
use super::{FrameSource, SourceError, SourceInfo, SourceKind, file, matroska};
use crate::frame::Frame;
use mien_core::pixels::PixelLimit;

/// How many frames before the estimated place a seek starts reading, tried in turn until a frame at or before the
/// target turns up. With a constant rate the first is enough; the last resort is to open the file again.
const SEEK_MARGINS: [u64; 3] = [2, 30, 300];

/// A target at most this far ahead is reached by reading on, which is cheaper than a jump to a key frame and
/// keeps the frame numbers of a variable rate exact.
const READ_ON: Duration = Duration::from_secs(1);

/// Failed reads in a row that mean the end of the file. A read of OpenCV also fails after 512 packets in a row without a picture,
/// such as eleven seconds of sound under a still picture; the next read continues from there. This many reads cover more than ten
/// minutes of sound, and take some milliseconds at the true end.
const READS_BEFORE_END: u64 = 64;

/// The same while the index has more frames: each packet of a damaged part may make a read fail.
const READS_OF_DAMAGE: u64 = 10_000;

/// In an AVI with B-frames, the first picture is at most this many intervals late. A later one is the first that can be decoded.
const LONGEST_DELAY: f64 = 4.0;

/// Codecs by which FFmpeg plays text files as terminal art: the first four letters of their names.
const TERMINAL_ART: [&str; 4] = ["ansi", "bint", "idf", "xbin"];

/// A video file.
pub struct VideoSource {
    capture: VideoCapture,
    path: PathBuf,
    info: SourceInfo,
    clock: StampClock,
    /// Frames that were read ahead: the first one at opening, and those that a seek had to look at.
    ahead: VecDeque<Frame>,
    known: KnownTimes,
    /// The stamp of the first picture in milliseconds, if the file has no known index and that is only a delay by B-frames.
    first_stamp: Option<f64>,
    /// Index of the next frame that the decoder gives.
    next_index: u64,
    /// Whether that is certain: after a jump it is an estimate by the declared rate.
    is_counted: bool,
    last: Option<LastFrame>,
    /// Compares what is read with the index of the file, if that is known.
    losses: Option<Losses>,
    /// Found at the end of a file without a known index.
    estimated: Option<Shortfall>,
}

/// The frame that was last taken from the decoder.
#[derive(Clone, Copy)]
struct LastFrame {
    index: u64,
    media_time: Duration,
}

impl VideoSource {
    /// Opens a video file and decodes its first frame, so that a file without any is refused here.
    ///
    /// # Errors
    /// When the file is missing, a folder, unreadable, empty, a playlist, not a video, damaged, or without frames, or its frames have too
    /// many pixels.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        file::check_readable(path)?;
        if file::is_still_picture(path) {
            return Err(file::why_no_video(path));
        }
        if let Some(what) = file::playlist(path) {
            return Err(SourceError::Playlist { path: path.to_owned(), what });
        }
        // FFmpeg takes the part before a colon for a protocol, which an absolute path can't begin with.
        let absolute =
            std::path::absolute(path).map_err(|reason| SourceError::Unreadable { path: path.to_owned(), reason })?;
        let Some(capture) = open_capture(&absolute)? else { return Err(file::why_no_video(path)) };
        let fourcc = super::camera::FourCc::from_property(capture.get(videoio::CAP_PROP_FOURCC)?).to_string();
        if TERMINAL_ART.contains(&fourcc.to_lowercase().trim()) {
            return Err(file::why_no_video(path));
        }
        let side = |property| Ok::<_, opencv::Error>(count(capture.get(property)?).unwrap_or(0));
        PixelLimit::default()
            .check(side(videoio::CAP_PROP_FRAME_WIDTH)?, side(videoio::CAP_PROP_FRAME_HEIGHT)?)
            .map_err(|reason| SourceError::TooLarge { path: path.to_owned(), reason })?;
        let fps = plausible_fps(capture.get(videoio::CAP_PROP_FPS)?);
        let declared = count(capture.get(videoio::CAP_PROP_FRAME_COUNT)?);
        // Of AV1, FFmpeg also gives the frames that an edit list hides.
        let is_av1 = fourcc.eq_ignore_ascii_case("av01");
        let timeline = declared.filter(|_| !is_av1).and_then(|declared| Timeline::read(&absolute, declared));
        let frames = timeline.as_ref().map(Timeline::frames).or(declared);
        let duration = timeline.as_ref().map(Timeline::duration).or_else(|| {
            let (frames, fps) = frames.zip(fps)?;
            Duration::try_from_secs_f64(frames as f64 / fps).ok()
        });
        let mut video = Self {
            capture,
            path: absolute,
            info: SourceInfo {
                name: file::name(path),
                kind: SourceKind::File { duration, frames },
                width: 0,
                height: 0,
                fps: fps.unwrap_or(0.0),
                fourcc,
            },
            clock: StampClock::new(fps.unwrap_or(0.0)),
            ahead: VecDeque::new(),
            known: KnownTimes::default(),
            first_stamp: None,
            next_index: 0,
            is_counted: true,
            last: None,
            losses: timeline.map(Losses::new),
            estimated: None,
        };
        // Take the size from a decoded frame: in some versions, the declared one is that before rotation.
        let first = video.decode()?.ok_or_else(|| SourceError::NoFrames(path.to_owned()))?;
        (video.info.width, video.info.height) = (first.width(), first.height());
        video.ahead.push_back(first);
        Ok(video)
    }

    /// The next frame from the decoder, or `None` at the end of the file.
    fn decode(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(image) = self.read_picture()? else { return Ok(None) };
        let stamp = self.stamp()?;
        let media_time = self.clock.media_time(stamp, self.next_index);
        if self.last.is_none()
            && let Some(index) = self.known.index_of(media_time)
        {
            // The first frame after a jump into a part that was read before: its exact number is known.
            (self.next_index, self.is_counted) = (index, true);
        }
        // Frames after lost ones keep the numbers that they have in the intact file.
        self.next_index += self.losses.as_mut().map_or(0, |losses| losses.note(media_time));
        if self.is_counted {
            self.known.note(self.next_index, media_time);
        }
        let index = self.next_index;
        self.next_index += 1;
        self.last = Some(LastFrame { index, media_time });
        Ok(Some(Frame { index, media_time, captured_at: Instant::now(), image: image.into() }))
    }

    /// The stamp of the picture that was just read, in milliseconds since the first one; 0 if there is none.
    fn stamp(&mut self) -> Result<f64, SourceError> {
        let stamp = self.capture.get(videoio::CAP_PROP_POS_MSEC)?;
        match &self.losses {
            Some(losses) if stamp <= 0.0 && self.last.is_some() => {
                Ok(losses.next_time().map_or(stamp, |time| time.as_secs_f64() * 1000.0))
            }
            Some(_) => Ok(stamp),
            None => {
                let interval = self.clock.interval().as_secs_f64() * 1000.0;
                let is_delay = (0.0..=LONGEST_DELAY * interval).contains(&stamp);
                let first = *self.first_stamp.get_or_insert(if is_delay { stamp } else { 0.0 });
                // An earlier stamp is that of a clock that has restarted.
                Ok(if stamp >= first { stamp - first } else { stamp })
            }
        }
    }

    /// The next picture, or `None` at the end of the file.
    fn read_picture(&mut self) -> Result<Option<Mat>, SourceError> {
        let expected = self.losses.as_ref().map_or(0, |losses| losses.frames_from(self.next_index));
        for _ in 0..READS_BEFORE_END.max(expected.min(READS_OF_DAMAGE)) {
            let mut image = Mat::default();
            if self.capture.read(&mut image)? && !image.empty() {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    /// Moves the decoder to a frame, counted by the declared rate.
    fn jump(&mut self, frame: u64) -> Result<(), SourceError> {
        self.capture.set(videoio::CAP_PROP_POS_FRAMES, frame as f64)?;
        // The actual position: OpenCV stops at the end.
        let position = count(self.capture.get(videoio::CAP_PROP_POS_FRAMES)?).unwrap_or(0);
        self.restart_at(position);
        Ok(())
    }

    /// Forgets everything from before a jump; `frame` comes next.
    fn restart_at(&mut self, frame: u64) {
        self.clock.reset();
        self.last = None;
        self.ahead.clear();
        if let Some(losses) = &mut self.losses {
            losses.restart();
        }
        (self.next_index, self.is_counted) = (frame, frame == 0);
    }

    /// Reads on until the frame shown at `target`, the last one that isn't later, is first in `ahead`. Returns whether
    /// that worked. It doesn't if even the first frame is later, unless `accept_later`.
    fn read_up_to(&mut self, target: Duration, accept_later: bool) -> Result<bool, SourceError> {
        while self.ahead.get(1).is_some_and(|next| next.media_time <= target) {
            self.ahead.pop_front();
        }
        if self.ahead.len() > 1 {
            return Ok(true);
        }
        loop {
            let Some(frame) = self.decode()? else {
                // Past the end, a player shows the last frame.
                return Ok(!self.ahead.is_empty());
            };
            let is_later = frame.media_time > target;
            if is_later && self.ahead.is_empty() && !accept_later {
                return Ok(false);
            }
            if !is_later {
                self.ahead.clear();
            }
            self.ahead.push_back(frame);
            if is_later {
                return Ok(true);
            }
        }
    }

    /// Notes that the file has ended, to find out whether that is too early.
    fn note_end(&mut self) {
        if let Some(losses) = &mut self.losses {
            losses.note_end();
        } else if self.estimated.is_none() {
            self.estimated = self.estimate_shortfall();
        }
    }

    /// What is missing of a file that declares its length but has no known index.
    fn estimate_shortfall(&self) -> Option<Shortfall> {
        let SourceKind::File { duration: Some(duration), frames: Some(declared) } = self.info.kind else { return None };
        let last = self.last.filter(|_| !self.clock.began_again())?;
        let end = (last.index + 1, last.media_time + self.clock.interval());
        let shortfall = Shortfall::estimate(end, (declared, duration))?;
        let is_whole = matroska::is_whole(&self.path).unwrap_or(false);
        (!is_whole).then_some(shortfall)
    }
}

impl FrameSource for VideoSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        if let Some(frame) = self.ahead.pop_front() {
            return Ok(Some(Frame { captured_at: Instant::now(), ..frame }));
        }
        let frame = self.decode()?;
        if frame.is_none() {
            self.note_end();
        }
        Ok(frame)
    }

    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        let position = self.ahead.front().map(|frame| frame.media_time).or(self.last.map(|last| last.media_time));
        let is_near_ahead = position.is_some_and(|at| at < media_time && media_time - at <= READ_ON);
        if is_near_ahead && self.read_up_to(media_time, false)? {
            return Ok(());
        }
        let rate = 1.0 / self.clock.interval().as_secs_f64();
        let estimate = (media_time.as_secs_f64() * rate) as u64;
        let last_frame = match self.info.kind {
            SourceKind::File { frames: Some(frames), .. } => frames.saturating_sub(1),
            _ => u64::MAX,
        };
        for margin in SEEK_MARGINS {
            let start = estimate.min(last_frame).saturating_sub(margin);
            self.jump(start)?;
            if self.read_up_to(media_time, start == 0)? {
                return Ok(());
            }
        }
        // OpenCV can't seek in files of one frame, nor in some truncated ones.
        self.capture = open_capture(&self.path)?.ok_or_else(|| SourceError::Missing(self.path.clone()))?;
        self.restart_at(0);
        if self.read_up_to(media_time, true)? {
            return Ok(());
        }
        Err(SourceError::Seek { name: self.info.name.clone(), seconds: media_time.as_secs_f64() })
    }

    fn time_before(&self, media_time: Duration, frames: u32) -> Option<Duration> {
        match &self.losses {
            Some(losses) => losses.time_before(media_time, frames),
            None => self.known.time_before(media_time, frames),
        }
    }

    fn shortfall(&self) -> Option<Shortfall> {
        self.losses.as_ref().and_then(Losses::shortfall).or(self.estimated)
    }
}

/// The decoder for a file, or `None` if it can't be opened as a video.
fn open_capture(path: &Path) -> opencv::Result<Option<VideoCapture>> {
    let mut capture = VideoCapture::from_file(path, preferred_backend()?)?;
    if !capture.is_opened()? {
        return Ok(None);
    }
    // Without this property, a backend shows portrait videos lying on their side; nothing else depends on it.
    capture.set(videoio::CAP_PROP_ORIENTATION_AUTO, 1.0)?;
    Ok(Some(capture))
}

/// FFmpeg if OpenCV has it: other backends guess stamps or try to open a camera.
fn preferred_backend() -> opencv::Result<i32> {
    let backends: Vector<VideoCaptureAPIs> = videoio::get_stream_backends()?;
    let has_ffmpeg = backends.iter().any(|backend| backend as i32 == videoio::CAP_FFMPEG);
    Ok(if has_ffmpeg { videoio::CAP_FFMPEG } else { videoio::CAP_ANY })
}

/// The value of a property that counts something; `None` if it is unknown.
fn count(property: f64) -> Option<u64> {
    (property.is_finite() && property >= 1.0).then_some(property as u64)
}
