//! The driver for a file that is processed as fast as possible.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Analyzer, Detected, Labeller, PipelineError, Scene};
use crate::source::{FrameSource, Shortfall};

/// Most frames that share a batch, or wait between two threads. Enough to even out frames that take longer than others.
const MAX_FRAMES: usize = 8;

/// Memory in bytes that the frames of a batch, or those waiting between two threads, may take. Fewer large frames wait; one of
/// 7680×4320 doesn't wait at all, but is handed over when the next thread takes it.
const FRAME_BYTES: usize = 64 << 20;

/// A batch with this many faces is complete, even with fewer frames. More faces would cost memory and save no more time.
pub const MAX_BATCH_FACES: usize = 16;

/// How many colour frames of this size may wait between two threads.
pub fn frames_that_wait(width: usize, height: usize) -> usize {
    let frame_bytes = width.saturating_mul(height).saturating_mul(3).max(1);
    (FRAME_BYTES / frame_bytes).min(MAX_FRAMES)
}

/// Why [`run_to_end`] returned without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Each frame of the source was labelled. For a truncated or damaged file, with what is missing.
    EndOfSource(Option<Shortfall>),
    /// The stop flag was set, or `on_scene` ended the run.
    Stopped,
}

impl Ending {
    /// What a truncated or damaged file lacks, if the source was read to its end.
    #[must_use]
    pub fn shortfall(self) -> Option<Shortfall> {
        match self {
            Self::EndOfSource(shortfall) => shortfall,
            Self::Stopped => None,
        }
    }
}

/// Takes a source through all stages to its end and passes every scene, in order, to `on_scene` on the calling thread.
/// Capture and inference run on their own threads.
///
/// Memory is constant: a thread that is ahead waits. Which frames share a batch of the network depends only on the frames, never
/// on the speed of the threads. libtorch rounds differently in batches of different sizes, so this is what makes two runs give
/// the same digits. When `stop` is set, what was read so far is still labelled and passed on before the return.
///
/// # Errors
/// The error that `on_scene` returned, which ends the run. Otherwise when the source, a stage or the system fails, after the scenes
/// that were ready have been passed on.
pub fn run_to_end<E: From<PipelineError>>(
    source: Box<dyn FrameSource>,
    mut analyzer: Analyzer,
    labeller: Labeller,
    stop: &AtomicBool,
    on_scene: impl FnMut(Scene) -> Result<ControlFlow<()>, E>,
) -> Result<Ending, E> {
    analyzer.set_framing(labeller.framing());
    let info = source.info();
    let waiting = frames_that_wait(info.width, info.height);
    let (detected_sender, detected) = bounded(waiting);
    let (scene_sender, scenes) = bounded(waiting);

    std::thread::scope(|scope| {
        let capture = Builder::new()
            .name("mien-capture".to_owned())
            .spawn_scoped(scope, move || capture(source, analyzer, stop, &detected_sender))
            .map_err(PipelineError::from)?;
        let inference = Builder::new()
            .name("mien-inference".to_owned())
            .spawn_scoped(scope, move || infer(labeller, &detected, waiting.max(1), &scene_sender))
            // If the second thread can't be started, `detected` is dropped, which ends the first one.
            .map_err(PipelineError::from)?;

        let had_enough = scenes.iter().map(on_scene).find(|flow| !matches!(flow, Ok(ControlFlow::Continue(()))));
        // Close the channel, which ends both threads if they haven't ended by themselves.
        drop(scenes);
        let labelled = join(inference);
        let captured = join(capture);
        let had_enough = had_enough.transpose()?.is_some();
        labelled?;
        Ok(if had_enough { Ending::Stopped } else { captured? })
    })
}

/// The thread's result. A panic becomes an ordinary error, so that what was written before can be closed properly.
fn join<T>(thread: ScopedJoinHandle<'_, Result<T, PipelineError>>) -> Result<T, PipelineError> {
    thread.join().unwrap_or_else(|payload| Err(PipelineError::from_panic(payload.as_ref())))
}

fn capture(
    mut source: Box<dyn FrameSource>,
    mut analyzer: Analyzer,
    stop: &AtomicBool,
    out: &Sender<Detected>,
) -> Result<Ending, PipelineError> {
    while !stop.load(Ordering::Acquire) {
        let start = Instant::now();
        let Some(frame) = source.read()? else { return Ok(Ending::EndOfSource(source.shortfall())) };
        let read = start.elapsed();
        let mut detected = analyzer.analyze(frame)?;
        detected.timings.read = read;
        if out.send(detected).is_err() {
            break;
        }
    }
    Ok(Ending::Stopped)
}

fn infer(
    mut labeller: Labeller,
    frames: &Receiver<Detected>,
    most: usize,
    out: &Sender<Scene>,
) -> Result<(), PipelineError> {
    loop {
        let batch = next_batch(frames, most);
        if batch.is_empty() {
            return Ok(());
        }
        for scene in labeller.label_batch(batch)? {
            if out.send(scene).is_err() {
                return Ok(());
            }
        }
    }
}

/// The next frames that share a batch: waits for `most` frames, or for enough faces. Returns fewer only at the end.
fn next_batch(frames: &Receiver<Detected>, most: usize) -> Vec<Detected> {
    let mut batch = Vec::with_capacity(most);
    let mut faces = 0;
    while batch.len() < most
        && faces < MAX_BATCH_FACES
        && let Ok(next) = frames.recv()
    {
        faces += next.faces.len();
        batch.push(next);
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opencv::core::Mat;

    use super::*;
    use crate::frame::Frame;
    use crate::pipeline::{DetectedFace, StageTimings};
    use mien_core::face::FaceId;
    use mien_core::face::FaceRect;

    fn detected(faces: u32) -> Detected {
        let image = Mat::default().into();
        let rect = FaceRect::whole(48, 48);
        Detected {
            frame: Frame { index: 0, media_time: Duration::ZERO, captured_at: Instant::now(), image },
            picture: None,
            faces: (1..=faces)
                .map(|id| DetectedFace { id: FaceId(id), rect, score: 9.0, landmarks: None, quality: 1.0 })
                .collect(),
            crops: Vec::new(),
            timings: StageTimings::default(),
        }
    }

    #[test]
    fn a_batch_is_closed_by_its_frames_or_by_their_faces() {
        let (sender, frames) = crossbeam_channel::unbounded();
        for faces in [1, 0, 1, 9, 7, 1, 40, 0, 0] {
            sender.send(detected(faces)).unwrap();
        }
        drop(sender);
        let next = || next_batch(&frames, 4).iter().map(|detected| detected.faces.len()).collect::<Vec<_>>();
        assert_eq!([next(), next(), next(), next()], [vec![1, 0, 1, 9], vec![7, 1, 40], vec![0, 0], vec![]]);
    }
}
