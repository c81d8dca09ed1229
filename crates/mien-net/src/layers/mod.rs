//! Layers that the architectures share. They report their multiply-adds (see [`super::macs`]), and know how to be deployed.

mod conv;
mod dense;
mod norm;
mod shape;

use tch::{TchError, Tensor};

pub use self::conv::ConvNorm;
pub use self::dense::{Dense, DenseNorm};
pub use self::norm::Norm;
pub use self::shape::ConvShape;
use super::Precision;

/// What a network asks of its layers one by one.
pub trait Layer {
    /// Merges what can be merged, for evaluation alone.
    ///
    /// # Errors
    /// When libtorch fails.
    fn fold(&mut self) -> Result<(), TchError> {
        Ok(())
    }

    /// Gives folded weights to oneDNN, which computes in `precision` from then on; the output has that number format then.
    ///
    /// # Errors
    /// When libtorch fails.
    fn pack(&mut self, _precision: Precision) -> Result<(), TchError> {
        Ok(())
    }

    /// Takes the weights out of training.
    fn freeze(&mut self);
}
/// Keeps the division by the standard deviation finite. libtorch's default; folding needs to know it.
const NORM_EPSILON: f64 = 1e-5;
/// Takes variables out of training. The store's own tensors change with these: both are the same.
fn exclude<'a>(variables: impl IntoIterator<Item = &'a Tensor>) {
    for variable in variables {
        let _ = variable.set_requires_grad(false);
    }
}
#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn};

    use super::*;
    use crate::Pass;

    #[test]
    fn outputs_have_the_size_that_is_told_before() {
        let store = nn::VarStore::new(Device::Cpu);
        let shapes = [
            ConvShape::new(2, 3, 3),
            ConvShape::new(2, 3, 7).stride(2),
            ConvShape::oblong(2, 3, [1, 7]),
            ConvShape::new(2, 3, 3).stride(2).unpadded(),
            ConvShape::new(2, 3, 5).stride(2).same(),
            ConvShape::new(2, 2, 3).stride(3).depthwise(),
        ];
        for (i, shape) in shapes.into_iter().enumerate() {
            let layer = ConvNorm::bare(&(store.root() / i), shape).unwrap();
            for sides in [[48, 48], [7, 12], [9, 10]] {
                let input = Tensor::zeros([2, 2, sides[0], sides[1]], (Kind::Float, Device::Cpu));
                let output = layer.forward(&input, Pass::EVALUATE).unwrap();
                assert_eq!(output.size(), shape.output_size(&input.size()), "{shape:?} of {sides:?}");
            }
        }
    }
}
