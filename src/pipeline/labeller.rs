//! The inference side of the journey: the network and the smoothing.

use std::time::{Duration, Instant};

use super::{Detected, Face, Scene};
use crate::classify::{Classifier, ClassifyError};
use crate::emotion::Probabilities;
use crate::smooth::Smoother;

/// Names the emotions of the faces that the capture side found. Owned by the inference thread.
pub struct Labeller {
    classifier: Box<dyn Classifier>,
    smoother: Smoother,
}

impl Labeller {
    /// A labeller that has seen nothing yet; `smoothing` is the time constant, `None` is off.
    pub fn new(classifier: Box<dyn Classifier>, smoothing: Option<Duration>) -> Self {
        Self { classifier, smoother: Smoother::new(smoothing) }
    }

    /// Exchanges the network; what is smoothed goes on from where it stands.
    pub fn set_classifier(&mut self, classifier: Box<dyn Classifier>) {
        self.classifier = classifier;
    }

    /// Changes the time constant of the smoothing; `None` is off.
    pub fn set_smoothing(&mut self, time_constant: Option<Duration>) {
        self.smoother.set_time_constant(time_constant);
    }

    /// Forgets all faces: after a seek.
    pub fn reset(&mut self) {
        self.smoother.reset();
    }

    /// Labels one frame; all its faces go through the network in one batch.
    ///
    /// # Errors
    /// When the network fails.
    pub fn label(&mut self, mut detected: Detected) -> Result<Scene, ClassifyError> {
        let start = Instant::now();
        let probabilities = self.classifier.classify(&detected.crops)?;
        detected.timings.classify = start.elapsed();
        Ok(self.smooth(detected, &probabilities))
    }

    /// Labels several frames in their order with one batch for the faces of all of them, which costs less per face.
    /// The time is shared out over the frames by their number of faces.
    ///
    /// # Errors
    /// When the network fails; then none of the frames is labelled.
    pub fn label_batch(&mut self, mut frames: Vec<Detected>) -> Result<Vec<Scene>, ClassifyError> {
        let crops: Vec<_> = frames.iter_mut().flat_map(|detected| std::mem::take(&mut detected.crops)).collect();
        let start = Instant::now();
        let probabilities = self.classifier.classify(&crops)?;
        let per_face = start.elapsed() / u32::try_from(crops.len().max(1)).unwrap_or(u32::MAX);

        let mut rest = probabilities.as_slice();
        let mut scenes = Vec::with_capacity(frames.len());
        for mut detected in frames {
            let (own, others) = rest.split_at(detected.faces.len().min(rest.len()));
            rest = others;
            detected.timings.classify = per_face * u32::try_from(own.len()).unwrap_or(u32::MAX);
            scenes.push(self.smooth(detected, own));
        }
        Ok(scenes)
    }

    fn smooth(&mut self, detected: Detected, probabilities: &[Probabilities]) -> Scene {
        let Detected { frame, picture, faces, timings, .. } = detected;
        self.smoother.retain(|id| faces.iter().any(|face| face.id == id));
        let faces = faces
            .into_iter()
            .zip(probabilities)
            .map(|(face, raw)| Face {
                id: face.id,
                rect: face.rect,
                score: face.score,
                raw: *raw,
                smoothed: self.smoother.update(face.id, frame.media_time, *raw),
            })
            .collect();
        Scene { frame, picture, faces, timings, labelled_at: Instant::now() }
    }
}
