//! The cost of a network, counted before it is built. A survey runs the network's own code on variables with a shape but no storage to
//! speak of: each is a single zero, expanded to its shape. The input is an empty batch, and layers count what they would compute.
//!
//! A layer uses each of its weights once for each position of its output, so weights × positions are its multiply-adds.
//! Norms, activations and poolings are left out, as is usual.

use std::cell::Cell;
use std::collections::BTreeMap;

use tch::{Device, Kind, TchError, Tensor, nn};

use super::{BuildError, Network, NetworkSpec, Pass, SpecError, parameter_count};
use mien_core::crop::CROP_SIZE;

/// Limit on the numbers in all variables of a network: 1 GB. VGG-Face with its original dense layers, the largest network ever used on
/// faces like these, has 145 million.
const MOST_NUMBERS: u64 = 250_000_000;
/// Limit on the number of variables. DenseNet-121, which has the smallest and most layers, has 727.
const MOST_VARIABLES: u64 = 10_000;
/// Limit on multiply-adds for a face: a few seconds on one core. VGG19 at its original 224 pixels has 20 billion.
const MOST_MACS: u64 = 50_000_000_000;
/// Limit on the numbers that a layer outputs for a face: 200 MB. VGG's first layer at the largest side has 26 million.
const MOST_OUTPUTS: u64 = 50_000_000;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Multiply-adds.
    macs: u64,
    #[cfg(test)]
    weights: u64,
    /// Variables, and the numbers in them.
    variables: u64,
    numbers: u64,
    /// Numbers in the largest output of a layer.
    outputs: u64,
}

thread_local! {
    /// The survey in progress on this thread, if any.
    static TALLY: Cell<Option<Tally>> = const { Cell::new(None) };
}

/// Whether a survey is in progress on this thread. If so, variables are only stand-ins.
pub(super) fn is_surveying() -> bool {
    TALLY.get().is_some()
}

/// During a survey, counts the variable and returns its stand-in.
///
/// # Errors
/// When the network exceeds a limit.
pub(super) fn variable(shape: &[i64]) -> Result<Option<Tensor>, BuildError> {
    let Some(mut tally) = TALLY.get() else { return Ok(None) };
    let numbers = shape.iter().try_fold(1_u64, |product, side| product.checked_mul(u64::try_from(*side).ok()?));
    tally.variables += 1;
    tally.numbers = numbers.and_then(|numbers| tally.numbers.checked_add(numbers)).unwrap_or(u64::MAX);
    TALLY.set(Some(tally));
    // Checked here rather than at the end, because even counting a million blocks takes long.
    check(tally.variables, MOST_VARIABLES, "variables")?;
    check(tally.numbers, MOST_NUMBERS, "parameters")?;
    Ok(Some(Tensor::f_zeros([], (Kind::Float, Device::Cpu))?.f_expand(shape, false)?))
}

/// During a survey, counts the work of a layer with this `weight` for an output of this `size`, `[N, outputs, …]`, and returns the
/// output's stand-in.
///
/// # Errors
/// When libtorch can't create the stand-in.
pub(super) fn output(weight: &Tensor, size: &[i64]) -> Result<Option<Tensor>, TchError> {
    let Some(mut tally) = TALLY.get() else { return Ok(None) };
    let product =
        |sides: &[i64]| sides.iter().fold(1_u64, |product, side| product.saturating_mul((*side).max(0) as u64));
    let weights = weight.numel() as u64;
    #[cfg(test)]
    {
        tally.weights += weights;
    }
    tally.macs = tally.macs.saturating_add(weights.saturating_mul(product(size.get(2..).unwrap_or_default())));
    tally.outputs = tally.outputs.max(product(size.get(1..).unwrap_or_default()));
    TALLY.set(Some(tally));
    Tensor::f_zeros(size, (Kind::Float, Device::Cpu)).map(Some)
}

fn check(count: u64, most: u64, what: &'static str) -> Result<(), BuildError> {
    if count > most { Err(BuildError::TooLarge { most, what }) } else { Ok(()) }
}

/// The cost of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Trainable parameters.
    pub parameters: usize,
    /// Multiply-adds of convolutions and dense layers for one face.
    pub macs: u64,
}

/// The result of a survey.
#[derive(Debug)]
pub(super) struct Survey {
    pub cost: Cost,
    /// Weights of convolutions and dense layers.
    #[cfg(test)]
    pub weights: u64,
    /// The shape of each variable by its name.
    pub shapes: BTreeMap<String, Vec<i64>>,
}

/// Ends the survey on this thread when dropped, also after an error.
struct Surveying;

impl Drop for Surveying {
    fn drop(&mut self) {
        TALLY.set(None);
    }
}

/// Surveys the network that `build` makes, and what it computes in `pass`.
///
/// # Errors
/// When the network can't be built or is too large.
pub(super) fn survey<N>(
    build: impl FnOnce(&nn::Path<'_>) -> Result<N, BuildError>,
    pass: impl FnOnce(N) -> Result<(), TchError>,
) -> Result<Survey, BuildError> {
    TALLY.set(Some(Tally::default()));
    let _surveying = Surveying;
    let store = nn::VarStore::new(Device::Cpu);
    let network = build(&store.root())?;
    tch::no_grad(|| pass(network))?;
    let tally = TALLY.get().unwrap_or_default();
    check(tally.outputs, MOST_OUTPUTS, "outputs of one layer")?;
    check(tally.macs, MOST_MACS, "multiply-adds for a face")?;
    let cost = Cost { parameters: parameter_count(&store), macs: tally.macs };
    let shapes = store.variables().into_iter().map(|(name, variable)| (name, variable.size())).collect();
    Ok(Survey {
        cost,
        #[cfg(test)]
        weights: tally.weights,
        shapes,
    })
}

impl NetworkSpec {
    /// Returns the cost of the network for `classes` classes, without building it.
    ///
    /// # Errors
    /// When the architecture or one of its parameters is unknown, or the network is too large.
    pub fn cost(&self, classes: usize) -> Result<Cost, SpecError> {
        Ok(self.survey(classes)?.cost)
    }

    /// Surveys the network without building it.
    ///
    /// # Errors
    /// As [`Self::cost`].
    pub(super) fn survey(&self, classes: usize) -> Result<Survey, SpecError> {
        let architecture = self.architecture()?;
        let pass = |network: Box<dyn Network>| {
            let side = CROP_SIZE as i64;
            let no_face = Tensor::f_zeros([0, 1, side, side], (Kind::Float, Device::Cpu))?;
            network.forward(&no_face, Pass::EVALUATE).map(drop)
        };
        survey(|path| architecture.build(path, self.parameters.clone(), classes as i64), pass)
            .map_err(|source| self.failed(source))
    }
}
