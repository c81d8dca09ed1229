//! From face crops to calibrated probabilities.

use tch::{Kind, Tensor};

use crate::device::{DeviceChoice, DeviceError};
use crate::torch;
use crate::{Assumed, Model, ModelError, ModelSource, Pass, Precision};
use mien_core::classes::Classes;
use mien_core::crop::{CROP_PIXELS, FaceCrop, Framing};
use mien_core::prior::{PriorChoice, PriorError};
use mien_core::probabilities::Probabilities;

/// Classifies faces.
pub trait Classifier: Send {
    /// The classes, in the order of its probabilities.
    fn classes(&self) -> Classes;

    /// The kind of crops that it expects, which is the kind that it was trained on.
    fn framing(&self) -> Framing;

    /// Returns probabilities for each crop, in the order of the crops. All crops go through the network in one batch. Without crops,
    /// the result is empty.
    ///
    /// # Errors
    /// When the network can't be run.
    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError>;
}

/// The network can't be run.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// libtorch gave an error.
    #[error("the network failed: {}", torch::said(.0))]
    Torch(#[from] tch::TchError),
    /// The model can't assume the requested prior.
    #[error(transparent)]
    Prior(#[from] PriorError),
    /// The network's output is NaN or infinite.
    #[error("the network gave a result that is not a number; its weights are damaged")]
    NotANumber,
}

/// A classifier can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The device can't be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model can't be run.
    #[error("can't run the model {model}: {source}")]
    Run {
        /// Which model.
        model: ModelSource,
        /// Why.
        source: ClassifyError,
    },
}

/// A model that classifies faces under an assumed prior.
pub struct TorchClassifier {
    model: Model,
    assumed: Assumed,
}

/// Passes before the first face. In the first one, libtorch chooses and compiles its kernels; the second is fast.
const WARM_UPS: usize = 2;

impl TorchClassifier {
    /// Loads a model in the number format that is fastest on this machine. On the CPU, it uses the number of threads that libtorch is
    /// set to.
    ///
    /// # Errors
    /// When the device or the model can't be used, and as [`Self::new`].
    pub fn load(source: &ModelSource, device: DeviceChoice, prior: Option<&PriorChoice>) -> Result<Self, LoadError> {
        let model = Model::load(source, device.resolve()?, Precision::fastest_on_cpu())?;
        Self::new(model, prior).map_err(|error| LoadError::Run { model: source.clone(), source: error })
    }

    /// Wraps a model and warms it up, so that the first face isn't delayed. Without a `prior`, the model's default is assumed.
    ///
    /// # Errors
    /// When the model can't assume the prior, the network can't be run, or its output isn't finite even for a gray picture.
    pub fn new(model: Model, prior: Option<&PriorChoice>) -> Result<Self, ClassifyError> {
        let assumed = model.card.calibration.assume(prior)?;
        let mut classifier = Self { model, assumed };
        let gray = FaceCrop::from_pixels(vec![128; CROP_PIXELS]).into_iter().collect::<Vec<_>>();
        for _ in 0..WARM_UPS {
            classifier.classify(&gray)?;
        }
        Ok(classifier)
    }

    /// With `flip`, each face's mirror image is evaluated too (see [`Model::with_flip`]).
    #[must_use]
    pub fn with_flip(self, flip: bool) -> Self {
        Self { model: self.model.with_flip(flip), ..self }
    }

    /// The model that is run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The assumed prior.
    pub fn prior(&self) -> &PriorChoice {
        &self.assumed.prior
    }
}

impl Classifier for TorchClassifier {
    fn classes(&self) -> Classes {
        self.model.card.labels.clone()
    }

    fn framing(&self) -> Framing {
        self.model.card.input.crop
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if crops.is_empty() {
            return Ok(Vec::new());
        }
        let Model { card, network, device, .. } = &self.model;
        let faces = card.input.normalization.to_input(crops, *device)?;
        let logits = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE))?;
        probabilities(&self.assumed.adjustment.apply(&logits)?)
    }
}

/// Softmax of logits `[N, classes]`, row by row.
///
/// # Errors
/// When a row holds a number that isn't finite, or there are more classes than Mien supports.
pub fn probabilities(logits: &Tensor) -> Result<Vec<Probabilities>, ClassifyError> {
    let classes = logits.size().last().map_or(0, |classes| usize::try_from(*classes).unwrap_or_default());
    let softmax = logits.f_softmax(1, Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let values: Vec<f32> = softmax.f_view([-1])?.try_into()?;
    values
        .chunks_exact(classes.max(1))
        .map(|row| Probabilities::from_weights(row).ok_or(ClassifyError::NotANumber))
        .collect()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::onnx::{Graph, Value};
    use crate::{Calibration, ExportError, Network};
    use mien_core::emotion::Emotion;

    #[test]
    fn logits_become_probabilities_in_the_order_of_the_rows() {
        let mut rows = [[0.0_f32; 7]; 2];
        rows[0][Emotion::Sad.index()] = 5.0;
        rows[1][Emotion::Happy.index()] = 5.0;
        let named = probabilities(&Tensor::from_slice2(&rows)).unwrap();
        assert_eq!(named[0].top().0, Emotion::Sad.index());
        assert_eq!(named[1].top().0, Emotion::Happy.index());
    }

    /// A model whose card has no training prior.
    fn without_a_training_prior() -> Model {
        let mut model = Model::load(&ModelSource::default(), Device::Cpu, Precision::F32).unwrap();
        model.card.calibration = Calibration::default();
        model
    }

    #[test]
    fn a_model_that_does_not_know_its_own_prior_is_refused_under_any_other() {
        let uniform: PriorChoice = "uniform".parse().unwrap();
        let refused = TorchClassifier::new(without_a_training_prior(), Some(&uniform)).err();
        assert!(matches!(refused, Some(ClassifyError::Prior(PriorError::Unknown))), "{refused:?}");
        assert!(TorchClassifier::new(without_a_training_prior(), None).is_ok());
    }

    #[test]
    fn every_shipped_model_answers_under_both_standard_priors() {
        for source in ModelSource::shipped() {
            for prior in ["uniform", "training"] {
                let model = Model::load(&source, Device::Cpu, Precision::F32).unwrap();
                assert!(TorchClassifier::new(model, Some(&prior.parse().unwrap())).is_ok(), "{source} under {prior}");
            }
        }
    }

    #[test]
    fn a_model_of_other_classes_answers_with_a_probability_for_each_of_them() {
        let mut model = without_a_training_prior();
        let Model { network, .. } = std::mem::replace(&mut model, without_a_training_prior());
        let classes = Classes::new(["tired", "awake", "asleep"].map(str::to_owned).into()).unwrap();
        model.card.labels = classes.clone();
        model.network =
            Box::new(Forward(move |faces: &Tensor, pass: Pass| network.forward(faces, pass)?.f_narrow(1, 0, 3)));
        let mut classifier = TorchClassifier::new(model, None).unwrap();
        assert_eq!(classifier.classes(), classes);
        let gray = FaceCrop::from_pixels(vec![128; CROP_PIXELS]).unwrap();
        let named = classifier.classify(&[gray.clone(), gray]).unwrap();
        assert_eq!(named.iter().map(Probabilities::len).collect::<Vec<_>>(), [3, 3]);
        assert!((named[1].as_slice().iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    /// A network that consists of its forward pass.
    struct Forward<F>(F);

    impl<F: Fn(&Tensor, Pass) -> Result<Tensor, tch::TchError> + Send> Network for Forward<F> {
        fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, tch::TchError> {
            self.0(faces, pass)
        }

        fn fold(&mut self) -> Result<(), tch::TchError> {
            Ok(())
        }

        fn pack(&mut self, _precision: Precision) -> Result<(), tch::TchError> {
            Ok(())
        }

        fn draw(&self, _graph: &mut Graph, _faces: &Value) -> Result<Value, ExportError> {
            Err(ExportError::Part("it"))
        }
    }

    #[test]
    fn a_network_that_libtorch_refuses_to_run_is_an_error_of_one_line() {
        let mut model = without_a_training_prior();
        model.network = Box::new(Forward(|faces: &Tensor, _| faces.f_matmul(&Tensor::from_slice(&[1.0_f32; 3]))));
        let told = TorchClassifier::new(model, None).err().unwrap().to_string();
        assert!(told.starts_with("the network failed: ") && told.contains("size"), "{told}");
        assert!(!told.contains('\n') && told.len() < 200, "{told}");
    }

    #[test]
    fn a_network_that_gives_nan_is_an_error_and_no_label() {
        let logits = Tensor::from_slice2(&[[f32::NAN; 7]]);
        assert!(matches!(probabilities(&logits), Err(ClassifyError::NotANumber)));
    }
}
