//! oneDNN's convolution, optionally fused with a ReLU, on weights whose layout is prepared once.
//!
//! This is the operator that `torch.compile` uses instead of plain convolutions on CPUs. tch has no binding for it, so it is called
//! through the C interface that libtorch offers to compiled models (`torch/csrc/inductor/aoti_torch/c/shim_cpu.h`). libtorch's plain
//! convolution is slower at batch size 1, as measured with `ONEDNN_VERBOSE=1`: it reorders the weights at each pass. It does so with
//! dense tensors, but also with oneDNN's own, because the layout that `mkldnn_reorder_conv2d_weight` gives them isn't the one that the
//! convolution then requests.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char};
use std::ptr;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

/// Whether networks on `device` compute their convolutions with this operator: on x86-64 CPUs, for which it was measured, if the loaded
/// libtorch contains oneDNN.
pub(super) fn packs_on(device: Device) -> bool {
    cfg!(target_arch = "x86_64") && device == Device::Cpu && tch::utils::has_mkldnn()
}

/// Parameters of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub stride: [i64; 2],
    pub padding: [i64; 2],
    pub groups: i64,
}

/// A convolution whose weight is laid out for oneDNN.
#[derive(Debug)]
pub(super) struct Packed {
    /// The folded weight, before it is laid out.
    weight: Tensor,
    bias: Tensor,
    steps: Steps,
    /// The weight in oneDNN's layout. Which layout is best depends on the size of the input. The first input decides; inputs of other
    /// sizes only take longer.
    laid_out: OnceCell<Tensor>,
}

/// No dilation.
const DILATION: [i64; 2] = [1, 1];

impl Packed {
    /// Takes a weight `[outputs, inputs / groups, height, width]` and a bias. The convolution computes in `kind`.
    pub fn new(weight: &Tensor, bias: &Tensor, steps: Steps, kind: Kind) -> Result<Self, TchError> {
        let of_kind = |tensor: &Tensor| tensor.f_detach()?.f_to_kind(kind);
        Ok(Self { weight: of_kind(weight)?, bias: of_kind(bias)?, steps, laid_out: OnceCell::new() })
    }

    /// Maps `[N, inputs, H, W]` in any memory layout to `[N, outputs, …]`, channels last in memory, followed by a ReLU with `relu`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn forward(&self, input: &Tensor, relu: bool) -> Result<Tensor, TchError> {
        let input = input.f_to_kind(self.weight.kind())?;
        if let Some(weight) = self.laid_out.get() {
            return convolve(&input, weight, &self.bias, self.steps, relu);
        }
        let Steps { stride, padding, groups } = self.steps;
        let weight = self.weight.f_to_mkldnn(None::<Kind>)?.f_mkldnn_reorder_conv2d_weight(
            padding,
            stride,
            DILATION,
            groups,
            input.size(),
        )?;
        convolve(&input, self.laid_out.get_or_init(|| weight), &self.bias, self.steps, relu)
    }
}

#[cfg(target_arch = "x86_64")]
fn convolve(input: &Tensor, weight: &Tensor, bias: &Tensor, steps: Steps, relu: bool) -> Result<Tensor, TchError> {
    let then: &CStr = if relu { c"relu" } else { c"none" };
    let mut output = ptr::null_mut();
    // SAFETY: The tensors outlive the call, which modifies none of them. Each array has the given length, the strings are
    // NUL-terminated, and the two optional lists are absent. C++ exceptions don't leave the function; it turns them into its return
    // code.
    let code = unsafe {
        aoti_torch_cpu_mkldnn__convolution_pointwise(
            input.as_ptr(),
            weight.as_ptr(),
            &bias.as_ptr(),
            steps.padding.as_ptr(),
            steps.padding.len() as i64,
            steps.stride.as_ptr(),
            steps.stride.len() as i64,
            DILATION.as_ptr(),
            DILATION.len() as i64,
            steps.groups,
            then.as_ptr(),
            ptr::null(),
            0,
            ptr::null(),
            &mut output,
        )
    };
    if code != 0 || output.is_null() {
        // The exception's message is lost. The only cause seen so far is full memory.
        let problem = format!(
            "oneDNN can't convolve a tensor of the size {:?}; perhaps there is not enough memory",
            input.size()
        );
        return Err(TchError::Torch(problem));
    }
    // SAFETY: The output is a new tensor that nothing else owns.
    Ok(unsafe { Tensor::from_ptr(output) })
}

#[cfg(not(target_arch = "x86_64"))]
fn convolve(input: &Tensor, _: &Tensor, _: &Tensor, _: Steps, _: bool) -> Result<Tensor, TchError> {
    Err(TchError::Torch(format!("oneDNN isn't used here for a tensor of the size {:?}", input.size())))
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    /// Returns 0 on success. Tensor handles are pointers to tensors.
    fn aoti_torch_cpu_mkldnn__convolution_pointwise(
        input: *const C_tensor,
        weight: *const C_tensor,
        bias: *const *const C_tensor,
        padding: *const i64,
        padding_length: i64,
        stride: *const i64,
        stride_length: i64,
        dilation: *const i64,
        dilation_length: i64,
        groups: i64,
        then: *const c_char,
        scalars: *const *const f64,
        scalars_length: i64,
        algorithm: *const *const c_char,
        output: *mut *mut C_tensor,
    ) -> i32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_computes_what_the_plain_convolution_and_relu_do_for_any_size_and_batch() {
        if !packs_on(Device::Cpu) {
            eprintln!("skipped: there is no oneDNN here");
            return;
        }
        tch::set_num_threads(1);
        tch::manual_seed(9);
        let random = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        for (inputs, outputs, groups, stride, padding) in
            [(3, 16, 1, 1, [1, 1]), (16, 40, 1, 2, [0, 1]), (8, 8, 8, 1, [1, 1])]
        {
            let (weight, bias) = (random(&[outputs, inputs / groups, 3, 3]), random(&[outputs]));
            let steps = Steps { stride: [stride; 2], padding, groups };
            let packed = Packed::new(&weight, &bias, steps, Kind::Float).unwrap();
            for (pictures, height, width) in [(1, 12, 12), (5, 12, 12), (2, 7, 20)] {
                let input = random(&[pictures, inputs, height, width]);
                let plain = input.conv2d(&weight, Some(&bias), [stride; 2], padding, [1, 1], groups);
                for (relu, expected) in [(false, &plain), (true, &plain.relu())] {
                    let output = packed.forward(&input, relu).unwrap();
                    assert!(output.allclose(expected, 1e-4, 1e-4, false), "{inputs} → {outputs}, {height}×{width}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_ends_nothing() {
        if !packs_on(Device::Cpu) {
            eprintln!("skipped: there is no oneDNN here");
            return;
        }
        let tensor = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let steps = Steps { stride: [1, 1], padding: [1, 1], groups: 1 };
        let packed = Packed::new(&tensor(&[8, 4, 3, 3]), &tensor(&[8]), steps, Kind::Float).unwrap();
        assert!(packed.forward(&tensor(&[1, 4, 6, 6]), true).is_ok());
        let error = packed.forward(&tensor(&[1, 5, 6, 6]), true).unwrap_err().to_string();
        assert!(error.contains("oneDNN"), "{error}");
    }
}
