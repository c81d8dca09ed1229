//! Test-time augmentation by mirroring: a face's mirror image shows the same emotion.

use tch::{TchError, Tensor};

use super::onnx::{Graph, Value};
use super::{ExportError, Network, Pass, Precision};

/// A network that also evaluates each face's mirror image, in the same batch, and averages the logits of both.
pub(super) struct Mirrored(pub Box<dyn Network>);

/// The horizontal axis of `[N, 1, H, W]`.
const ACROSS: [i64; 1] = [3];

impl Network for Mirrored {
    fn forward(&self, faces: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        let both = Tensor::f_cat(&[faces, &faces.f_flip(ACROSS)?], 0)?;
        let logits = self.0.forward(&both, pass)?;
        let count = faces.size().first().copied().unwrap_or(0);
        logits.f_narrow(0, 0, count)?.f_add(&logits.f_narrow(0, count, count)?)?.f_mul_scalar(0.5)
    }

    fn fold(&mut self) -> Result<(), TchError> {
        self.0.fold()
    }

    fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.0.pack(precision)
    }

    fn draw(&self, _graph: &mut Graph, _faces: &Value) -> Result<Value, ExportError> {
        Err(ExportError::Part("mirrored faces"))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use crate::{Model, ModelSource, Pass, Precision};

    #[test]
    fn the_answer_is_the_mean_of_both_and_the_same_for_the_mirror_image() {
        tch::set_num_threads(1);
        let load = || Model::load(&ModelSource::default(), Device::Cpu, Precision::F32).unwrap();
        let (plain, flipping) = (load(), load().with_flip(true));
        assert!(!plain.flip && flipping.flip);
        let faces = tch::Tensor::randn([3, 1, 48, 48], (Kind::Float, Device::Cpu));
        let ask =
            |model: &Model, faces: &tch::Tensor| tch::no_grad(|| model.network.forward(faces, Pass::EVALUATE)).unwrap();
        let mirrored = faces.flip([3]);
        let mean = (ask(&plain, &faces) + ask(&plain, &mirrored)) / 2.0;
        let logits = ask(&flipping, &faces);
        assert!(logits.allclose(&mean, 1e-4, 1e-4, false));
        assert!(logits.allclose(&ask(&flipping, &mirrored), 1e-4, 1e-4, false));
        // Random pictures aren't symmetric, so the mean differs from the plain logits.
        assert!(!ask(&plain, &faces).allclose(&mean, 1e-2, 1e-2, false));
    }
}
