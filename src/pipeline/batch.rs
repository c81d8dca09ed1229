//! The driver for a file that is processed as fast as it goes.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Analyzer, Detected, Labeller, PipelineError, Scene};
use crate::source::FrameSource;

/// Frames that wait between two threads, at most. Enough to even out frames that take longer than others.
const MAX_QUEUE: usize = 8;

/// Memory that the waiting frames may take between two threads, in bytes: of large frames fewer wait.
const QUEUE_BYTES: usize = 128 << 20;

/// Faces that go through the network in one batch, unless one frame alone has more. Beyond this a batch costs memory
/// and saves no more time.
const MAX_BATCH_FACES: usize = 16;

/// Why [`run_to_end`] returned without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Each frame of the source was labelled.
    EndOfSource,
    /// The stop flag was set, or the caller had enough.
    Stopped,
}

/// Takes a source through all stages to its end and hands each scene, in order and none left out, to `on_scene` on the
/// calling thread. Capture and inference run on threads of their own.
///
/// Memory is constant: a thread that is ahead waits. Frames that wait for the network share a batch. When `stop` is
/// set, what was read so far is labelled and handed over before the return.
///
/// # Errors
/// When the source, a stage or the system fails, after the scenes that were ready were handed over.
pub fn run_to_end(
    source: Box<dyn FrameSource>,
    analyzer: Analyzer,
    labeller: Labeller,
    stop: &AtomicBool,
    mut on_scene: impl FnMut(Scene) -> ControlFlow<()>,
) -> Result<Ending, PipelineError> {
    let info = source.info();
    let frame_bytes = info.width.saturating_mul(info.height).saturating_mul(3).max(1);
    let queue = (QUEUE_BYTES / frame_bytes).clamp(1, MAX_QUEUE);
    let (detected_sender, detected) = bounded(queue);
    let (scene_sender, scenes) = bounded(queue);

    std::thread::scope(|scope| {
        let capture = Builder::new()
            .name("mien-capture".to_owned())
            .spawn_scoped(scope, move || capture(source, analyzer, stop, &detected_sender))?;
        let inference = Builder::new()
            .name("mien-inference".to_owned())
            .spawn_scoped(scope, move || infer(labeller, &detected, &scene_sender));
        // Without the second thread `detected` is gone, which ends the first one.
        let inference = inference?;

        let enough = scenes.iter().any(|scene| on_scene(scene).is_break());
        // Closes the way, which ends both threads if they haven't ended by themselves.
        drop(scenes);
        let labelled = join(inference);
        let captured = join(capture);
        labelled?;
        Ok(if enough { Ending::Stopped } else { captured? })
    })
}

/// The thread's result; a panic is an error like others, so that what was written before can be closed in order.
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
        let Some(frame) = source.read()? else { return Ok(Ending::EndOfSource) };
        let read = start.elapsed();
        let mut detected = analyzer.analyze(frame)?;
        detected.timings.read = read;
        if out.send(detected).is_err() {
            break;
        }
    }
    Ok(Ending::Stopped)
}

fn infer(mut labeller: Labeller, frames: &Receiver<Detected>, out: &Sender<Scene>) -> Result<(), PipelineError> {
    while let Ok(first) = frames.recv() {
        let mut faces = first.faces.len();
        let mut batch = vec![first];
        while faces < MAX_BATCH_FACES
            && batch.len() < MAX_QUEUE
            && let Ok(next) = frames.try_recv()
        {
            faces += next.faces.len();
            batch.push(next);
        }
        for scene in labeller.label_batch(batch)? {
            if out.send(scene).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
