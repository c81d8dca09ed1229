//! A block of RepVGG (Ding et al. 2021). During training it is the sum of a 3×3 convolution, a 1×1 convolution and, where the shape
//! allows, the identity, each with a batch norm. Deployed, it is one 3×3 convolution that computes the same.

use tch::{TchError, Tensor, nn};

use super::layers::{ConvNorm, Layer as _, Norm};
use super::onnx::{Graph, Value};
use super::{BuildError, ExportError, Pass, Precision, macs};

/// Side of the main convolution's kernel.
const KERNEL: i64 = 3;

/// The branches whose sum goes through a ReLU, or the convolution that they were folded into.
pub(super) struct RepBlock {
    main: ConvNorm,
    /// The 1×1 convolution. Like `identity`, `None` once it is folded into `main`.
    point: Option<ConvNorm>,
    identity: Option<Norm>,
}

impl RepBlock {
    /// Creates the variables `conv3.*`, `conv1.*` and, where the block keeps the shape, `identity.*` under `path`. Without `branches`,
    /// there is only the 3×3 convolution.
    ///
    /// # Errors
    /// When the network becomes too large, or memory is full.
    pub fn new(
        path: &nn::Path<'_>,
        inputs: i64,
        outputs: i64,
        stride: i64,
        branches: bool,
    ) -> Result<Self, BuildError> {
        let keeps_shape = inputs == outputs && stride == 1;
        Ok(Self {
            main: ConvNorm::strided(&(path / "conv3"), inputs, outputs, KERNEL, stride)?,
            point: branches.then(|| ConvNorm::strided(&(path / "conv1"), inputs, outputs, 1, stride)).transpose()?,
            identity: (branches && keeps_shape).then(|| Norm::new(&(path / "identity"), inputs)).transpose()?,
        })
    }

    /// Maps `[N, inputs, H, W]` to `[N, outputs, H / stride, W / stride]`, including the ReLU.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn forward(&self, input: &Tensor, pass: Pass) -> Result<Tensor, TchError> {
        // The cost of a network is its cost once deployed, when the branches are part of the 3×3 convolution.
        if macs::is_surveying() || (self.point.is_none() && self.identity.is_none()) {
            return self.main.forward_relu(input, pass);
        }
        let mut sum = self.main.forward(input, pass)?;
        if let Some(point) = &self.point {
            sum = sum.f_add(&point.forward(input, pass)?)?;
        }
        if let Some(identity) = &self.identity {
            sum = sum.f_add(&identity.forward(input, pass)?)?;
        }
        sum.f_relu()
    }

    /// Merges norms and branches into the 3×3 convolution.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn fold(&mut self) -> Result<(), TchError> {
        self.main.fold()?;
        if let Some(mut point) = self.point.take() {
            point.fold()?;
            self.main.add_folded(&point)?;
        }
        if let Some(identity) = self.identity.take() {
            self.main.add_identity(&identity)?;
        }
        Ok(())
    }

    /// Adds the folded block to a graph.
    ///
    /// # Errors
    /// When libtorch can't copy the weights.
    pub fn draw(&self, graph: &mut Graph, input: &Value) -> Result<Value, ExportError> {
        self.main.draw_relu(graph, input)
    }

    /// Hands the folded weights to oneDNN.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn pack(&mut self, precision: Precision) -> Result<(), TchError> {
        self.main.pack(precision)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_folded_block_computes_what_its_branches_did() {
        tch::set_num_threads(1);
        tch::manual_seed(3);
        for (outputs, stride) in [(8, 1), (12, 1), (8, 2), (12, 2)] {
            let store = nn::VarStore::new(Device::Cpu);
            let mut block = RepBlock::new(&store.root(), 8, outputs, stride, true).unwrap();
            assert_eq!(block.identity.is_some(), outputs == 8 && stride == 1);
            let picture = Tensor::randn([2, 8, 10, 14], (Kind::Float, Device::Cpu)) * 2.0 + 0.5;
            let training = Pass { train: true, precision: Precision::F32 };
            // A pass in training mode gives the norms statistics other than the initial ones.
            let _ = tch::no_grad(|| block.forward(&picture, training)).unwrap();
            let before = tch::no_grad(|| block.forward(&picture, Pass::EVALUATE)).unwrap();
            block.fold().unwrap();
            assert!(block.point.is_none() && block.identity.is_none());
            let after = tch::no_grad(|| block.forward(&picture, Pass::EVALUATE)).unwrap();
            assert!(before.allclose(&after, 1e-4, 1e-4, false), "{outputs} filters, stride {stride}");
        }
    }
}
