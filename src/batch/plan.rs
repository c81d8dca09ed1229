//! What is still to be written of a file, and over what.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::manifest::{Earlier, Manifest, Output, Results, Work};
use super::products::Wanted;
use crate::export::{Existing, SCHEMA_VERSION};
use crate::version::Versions;

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
    /// By what an earlier run left at `manifest_path`. `arithmetic` is what this run's network computes with.
    pub fn next(manifest_path: &Path, work: &Work, wanted: &Wanted, force: bool, arithmetic: Option<&str>) -> Self {
        let (earlier, manifest) = Manifest::earlier(manifest_path, work, SCHEMA_VERSION, wanted);
        let plan = match earlier {
            // A forced run that was interrupted has to come to its end too.
            Earlier::Finished(results) if !force || is_good(&results, manifest.as_ref(), wanted, arithmetic) => {
                return Self::Skip(results);
            }
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
            Earlier::Finished(results) => {
                // All of them: complaints and arithmetic are noted of all together.
                let all = wanted | &results.products;
                Plan::adding(results, &all, manifest.as_ref())
            }
        };
        Self::Write(plan)
    }
}

/// Whether nothing would be gained by making finished results again: there is nothing to say of them, they were made by this version and
/// computed with the same arithmetic, and those that are wanted have the contents that were written.
fn is_good(results: &Results, manifest: Option<&Manifest>, wanted: &Wanted, arithmetic: Option<&str>) -> bool {
    let is_wanted = |output: &&Output| output.product.is_some_and(|product| wanted.contains(&product));
    results.complaints.is_empty()
        // That ffmpeg wasn't there for the sound, say.
        && results.notes.is_empty()
        && manifest.and_then(|manifest| manifest.versions.as_ref()) == Some(&Versions::here())
        && results.arithmetic.iter().map(String::as_str).eq(arithmetic)
        && results.outputs.iter().filter(is_wanted).all(Output::is_as_noted)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Product;
    use crate::export::TableFormat;

    #[test]
    fn finished_results_are_made_again_only_if_that_is_forced_and_something_is_gained() {
        let home = tempfile::tempdir().unwrap();
        let (table, path) = (home.path().join("a.mp4.csv"), home.path().join("a.mp4.mien.json"));
        std::fs::write(&table, "table").unwrap();
        let csv = Product::Faces(TableFormat::Csv);
        let (work, wanted) = (Work::default(), Wanted::from([csv]));
        let results = Results {
            outputs: vec![Output::of(csv, &table).unwrap()],
            products: wanted.clone(),
            arithmetic: ["cpu bf16".to_owned()].into(),
            ..Results::default()
        };
        let is_skipped_of = |versions: &Versions, results: &Results, force: bool, arithmetic: &str| {
            let results = Some(results.clone());
            let versions = Some(versions.clone());
            let manifest =
                Manifest { schema: SCHEMA_VERSION, versions, work: work.clone(), results, ..Manifest::default() };
            manifest.write(&path).unwrap();
            matches!(Step::next(&path, &work, &wanted, force, Some(arithmetic)), Step::Skip(_))
        };
        let earlier = Versions { mien: "0.0.1".to_owned(), ..Versions::here() };
        let is_skipped = |results: &Results, force: bool, arithmetic: &str| {
            is_skipped_of(&Versions::here(), results, force, arithmetic)
        };
        assert!(is_skipped(&results, true, "cpu bf16"));
        assert!(!is_skipped_of(&earlier, &results, true, "cpu bf16"));
        let silent = Results { notes: vec!["a.mp4 is without sound".to_owned()], ..results.clone() };
        assert!(!is_skipped(&silent, true, "cpu bf16") && is_skipped(&silent, false, "cpu bf16"));
        assert!(!is_skipped(&results, true, "cpu f32") && is_skipped(&results, false, "cpu f32"));
        let complaining = Results { complaints: vec!["it is cut".to_owned()], ..results.clone() };
        assert!(!is_skipped(&complaining, true, "cpu bf16") && is_skipped(&complaining, false, "cpu bf16"));
        // As long as before.
        std::fs::write(&table, "cable").unwrap();
        assert!(!is_skipped(&results, true, "cpu bf16") && is_skipped(&results, false, "cpu bf16"));
    }
}
