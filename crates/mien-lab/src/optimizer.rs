//! Adam (Kingma & Ba 2015) with the decoupled decay of AdamW (Loshchilov & Hutter 2019), and stochastic gradient descent
//! with Nesterov's momentum (Sutskever et al. 2013).
//!
//! Our own, because libtorch's optimisers can't be saved through tch, and a training that is resumed without their
//! moments isn't the same training.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

use super::recipe::{Problems, is_positive};
use mien_net::{BACKBONE, TensorMap};

/// An optimiser and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    /// Which one.
    pub kind: OptimizerKind,
    /// Learning rate at the start (schedules `plateau`, `step`) or at its highest (`cosine`, `one-cycle`).
    pub learning_rate: f64,
    /// Momentum, for `sgd`: the share of the previous step that is repeated.
    #[serde(skip_serializing_if = "is_default_momentum")]
    pub momentum: f64,
    /// Decay of weight matrices; biases and norms are exempt. With `adamw` it is decoupled: at each step the weights shrink by
    /// this share of the learning rate. With `adam` and `sgd` it is the classic penalty, added to the gradient.
    pub weight_decay: f64,
    /// Maximum norm of the gradients of all variables together; longer ones are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl Default for OptimizerSpec {
    /// Adam with the default learning rate of its paper and of Keras.
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: 1e-3,
            momentum: default_momentum(),
            weight_decay: 0.0,
            clip_norm: None,
        }
    }
}

impl OptimizerSpec {
    /// Adds problems with the settings to `found`.
    pub fn check(&self, found: &mut Problems) {
        found.check("optimizer.learning_rate", is_positive(self.learning_rate), "has to be greater than 0");
        found.check("optimizer.momentum", (0.0..1.0).contains(&self.momentum), "has to be at least 0 and less than 1");
        let decay = self.weight_decay;
        found.check("optimizer.weight_decay", decay.is_finite() && decay >= 0.0, "has to be at least 0");
        found.check("optimizer.clip_norm", self.clip_norm.is_none_or(is_positive), "has to be greater than 0");
    }
}

/// The available optimisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// Stochastic gradient descent with Nesterov's momentum.
    Sgd,
}

fn default_momentum() -> f64 {
    0.9
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_default_momentum(momentum: &f64) -> bool {
    *momentum == default_momentum()
}

/// Adam's decay of the first moment, the paper's default.
const BETA1: f64 = 0.9;
/// Adam's decay of the second moment.
const BETA2: f64 = 0.999;
/// Keeps Adam's division finite.
const EPSILON: f64 = 1e-8;

/// An optimiser with its moments.
pub struct Optimizer {
    spec: OptimizerSpec,
    parameters: Vec<Parameter>,
    steps: i64,
}

struct Parameter {
    name: String,
    value: Tensor,
    /// Factor on the learning rate.
    rate_factor: f64,
    /// Mean gradient for Adam, velocity for gradient descent.
    first: Tensor,
    /// Mean squared gradient, for Adam.
    second: Option<Tensor>,
}

impl Optimizer {
    /// Creates an optimiser for the trainable variables of `store`. The learning rate of the backbone is multiplied by `backbone_rate`.
    pub fn new(store: &nn::VarStore, spec: &OptimizerSpec, backbone_rate: f64) -> Self {
        let with_second = spec.kind != OptimizerKind::Sgd;
        let mut parameters: Vec<_> = store
            .variables()
            .into_iter()
            .filter(|(_, value)| value.requires_grad())
            .map(|(name, value)| Parameter {
                rate_factor: if name.starts_with(BACKBONE) { backbone_rate } else { 1.0 },
                first: value.zeros_like(),
                second: with_second.then(|| value.zeros_like()),
                name,
                value,
            })
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        Self { spec: spec.clone(), parameters, steps: 0 }
    }

    /// Resets the gradients.
    pub fn zero_grad(&mut self) {
        for parameter in &mut self.parameters {
            parameter.value.zero_grad();
        }
    }

    /// Updates every variable from its gradient.
    pub fn step(&mut self, learning_rate: f64) {
        self.steps += 1;
        let steps = self.steps;
        tch::no_grad(|| {
            let shrink = self.spec.clip_norm.map(|longest| self.shrink_factor(longest));
            for parameter in &mut self.parameters {
                let mut gradient = parameter.value.grad();
                if !gradient.defined() {
                    continue;
                }
                if let Some(factor) = &shrink {
                    gradient = &gradient * factor;
                }
                parameter.follow(&gradient, &self.spec, learning_rate, steps);
            }
        });
    }

    /// The factor by which all gradients are multiplied so that their joint norm is at most `longest`.
    fn shrink_factor(&self, longest: f64) -> Tensor {
        let squares: Vec<Tensor> = self
            .parameters
            .iter()
            .map(|p| p.value.grad())
            .filter(Tensor::defined)
            .map(|gradient| gradient.square().sum(Kind::Float))
            .collect();
        (longest / (Tensor::stack(&squares, 0).sum(Kind::Float).sqrt() + 1e-6)).clamp_max(1.0)
    }

    /// The moments by name. Together with the number of steps they are what an exact resume needs. The tensors share memory
    /// with the optimiser, so that a resume can write into them.
    pub fn moments(&self) -> TensorMap {
        let mut moments = TensorMap::new();
        for p in &self.parameters {
            moments.insert(format!("first.{}", p.name), p.first.shallow_clone());
            if let Some(second) = &p.second {
                moments.insert(format!("second.{}", p.name), second.shallow_clone());
            }
        }
        moments
    }

    /// Sets the number of steps that the moments have accumulated.
    pub fn set_steps(&mut self, steps: i64) {
        self.steps = steps;
    }
}

impl Parameter {
    fn follow(&mut self, gradient: &Tensor, spec: &OptimizerSpec, learning_rate: f64, steps: i64) {
        let rate = learning_rate * self.rate_factor;
        // Weight matrices and kernels have more than one dimension; biases and norms have one.
        let decay = if self.value.dim() > 1 { spec.weight_decay } else { 0.0 };
        if spec.kind == OptimizerKind::AdamW && decay > 0.0 {
            let _ = self.value.g_mul_scalar_(1.0 - rate * decay);
        }
        let penalised;
        let gradient = if spec.kind != OptimizerKind::AdamW && decay > 0.0 {
            penalised = gradient + &self.value * decay;
            &penalised
        } else {
            gradient
        };
        if let Some(second) = &mut self.second {
            let correction1 = 1.0 - BETA1.powi(steps as i32);
            let correction2 = 1.0 - BETA2.powi(steps as i32);
            let _ = self.first.lerp_(gradient, 1.0 - BETA1);
            let _ = second.g_mul_scalar_(BETA2);
            let _ = second.addcmul_(gradient, &(gradient * (1.0 - BETA2)));
            let divisor = (&*second / correction2).sqrt() + EPSILON;
            let _ = self.value.addcdiv_(&(&self.first * (-rate / correction1)), &divisor);
        } else {
            let _ = self.first.g_mul_scalar_(spec.momentum);
            self.first += gradient;
            // Nesterov: looks ahead by the momentum's part of the step.
            self.value -= (gradient + &self.first * spec.momentum) * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn store() -> nn::VarStore {
        let store = nn::VarStore::new(Device::Cpu);
        let _ = store.root().var("w", &[2, 2], nn::Init::Const(1.0));
        store
    }

    fn loss(store: &nn::VarStore) -> Tensor {
        let target = Tensor::from_slice(&[0.5_f32, -1.0, 2.0, 0.0]).view([2, 2]);
        (&store.variables()["w"] - target).square().sum(Kind::Float)
    }

    fn spec(kind: OptimizerKind, weight_decay: f64) -> OptimizerSpec {
        OptimizerSpec { kind, learning_rate: 0.05, momentum: 0.9, weight_decay, clip_norm: None }
    }

    fn same_as_libtorch(spec: &OptimizerSpec, config: impl nn::OptimizerConfig) {
        let (ours, theirs) = (store(), store());
        let mut optimizer = Optimizer::new(&ours, spec, 1.0);
        let mut reference = config.build(&theirs, 0.05).unwrap();
        for _ in 0..20 {
            optimizer.zero_grad();
            loss(&ours).backward();
            optimizer.step(0.05);
            reference.backward_step(&loss(&theirs));
        }
        let (a, b) = (&ours.variables()["w"], &theirs.variables()["w"]);
        assert!(a.allclose(b, 1e-5, 1e-6, false), "{a} {b}");
    }

    #[test]
    fn steps_are_those_of_libtorch() {
        same_as_libtorch(&spec(OptimizerKind::Adam, 0.0), nn::Adam::default());
        same_as_libtorch(&spec(OptimizerKind::Adam, 0.1), nn::Adam { wd: 0.1, ..nn::Adam::default() });
        same_as_libtorch(&spec(OptimizerKind::AdamW, 0.1), nn::AdamW { wd: 0.1, ..nn::AdamW::default() });
        let nesterov = nn::Sgd { momentum: 0.9, dampening: 0.0, wd: 0.01, nesterov: true };
        same_as_libtorch(&spec(OptimizerKind::Sgd, 0.01), nesterov);
    }

    #[test]
    fn long_gradients_are_shortened_and_keep_their_direction() {
        let long = store();
        let clipped = OptimizerSpec { clip_norm: Some(0.1), momentum: 0.0, ..spec(OptimizerKind::Sgd, 0.0) };
        let mut optimizer = Optimizer::new(&long, &clipped, 1.0);
        loss(&long).backward();
        let gradient = long.variables()["w"].grad().copy();
        optimizer.step(1.0);
        let step: Tensor = 1.0 - &long.variables()["w"];
        assert!((step.norm().double_value(&[]) - 0.1).abs() < 1e-4);
        let direction = &gradient / gradient.norm();
        assert!((step / 0.1).allclose(&direction, 1e-3, 1e-4, false));
    }

    #[test]
    fn the_backbone_moves_at_its_own_rate() {
        let store = nn::VarStore::new(Device::Cpu);
        let body = (store.root() / "backbone").var("w", &[2], nn::Init::Const(0.0));
        let head = (store.root() / "head").var("w", &[2], nn::Init::Const(0.0));
        let mut optimizer = Optimizer::new(&store, &spec(OptimizerKind::Sgd, 0.0), 0.1);
        (&body + &head).sum(Kind::Float).backward();
        optimizer.step(0.5);
        let ratio = body.double_value(&[0]) / head.double_value(&[0]);
        assert!((ratio - 0.1).abs() < 1e-6, "{ratio}");
    }
}
