//! Counting the work of a network: its multiply-adds a face, as its layers report them while one face passes through.
//!
//! A layer uses each of its weights once for each position of its output, so weights × positions are its multiply-adds.
//! Norms, activations and poolings are left out, as is usual.

use std::cell::Cell;

use tch::{Device, Kind, Tensor, nn};

use super::{Network, NetworkSpec, Pass, SpecError, parameter_count};
use crate::preprocess::CROP_SIZE;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Multiply-adds.
    pub macs: u64,
    /// Weights of the layers that reported: a test compares it with the weights that there are.
    pub weights: u64,
}

thread_local! {
    /// The count in progress on this thread, if any.
    static TALLY: Cell<Option<Tally>> = const { Cell::new(None) };
}

/// Reports that a layer of `weight` `[outputs, …]` gave `output` `[N, outputs, …]`. Does nothing while nobody counts.
pub(super) fn report(weight: &Tensor, output: &Tensor) {
    let Some(tally) = TALLY.get() else { return };
    let outputs = weight.size().first().copied().unwrap_or(1).max(1) as u64;
    let weights = weight.numel() as u64;
    let macs = weights * (output.numel() as u64 / outputs);
    TALLY.set(Some(Tally { macs: tally.macs + macs, weights: tally.weights + weights }));
}

/// What one face costs in `network`, which isn't deployed yet and lives on `device`.
pub(super) fn tally(network: &dyn Network, device: Device) -> Tally {
    let side = CROP_SIZE as i64;
    let face = Tensor::zeros([1, 1, side, side], (Kind::Float, device));
    count(|| {
        let _ = network.forward(&face, Pass::EVALUATE);
    })
}

/// What the layers report while `pass` runs, which needs no gradients.
pub(super) fn count(pass: impl FnOnce()) -> Tally {
    TALLY.set(Some(Tally::default()));
    tch::no_grad(pass);
    TALLY.take().unwrap_or_default()
}

/// What a network costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Parameters that training can change.
    pub parameters: usize,
    /// Multiply-adds of convolutions and dense layers for one face.
    pub macs: u64,
    /// Side in pixels of the square picture that the first convolution sees.
    pub input_side: i64,
}

impl NetworkSpec {
    /// What the network costs, counted on it.
    ///
    /// Builds the network to count, which draws its weights from libtorch's generator: where a seed matters, count before
    /// it is set.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown.
    pub fn cost(&self) -> Result<Cost, SpecError> {
        let store = nn::VarStore::new(Device::Cpu);
        let network = self.build(&store.root())?;
        let macs = tally(network.as_ref(), Device::Cpu).macs;
        Ok(Cost { parameters: parameter_count(&store), macs, input_side: network.input_side() })
    }
}
