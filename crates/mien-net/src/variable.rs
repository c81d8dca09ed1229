//! Variables of layers: their initial values, and the errors that keep a network from being built.

use tch::nn::{self, Init};
use tch::{TchError, Tensor};

use super::macs;

/// A network can't be built as requested.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A parameter is unknown, of the wrong type, or out of range.
    #[error("its parameters don't fit: {0}")]
    Parameters(#[from] toml::de::Error),
    /// The network exceeds a size limit.
    #[error("it is too large with these parameters: more than {most} {what}")]
    TooLarge {
        /// The limit.
        most: u64,
        /// What is limited.
        what: &'static str,
    },
    /// libtorch fails, for example because memory is full.
    #[error("{}", crate::torch::said(.0))]
    Torch(#[from] TchError),
}

/// How a variable is initialised.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// He initialisation (He et al. 2015) for layers followed by ReLU, from the normal distribution.
    HeNormal,
    /// The same from the uniform distribution.
    HeUniform,
    /// Uniform between minus and plus this value.
    Uniform(f64),
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// All zero, not trainable.
    FixedZeros,
    /// All one, not trainable.
    FixedOnes,
}

/// Creates a variable of a network, or counts it in a survey (see [`macs`]).
///
/// # Errors
/// When the network exceeds a limit in a survey, or memory is full.
pub(super) fn variable(path: &nn::Path<'_>, name: &str, shape: &[i64], start: Start) -> Result<Tensor, BuildError> {
    if let Some(stand_in) = macs::variable(shape)? {
        let learns = !matches!(start, Start::FixedZeros | Start::FixedOnes);
        return Ok(path.add(name, stand_in, learns));
    }
    Ok(match start {
        Start::HeNormal => {
            let variable = path.f_randn_standard(name, shape)?;
            let inputs: i64 = shape.iter().skip(1).product();
            // Scaled in place, which takes half the memory of tch's own initialisation.
            let _scaled =
                tch::no_grad(|| variable.shallow_clone().f_mul_scalar_(2.0_f64.sqrt() / (inputs as f64).sqrt()))?;
            variable
        }
        Start::HeUniform => path.f_kaiming_uniform(name, shape)?,
        Start::Uniform(bound) => path.f_var(name, shape, Init::Uniform { lo: -bound, up: bound })?,
        Start::Zeros => path.f_zeros(name, shape)?,
        Start::Ones => path.f_ones(name, shape)?,
        Start::FixedZeros => path.f_zeros_no_train(name, shape)?,
        Start::FixedOnes => path.f_ones_no_train(name, shape)?,
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::init::{FanInOut, NonLinearity, NormalOrUniform};

    use super::*;

    #[test]
    fn variables_begin_as_those_of_tch_do_so_that_a_seed_keeps_its_meaning() {
        let he_normal =
            Init::Kaiming { dist: NormalOrUniform::Normal, fan: FanInOut::FanIn, non_linearity: NonLinearity::ReLU };
        let shape = [5, 3, 3, 3];
        for (name, start, init) in [
            ("normal", Start::HeNormal, he_normal),
            ("uniform", Start::HeUniform, nn::init::DEFAULT_KAIMING_UNIFORM),
            ("bound", Start::Uniform(0.3), Init::Uniform { lo: -0.3, up: 0.3 }),
            ("zeros", Start::Zeros, Init::Const(0.0)),
            ("ones", Start::Ones, Init::Const(1.0)),
        ] {
            let agree = |_| {
                let (ours, theirs) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
                tch::manual_seed(1);
                let our = variable(&ours.root(), name, &shape, start).unwrap();
                tch::manual_seed(1);
                let their = theirs.root().f_var(name, &shape, init).unwrap();
                our.equal(&their) && our.requires_grad()
            };
            // Other tests draw from the same generator, so one attempt may fail. Different initialisations never agree.
            assert!((0..50).any(agree), "{name}");
        }
        let ours = nn::VarStore::new(Device::Cpu);
        for start in [Start::FixedZeros, Start::FixedOnes] {
            assert!(!variable(&ours.root(), &format!("{start:?}"), &shape, start).unwrap().requires_grad());
        }
    }
}
