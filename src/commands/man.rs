//! `mien man`: the manual pages, for packages.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Cli;

/// Write the manual pages of all commands into a folder
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The folder; it is made if it is not there
    folder: PathBuf,
}

impl ManArgs {
    /// Writes `mien.1` and a page for each command, such as `mien-analyze.1`.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write manual pages to {}", self.folder.display());
        std::fs::create_dir_all(&self.folder).with_context(cannot)?;
        // The versions of the libraries that are loaded here don't belong in a manual page.
        let command = Cli::command().long_version(env!("CARGO_PKG_VERSION"));
        clap_mangen::generate_to(command, &self.folder).with_context(cannot)
    }
}
