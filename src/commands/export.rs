//! `mien export`: a model as an ONNX file.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::console::print;
use crate::net::{ModelSource, export};
use crate::prior::PriorChoice;
use crate::whole::{self, Existing};

/// Write a model as an .onnx file, for onnxruntime and other programs
///
/// A network that names emotions has the outputs `logits` and `probabilities`, which are calibrated under the prior. The detector has one
/// output for each stride. The file also says how a picture becomes the input and what the outputs mean, and has the classes, the limits
/// and the checksum of the weights.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  mien export mien mien.onnx")]
pub struct ExportArgs {
    /// A shipped model's name, or a .safetensors file with its card beside it
    #[arg(value_name = "NAME|PATH")]
    model: ModelSource,

    /// The file to write
    #[arg(value_name = "OUT.onnx")]
    output: PathBuf,

    /// How often each emotion is assumed to be shown: `training`, `uniform`, or a TOML or CSV file of emotions and
    /// weights [default: the model's own]
    #[arg(long, value_name = "training|uniform|FILE")]
    prior: Option<PriorChoice>,
}

impl ExportArgs {
    /// Writes the file and says so.
    ///
    /// # Errors
    /// When the model can't be loaded or has a part that can't be exported, or the output can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        if self.output.extension().is_none_or(|extension| extension != "onnx") {
            let named = self.output.with_extension("onnx");
            bail!("the output is an ONNX file: give it that extension, as in {}", named.display());
        }
        let file = export(&self.model, self.prior.as_ref())?;
        whole::write(&self.output, &file, Existing::Replace)
            .with_context(|| format!("can't write {}", self.output.display()))?;
        let megabytes = file.len() as f64 / 1e6;
        print(&format!("{}, {megabytes:.1} MB, written to {}\n", self.model, self.output.display()))
    }
}
