//! `mien networks`: what networks a recipe can name, and what each costs.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use crate::console::{print, print_json};
use crate::net::faces::{COUNTED_ON, DETECTORS, Detector};
use crate::net::{ARCHITECTURES, Cost, NetworkSpec};

/// List the network architectures that a recipe can name, with parameters and multiply-adds per face
///
/// Both are counted on the network itself with its default parameters. Multiply-adds (MACs) are those of
/// convolutions and dense layers. Faces are 48×48; transfer networks resize them to the size in the column `input`.
/// Networks that find faces are counted on a picture of 320×192.
#[derive(Args, Debug)]
pub struct NetworksArgs {
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
}

/// An architecture as printed with `--json`.
#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    about: &'static str,
    parameters: usize,
    macs: u64,
    /// Width in pixels of the picture that the network gets.
    input_side: i64,
    /// Height.
    input_height: i64,
    /// Which pretrained weights fit its backbone, if it has one.
    backbone_weights: Option<&'static str>,
}

impl NetworksArgs {
    /// Counts and prints.
    ///
    /// # Errors
    /// When it can't be written to the standard output.
    pub fn run(&self) -> anyhow::Result<()> {
        // One face doesn't keep a second thread busy.
        crate::torch::use_threads(1);
        let entries = ARCHITECTURES
            .iter()
            .map(|architecture| {
                let (Cost { parameters, macs }, input_side) = (architecture.cost()?, architecture.input_side());
                let (name, about) = (architecture.name, architecture.about);
                let backbone_weights = architecture.backbone_weights;
                Ok(Entry { name, about, parameters, macs, input_side, input_height: input_side, backbone_weights })
            })
            .chain(DETECTORS.iter().map(|Detector { name, about, .. }| {
                let spec = NetworkSpec { architecture: (*name).to_owned(), parameters: toml::Table::new() };
                let (Cost { parameters, macs }, [input_side, input_height]) = (spec.detector_cost()?, COUNTED_ON);
                Ok(Entry { name, about, parameters, macs, input_side, input_height, backbone_weights: None })
            }))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if self.json { print_json(&entries) } else { print(&table(&entries)) }
    }
}

fn table(entries: &[Entry]) -> String {
    let mut text = format!("{:20}{:>11}{:>10}{:>8}\n", "network", "parameters", "MACs", "input");
    for entry in entries {
        let millions = |n: f64| format!("{:.1} M", n / 1e6);
        let side = format!("{}×{}", entry.input_side, entry.input_height);
        let (parameters, macs) = (millions(entry.parameters as f64), millions(entry.macs as f64));
        let weights = entry.backbone_weights.map_or_else(String::new, |fits| format!("; fits weights of {fits}"));
        // Writing to a string can't fail.
        writeln!(text, "{:20}{parameters:>11}{macs:>10}{side:>8}  {}{weights}", entry.name, entry.about).ok();
    }
    text
}
