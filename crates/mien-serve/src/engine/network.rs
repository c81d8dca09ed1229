//! The network's thread. Frames that arrive together share a batch, whichever visitors sent them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use mien_net::classify::Classifier;
use mien_vision::pipeline::{Detected, MAX_BATCH_FACES, classify_together};

use super::visitor::{Answer, Failure, Place};
use super::{Passage, Shared};

/// How long a frame waits for others to share its batch, if any are being prepared. A batch of two costs half as much per face as a batch
/// of one, and 3 ms are a tenth of a frame's interval.
const WAIT_FOR_OTHERS: Duration = Duration::from_millis(3);

/// Where an answer goes, with the number and time of its frame.
struct Sender {
    place: Arc<Place>,
    id: u32,
    t: f64,
}

/// Labels faces until all threads that find faces have ended.
pub(super) fn run(mut classifier: Box<dyn Classifier>, passages: &Receiver<Passage>, shared: &Shared) {
    mien_net::torch::use_threads(1);
    while let Ok(first) = passages.recv() {
        let (senders, frames) = gather(first, passages, shared);
        // A panic ends the sessions whose frames were in the batch.
        let named = catch_unwind(AssertUnwindSafe(|| name(classifier.as_mut(), senders.as_slice(), frames, shared)));
        let failure = match named {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_panic) => "the network failed unexpectedly; please report it".to_owned(),
        };
        for sender in senders {
            shared.metrics.failed();
            sender.place.answer(Answer::Problem { id: sender.id, failure: Failure::Failed(failure.clone()) });
        }
    }
}

fn gather(first: Passage, passages: &Receiver<Passage>, shared: &Shared) -> (Vec<Sender>, Vec<Detected>) {
    let deadline = Instant::now() + WAIT_FOR_OTHERS;
    let mut faces = first.detected.faces.len();
    let mut batch = vec![first];
    while faces < MAX_BATCH_FACES {
        let others_come = shared.ahead_of_network.load(Ordering::SeqCst) > 0;
        let next = if others_come { passages.recv_deadline(deadline).ok() } else { passages.try_recv().ok() };
        let Some(next) = next else { break };
        faces += next.detected.faces.len();
        batch.push(next);
    }
    batch.into_iter().map(|Passage { place, id, t, detected }| (Sender { place, id, t }, detected)).unzip()
}

fn name(
    classifier: &mut dyn Classifier,
    senders: &[Sender],
    mut frames: Vec<Detected>,
    shared: &Shared,
) -> Result<(), String> {
    let named = classify_together(classifier, &mut frames).map_err(|error| error.to_string())?;
    shared.metrics.batch();
    let classes = classifier.classes();
    for ((sender, detected), probabilities) in senders.iter().zip(frames).zip(named) {
        let scene = sender.place.scene(detected, classes.clone(), &probabilities);
        shared.metrics.labelled(&scene);
        sender.place.answer(Answer::Scene { id: sender.id, t: sender.t, scene: Arc::new(scene) });
    }
    Ok(())
}
