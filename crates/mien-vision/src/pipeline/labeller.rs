//! The inference side of the journey: the network and the smoothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Detected, Face, Scene};
use mien_core::classes::Classes;
use mien_core::crop::Framing;
use mien_core::probabilities::Probabilities;
use mien_core::smooth::Smoother;
use mien_net::classify::{Classifier, ClassifyError};

/// Faces that were found and labelled when a recording was made.
pub trait RecordedFaces: Send + Sync {
    /// The classes, in the order of the probabilities.
    fn classes(&self) -> &Classes;

    /// The faces of the frame with this number, in the order of their ids.
    fn faces(&self, frame: u64) -> Vec<Face>;
}

/// Labels the faces that the capture side found. Owned by the inference thread.
pub struct Labeller {
    names: Names,
    smoother: SceneSmoother,
}

/// Where the labels come from.
enum Names {
    Network(Box<dyn Classifier>),
    Recorded(Arc<dyn RecordedFaces>),
}

impl Labeller {
    /// Creates a labeller with this network; `smoothing` is the time constant, `None` is off.
    pub fn new(classifier: Box<dyn Classifier>, smoothing: Option<Duration>) -> Self {
        Self { names: Names::Network(classifier), smoother: SceneSmoother::new(smoothing) }
    }

    /// Creates a labeller that looks up what was recorded for each frame, already smoothed, and runs no network.
    pub fn recorded(faces: Arc<dyn RecordedFaces>) -> Self {
        Self { names: Names::Recorded(faces), smoother: SceneSmoother::new(None) }
    }

    /// Replaces the network. Smoothing continues, unless the new network has different classes. Has no effect on recorded labels.
    pub fn set_classifier(&mut self, classifier: Box<dyn Classifier>) {
        if let Names::Network(network) = &mut self.names {
            if network.classes() != classifier.classes() {
                self.smoother.reset();
            }
            *network = classifier;
        }
    }

    /// The crops that the network needs; irrelevant for recorded faces.
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
        Ok(self.smoother.scene(detected, classifier.classes(), &probabilities))
    }

    /// Labels several frames in their order with one batch for the faces of all of them, which costs less per face.
    /// The time is divided among the frames by their number of faces.
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
        let probabilities = classify_together(classifier.as_mut(), &mut frames)?;
        let classes = classifier.classes();
        let named = frames.into_iter().zip(probabilities);
        let scene =
            |(detected, probabilities): (_, Vec<_>)| self.smoother.scene(detected, classes.clone(), &probabilities);
        Ok(named.map(scene).collect())
    }
}

/// Classifies the faces of several frames, possibly from different sources, in one batch. Returns the probabilities of each frame's
/// faces. Takes the crops out of the frames, and divides the time among them by their number of faces.
///
/// # Errors
/// When the network fails.
pub fn classify_together(
    classifier: &mut dyn Classifier,
    frames: &mut [Detected],
) -> Result<Vec<Vec<Probabilities>>, ClassifyError> {
    let crops: Vec<_> = frames.iter_mut().flat_map(|detected| std::mem::take(&mut detected.crops)).collect();
    let start = Instant::now();
    let probabilities = classifier.classify(&crops)?;
    let per_face = start.elapsed() / u32::try_from(crops.len().max(1)).unwrap_or(u32::MAX);

    let mut rest = probabilities.as_slice();
    Ok(frames
        .iter_mut()
        .map(|detected| {
            let (own, others) = rest.split_at(detected.faces.len().min(rest.len()));
            rest = others;
            detected.timings.classify = per_face * u32::try_from(own.len()).unwrap_or(u32::MAX);
            own.to_vec()
        })
        .collect())
}

/// The last stage: smooths the network's probabilities for the faces of one source over time, and completes its scenes.
pub struct SceneSmoother(Smoother);

impl SceneSmoother {
    /// Creates a smoother without any faces; `time_constant` as in [`Labeller::new`].
    pub fn new(time_constant: Option<Duration>) -> Self {
        Self(Smoother::new(time_constant))
    }

    /// Changes the time constant; `None` is off.
    pub fn set_time_constant(&mut self, time_constant: Option<Duration>) {
        self.0.set_time_constant(time_constant);
    }

    /// Forgets all faces.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// The scene of a frame, given the network's classes and its probabilities for the faces, in their order.
    pub fn scene(&mut self, detected: Detected, classes: Classes, probabilities: &[Probabilities]) -> Scene {
        let Detected { frame, picture, faces, timings, .. } = detected;
        self.0.retain(|id| faces.iter().any(|face| face.id == id));
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
                smoothed: self.0.update(face.id, frame.media_time, *raw),
            })
            .collect();
        Scene { frame, picture, classes, faces, timings, labelled_at: Instant::now() }
    }
}

/// The scene of a frame whose faces were recorded.
fn looked_up(detected: Detected, recorded: &dyn RecordedFaces) -> Scene {
    let Detected { frame, picture, timings, .. } = detected;
    let (classes, faces) = (recorded.classes().clone(), recorded.faces(frame.index));
    Scene { frame, picture, classes, faces, timings, labelled_at: Instant::now() }
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

    /// Recognises the emotion whose index is the gray value.
    struct ByGrayValue;

    impl Classifier for ByGrayValue {
        fn classes(&self) -> Classes {
            Classes::emotions()
        }

        fn framing(&self) -> Framing {
            Framing::Box
        }

        fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
            let label = |crop: &FaceCrop| {
                let mut weights = [0.0; COUNT];
                weights[usize::from(crop.pixels()[0])] = 1.0;
                Probabilities::from_weights(&weights).unwrap()
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
            let labels: Vec<usize> = scene.faces.iter().map(|face| face.raw.top().0).collect();
            let expected: Vec<usize> = expected.iter().map(|emotion| emotion.index()).collect();
            assert_eq!((scene.frame.index, labels), (index, expected));
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
        assert_eq!(scene.faces[0].smoothed.top().0, Emotion::Sad.index());
    }

    /// Always sure of the second of three classes.
    struct Awake;

    impl Classifier for Awake {
        fn classes(&self) -> Classes {
            Classes::new(["tired", "awake", "asleep"].map(str::to_owned).into()).unwrap()
        }

        fn framing(&self) -> Framing {
            Framing::Box
        }

        fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
            Ok(vec![Probabilities::from_weights(&[0.0, 1.0, 0.0]).unwrap(); crops.len()])
        }
    }

    #[test]
    fn a_network_of_other_classes_begins_anew_and_its_scenes_name_them() {
        let mut labeller = Labeller::new(Box::new(ByGrayValue), Some(Duration::from_secs(1000)));
        let before = labeller.label(detected(0, &[Emotion::Happy])).unwrap();
        assert!(before.classes.are_emotions());
        labeller.set_classifier(Box::new(Awake));
        let after = labeller.label_batch(vec![detected(1, &[Emotion::Happy])]).unwrap();
        assert_eq!(after[0].classes.key(after[0].faces[0].smoothed.top().0), "awake");
        assert_eq!(after[0].faces[0].smoothed.as_slice(), [0.0, 1.0, 0.0]);
    }
}
