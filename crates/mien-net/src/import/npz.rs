//! NumPy's archives: zip files of `.npy` arrays, each with a text header before its numbers.

use tch::{Kind, Tensor};

use super::torch::Archive;
use super::{Budget, Problem, elements, kind_read};
use crate::checkpoint::TensorMap;

/// First bytes of an array.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads the arrays of an archive, by name.
///
/// # Errors
/// When the archive or an array is damaged, an array holds anything but numbers, or all of them together exceed `budget`.
pub fn read(archive: &mut Archive<'_>, budget: &mut Budget) -> Result<TensorMap, Problem> {
    let mut tensors = TensorMap::new();
    for i in 0..archive.len() {
        let file = archive.by_index(i)?;
        let Some(name) = file.name().strip_suffix(".npy").map(str::to_owned) else { continue };
        let bytes = budget.unpack(file)?;
        let tensor = Array::parse(&bytes).and_then(|array| {
            // Once converted, the numbers may take more memory than in the file.
            budget
                .take(array.numbers() * kind_read(array.kind).elt_size_in_bytes())
                .map_err(|error| error.to_string())?;
            array.tensor()
        });
        let tensor = tensor.map_err(|what| Problem::Tensor { name: name.clone(), what })?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// An array as its header describes it.
struct Array<'a> {
    kind: Kind,
    shape: Vec<i64>,
    is_fortran_order: bool,
    data: &'a [u8],
}

impl<'a> Array<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let damaged = || "its header is damaged".to_owned();
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        // Version, then the length of the header: two bytes, four since version 2.
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (length, rest) = rest.split_at_checked(if version[0] == 1 { 2 } else { 4 }).ok_or_else(damaged)?;
        let length = length.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        let (header, data) = rest.split_at_checked(length).ok_or_else(damaged)?;
        let header = std::str::from_utf8(header).map_err(|_error| damaged())?;

        let descr = field(header, "descr").ok_or_else(damaged)?.trim_matches(['\'', '"', '<', '=', '|']).to_owned();
        let kind = match descr.as_str() {
            "f2" => Kind::Half,
            "f4" => Kind::Float,
            "f8" => Kind::Double,
            "i1" => Kind::Int8,
            "i2" => Kind::Int16,
            "i4" => Kind::Int,
            "i8" => Kind::Int64,
            "u1" => Kind::Uint8,
            "b1" => Kind::Bool,
            _ => return Err(format!("its numbers are of the kind {descr}; save it as float32")),
        };
        let shape = field(header, "shape").ok_or_else(damaged)?.trim_matches(['(', ')']);
        let shape: Vec<i64> = shape
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(|n| n.parse().ok().filter(|n: &i64| *n >= 0).ok_or_else(damaged))
            .collect::<Result<_, _>>()?;
        let is_fortran_order = field(header, "fortran_order") == Some("True");
        Ok(Self { kind, shape, is_fortran_order, data })
    }

    fn numbers(&self) -> usize {
        self.data.len() / self.kind.elt_size_in_bytes()
    }

    fn tensor(&self) -> Result<Tensor, String> {
        let Self { kind, shape, is_fortran_order, data } = self;
        let count = shape.iter().try_fold(1_i64, |product, n| product.checked_mul(*n));
        if count != Some(self.numbers() as i64) {
            return Err(format!("its shape {shape:?} doesn't fit its {} numbers", self.numbers()));
        }
        let row = elements(data, *kind).map_err(|e| crate::torch::said(&e))?;
        if !is_fortran_order {
            return row.f_view(shape.as_slice()).map_err(|e| crate::torch::said(&e));
        }
        // The first index varies fastest, so read with the shape reversed, then transpose.
        let backwards: Vec<i64> = shape.iter().rev().copied().collect();
        let turned: Vec<i64> = (0..shape.len() as i64).rev().collect();
        row.f_view(backwards.as_slice())
            .and_then(|tensor| tensor.f_permute(turned))
            .and_then(|tensor| tensor.f_contiguous())
            .map_err(|e| crate::torch::said(&e))
    }
}

/// The value of a key in the header, a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = header.split_once(&format!("'{key}':"))?;
    let after = after.trim_start();
    let end = if after.starts_with('(') { after.find(')')? + 1 } else { after.find([',', '}'])? };
    Some(after[..end].trim())
}
