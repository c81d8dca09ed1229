//! Loss functions.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::recipe::Problems;

/// A loss and its settings. All take target probabilities, so that labels, votes and mixed pictures are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossSpec {
    /// Cross-entropy between target and predicted probabilities.
    CrossEntropy {
        /// Share of the target probability that is spread evenly over all classes (Szegedy et al. 2016).
        #[serde(default)]
        label_smoothing: f64,
    },
    /// Cross-entropy in which confident answers count less: multiplied by `(1 − p)^gamma` (Lin et al. 2017).
    Focal {
        /// The exponent; 2 in the paper.
        #[serde(default = "default_gamma")]
        gamma: f64,
    },
    /// Binary cross-entropy of one sigmoid per class. Evaluation still uses a softmax over all classes.
    // With braces, so that serde rejects settings of other kinds.
    Binary {},
}

fn default_gamma() -> f64 {
    2.0
}

impl Default for LossSpec {
    fn default() -> Self {
        Self::CrossEntropy { label_smoothing: 0.0 }
    }
}

impl LossSpec {
    /// The mean over the batch, for `logits` `[N, classes]` and target probabilities `targets` of the same shape. With
    /// `class_weights` `[classes]` it is a weighted mean, so that weights don't change the effective learning rate.
    pub fn compute(&self, logits: &Tensor, targets: &Tensor, class_weights: Option<&Tensor>) -> Tensor {
        let parts = match *self {
            Self::CrossEntropy { label_smoothing } => {
                -logits.log_softmax(1, Kind::Float) * smooth(targets, label_smoothing)
            }
            Self::Focal { gamma } => {
                let log = logits.log_softmax(1, Kind::Float);
                // For exponents below 1 the slope is infinite at 0, that is for a fully confident answer.
                -(1.0_f64 - log.exp()).clamp_min(1e-6).pow_tensor_scalar(gamma) * log * targets
            }
            Self::Binary {} => {
                logits.binary_cross_entropy_with_logits::<Tensor>(targets, None, None, tch::Reduction::None)
            }
        };
        match class_weights {
            None => parts.sum(Kind::Float) / logits.size()[0] as f64,
            Some(weights) => (parts * weights).sum(Kind::Float) / (targets * weights).sum(Kind::Float),
        }
    }

    /// Adds problems with the settings to `found`.
    pub fn check(&self, found: &mut Problems) {
        match *self {
            Self::CrossEntropy { label_smoothing } => {
                let is_share = (0.0..1.0).contains(&label_smoothing);
                found.check("loss.label_smoothing", is_share, "has to be at least 0 and less than 1");
            }
            Self::Focal { gamma } => {
                found.check("loss.gamma", gamma.is_finite() && gamma >= 0.0, "has to be at least 0");
            }
            Self::Binary {} => {}
        }
    }
}

fn smooth(targets: &Tensor, share: f64) -> Tensor {
    if share > 0.0 { targets * (1.0 - share) + share / targets.size()[1] as f64 } else { targets.shallow_clone() }
}

/// Kullback-Leibler divergence between a teacher's softened probabilities and the student's, times the squared temperature so
/// that gradients keep the scale of hard targets (Hinton et al. 2015). `student` are logits; both are `[N, classes]`.
pub fn distillation(student: &Tensor, teacher_probabilities: &Tensor, temperature: f64) -> Tensor {
    let student = (student / temperature).log_softmax(1, Kind::Float);
    let batch = student.size()[0] as f64;
    let entropy = teacher_probabilities.clamp_min(1e-9).log() * teacher_probabilities;
    (entropy - teacher_probabilities * student).sum(Kind::Float) * (temperature * temperature / batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Tensor, Tensor) {
        let logits =
            Tensor::from_slice2(&[[2.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 3.0]]);
        let targets =
            Tensor::from_slice2(&[[1.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]);
        (logits, targets)
    }

    fn value(loss: LossSpec, weights: Option<&Tensor>) -> f64 {
        let (logits, targets) = example();
        loss.compute(&logits, &targets, weights).double_value(&[])
    }

    /// Cross-entropies of the two rows, worked out from the definition.
    fn by_hand() -> [f64; 2] {
        [(2.0_f64.exp() + 6.0).ln() - 2.0, (3.0_f64.exp() + 1.0_f64.exp() + 5.0).ln() - 1.0]
    }

    #[test]
    fn cross_entropy_is_the_definition() {
        let [a, b] = by_hand();
        assert!((value(LossSpec::default(), None) - (a + b) / 2.0).abs() < 1e-5);
    }

    #[test]
    fn class_weights_make_a_weighted_mean() {
        let [a, b] = by_hand();
        let weights = Tensor::from_slice(&[3.0_f32, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!((value(LossSpec::default(), Some(&weights)) - (3.0 * a + b) / 4.0).abs() < 1e-5);
    }

    #[test]
    fn focal_loss_without_focus_is_cross_entropy_and_with_it_is_less() {
        let plain = value(LossSpec::default(), None);
        assert!((value(LossSpec::Focal { gamma: 0.0 }, None) - plain).abs() < 1e-5);
        assert!(value(LossSpec::Focal { gamma: 2.0 }, None) < plain);
    }

    #[test]
    fn focal_loss_of_a_quite_sure_answer_has_a_slope_whatever_its_gamma() {
        for gamma in [0.0, 0.5, 1.0, 2.0] {
            let logits = Tensor::from_slice2(&[[200.0_f32, 0.0], [0.0, 200.0]]).set_requires_grad(true);
            let targets = Tensor::from_slice2(&[[1.0_f32, 0.0], [1.0, 0.0]]);
            LossSpec::Focal { gamma }.compute(&logits, &targets, None).backward();
            let slopes: Vec<f32> = logits.grad().view([-1]).try_into().unwrap();
            assert!(slopes.iter().all(|slope| slope.is_finite()), "{gamma}: {slopes:?}");
            assert!(slopes[2] < -0.4, "{gamma}: the wrong answer is drawn to the right one: {slopes:?}");
        }
    }

    #[test]
    fn smoothing_and_binary_loss_are_finite_and_punish_the_wrong_answer() {
        let (logits, targets) = example();
        for loss in [LossSpec::CrossEntropy { label_smoothing: 0.1 }, LossSpec::Binary {}] {
            let right = loss.compute(&(&targets * 5.0), &targets, None).double_value(&[]);
            assert!(right < loss.compute(&logits, &targets, None).double_value(&[]), "{loss:?}");
        }
    }

    #[test]
    fn a_student_that_agrees_with_its_teacher_has_nothing_to_learn() {
        let (logits, _) = example();
        let softened = (&logits / 2.0).softmax(1, Kind::Float);
        assert!(distillation(&logits, &softened, 2.0).double_value(&[]).abs() < 1e-5);
        assert!(distillation(&logits.flip([0]), &softened, 2.0).double_value(&[]) > 0.1);
    }

    #[test]
    fn a_setting_of_another_loss_is_refused() {
        assert!(toml::from_str::<LossSpec>("kind = \"binary\"").is_ok());
        let error = toml::from_str::<LossSpec>("kind = \"binary\"\ngamma = 2").unwrap_err().to_string();
        assert!(error.contains("unknown field `gamma`"), "{error}");
    }
}
