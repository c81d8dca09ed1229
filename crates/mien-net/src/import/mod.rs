//! Weights in the formats of other programs: PyTorch's files and NumPy's archives. Nothing in a file is ever run.

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
    /// None of the formats.
    #[error(
        "it is none of PyTorch's .pt and .pth files, NumPy's .npz archives and .safetensors files; export the weights as one of these"
    )]
    UnknownFormat,
    /// Keras's own format, which no program without HDF5 reads.
    #[error("it is an HDF5 file, as Keras writes; save its weights with `numpy.savez` and convert the .npz file")]
    Hdf5,
    /// Not a whole archive.
    #[error("its archive is damaged: {0}")]
    Archive(#[from] ZipError),
    /// An entry can't be unpacked.
    #[error("its archive is damaged: {0}")]
    Entry(#[from] std::io::Error),
    /// Not a whole pickle, or one that does what weights never need.
    #[error("its pickle is damaged or unusual at byte {position}: {what}")]
    Pickle {
        /// Where in the pickle.
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
    /// What it unpacks to has no relation to its size.
    #[error("it unpacks to more than {MOST_GROWTH} times its size, which weights never do")]
    TooLarge,
    /// Something, but no tensors.
    #[error("it holds no tensors")]
    Empty,
    /// A safetensors file that isn't whole.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
}

/// All tensors of a file under their own names, told apart by its content: PyTorch's files (state dictionaries, checkpoints
/// that hold one, whole models and TorchScript files, in today's zip format and the older one), `.npz`, and
/// `.safetensors`. Floats come as 32-bit ones, integers as 64-bit ones.
///
/// # Errors
/// When the file can't be read, is of another kind, is damaged, or holds no tensors.
pub fn import(path: &Path) -> Result<TensorMap, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
    let tensors = tensors(&bytes).map_err(|reason| ImportError::Unusable { path: path.to_owned(), reason })?;
    Ok(tensors)
}

/// How many times the size of a file its tensors and what they are made of may take together. 8-bit integers, which are read as
/// 64-bit ones, take 17 times theirs, 32-bit floats three times; packing takes a tenth off weights.
const MOST_GROWTH: u64 = 32;

/// The memory that reading a file may take, which follows from the file's size.
struct Budget {
    left: u64,
}

impl Budget {
    /// For any file, however small: packed headers and names.
    const LEAST: u64 = 1 << 20;

    fn of(file: &[u8]) -> Self {
        Self { left: Self::LEAST + MOST_GROWTH * file.len() as u64 }
    }

    /// Takes so many bytes of it.
    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Problem::TooLarge)?;
        Ok(())
    }

    /// Takes what an entry of an archive unpacks to.
    fn unpack(&mut self, mut entry: impl Read) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        // What the archive's list says of the size may be a lie.
        entry.by_ref().take(self.left.saturating_add(1)).read_to_end(&mut bytes)?;
        self.take(bytes.len())?;
        Ok(bytes)
    }
}

/// How zip archives begin.
const ZIP: &[u8] = b"PK\x03\x04";
const HDF5: &[u8] = b"\x89HDF";
/// Where a safetensors file's header begins, after eight bytes that tell its length.
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

/// The kind that numbers of another have once they are read: 32-bit floats or 64-bit integers.
pub(crate) fn kind_read(kind: Kind) -> Kind {
    let is_float = matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double);
    if is_float { Kind::Float } else { Kind::Int64 }
}

/// The elements of `bytes` in one row, of the kind that they are read as.
fn elements(bytes: &[u8], kind: Kind) -> Result<Tensor, tch::TchError> {
    let count = bytes.len() / kind.elt_size_in_bytes();
    let row = Tensor::f_from_data_size(&bytes[..count * kind.elt_size_in_bytes()], &[count as i64], kind)?;
    row.f_to_kind(kind_read(kind))
}
