//! The annotated video: written by a thread of its own, so that encoding doesn't hold the analysis up.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use opencv::core::Size;
use opencv::prelude::{
    VideoCaptureTrait as _, VideoCaptureTraitConst as _, VideoWriterTrait as _, VideoWriterTraitConst as _,
};
use opencv::videoio::{self, VideoCapture, VideoWriter};

use super::{ExportError, PartialFile, annotate};
use crate::pipeline::Scene;

/// Scenes that wait for the encoder. Enough to level out its slow frames, and at 8 megapixels still only 200 MB.
const QUEUE: usize = 8;

/// H.264 first: every player and browser shows it. MPEG-4 part 2 is what OpenCV builds without it have.
const CODECS: [[char; 4]; 2] = [['a', 'v', 'c', '1'], ['m', 'p', '4', 'v']];

/// The frame rate of a source that doesn't say: what most cameras have.
const FALLBACK_FPS: f64 = 30.0;

/// A video being written, in a constant frame rate.
pub struct AnnotatedVideo {
    // The order of the fields matters: the writer must have closed the file before it is removed.
    writer: Writer,
    partial: PartialFile,
}

impl AnnotatedVideo {
    /// Opens an MP4 file for pictures of this size. `fps` that is no positive number counts as 30.
    ///
    /// # Errors
    /// When the folder can't be written to, a file of that name exists, or OpenCV has no encoder.
    pub fn create(path: &Path, width: usize, height: usize, fps: f64) -> Result<Self, ExportError> {
        // The encoder opens the file by its name; the handle only showed that it can be made.
        let (partial, _) = PartialFile::create(path)?;
        let fps = if fps.is_finite() && fps > 0.0 { fps } else { FALLBACK_FPS };
        let encoder = open_encoder(partial.temporary(), Size::new(width as i32, height as i32), fps)?;
        let writer = Writer::start(encoder).map_err(|reason| ExportError::Write { path: path.to_owned(), reason })?;
        Ok(Self { writer, partial })
    }

    /// Adds a frame with its faces. Waits while the encoder is behind.
    ///
    /// # Errors
    /// When the encoder failed, on this frame or an earlier one.
    pub fn push(&mut self, scene: Scene) -> Result<(), ExportError> {
        let is_taken = self.writer.scenes.as_ref().is_some_and(|scenes| scenes.send(scene).is_ok());
        if is_taken {
            Ok(())
        } else {
            // The writer has gone: its own error says why.
            self.writer.join().and(Err(ExportError::WriterDied))
        }
    }

    /// Waits for the encoder, checks that the file holds every frame, and gives it its name.
    ///
    /// # Errors
    /// When the encoder failed, or the file isn't whole, as on a full disk.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        let Self { mut writer, partial } = self;
        let expected = writer.join()?;
        let written = readable_frames(partial.temporary())?;
        if written != expected {
            return Err(ExportError::Incomplete { path: partial.destination().to_owned(), written, expected });
        }
        partial.finish()
    }
}

/// The thread that draws and encodes.
struct Writer {
    /// `None` ends the thread.
    scenes: Option<Sender<Scene>>,
    thread: Option<JoinHandle<Result<u64, ExportError>>>,
}

impl Writer {
    fn start(encoder: VideoWriter) -> io::Result<Self> {
        let (scenes, receiver) = bounded(QUEUE);
        let thread = thread::Builder::new().name("video writer".into()).spawn(move || write(encoder, &receiver))?;
        Ok(Self { scenes: Some(scenes), thread: Some(thread) })
    }

    /// Ends the thread and gives the number of frames that it took.
    fn join(&mut self) -> Result<u64, ExportError> {
        self.scenes = None;
        let thread = self.thread.take().ok_or(ExportError::WriterDied)?;
        thread.join().unwrap_or(Err(ExportError::WriterDied))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The video is being given up, so how its encoding went interests nobody any more.
        self.join().ok();
    }
}

/// Draws and encodes until there is nobody left to send.
fn write(mut encoder: VideoWriter, scenes: &Receiver<Scene>) -> Result<u64, ExportError> {
    let mut frames = 0;
    for mut scene in scenes {
        annotate(&mut scene.frame.image, &scene.faces)?;
        encoder.write(&scene.frame.image)?;
        frames += 1;
    }
    encoder.release()?;
    Ok(frames)
}

fn open_encoder(path: &Path, size: Size, fps: f64) -> Result<VideoWriter, ExportError> {
    for [a, b, c, d] in CODECS {
        let encoder = VideoWriter::new(path, VideoWriter::fourcc(a, b, c, d)?, fps, size, true)?;
        if encoder.is_opened()? {
            return Ok(encoder);
        }
    }
    Err(ExportError::NoEncoder)
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
    use opencv::core::{Mat, MatTraitConst as _, Vec3b};

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::{SCENE_HEIGHT, SCENE_WIDTH, scene};

    #[test]
    fn the_video_has_every_frame_with_the_box_on_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("annotated.mp4");
        let mut video = AnnotatedVideo::create(&path, SCENE_WIDTH, SCENE_HEIGHT, 24.0).unwrap();
        for index in 0..12 {
            video.push(scene(index, Emotion::Sad)).unwrap();
        }
        assert_eq!(video.finish().unwrap(), path);

        let mut reader = VideoCapture::from_file(&path, videoio::CAP_ANY).unwrap();
        assert_eq!(reader.get(videoio::CAP_PROP_FRAME_COUNT).unwrap(), 12.0);
        assert!((reader.get(videoio::CAP_PROP_FPS).unwrap() - 24.0).abs() < 0.1);
        let mut picture = Mat::default();
        assert!(reader.read(&mut picture).unwrap());
        // The patch above the box is blue: coding changes shades, not the hue.
        let rect = scene(0, Emotion::Sad).faces[0].rect;
        let Vec3b { 0: [blue, _, red] } = *picture.at_2d::<Vec3b>(rect.y as i32 - 4, rect.x as i32 + 4).unwrap();
        assert!(blue > red.saturating_add(60), "blue {blue}, red {red}");
    }

    #[test]
    fn a_video_that_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut video = AnnotatedVideo::create(&home.path().join("a.mp4"), SCENE_WIDTH, SCENE_HEIGHT, 24.0).unwrap();
        video.push(scene(0, Emotion::Sad)).unwrap();
        drop(video);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_source_that_does_not_declare_its_rate_still_gives_a_video() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mp4");
        let mut video = AnnotatedVideo::create(&path, SCENE_WIDTH, SCENE_HEIGHT, f64::NAN).unwrap();
        video.push(scene(0, Emotion::Sad)).unwrap();
        video.finish().unwrap();
        assert!(path.is_file());
    }
}
