//! Weights in the formats of other programs: PyTorch's files and NumPy's archives. Nothing in a file is ever executed.

mod npz;
mod pickle;
mod torch;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};
use zip::result::ZipError;

use super::checkpoint::{CheckpointError, TensorMap, decode};

/// A file's tensors can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is of no known kind, damaged, or holds no tensors.
    #[error("can't use {path}: {reason}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why, and what to do.
        reason: Problem,
    },
}

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// None of the supported formats.
    #[error(
        "it is none of PyTorch's .pt and .pth files, NumPy's .npz archives and .safetensors files; export the weights as one of these"
    )]
    UnknownFormat,
    /// Keras's HDF5 format, which needs the HDF5 library.
    #[error("it is an HDF5 file, as Keras writes; save its weights with `numpy.savez` and convert the .npz file")]
    Hdf5,
    /// A damaged archive.
    #[error("its archive is damaged: {0}")]
    Archive(#[from] ZipError),
    /// An entry can't be unpacked.
    #[error("its archive is damaged: {0}")]
    Entry(#[from] std::io::Error),
    /// A damaged pickle, or one that does something weights never need.
    #[error("its pickle is damaged or unusual at byte {position}: {what}")]
    Pickle {
        /// Byte position in the pickle.
        position: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A tensor's description doesn't fit its data.
    #[error("its tensor “{name}” can't be read: {what}")]
    Tensor {
        /// Which tensor.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// Its contents are far too large for its size.
    #[error("it unpacks to more than {MOST_GROWTH} times its size, which weights never do")]
    TooLarge,
    /// A readable file without tensors.
    #[error("it holds no tensors")]
    Empty,
    /// A safetensors file that can't be used.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
}

/// Reads all tensors of a file, under their own names. The format is recognised by content: PyTorch's files (state dictionaries,
/// checkpoints that hold one, whole models and TorchScript files, in today's zip format and the older one), `.npz`, and `.safetensors`.
/// Floats become 32-bit, integers 64-bit.
///
/// # Errors
/// When the file can't be read, has another format, is damaged, or holds no tensors.
pub fn import(path: &Path) -> Result<TensorMap, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
    let tensors = tensors(&bytes).map_err(|reason| ImportError::Unusable { path: path.to_owned(), reason })?;
    Ok(tensors)
}

/// Memory that reading a file may take, in multiples of the file's size. 8-bit integers, which become 64-bit, take 17 times their size,
/// 32-bit floats three times. Compression saves a tenth on weights.
const MOST_GROWTH: u64 = 32;

/// The memory that reading a file may take, which depends on the file's size.
struct Budget {
    left: u64,
}

impl Budget {
    /// Allowance for any file, however small, for compressed headers and names.
    const LEAST: u64 = 1 << 20;

    fn of(file: &[u8]) -> Self {
        Self { left: Self::LEAST + MOST_GROWTH * file.len() as u64 }
    }

    /// Takes `bytes` from the budget.
    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Problem::TooLarge)?;
        Ok(())
    }

    /// Unpacks an entry of an archive, and takes its size from the budget.
    fn unpack(&mut self, mut entry: impl Read) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        // The size in the archive's directory may be wrong.
        entry.by_ref().take(self.left.saturating_add(1)).read_to_end(&mut bytes)?;
        self.take(bytes.len())?;
        Ok(bytes)
    }
}

/// First bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";
const HDF5: &[u8] = b"\x89HDF";
/// Offset of a safetensors file's header, after eight bytes with its length.
const SAFETENSORS_HEADER: usize = 8;

fn tensors(bytes: &[u8]) -> Result<TensorMap, Problem> {
    let mut budget = Budget::of(bytes);
    let tensors = if bytes.starts_with(ZIP) {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
        if archive.file_names().any(|name| name.ends_with(".npy")) {
            npz::read(&mut archive, &mut budget)?
        } else {
            torch::read_zip(&mut archive, &mut budget)?
        }
    } else if bytes.starts_with(HDF5) {
        return Err(Problem::Hdf5);
    } else if torch::is_legacy(bytes) {
        torch::read_legacy(bytes, &mut budget)?
    } else if bytes.get(SAFETENSORS_HEADER) == Some(&b'{') {
        decode(bytes)?
    } else {
        return Err(Problem::UnknownFormat);
    };
    if tensors.is_empty() { Err(Problem::Empty) } else { Ok(tensors) }
}

/// The kind that numbers of `kind` are converted to: 32-bit floats or 64-bit integers.
pub(crate) fn kind_read(kind: Kind) -> Kind {
    let is_float = matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double);
    if is_float { Kind::Float } else { Kind::Int64 }
}

/// Returns the elements of `bytes` in one row, converted by [`kind_read`].
fn elements(bytes: &[u8], kind: Kind) -> Result<Tensor, tch::TchError> {
    let count = bytes.len() / kind.elt_size_in_bytes();
    let row = Tensor::f_from_data_size(&bytes[..count * kind.elt_size_in_bytes()], &[count as i64], kind)?;
    row.f_to_kind(kind_read(kind))
}
