//! Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019).
//!
//! Our own, because libtorch's optimisers can't be saved through tch, and a training that is resumed without their
//! moments isn't the same training.

use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

use crate::net::TensorMap;

/// An optimiser and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSpec {
    /// Which one.
    pub kind: OptimizerKind,
    /// Learning rate at the start (schedule `plateau`) or at its highest (`cosine`).
    pub learning_rate: f64,
    /// Share of the learning rate by which weight matrices shrink at each step (AdamW's decoupled decay; biases and norms
    /// are spared).
    #[serde(default)]
    pub weight_decay: f64,
}

/// The optimisers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam, with decoupled weight decay if asked for.
    Adam,
}

/// Decay of the first moment, the paper's default.
const BETA1: f64 = 0.9;
/// Decay of the second moment.
const BETA2: f64 = 0.999;
/// Keeps the division finite.
const EPSILON: f64 = 1e-8;

/// Adam with its moments.
pub struct Adam {
    parameters: Vec<Parameter>,
    steps: i64,
    weight_decay: f64,
}

struct Parameter {
    name: String,
    value: Tensor,
    first: Tensor,
    second: Tensor,
}

impl Adam {
    /// Takes charge of the trainable variables of `store`.
    pub fn new(store: &nn::VarStore, spec: &OptimizerSpec) -> Self {
        let OptimizerKind::Adam = spec.kind;
        let mut parameters: Vec<_> = store
            .variables()
            .into_iter()
            .filter(|(_, value)| value.requires_grad())
            .map(|(name, value)| Parameter { name, first: value.zeros_like(), second: value.zeros_like(), value })
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        Self { parameters, steps: 0, weight_decay: spec.weight_decay }
    }

    /// Forgets the gradients of the last step.
    pub fn zero_grad(&mut self) {
        for parameter in &mut self.parameters {
            parameter.value.zero_grad();
        }
    }

    /// Moves every variable against its gradient.
    pub fn step(&mut self, learning_rate: f64) {
        self.steps += 1;
        let correction1 = 1.0 - BETA1.powi(self.steps as i32);
        let correction2 = 1.0 - BETA2.powi(self.steps as i32);
        tch::no_grad(|| {
            for parameter in &mut self.parameters {
                let gradient = parameter.value.grad();
                if !gradient.defined() {
                    continue;
                }
                // Weight matrices and kernels have more than one dimension; biases and norms have one.
                if self.weight_decay > 0.0 && parameter.value.dim() > 1 {
                    let _ = parameter.value.g_mul_scalar_(1.0 - learning_rate * self.weight_decay);
                }
                let _ = parameter.first.lerp_(&gradient, 1.0 - BETA1);
                let _ = parameter.second.g_mul_scalar_(BETA2);
                let _ = parameter.second.addcmul_(&gradient, &(&gradient * (1.0 - BETA2)));
                let divisor = (&parameter.second / correction2).sqrt() + EPSILON;
                let _ = parameter.value.addcdiv_(&(&parameter.first * (-learning_rate / correction1)), &divisor);
            }
        });
    }

    /// The moments by name: with the number of steps, what an exact resume needs. The tensors are the optimiser's own,
    /// so that a resume can write into them.
    pub fn moments(&self) -> TensorMap {
        let mut moments = TensorMap::new();
        for p in &self.parameters {
            moments.insert(format!("first.{}", p.name), p.first.shallow_clone());
            moments.insert(format!("second.{}", p.name), p.second.shallow_clone());
        }
        moments
    }

    /// Sets the number of steps that the moments stand for.
    pub fn set_steps(&mut self, steps: i64) {
        self.steps = steps;
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn::OptimizerConfig as _};

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

    #[test]
    fn steps_are_those_of_libtorch() {
        let (ours, theirs) = (store(), store());
        let mut adam =
            Adam::new(&ours, &OptimizerSpec { kind: OptimizerKind::Adam, learning_rate: 0.05, weight_decay: 0.0 });
        let mut reference = nn::Adam::default().build(&theirs, 0.05).unwrap();
        for _ in 0..20 {
            adam.zero_grad();
            loss(&ours).backward();
            adam.step(0.05);
            reference.backward_step(&loss(&theirs));
        }
        let (a, b) = (&ours.variables()["w"], &theirs.variables()["w"]);
        assert!(a.allclose(b, 1e-5, 1e-6, false), "{a} {b}");
    }
}
