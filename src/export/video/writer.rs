//! The thread that draws and encodes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use opencv::core::{Mat, MatTraitConst as _, Size};
use opencv::imgproc;
use opencv::prelude::VideoWriterTrait as _;
use opencv::videoio::VideoWriter;

use super::pace::Pace;
use crate::export::{ExportError, annotate};
use crate::pipeline::{Scene, frames_that_wait};

/// The thread's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// Frames in the file.
    pub frames: u64,
    /// Media time of the first scene.
    pub first: Option<Duration>,
    /// Time cut out of gaps: how much earlier than in the source the last scene is shown.
    pub cut: Duration,
}

/// The handle of the thread.
pub struct Writer {
    /// `None` ends the thread.
    scenes: Option<Sender<Scene>>,
    thread: Option<JoinHandle<Result<Written, ExportError>>>,
    /// Set when the video is given up.
    given_up: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread; `encoder` takes pictures of this size at this rate.
    pub fn start(encoder: VideoWriter, size: Size, rate: f64) -> io::Result<Self> {
        // Enough to level out the encoder's slow frames.
        let (scenes, receiver) = bounded(frames_that_wait(size.width as usize, size.height as usize));
        let given_up = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&given_up);
        let run = move || write(encoder, size, Pace::new(rate), &receiver, &ends);
        let thread = thread::Builder::new().name("video writer".into()).spawn(run)?;
        Ok(Self { scenes: Some(scenes), thread: Some(thread), given_up })
    }

    /// Hands a scene over, waiting while the encoder is behind.
    pub fn push(&mut self, scene: Scene) -> Result<(), ExportError> {
        let is_taken = self.scenes.as_ref().is_some_and(|scenes| scenes.send(scene).is_ok());
        if is_taken {
            Ok(())
        } else {
            // The thread has ended: its own error says why.
            self.join().and(Err(ExportError::WriterDied))
        }
    }

    /// Ends the thread and returns its result.
    pub fn join(&mut self) -> Result<Written, ExportError> {
        self.scenes = None;
        let thread = self.thread.take().ok_or(ExportError::WriterDied)?;
        thread.join().unwrap_or(Err(ExportError::WriterDied))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        // The video is given up, so its result doesn't matter.
        self.join().ok();
    }
}

/// Draws and encodes until all scenes have been sent, or the video is given up.
fn write(
    mut encoder: VideoWriter,
    size: Size,
    mut pace: Pace,
    scenes: &Receiver<Scene>,
    given_up: &AtomicBool,
) -> Result<Written, ExportError> {
    let is_given_up = || given_up.load(Ordering::Relaxed);
    // The picture that is shown until the next scene begins, and its first frame.
    let mut held: Option<(u64, Mat)> = None;
    let mut frames = 0;
    for scene in scenes {
        if is_given_up() {
            break;
        }
        // Usually nobody else holds this frame any more; otherwise it is copied.
        let mut image = Arc::unwrap_or_clone(scene.frame.image);
        annotate(&mut image, &scene.faces, &scene.classes)?;
        let from = pace.place(scene.frame.media_time);
        if let Some((_, picture)) = held.take_if(|(shown_from, _)| *shown_from < from) {
            // A gap may take thousands of repetitions.
            while frames < from && !is_given_up() {
                encoder.write(&picture)?;
                frames += 1;
            }
        }
        held = Some((from, of_size(image, size)?));
    }
    if let Some((_, picture)) = held {
        encoder.write(&picture)?;
        frames += 1;
    }
    encoder.release()?;
    Ok(Written { frames, first: pace.first(), cut: pace.cut() })
}

/// Resizes a picture if needed: a stream may change its size, and encoders silently drop pictures of another size.
fn of_size(picture: Mat, size: Size) -> opencv::Result<Mat> {
    if picture.size()? == size {
        return Ok(picture);
    }
    let mut resized = Mat::default();
    imgproc::resize(&picture, &mut resized, size, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok(resized)
}
