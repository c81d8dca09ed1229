//! Layers that the architectures share. They count their multiply-adds (see [`super::macs`]) and can be folded and packed for
//! deployment.

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

/// What a network does with all of its layers.
pub trait Layer {
    /// Merges norms into weights where possible. Afterwards the layer can only evaluate.
    ///
    /// # Errors
    /// When libtorch fails.
    fn fold(&mut self) -> Result<(), TchError> {
        Ok(())
    }

    /// Hands folded weights to oneDNN. From then on, the layer computes in `precision`, and its output has that number format.
    ///
    /// # Errors
    /// When libtorch fails.
    fn pack(&mut self, _precision: Precision) -> Result<(), TchError> {
        Ok(())
    }

    /// Excludes the weights from training.
    fn freeze(&mut self);
}
/// Added to the variance to keep the division by the standard deviation finite. libtorch's default; folding uses it too.
const NORM_EPSILON: f64 = 1e-5;
/// Excludes variables from training. The store holds the same tensors, so they change there too.
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
