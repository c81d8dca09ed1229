//! `mien merge`: the results of many runs as one table.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::cluster::{Allowed, Manifest, Merge, Merged};
use crate::console::{counted, print, shown, tell, visible};
use crate::exit::BadInputs;

/// Join the results of many runs in one table
///
/// Searches the folders for what `mien analyze` has written and joins the files' tables in the order of the manifest. The table has the
/// same bytes however the work was divided, and the same as with `mien analyze --together` on one machine. If every
/// file has a table of frames or a summary, those are joined too. Films that were cut into parts become whole again. If every file has
/// a summary and one folder is named, index.html in it is renewed.
///
/// Exit codes: 0; 3 if some files are bad and have no results, or only a part of them; 75 if files are missing that may still come.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mien merge results --manifest manifest.jsonl --output all.parquet
  mien merge node1 node2 node3 --output all.csv")]
pub struct MergeArgs {
    /// Folders with results, searched recursively
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// The table to write: .parquet, .csv or .jsonl, whichever the runs wrote
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// The manifest that `mien plan` printed; without it, missing files may go unnoticed. Results of files that it doesn't have are left out
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Join results even if different models, priors or options made them
    #[arg(long)]
    pub allow_mixed: bool,

    /// Write the table although files are missing
    #[arg(long)]
    pub allow_missing: bool,

    /// End with exit code 0 even if some inputs are bad; they are still listed
    #[arg(long)]
    pub allow_bad: bool,

    /// Replace a table that was changed since Mien wrote it
    #[arg(long)]
    pub force: bool,
}

impl MergeArgs {
    /// Writes the table and prints what it contains and what is missing.
    ///
    /// # Errors
    /// Those of [`Merge::run`], and when files are bad.
    pub fn run(self) -> anyhow::Result<()> {
        let manifest = self.manifest.as_deref().map(Manifest::read).transpose()?;
        let allowed = Allowed { mixed: self.allow_mixed, missing: self.allow_missing, force: self.force };
        let Merged { tables, files, missing, bad, complaints, doubled, unplanned, no_index } =
            Merge { folders: self.folders, manifest, output: self.output, allowed }.run()?;
        let mut text = format!("{} in\n", counted(files as u64, "file", "files"));
        for table in tables {
            text += &format!("  {}\n", shown(&table));
        }
        let names = |files: &[PathBuf]| -> Vec<String> { files.iter().map(|name| shown(name)).collect() };
        let lists = [
            ("Done more than once, the same each time", names(&doubled)),
            ("Not in the manifest, left out", names(&unplanned)),
            ("Missing", names(&missing)),
            ("Bad, without results", bad.clone()),
            ("Incomplete", complaints.iter().map(|complaint| visible(complaint)).collect()),
        ];
        for (title, names) in lists.iter().filter(|(_, names): &&(_, Vec<String>)| !names.is_empty()) {
            text += &format!("\n{title} ({}):\n  {}\n", names.len(), names.join("\n  "));
        }
        print(&text)?;
        if let Some(warning) = no_index {
            tell(&format!("warning: {warning}"));
        }
        let faults = bad.len() + complaints.len();
        if faults > 0 && !self.allow_bad {
            bail!(BadInputs(format!(
                "{faults} of the inputs could not be analysed, or only in part; the list above says why"
            )));
        }
        Ok(())
    }
}
