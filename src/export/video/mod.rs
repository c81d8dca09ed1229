//! The annotated video. A separate thread writes it, so that encoding doesn't hold up the analysis.
//!
//! OpenCV writes constant rates only, so variable ones are reproduced by repeating and leaving out frames (see [`pace`]). Then the
//! original's sound is added (see [`sound`]).

mod pace;
mod sound;
mod writer;

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use opencv::core::Size;
use opencv::prelude::{VideoCaptureTrait as _, VideoCaptureTraitConst as _, VideoWriterTraitConst as _};
use opencv::videoio::{self, VideoCapture, VideoWriter};

pub use self::sound::Sound;
use self::writer::{Writer, Written};
use super::{ExportError, PartialFile};
use crate::clock::clock;
use crate::pipeline::Scene;
use crate::source::SourceInfo;

/// The codec of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// Every player and browser supports it.
    H264,
    /// Also in OpenCV builds without an H.264 encoder. Takes little memory, however large the pictures are.
    Mpeg4,
}

/// Codecs in order of preference.
const CODECS: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Mpeg4];

/// The same for pictures larger than [`MOST_H264_PIXELS`].
const CODECS_FOR_LARGE: [VideoCodec; 2] = [VideoCodec::Mpeg4, VideoCodec::H264];

/// The largest pictures of H.264's level 5.2, 4096×2304, beyond which few players show it. Its encoder holds some forty pictures
/// back: measured at 7680×4320, `mien analyze --video` took 2.9 GB with it.
const MOST_H264_PIXELS: usize = 4096 * 2304;

/// Size and rate of the pictures that will be pushed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoShape {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Pictures a second as declared by the source; anything but a positive number counts as 30.
    pub fps: f64,
}

impl VideoShape {
    /// The shape of a source's frames.
    pub fn of(info: &SourceInfo) -> Self {
        Self { width: info.width, height: info.height, fps: info.fps }
    }
}

/// Where the sound comes from.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The file whose scenes were pushed.
    pub path: &'a Path,
    /// Latest media time at which the last scene ends; `None` for the end of the file.
    pub to: Option<Duration>,
    /// Whether ffmpeg can seek to the first scene. It can't if the file's clock restarts.
    pub can_jump: bool,
    /// Ends the wait for ffmpeg.
    pub stop: &'a AtomicBool,
}

/// A complete video.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedVideo {
    /// Where it is.
    pub path: PathBuf,
    /// The codec of the picture.
    pub codec: VideoCodec,
    /// What became of the sound.
    pub sound: Sound,
    /// Time that was cut out of gaps between pictures; zero if the original's times were kept.
    pub cut: Duration,
}

/// More than the header of a video needs.
const HEADER_BYTES: usize = 4096;

/// A video being written.
pub struct AnnotatedVideo {
    // The order of the fields matters: the writer must have closed the file before it is removed.
    writer: Writer,
    partial: PartialFile,
    codec: VideoCodec,
    rate: f64,
}

impl AnnotatedVideo {
    /// Opens an MP4 file. It begins with the first scene that is pushed.
    ///
    /// # Errors
    /// When the folder can't be written to, a file of that name exists, the disk is full, or OpenCV has no encoder.
    pub fn create(path: &Path, shape: VideoShape) -> Result<Self, ExportError> {
        // The encoder opens the file by its name.
        let (partial, mut file) = PartialFile::create(path)?;
        let rate = pace::writable_rate(shape.fps);
        let size = Size::new(shape.width as i32, shape.height as i32);
        let is_large = shape.width.saturating_mul(shape.height) > MOST_H264_PIXELS;
        let codecs = if is_large { CODECS_FOR_LARGE } else { CODECS };
        let Some((encoder, codec)) = open_encoder(partial.temporary(), codecs, size, rate)? else {
            // OpenCV doesn't say why. Without an encoder, the disk has room for a header.
            let write = file.write_all(&[0; HEADER_BYTES]);
            let failed = |reason| ExportError::Write { path: path.to_owned(), reason };
            return Err(write.err().map_or(ExportError::NoEncoder, failed));
        };
        let writer = Writer::start(encoder, size, rate)
            .map_err(|reason| ExportError::Write { path: path.to_owned(), reason })?;
        Ok(Self { writer, partial, codec, rate })
    }

    /// Adds a frame with its faces. Waits while the encoder is behind.
    ///
    /// # Errors
    /// When the encoder failed, on this frame or an earlier one.
    pub fn push(&mut self, scene: Scene) -> Result<(), ExportError> {
        self.writer.push(scene)
    }

    /// Waits for the encoder, checks that the file contains every frame, adds the sound of `original`, and gives the file its name. If the
    /// sound can't be kept, the video has none, and the result says why.
    ///
    /// # Errors
    /// When the encoder failed, the file is incomplete (for example on a full disk), or the user interrupted the wait for the sound.
    pub fn finish(self, original: Option<&Original<'_>>) -> Result<FinishedVideo, ExportError> {
        let Self { mut writer, partial, codec, rate } = self;
        let written = writer.join()?;
        let readable = readable_frames(partial.temporary())?;
        if readable != written.frames {
            let (path, expected) = (partial.destination().to_owned(), written.frames);
            return Err(ExportError::Incomplete { path, written: readable, expected });
        }
        let (partial, sound) = match original {
            Some(original) => with_sound(partial, original, &written, rate)?,
            None => (partial, Sound::None),
        };
        if sound == Sound::Interrupted {
            return Err(ExportError::Interrupted);
        }
        Ok(FinishedVideo { path: partial.finish()?, codec, sound, cut: written.cut })
    }
}

/// Returns the video with its sound, or as it was.
fn with_sound(
    silent: PartialFile,
    original: &Original<'_>,
    written: &Written,
    rate: f64,
) -> Result<(PartialFile, Sound), ExportError> {
    if !written.cut.is_zero() || !original.can_jump {
        return Ok((silent, Sound::OutOfStep));
    }
    let Some(first) = written.first else { return Ok((silent, Sound::None)) };
    let shown = Duration::from_secs_f64(written.frames as f64 / rate);
    let length = original.to.map(|to| to.saturating_sub(first));
    let (muxed, _) = PartialFile::create(silent.destination())?;
    let part = sound::Part { first, length, shown };
    let sound = sound::add(silent.temporary(), original, part, muxed.temporary());
    match sound {
        Sound::Copied | Sound::Recoded if readable_frames(muxed.temporary())? == written.frames => Ok((muxed, sound)),
        Sound::Copied | Sound::Recoded => Ok((silent, Sound::Failed("ffmpeg's file lacks frames".to_owned()))),
        _ => Ok((silent, sound)),
    }
}

impl VideoCodec {
    /// Its name in containers.
    fn fourcc(self) -> opencv::Result<i32> {
        let [a, b, c, d] = match self {
            Self::H264 => ['a', 'v', 'c', '1'],
            Self::Mpeg4 => ['m', 'p', '4', 'v'],
        };
        VideoWriter::fourcc(a, b, c, d)
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::Mpeg4 => "MPEG-4 part 2 (it is too large for H.264, or this OpenCV has no encoder for that)",
        })
    }
}

impl FinishedVideo {
    /// Whether another run may add sound that could not be added.
    pub fn lacks_sound(&self) -> bool {
        matches!(self.sound, Sound::NoProgram | Sound::Failed(_))
    }

    /// Warnings.
    pub fn complaints(&self) -> Vec<String> {
        let longest = pace::LONGEST_HOLD.as_secs();
        let shortened = (!self.cut.is_zero()).then(|| {
            let cut = clock(self.cut.as_secs_f64(), 0);
            // A recording has no sound to lose.
            let (gaps, sound) = match self.sound {
                Sound::OutOfStep => ("the times of the original have gaps", " and has no sound, which would be out of sync"),
                _ => ("the recording has gaps, as after a pause or a lost camera", ""),
            };
            format!(
                "{gaps}; the annotated video shortens them by {cut} in all (a picture is held for at most {longest} s, less if \
                 there are many gaps){sound}"
            )
        });
        shortened.into_iter().chain(self.sound.complaint()).collect()
    }
}

impl fmt::Display for FinishedVideo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "annotated video in {}, ", self.codec)?;
        if !self.cut.is_zero() {
            write!(f, "gaps shortened by {}, ", clock(self.cut.as_secs_f64(), 0))?;
        }
        self.sound.fmt(f)
    }
}

/// Opens the file with the first codec that works; `None` if none does.
fn open_encoder(
    path: &Path,
    codecs: [VideoCodec; 2],
    size: Size,
    rate: f64,
) -> opencv::Result<Option<(VideoWriter, VideoCodec)>> {
    for codec in codecs {
        let encoder = VideoWriter::new(path, codec.fourcc()?, rate, size, true)?;
        if encoder.is_opened()? {
            return Ok(Some((encoder, codec)));
        }
    }
    Ok(None)
}

/// How many frames the file declares. OpenCV reports no error for a frame that didn't fit on the disk, but then the
/// index at the end of an MP4 file is missing, and it can't be opened.
fn readable_frames(path: &Path) -> Result<u64, ExportError> {
    let mut reader = VideoCapture::from_file(path, videoio::CAP_ANY)?;
    if !reader.is_opened()? {
        return Ok(0);
    }
    let frames = reader.get(videoio::CAP_PROP_FRAME_COUNT)?;
    reader.release()?;
    Ok(frames.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use opencv::core::{Mat, MatTrait as _, MatTraitConst as _, Vec3b};

    use std::sync::Arc;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::{SCENE_HEIGHT, SCENE_WIDTH, scene};

    fn shape(fps: f64) -> VideoShape {
        VideoShape { width: SCENE_WIDTH, height: SCENE_HEIGHT, fps }
    }

    #[test]
    fn the_video_has_every_frame_with_the_box_on_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("annotated.mp4");
        let mut video = AnnotatedVideo::create(&path, shape(25.0)).unwrap();
        for index in 0..12 {
            video.push(scene(index, Emotion::Sad)).unwrap();
        }
        let finished = video.finish(None).unwrap();
        assert_eq!((&finished.path, finished.sound), (&path, Sound::None));

        let mut reader = VideoCapture::from_file(&path, videoio::CAP_ANY).unwrap();
        assert_eq!(reader.get(videoio::CAP_PROP_FRAME_COUNT).unwrap(), 12.0);
        assert!((reader.get(videoio::CAP_PROP_FPS).unwrap() - 25.0).abs() < 0.1);
        let mut picture = Mat::default();
        assert!(reader.read(&mut picture).unwrap());
        // The patch above the box is blue: coding changes shades, not the hue.
        let rect = scene(0, Emotion::Sad).faces[0].rect;
        let Vec3b { 0: [blue, _, red] } = *picture.at_2d::<Vec3b>(rect.y as i32 - 4, rect.x as i32 + 4).unwrap();
        assert!(blue > red.saturating_add(60), "blue {blue}, red {red}");
    }

    /// Runs itself again, in a process whose files must stay empty.
    #[cfg(unix)]
    #[test]
    fn a_full_disk_is_not_taken_for_a_missing_encoder() {
        const FOLDER: &str = "MIEN_TEST_FULL_DISK_VIDEO";
        if let Some(folder) = std::env::var_os(FOLDER) {
            let error = AnnotatedVideo::create(&Path::new(&folder).join("a.mp4"), shape(25.0)).err().unwrap();
            assert!(matches!(error, ExportError::Write { .. }), "{error}");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let test = "export::video::tests::a_full_disk_is_not_taken_for_a_missing_encoder";
        crate::full_disk::test_again(test, FOLDER, home.path(), 0);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn scenes_are_shown_at_their_times() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mp4");
        let mut video = AnnotatedVideo::create(&path, shape(10.0)).unwrap();
        // 0, 0.4 and 1 s, each brighter than the one before.
        for (index, time) in [(0, 0), (1, 400), (2, 1000)] {
            let mut scene = scene(index, Emotion::Sad);
            scene.frame.media_time = Duration::from_millis(time);
            scene.faces.clear();
            let level = 60.0 * index as f64 + 40.0;
            Arc::make_mut(&mut scene.frame.image)
                .set_to(&opencv::core::Scalar::all(level), &opencv::core::no_array())
                .unwrap();
            video.push(scene).unwrap();
        }
        video.finish(None).unwrap();
        let mut reader = VideoCapture::from_file(&path, videoio::CAP_ANY).unwrap();
        let mut shown = Vec::new();
        let mut picture = Mat::default();
        while reader.read(&mut picture).unwrap() {
            let level = picture.at_2d::<Vec3b>(100, 100).unwrap().0[0];
            shown.push((f64::from(level) - 40.0) / 60.0);
        }
        let rounded: Vec<f64> = shown.iter().map(|index| index.round()).collect();
        assert_eq!(rounded, [0., 0., 0., 0., 1., 1., 1., 1., 1., 1., 2.], "{shown:?}");
    }

    #[test]
    fn a_video_that_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut video = AnnotatedVideo::create(&home.path().join("a.mp4"), shape(24.0)).unwrap();
        video.push(scene(0, Emotion::Sad)).unwrap();
        drop(video);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_source_that_does_not_declare_its_rate_still_gives_a_video() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mp4");
        let mut video = AnnotatedVideo::create(&path, shape(f64::NAN)).unwrap();
        video.push(scene(0, Emotion::Sad)).unwrap();
        video.finish(None).unwrap();
        assert!(path.is_file());
    }
}
