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
    /// Results of other work that stay beside the new ones, unless these have their names.
    pub left: Vec<PathBuf>,
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
        let (earlier, manifest) = Manifest::earlier(manifest_path, work, SCHEMA_VERSION, wanted);
        let plan = match earlier {
            Earlier::Finished(results) if !force => return Self::Skip(results),
            Earlier::OtherWork if !force => return Self::Refuse,
            Earlier::Nothing => Plan { existing: Existing::Keep, ..Plan::fresh(wanted, Ours::None) },
            Earlier::Unfinished | Earlier::OtherWork => {
                let outputs =
                    manifest.iter().filter_map(|manifest| manifest.results.as_ref()).flat_map(|it| &it.outputs);
                let paths = outputs.map(|output| output.file.path.clone());
                let left = paths.chain(left_by(manifest.as_ref())).filter(|path| path.exists()).collect();
                Plan { left, ..Plan::fresh(wanted, Ours::noted(manifest.as_ref())) }
            }
            Earlier::Partly { results, missing, .. } => {
                Plan::adding(results, if force { wanted } else { &missing }, manifest.as_ref())
            }
            Earlier::Finished(results) => Plan::adding(results, wanted, manifest.as_ref()),
        };
        Self::Write(plan)
    }
}

impl Plan {
    /// Adds to the results of before, which `manifest` is about.
    fn adding(before: Results, wanted: &Wanted, manifest: Option<&Manifest>) -> Self {
        let left = left_by(manifest).collect();
        Self { before: Some(before), left, ..Self::fresh(wanted, Ours::noted(manifest)) }
    }

    /// Writes over what is ours.
    fn fresh(wanted: &Wanted, ours: Ours) -> Self {
        Self { wanted: wanted.clone(), existing: Existing::Replace, ours, before: None, left: Vec::new() }
    }
}

/// What other work left beside the results that a manifest is about.
fn left_by(manifest: Option<&Manifest>) -> impl Iterator<Item = PathBuf> {
    manifest.into_iter().flat_map(|manifest| manifest.left.clone())
}

impl Ours {
    /// Those that a manifest lists; all, where it lists none or a run was killed while it gave files their names.
    fn noted(manifest: Option<&Manifest>) -> Self {
        let Some(manifest) = manifest.filter(|manifest| !manifest.adding) else { return Self::All };
        let Some(results) = &manifest.results else { return Self::All };
        let made = results.outputs.iter().map(|output| output.file.path.clone());
        Self::Listed(made.chain(left_by(Some(manifest))).collect())
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
