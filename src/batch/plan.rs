//! What is still to be written of a file, and over what.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::manifest::{Earlier, Manifest, Results, Work};
use super::products::Wanted;
use crate::export::{Existing, SCHEMA_VERSION};

/// What is to be done about a file.
pub enum Step {
    /// All that is wanted is there.
    Skip(Results),
    /// There are results of other work, which aren't to be replaced.
    Refuse,
    /// Something is to be written.
    Write(Plan),
}

/// What is to be written of a task, and over what.
pub struct Plan {
    /// What is to be made.
    pub wanted: Wanted,
    /// What becomes of files that are there.
    pub existing: Existing,
    /// Which of those may be replaced.
    pub ours: Ours,
    /// What the new results are added to.
    pub before: Option<Results>,
}

/// Which files that have the names of results are Mien's, and so may be replaced.
pub enum Ours {
    None,
    Listed(BTreeSet<PathBuf>),
    All,
}

impl Step {
    /// By what an earlier run left at `manifest_path`.
    pub fn next(manifest_path: &Path, work: &Work, wanted: &Wanted, force: bool) -> Self {
        let plan = match Manifest::earlier(manifest_path, work, SCHEMA_VERSION, wanted) {
            Earlier::Finished(results) if !force => return Self::Skip(results),
            Earlier::OtherWork if !force => return Self::Refuse,
            Earlier::Nothing => Plan { existing: Existing::Keep, ..Plan::fresh(wanted, Ours::None) },
            Earlier::Unfinished => Plan::fresh(wanted, Ours::All),
            Earlier::Partly { results, missing, adding } => {
                let ours = if adding { Ours::All } else { Ours::listed(&results) };
                Plan { before: Some(results), ..Plan::fresh(if force { wanted } else { &missing }, ours) }
            }
            Earlier::Finished(results) => {
                let ours = Ours::listed(&results);
                Plan { before: Some(results), ..Plan::fresh(wanted, ours) }
            }
            Earlier::OtherWork => {
                let before = Manifest::read(manifest_path).and_then(|manifest| manifest.results).unwrap_or_default();
                Plan::fresh(wanted, Ours::listed(&before))
            }
        };
        Self::Write(plan)
    }
}

impl Plan {
    /// Writes over what is ours.
    fn fresh(wanted: &Wanted, ours: Ours) -> Self {
        Self { wanted: wanted.clone(), existing: Existing::Replace, ours, before: None }
    }
}

impl Ours {
    fn listed(results: &Results) -> Self {
        Self::Listed(results.outputs.iter().map(|output| output.file.path.clone()).collect())
    }

    /// Whether this file is.
    pub fn contains(&self, path: &Path) -> bool {
        match self {
            Self::None => false,
            Self::Listed(paths) => paths.contains(path),
            Self::All => true,
        }
    }
}
