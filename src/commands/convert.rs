//! `mien convert`: weights from other programs as safetensors.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::console::print;
use crate::net::{TensorMap, WeightKind, encode, import};
use crate::whole::{self, Existing};

/// Convert weights from other programs to a .safetensors file
///
/// Reads PyTorch's .pt and .pth files (state dictionaries, checkpoints, whole models, TorchScript files), NumPy's .npz archives
/// and .safetensors files. Tensors keep their names; floats become 32-bit ones. No Python is needed, and no code in the file
/// is run.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  mien convert mobilenet_v2.pth mobilenet_v2.safetensors")]
pub struct ConvertArgs {
    /// The file to read
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The file to write
    #[arg(value_name = "OUT.safetensors")]
    output: PathBuf,
}

/// Most tensors whose shapes are printed; the others are only counted.
const SHOWN: usize = 8;

impl ConvertArgs {
    /// Converts the file and prints what was found.
    ///
    /// # Errors
    /// When the input can't be read or the output can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        if self.output.extension().is_none_or(|extension| extension != "safetensors") {
            bail!(
                "the output is a safetensors file: give it that extension, as in {}",
                self.output.with_extension("safetensors").display()
            );
        }
        let tensors = import(&self.input)?;
        let bytes = encode(&tensors, WeightKind::F32, None)?;
        whole::write(&self.output, &bytes, Existing::Replace)
            .with_context(|| format!("can't write {}", self.output.display()))?;
        print(&summary(&tensors, &self.output))
    }
}

fn summary(tensors: &TensorMap, output: &Path) -> String {
    let numbers: usize = tensors.values().map(tch::Tensor::numel).sum();
    let mut text = String::new();
    // Writing to a string can't fail.
    for (name, tensor) in tensors.iter().take(SHOWN) {
        writeln!(text, "{name}  {:?}", tensor.size()).ok();
    }
    if tensors.len() > SHOWN {
        writeln!(text, "… and {} more", tensors.len() - SHOWN).ok();
    }
    writeln!(text, "{} tensors, {numbers} numbers, written to {}", tensors.len(), output.display()).ok();
    text
}
