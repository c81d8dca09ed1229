//! Decides what is still to be written for a file, and what may be replaced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::products::Wanted;
use super::record::{Earlier, Record, Results, Work};
use super::state::Output;
use crate::export::{Existing, SCHEMA_VERSION};
use crate::version::Versions;

/// What to do about a file.
pub enum Step {
    /// Everything that is wanted exists.
    Skip(Results),
    /// There are results of other work, which must not be replaced.
    Refuse,
    /// Something must be written.
    Write(ToWrite),
}

/// What to write for a task, and what may be replaced.
pub struct ToWrite {
    /// The products to make.
    pub wanted: Wanted,
    /// What happens to existing files.
    pub existing: Existing,
    /// Which existing files may be replaced.
    pub ours: Ours,
    /// What the new results are added to.
    pub before: Option<Results>,
    /// Results of other work that stay beside the new ones, unless these have their names.
    pub left: Vec<PathBuf>,
}

/// Which of the files with the names of results are Mien's, and so may be replaced.
pub enum Ours {
    None,
    Listed(BTreeSet<PathBuf>),
    All,
}

impl Step {
    /// Decides what to do, given what an earlier run left at `record_path`. `arithmetic` is what this run's network computes with.
    pub fn next(record_path: &Path, work: &Work, wanted: &Wanted, force: bool, arithmetic: Option<&str>) -> Self {
        let (earlier, record) = Record::earlier(record_path, work, SCHEMA_VERSION, wanted);
        let to_write = match earlier {
            // Skip good results even if forced, so that a forced run can be resumed.
            Earlier::Finished(results) if !force || is_good(&results, record.as_ref(), wanted, arithmetic) => {
                return Self::Skip(results);
            }
            Earlier::OtherWork if !force => return Self::Refuse,
            Earlier::Nothing => ToWrite { existing: Existing::Keep, ..ToWrite::fresh(wanted, Ours::None) },
            Earlier::Unfinished | Earlier::OtherWork => {
                let outputs = record.iter().filter_map(|record| record.results.as_ref()).flat_map(|it| &it.outputs);
                let paths = outputs.map(|output| output.file.path.clone());
                let left = paths.chain(left_by(record.as_ref())).collect();
                ToWrite { left, ..ToWrite::fresh(wanted, Ours::noted(record.as_ref())) }
            }
            Earlier::Partly { results, missing, .. } => {
                let all = if force { wanted | &missing } else { missing };
                ToWrite::adding(results, &all, record.as_ref())
            }
            Earlier::Finished(results) => {
                // Make all of them again, because complaints and arithmetic are recorded for all together.
                let all = wanted | &results.products;
                ToWrite::adding(results, &all, record.as_ref())
            }
        };
        Self::Write(to_write)
    }
}

/// Whether making finished results again would gain nothing: they have no complaints, lack no sound, were made by this version with the same
/// arithmetic, and those that are wanted have the recorded contents.
fn is_good(results: &Results, record: Option<&Record>, wanted: &Wanted, arithmetic: Option<&str>) -> bool {
    let is_wanted = |output: &&Output| output.product.is_some_and(|product| wanted.contains(&product));
    results.complaints.is_empty()
        && !results.lacks_sound
        && record.and_then(|record| record.versions.as_ref()) == Some(&Versions::here())
        && results.arithmetic.iter().map(String::as_str).eq(arithmetic)
        && results.outputs.iter().filter(is_wanted).all(Output::is_as_noted)
}

impl ToWrite {
    /// Adds to earlier results, which `record` describes.
    fn adding(before: Results, wanted: &Wanted, record: Option<&Record>) -> Self {
        let left = left_by(record).collect();
        Self { before: Some(before), left, ..Self::fresh(wanted, Ours::noted(record)) }
    }

    /// Makes everything in `wanted`, replacing `ours`.
    fn fresh(wanted: &Wanted, ours: Ours) -> Self {
        Self { wanted: wanted.clone(), existing: Existing::Replace, ours, before: None, left: Vec::new() }
    }
}

/// Results of other work that a record lists as left.
fn left_by(record: Option<&Record>) -> impl Iterator<Item = PathBuf> {
    record.into_iter().flat_map(|record| record.left.clone())
}

impl Ours {
    /// The files that a record lists. All, if it lists none or a run was killed while it moved files to their names.
    fn noted(record: Option<&Record>) -> Self {
        let Some(record) = record.filter(|record| !record.adding) else { return Self::All };
        let Some(results) = &record.results else { return Self::All };
        let made = results.outputs.iter().map(|output| output.file.path.clone());
        Self::Listed(made.chain(left_by(Some(record))).collect())
    }

    /// Whether this file is one of them.
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
    use std::fs::File;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::batch::Product;
    use crate::export::TableFormat;

    #[test]
    fn results_are_known_as_ours_after_their_folder_was_moved() {
        let home = tempfile::tempdir().unwrap();
        let (before, now) = (home.path().join("before"), home.path().join("now"));
        std::fs::create_dir(&before).unwrap();
        std::fs::write(before.join("a.mp4.csv"), "table").unwrap();
        let csv = Product::Faces(TableFormat::Csv);
        let outputs = vec![Output::of(csv, &before.join("a.mp4.csv")).unwrap()];
        let results = Some(Results { outputs, products: [csv].into(), ..Results::default() });
        let record = Record { schema: SCHEMA_VERSION, results, ..Record::default() };
        record.write(&before.join("a.mp4.mien.json")).unwrap();
        std::fs::rename(&before, &now).unwrap();
        let other = Work { options: serde_json::json!({ "skip": 1 }), ..Work::default() };
        let step = |force| Step::next(&now.join("a.mp4.mien.json"), &other, &[csv].into(), force, None);
        assert!(matches!(step(false), Step::Refuse));
        let Step::Write(to_write) = step(true) else { panic!("nothing is written") };
        assert!(to_write.ours.contains(&now.join("a.mp4.csv")) && !to_write.ours.contains(&now.join("mine.csv")));
        assert_eq!(to_write.left, [now.join("a.mp4.csv")]);
    }

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
            let record = Record { schema: SCHEMA_VERSION, versions, work: work.clone(), results, ..Record::default() };
            record.write(&path).unwrap();
            matches!(Step::next(&path, &work, &wanted, force, Some(arithmetic)), Step::Skip(_))
        };
        let earlier = Versions { mien: "0.0.1".to_owned(), ..Versions::here() };
        let is_skipped = |results: &Results, force: bool, arithmetic: &str| {
            is_skipped_of(&Versions::here(), results, force, arithmetic)
        };
        assert!(is_skipped(&results, true, "cpu bf16"));
        assert!(!is_skipped_of(&earlier, &results, true, "cpu bf16"));
        let noted = Results { notes: vec!["annotated video in H.264".to_owned()], ..results.clone() };
        assert!(is_skipped(&noted, true, "cpu bf16"));
        let silent = Results { lacks_sound: true, ..results.clone() };
        assert!(!is_skipped(&silent, true, "cpu bf16") && is_skipped(&silent, false, "cpu bf16"));
        assert!(!is_skipped(&results, true, "cpu f32") && is_skipped(&results, false, "cpu f32"));
        let complaining = Results { complaints: vec!["it is cut".to_owned()], ..results.clone() };
        assert!(!is_skipped(&complaining, true, "cpu bf16") && is_skipped(&complaining, false, "cpu bf16"));
        // Other contents of the same length.
        std::fs::write(&table, "cable").unwrap();
        File::options().append(true).open(&table).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert!(!is_skipped(&results, true, "cpu bf16") && !is_skipped(&results, false, "cpu bf16"));
    }
}
