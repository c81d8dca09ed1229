//! Files of PyTorch's `torch.save` and `torch.jit.save`: a pickle that describes tensors, and their numbers beside it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use tch::{Kind, Tensor};
use zip::CompressionMethod;
use zip::result::ZipError;

use super::pickle::{self, Id, Pickle, Value};
use super::{Budget, Problem, elements, kind_read};
use crate::checkpoint::TensorMap;

/// An archive in memory.
pub type Archive<'a> = zip::ZipArchive<std::io::Cursor<&'a [u8]>>;

/// The first pickle of a file in the older format: protocol 2 and PyTorch's magic number of ten bytes.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// Pickles before the one that matters: the magic number, the version, and the type sizes of the machine that wrote the file.
const LEGACY_PREAMBLE: usize = 3;

/// Whether a file has the format that PyTorch wrote before 1.6.
pub fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(LEGACY)
}

/// Reads the tensors of such a file: pickles, the keys of the storages, then each storage with its length before it.
///
/// # Errors
/// When it is damaged, or all tensors together exceed `budget`.
pub fn read_legacy(bytes: &[u8], budget: &mut Budget) -> Result<TensorMap, Problem> {
    let mut rest = bytes;
    for _ in 0..LEGACY_PREAMBLE {
        (_, rest) = pickle::read(rest)?;
    }
    let (object, rest) = pickle::read(rest)?;
    let (keys, mut rest) = pickle::read(rest)?;
    let views = views(&object, budget)?;
    // Of all storages, including those whose tensors aren't kept: without their sizes, the storages after them can't be found.
    let kinds: BTreeMap<&str, Kind> = object.values().filter_map(|value| storage(&object, value)).collect();
    let mut storages = BTreeMap::new();
    for key in keys.items(keys.root) {
        let Some(key) = keys.text(*key) else { continue };
        let cut_off = || Problem::Tensor { name: format!("storage {key}"), what: "it is cut off".to_owned() };
        let (count, data) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
        let kind = kinds.get(key).ok_or_else(cut_off)?;
        let bytes = usize::try_from(i64::from_le_bytes(*count)).ok();
        let bytes = bytes.and_then(|count| count.checked_mul(kind.elt_size_in_bytes()));
        let (data, after) = bytes.and_then(|bytes| data.split_at_checked(bytes)).ok_or_else(cut_off)?;
        storages.insert(key.to_owned(), data);
        rest = after;
    }
    assemble(views, budget, |key, _| Ok(storages.get(key).map(|data| Cow::Borrowed(*data))))
}

/// Reads the tensors of a zip file that PyTorch wrote: `NAME/data.pkl`, and the storages as `NAME/data/KEY`.
///
/// # Errors
/// When it is damaged, or all tensors together exceed `budget`.
pub fn read_zip(archive: &mut Archive<'_>, budget: &mut Budget) -> Result<TensorMap, Problem> {
    const PICKLE: &str = "data.pkl";
    let name = archive.file_names().find(|name| name.rsplit('/').next() == Some(PICKLE)).map(str::to_owned);
    let name = name.ok_or(Problem::UnknownFormat)?;
    let folder = name.trim_end_matches(PICKLE).to_owned();
    let bytes = entry(archive, &name, budget)?.unwrap_or_default();
    let (object, _) = pickle::read(&bytes)?;
    let views = views(&object, budget)?;
    assemble(views, budget, |key, budget| Ok(entry(archive, &format!("{folder}data/{key}"), budget)?.map(Cow::Owned)))
}

/// Returns an entry's bytes, or `None` if there is no such entry. PyTorch doesn't compress entries. A compressed one can't come from
/// PyTorch, and could unpack to any size.
fn entry(archive: &mut Archive<'_>, name: &str, budget: &mut Budget) -> Result<Option<Vec<u8>>, Problem> {
    let file = match archive.by_name(name) {
        Err(ZipError::FileNotFound) => return Ok(None),
        file => file?,
    };
    if file.compression() != CompressionMethod::Stored {
        return Err(Problem::UnknownFormat);
    }
    // Entries may overlap in the file.
    budget.unpack(file).map(Some)
}

/// A tensor's place in a storage.
#[derive(Debug)]
struct View {
    storage: String,
    kind: Kind,
    offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
}

/// Assembles tensors from their storages.
fn assemble<'a>(
    views: Vec<(String, View)>,
    budget: &mut Budget,
    mut storage: impl FnMut(&str, &mut Budget) -> Result<Option<Cow<'a, [u8]>>, Problem>,
) -> Result<TensorMap, Problem> {
    let mut rows: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut tensors = TensorMap::new();
    for (name, view) in views {
        let problem = |what: String| Problem::Tensor { name: name.clone(), what };
        if !rows.contains_key(&view.storage) {
            let bytes = storage(&view.storage, budget)?.ok_or_else(|| problem("its numbers are missing".to_owned()))?;
            budget.take(bytes.len() / view.kind.elt_size_in_bytes() * kind_read(view.kind).elt_size_in_bytes())?;
            let row = elements(&bytes, view.kind).map_err(|e| problem(crate::torch::said(&e)))?;
            rows.insert(view.storage.clone(), row);
        }
        let Some(row) = rows.get(&view.storage) else { continue };
        if !view.fits(row.numel()) {
            return Err(problem(format!("its shape {:?} doesn't fit its {} numbers", view.size, row.numel())));
        }
        // Any number of tensors may share a storage.
        budget.take(view.numbers() * row.kind().elt_size_in_bytes())?;
        let tensor = row
            .f_as_strided(&view.size, &view.stride, view.offset)
            .and_then(|tensor| tensor.f_contiguous())
            .map_err(|e| problem(crate::torch::said(&e)))?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

impl View {
    /// Number of elements. Only valid once it [fits](Self::fits).
    fn numbers(&self) -> usize {
        usize::try_from(self.size.iter().product::<i64>()).unwrap_or(0)
    }

    /// Whether all elements lie in a storage of `numbers` elements, and there are no more of them than the storage has: a tensor that
    /// is larger than its storage can't be a weight.
    fn fits(&self, numbers: usize) -> bool {
        let numbers = numbers as i64;
        let positive = self.offset >= 0 && self.size.iter().chain(&self.stride).all(|n| *n >= 0);
        let count = self.size.iter().try_fold(1_i64, |product, n| product.checked_mul(*n));
        let last = self.size.iter().zip(&self.stride).try_fold(self.offset, |last, (size, stride)| {
            last.checked_add(size.saturating_sub(1).max(0).checked_mul(*stride)?)
        });
        let (Some(count), Some(last)) = (count, last) else { return false };
        positive && self.size.len() == self.stride.len() && count <= numbers && (count == 0 || last < numbers)
    }
}

/// Limit on the nesting of modules. Real networks have fewer than ten levels.
const DEEPEST: usize = 64;

/// All tensors that a pickle describes, under the names that PyTorch's state dictionary gives them.
fn views(object: &Pickle, budget: &mut Budget) -> Result<Vec<(String, View)>, Problem> {
    let mut views = Vec::new();
    let mut seen = HashSet::new();
    let mut open: Vec<(String, Id, usize)> = vec![(String::new(), start(object), 0)];
    while let Some((name, id, depth)) = open.pop() {
        if let Some(view) = view(object, id) {
            views.push((
                name.clone(),
                view.ok_or(Problem::Tensor { name, what: "it is of an unknown kind".to_owned() })?,
            ));
            continue;
        }
        // Visits each container once, so that loops end.
        if depth >= DEEPEST || !seen.insert(id) {
            continue;
        }
        match object.get(id) {
            Value::Dict(entries) => {
                for (key, value) in entries {
                    let Some(key) = object.text(*key) else { continue };
                    open.push((join(&name, key, budget)?, *value, depth + 1));
                }
            }
            Value::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    open.push((join(&name, &i.to_string(), budget)?, *item, depth + 1));
                }
            }
            Value::Call { state: Some(state), .. } => open.push((name, *state, depth + 1)),
            _ => {}
        }
    }
    Ok(views)
}

/// Keys under which checkpoints hold the weights, beside an optimiser's state and more.
const WEIGHTS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// Where to begin: at the weights of a checkpoint, otherwise at the top-level value.
fn start(object: &Pickle) -> Id {
    let Value::Dict(entries) = object.get(object.root) else { return object.root };
    let named = |name: &str| entries.iter().find(|(key, _)| object.text(*key) == Some(name)).map(|(_, value)| *value);
    let is_container = |id: &Id| matches!(object.get(*id), Value::Dict(_) | Value::Call { state: Some(_), .. });
    WEIGHTS.into_iter().filter_map(named).find(is_container).unwrap_or(object.root)
}

/// Dictionaries in which modules keep their parts. Their names don't appear in a state dictionary.
const UNNAMED: [&str; 3] = ["_modules", "_parameters", "_buffers"];

fn join(name: &str, key: &str, budget: &mut Budget) -> Result<String, Problem> {
    // A long text that is used often could make the names larger than the file.
    budget.take(name.len() + key.len())?;
    Ok(match name {
        _ if UNNAMED.contains(&key) => name.to_owned(),
        "" => key.to_owned(),
        _ => format!("{name}.{key}"),
    })
}

/// The tensor that a value describes, `None` if it isn't a tensor, or `Some(None)` if it is one of an unknown kind.
fn view(object: &Pickle, id: Id) -> Option<Option<View>> {
    let mut id = id;
    // A parameter wraps a tensor. There are no further levels.
    for _ in 0..2 {
        let Value::Call { function, arguments, .. } = object.get(id) else { return None };
        let arguments = object.items(*arguments);
        match object.global(*function)? {
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => match arguments.first()
            {
                // There can't be a loop here: arguments come before the call that uses them.
                Some(tensor) if *tensor < id => id = *tensor,
                _ => return Some(None),
            },
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                return Some(rebuilt(object, arguments));
            }
            // Other kinds of tensors: quantised, sparse, or in a number format without its own storage class.
            function if is_rebuilding(function) => return Some(None),
            _ => return None,
        }
    }
    Some(None)
}

/// Whether this is a function with which PyTorch rebuilds tensors, such as `torch._utils._rebuild_qtensor`.
fn is_rebuilding(function: &str) -> bool {
    let name = function.strip_prefix("torch.").and_then(|rest| rest.rsplit('.').next());
    name.is_some_and(|name| name.starts_with("_rebuild_"))
}

/// Limit on a tensor's dimensions, which is libtorch's own.
const MOST_DIMENSIONS: usize = 64;

/// What `_rebuild_tensor_v2(storage, offset, size, stride, …)` describes.
fn rebuilt(object: &Pickle, arguments: &[Id]) -> Option<View> {
    let [storage, offset, size, stride, ..] = arguments else { return None };
    let (key, kind) = self::storage(object, object.get(*storage))?;
    let Value::Persistent(description) = object.get(*storage) else { return None };
    // In the older format, a storage may be part of another one. The sixth item then holds its own key, its offset in the other, and
    // its length.
    let part = object
        .items(*description)
        .get(5)
        .and_then(|view| object.items(*view).get(1))
        .and_then(|offset| object.int(*offset));
    let numbers = |id: Id| {
        let items = object.items(id);
        (items.len() <= MOST_DIMENSIONS).then(|| items.iter().map(|n| object.int(*n)).collect::<Option<Vec<_>>>())?
    };
    Some(View {
        storage: key.to_owned(),
        kind,
        offset: object.int(*offset)?.checked_add(part.unwrap_or(0))?,
        size: numbers(*size)?,
        stride: numbers(*stride)?,
    })
}

/// Key and kind of the storage that a value `('storage', class, key, device, count, …)` describes.
fn storage<'a>(object: &'a Pickle, value: &Value) -> Option<(&'a str, Kind)> {
    let Value::Persistent(description) = value else { return None };
    let [_storage, class, key, ..] = object.items(*description) else { return None };
    Some((object.text(*key)?, kind(object.global(*class)?)?))
}

/// The number format of a storage class.
fn kind(class: &str) -> Option<Kind> {
    Some(match class.strip_prefix("torch.")? {
        "FloatStorage" => Kind::Float,
        "DoubleStorage" => Kind::Double,
        "HalfStorage" => Kind::Half,
        "BFloat16Storage" => Kind::BFloat16,
        "LongStorage" => Kind::Int64,
        "IntStorage" => Kind::Int,
        "ShortStorage" => Kind::Int16,
        "CharStorage" => Kind::Int8,
        "ByteStorage" => Kind::Uint8,
        "BoolStorage" => Kind::Bool,
        _ => return None,
    })
}
