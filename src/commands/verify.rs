//! `mien verify`: results against their records.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::cluster::{Verified, verify};
use crate::console::{counted, print};

/// Check that results haven't changed since they were written
///
/// Reads every result that the records (NAME.mien.json) below the folders list, and compares its length and SHA-256 with what was noted
/// when it was written.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  mien verify results")]
pub struct VerifyArgs {
    /// Folders with results, searched recursively
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
}

impl VerifyArgs {
    /// Checks all and says what was found.
    ///
    /// # Errors
    /// When a folder isn't there or has no results, or a result isn't as it was written.
    pub fn run(self) -> anyhow::Result<()> {
        let Verified { good, by_length, faults } = verify(&self.folders)?;
        let by_length = match by_length {
            0 => String::new(),
            count => format!("; {count} checked by length only, because an older Mien noted no checksum"),
        };
        let good = counted(good as u64, "result is as it was", "results are as they were");
        print(&format!("{good} written{by_length}\n"))?;
        if faults.is_empty() {
            return Ok(());
        }
        print(&format!("\nProblems:\n  {}\n", faults.join("\n  ")))?;
        let bad = counted(faults.len() as u64, "result is not as it was", "results are not as they were");
        bail!("{bad} written");
    }
}
