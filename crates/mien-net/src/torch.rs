//! What libtorch says when it fails, in one line for the reader.

use tch::TchError;

/// libtorch failed where nothing more can be said of it.
#[derive(Debug, thiserror::Error)]
#[error("libtorch failed: {}", said(.0))]
pub struct TorchError(#[from] TchError);

/// What an error of libtorch says, without the stack of C++ that it adds below its first line.
pub fn said(error: &TchError) -> String {
    match error {
        TchError::Torch(text) => first_line(text),
        other => first_line(&other.to_string()),
    }
}

/// How libtorch's messages begin that come of full memory: those of the CPU's allocator and of CUDA's.
const FULL: [&str; 2] = ["DefaultCPUAllocator: can't allocate memory", "out of memory"];

fn first_line(text: &str) -> String {
    if FULL.iter().any(|full| text.contains(full)) {
        return "there is not enough memory".to_owned();
    }
    text.lines().next().unwrap_or("for an unknown reason").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn full_memory_is_called_so() {
        // More than any machine has: 2 exabytes.
        let error = Tensor::f_zeros([1 << 59], (Kind::Float, Device::Cpu)).unwrap_err();
        assert_eq!(said(&error), "there is not enough memory");
    }

    #[test]
    fn of_other_errors_the_first_line_is_told() {
        let error = Tensor::from_slice(&[1.0; 2]).f_matmul(&Tensor::from_slice(&[1.0; 3])).unwrap_err();
        let told = said(&error);
        assert!(told.contains("size") && !told.contains('\n'), "{told}");
    }
}
