//! The inference side of the journey: the network and the smoothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Detected, Face, Scene};
use mien_core::crop::Framing;
use mien_core::emotion::Probabilities;
use mien_core::smooth::Smoother;
use mien_net::classify::{Classifier, ClassifyError};

/// Faces that were found and named when a recording was made.
pub trait RecordedFaces: Send + Sync {
    /// The faces of the frame with this number, in the order of their ids.
    fn faces(&self, frame: u64) -> Vec<Face>;
}

/// Names the emotions of the faces that the capture side found. Owned by the inference thread.
pub struct Labeller {
    names: Names,
    smoother: Smoother,
}

/// Where the names come from.
enum Names {
    Network(Box<dyn Classifier>),
    Recorded(Arc<dyn RecordedFaces>),
}

impl Labeller {
    /// A labeller that has seen nothing yet; `smoothing` is the time constant, `None` is off.
    pub fn new(classifier: Box<dyn Classifier>, smoothing: Option<Duration>) -> Self {
        Self { names: Names::Network(classifier), smoother: Smoother::new(smoothing) }
    }

    /// One that looks up what was recorded of each frame, smoothed as it was, and runs no network.
    pub fn recorded(faces: Arc<dyn RecordedFaces>) -> Self {
        Self { names: Names::Recorded(faces), smoother: Smoother::new(None) }
    }

    /// Exchanges the network; smoothing continues from where it is. What was recorded stays.
    pub fn set_classifier(&mut self, classifier: Box<dyn Classifier>) {
        if let Names::Network(network) = &mut self.names {
            *network = classifier;
        }
    }

    /// The crops that the network wants; where faces were recorded it doesn't matter.
    pub fn framing(&self) -> Framing {
        match &self.names {
            Names::Network(classifier) => classifier.framing(),
            Names::Recorded(_) => Framing::default(),
        }
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
        let classifier = match &mut self.names {
            Names::Network(classifier) => classifier,
            Names::Recorded(faces) => return Ok(looked_up(detected, faces.as_ref())),
        };
        let probabilities = classifier.classify(&detected.crops)?;
        detected.timings.classify = start.elapsed();
        Ok(self.smooth(detected, &probabilities))
    }

    /// Labels several frames in their order with one batch for the faces of all of them, which costs less per face.
    /// The time is shared out over the frames by their number of faces.
    ///
    /// # Errors
    /// When the network fails; then none of the frames is labelled.
    pub fn label_batch(&mut self, mut frames: Vec<Detected>) -> Result<Vec<Scene>, ClassifyError> {
        let classifier = match &mut self.names {
            Names::Network(classifier) => classifier,
            Names::Recorded(faces) => {
                return Ok(frames.into_iter().map(|frame| looked_up(frame, faces.as_ref())).collect());
            }
        };
        let crops: Vec<_> = frames.iter_mut().flat_map(|detected| std::mem::take(&mut detected.crops)).collect();
        let start = Instant::now();
        let probabilities = classifier.classify(&crops)?;
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
                landmarks: face.landmarks,
                quality: Some(face.quality),
                raw: *raw,
                smoothed: self.smoother.update(face.id, frame.media_time, *raw),
            })
            .collect();
        Scene { frame, picture, faces, timings, labelled_at: Instant::now() }
    }
}

/// The scene of a frame whose faces are known.
fn looked_up(detected: Detected, recorded: &dyn RecordedFaces) -> Scene {
    let Detected { frame, picture, timings, .. } = detected;
    let faces = recorded.faces(frame.index);
    Scene { frame, picture, faces, timings, labelled_at: Instant::now() }
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC3, Mat, Scalar};

    use super::*;
    use crate::frame::Frame;
    use crate::pipeline::{DetectedFace, StageTimings};
    use mien_core::crop::{CROP_PIXELS, FaceCrop};
    use mien_core::emotion::{COUNT, Emotion};
    use mien_core::face::FaceId;
    use mien_core::face::FaceRect;

    /// Sees the emotion whose number is the gray value.
    struct ByGrayValue;

    impl Classifier for ByGrayValue {
        fn framing(&self) -> Framing {
            Framing::Box
        }

        fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
            let label = |crop: &FaceCrop| {
                let mut weights = [0.0; COUNT];
                weights[usize::from(crop.pixels()[0])] = 1.0;
                Probabilities::from_weights(weights).unwrap()
            };
            Ok(crops.iter().map(label).collect())
        }
    }

    /// A frame whose faces show these emotions; their ids count from 1.
    fn detected(index: u64, emotions: &[Emotion]) -> Detected {
        let rect = FaceRect::whole(48, 48);
        let ids = (1..).map(FaceId);
        Detected {
            frame: Frame {
                index,
                media_time: Duration::from_millis(40 * index),
                captured_at: Instant::now(),
                image: Mat::new_rows_cols_with_default(48, 48, CV_8UC3, Scalar::all(0.0)).unwrap().into(),
            },
            picture: None,
            faces: emotions
                .iter()
                .zip(ids)
                .map(|(_, id)| DetectedFace { id, rect, score: 9.0, landmarks: None, quality: 1.0 })
                .collect(),
            crops: emotions
                .iter()
                .map(|emotion| FaceCrop::from_pixels(vec![emotion.index() as u8; CROP_PIXELS]).unwrap())
                .collect(),
            timings: StageTimings::default(),
        }
    }

    #[test]
    fn in_a_shared_batch_each_face_gets_its_own_label() {
        use Emotion::{Angry, Fear, Happy, Sad, Surprise};
        let frames: [&[Emotion]; 4] = [&[Happy, Sad], &[], &[Fear], &[Angry, Surprise, Happy]];
        let batch = (0..).zip(frames).map(|(index, emotions)| detected(index, emotions)).collect();
        let scenes = Labeller::new(Box::new(ByGrayValue), None).label_batch(batch).unwrap();
        for ((index, expected), scene) in (0..).zip(frames).zip(&scenes) {
            let labels: Vec<Emotion> = scene.faces.iter().map(|face| face.raw.top().0).collect();
            assert_eq!((scene.frame.index, labels.as_slice()), (index, expected));
        }
    }

    #[test]
    fn a_shared_batch_smooths_as_frames_one_by_one_do() {
        let emotions = [Emotion::Happy, Emotion::Sad, Emotion::Sad, Emotion::Happy];
        let frames = || (0..).zip(emotions).map(|(index, emotion)| detected(index, &[emotion]));
        let labeller = || Labeller::new(Box::new(ByGrayValue), Some(Duration::from_millis(100)));
        let (mut alone, mut together) = (labeller(), labeller());
        let one_by_one: Vec<Scene> = frames().map(|frame| alone.label(frame).unwrap()).collect();
        let batch = together.label_batch(frames().collect()).unwrap();
        let smoothed = |scenes: &[Scene]| scenes.iter().map(|scene| scene.faces[0].smoothed).collect::<Vec<_>>();
        assert_eq!(smoothed(&one_by_one), smoothed(&batch));
    }

    #[test]
    fn a_face_that_left_and_came_back_is_smoothed_from_the_start() {
        let mut labeller = Labeller::new(Box::new(ByGrayValue), Some(Duration::from_secs(1000)));
        labeller.label(detected(0, &[Emotion::Happy])).unwrap();
        labeller.label(detected(1, &[])).unwrap();
        let scene = labeller.label(detected(2, &[Emotion::Sad])).unwrap();
        assert_eq!(scene.faces[0].smoothed.top().0, Emotion::Sad);
    }
}
