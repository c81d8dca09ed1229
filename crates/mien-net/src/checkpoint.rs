//! Weights on disk: safetensors, checked tensor by tensor when they are read.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use tch::{Kind, Tensor, nn};

use crate::import::kind_read;
use mien_core::whole::{self, Existing};

/// Number format of the weights in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// 32-bit floats: what training resumes from.
    F32,
    /// 16-bit floats: half the size, for models that are shipped.
    F16,
}

/// Weights can't be written, or what was read doesn't fit the network.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file can't be read.
    #[error("can't read the weights {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be written.
    #[error("can't write the weights {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Cut off, or not a safetensors file.
    #[error("the weights are damaged or not a safetensors file ({0}); fetch or train the model again")]
    Format(#[from] SafeTensorError),
    /// The weights are for another architecture, or for other parameters of it.
    #[error("the weights belong to another network: {0}")]
    Mismatch(String),
    /// A tensor has a number format that Mien doesn't read, such as 8-bit floats.
    #[error("“{name}” has numbers of the kind {kind}, which Mien doesn't read")]
    Numbers {
        /// Which tensor.
        name: String,
        /// As safetensors names it.
        kind: String,
    },
    /// NaN or infinity among the weights.
    #[error("the weights of “{0}” hold values that are not finite; the model is damaged, fetch or train it again")]
    NotFinite(String),
    /// libtorch refused the data.
    #[error("libtorch can't take the weights: {}", crate::torch::said(.0))]
    Torch(#[from] tch::TchError),
}

/// Metadata key of the text that a file may hold beside its tensors.
const NOTE: &str = "mien";

/// Tensors by name, in the order of the names.
pub type TensorMap = BTreeMap<String, Tensor>;

/// Returns a safetensors file that holds `tensors` and, if given, a text. Floats are stored as `kind` says, integers with 64 bits. A
/// tensor with values beyond the range of 16-bit floats is stored with 32 bits, since those values would come back as infinity.
///
/// # Errors
/// When libtorch can't copy the data.
pub fn encode(tensors: &TensorMap, kind: WeightKind, note: Option<String>) -> Result<Vec<u8>, CheckpointError> {
    let mut buffers = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?;
        let (stored, dtype) = match (tensor.kind(), kind) {
            (Kind::Int64, _) => (Kind::Int64, Dtype::I64),
            (_, WeightKind::F16) if is_finite(&tensor.f_to_kind(Kind::Half)?)? => (Kind::Half, Dtype::F16),
            (_, WeightKind::F16 | WeightKind::F32) => (Kind::Float, Dtype::F32),
        };
        let tensor = tensor.f_to_kind(stored)?.f_contiguous()?;
        let mut bytes = vec![0; tensor.numel() * stored.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        let shape: Vec<usize> = tensor.size().iter().map(|n| *n as usize).collect();
        buffers.push((name, dtype, shape, bytes));
    }
    let views = buffers
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = note.map(|text| HashMap::from([(NOTE.to_owned(), text)]));
    Ok(safetensors::serialize(views, metadata)?)
}

/// Returns the text that was passed to [`encode`], if any.
///
/// # Errors
/// When the bytes aren't a safetensors file.
pub fn decode_note(bytes: &[u8]) -> Result<Option<String>, CheckpointError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    Ok(metadata.metadata().as_ref().and_then(|map| map.get(NOTE).cloned()))
}

/// Returns the tensors of a safetensors file. All floats become 32-bit, all integers 64-bit.
///
/// # Errors
/// When the bytes aren't a complete safetensors file, or hold a number format that Mien doesn't read.
pub fn decode(bytes: &[u8]) -> Result<TensorMap, CheckpointError> {
    let mut tensors = TensorMap::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
        let kind = match view.dtype() {
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            Dtype::I64 => Kind::Int64,
            Dtype::I32 => Kind::Int,
            Dtype::I16 => Kind::Int16,
            Dtype::I8 => Kind::Int8,
            Dtype::U8 => Kind::Uint8,
            Dtype::BOOL => Kind::Bool,
            other => return Err(CheckpointError::Numbers { name: name.to_owned(), kind: format!("{other:?}") }),
        };
        let shape: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?;
        tensors.insert(name.to_owned(), tensor.f_to_kind(kind_read(kind))?);
    }
    Ok(tensors)
}

/// Whether a tensor holds neither NaN nor infinity.
fn is_finite(tensor: &Tensor) -> Result<bool, tch::TchError> {
    bool::try_from(tensor.f_isfinite()?.f_all()?)
}

/// All variables of a store, by name.
pub fn variables(store: &nn::VarStore) -> TensorMap {
    store.variables().into_iter().collect()
}

/// Writes all variables of `store` to a file. An existing file is replaced.
///
/// # Errors
/// When the file can't be written.
pub fn save_weights(store: &nn::VarStore, path: &Path, kind: WeightKind) -> Result<(), CheckpointError> {
    let bytes = encode(&variables(store), kind, None)?;
    whole::write(path, &bytes, Existing::Replace)
        .map_err(|source| CheckpointError::Write { path: path.to_owned(), source })
}

/// Fills all variables of `store` from the bytes of a safetensors file.
///
/// # Errors
/// When the bytes are damaged, when names or shapes aren't exactly those of the network, or when a value isn't finite.
pub fn load_weights(store: &nn::VarStore, bytes: &[u8]) -> Result<(), CheckpointError> {
    assign(&variables(store), &decode(bytes)?)
}

/// The shapes of tensors by their names.
pub(super) type Shapes = BTreeMap<String, Vec<i64>>;

/// Returns the shapes of a safetensors file's tensors, without decoding them.
///
/// # Errors
/// When the bytes aren't a complete safetensors file.
pub(super) fn shapes(bytes: &[u8]) -> Result<Shapes, CheckpointError> {
    let file = SafeTensors::deserialize(bytes)?;
    let shape = |view: &TensorView<'_>| view.shape().iter().map(|n| *n as i64).collect();
    Ok(file.iter().map(|(name, view)| (name.to_owned(), shape(&view))).collect())
}

/// Checks that a file has exactly the tensors of a network.
///
/// # Errors
/// When names or shapes differ.
pub(super) fn check_shapes(to: &Shapes, from: &Shapes) -> Result<(), CheckpointError> {
    const NAMED: usize = 3; // more names don't help the reader
    let list = |names: Vec<&String>| {
        let shown: Vec<_> = names.iter().take(NAMED).map(|n| n.as_str()).collect();
        let rest = names.len().saturating_sub(NAMED);
        if rest > 0 { format!("{} and {rest} more", shown.join(", ")) } else { shown.join(", ") }
    };
    let missing: Vec<_> = to.keys().filter(|name| !from.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(CheckpointError::Mismatch(format!("it lacks {}", list(missing))));
    }
    let foreign: Vec<_> = from.keys().filter(|name| !to.contains_key(*name)).collect();
    if !foreign.is_empty() {
        return Err(CheckpointError::Mismatch(format!("it holds the unknown {}", list(foreign))));
    }
    for ((name, target), source) in to.iter().zip(from.values()) {
        if target != source {
            return Err(CheckpointError::Mismatch(format!("“{name}” has the shape {source:?} instead of {target:?}")));
        }
    }
    Ok(())
}

/// Copies `from` into `to` after checking that both have the same names and shapes and that all numbers are finite.
///
/// # Errors
/// When a check fails, or libtorch does.
pub fn assign(to: &TensorMap, from: &TensorMap) -> Result<(), CheckpointError> {
    let shapes = |map: &TensorMap| map.iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
    check_shapes(&shapes(to), &shapes(from))?;
    for (name, source) in from {
        if !is_finite(source)? {
            return Err(CheckpointError::NotFinite(name.clone()));
        }
    }
    tch::no_grad(|| {
        for (target, source) in to.values().zip(from.values()) {
            target.shallow_clone().f_copy_(source)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn store(width: i64) -> nn::VarStore {
        let store = nn::VarStore::new(Device::Cpu);
        nn::linear(store.root() / "layer", width, 3, nn::LinearConfig::default());
        store
    }

    fn bytes_of(store: &nn::VarStore, kind: WeightKind) -> Vec<u8> {
        encode(&variables(store), kind, None).unwrap()
    }

    #[test]
    fn weights_come_back_as_they_were_written() {
        let (written, read) = (store(4), store(4));
        load_weights(&read, &bytes_of(&written, WeightKind::F32)).unwrap();
        for (name, tensor) in variables(&read) {
            assert!(tensor.equal(&variables(&written)[&name]), "{name}");
        }
    }

    #[test]
    fn half_precision_halves_the_file_and_keeps_three_digits() {
        let (written, read) = (store(400), store(400));
        let full = bytes_of(&written, WeightKind::F32).len();
        let half = bytes_of(&written, WeightKind::F16);
        assert!(half.len() < full * 6 / 10);
        load_weights(&read, &half).unwrap();
        for (name, tensor) in variables(&read) {
            assert!(tensor.allclose(&variables(&written)[&name], 1e-3, 1e-6, false), "{name}");
        }
    }

    #[test]
    fn weights_beyond_the_range_of_half_precision_come_back_as_they_were() {
        let (written, read) = (store(4), store(4));
        let _ = tch::no_grad(|| written.variables()["layer.bias"].shallow_clone().fill_(70_000.0));
        load_weights(&read, &bytes_of(&written, WeightKind::F16)).unwrap();
        assert!(variables(&read)["layer.bias"].equal(&variables(&written)["layer.bias"]));
    }

    #[test]
    fn numbers_of_every_usual_kind_are_read() {
        let read = |dtype, bytes: &[u8]| {
            let view = TensorView::new(dtype, vec![2], bytes).unwrap();
            decode(&safetensors::serialize([("x", view)], None).unwrap())
                .map(|mut tensors| tensors.remove("x").unwrap())
        };
        let doubles = [1.5_f64, -2.0].map(f64::to_le_bytes).concat();
        assert!(read(Dtype::F64, &doubles).unwrap().equal(&Tensor::from_slice(&[1.5_f32, -2.0])));
        for (dtype, bytes) in [(Dtype::U8, &[3, 1][..]), (Dtype::I8, &[3, 1]), (Dtype::I32, &[3, 0, 0, 0, 1, 0, 0, 0])]
        {
            assert!(read(dtype, bytes).unwrap().equal(&Tensor::from_slice(&[3_i64, 1])), "{dtype:?}");
        }
        let error = read(Dtype::F8_E4M3, &[0, 0]).unwrap_err().to_string();
        assert!(error.contains("“x” has numbers of the kind F8"), "{error}");
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let good = bytes_of(&store(4), WeightKind::F32);
        let cut = load_weights(&store(4), &good[..good.len() - 7]).unwrap_err();
        assert!(matches!(cut, CheckpointError::Format(_)), "{cut}");
        let text = load_weights(&store(4), b"hello, this is no model").unwrap_err();
        assert!(matches!(text, CheckpointError::Format(_)), "{text}");
        let shape = load_weights(&store(5), &good).unwrap_err();
        assert!(matches!(shape, CheckpointError::Mismatch(_)), "{shape}");
        let names = load_weights(&nn::VarStore::new(Device::Cpu), &good).unwrap_err();
        assert!(names.to_string().contains("layer"), "{names}");
    }

    #[test]
    fn weights_that_are_not_finite_are_refused_and_change_nothing() {
        let (sick, well) = (store(4), store(4));
        let _ = tch::no_grad(|| sick.variables()["layer.bias"].shallow_clone().fill_(f64::NAN));
        let before = variables(&well)["layer.bias"].copy();
        let error = load_weights(&well, &bytes_of(&sick, WeightKind::F32)).unwrap_err();
        assert!(matches!(error, CheckpointError::NotFinite(_)), "{error}");
        assert!(before.equal(&variables(&well)["layer.bias"]));
    }
}
