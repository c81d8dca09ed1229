//! Finds what many runs have left in their folders: the results of each file, and what could not be analysed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::batch::{
    FileState, Output, PICTURES_NAME, Part, Product, RECORD_ENDING, RUN_REPORT, Record, RecordError, RecordsBelow,
    Results, RunReport,
};

/// What was found in some folders.
#[derive(Default)]
pub struct Found {
    /// The records of each file, or part of one, by the name of its results.
    pub records: BTreeMap<PathBuf, Vec<FoundRecord>>,
    /// The records of tables over many files.
    pub joined: Vec<FoundRecord>,
    /// Why a file has no results and won't get any, according to the runs' reports.
    pub problems: BTreeMap<PathBuf, String>,
    /// Files that have no results yet, according to the runs' reports; another try may succeed.
    pub unfinished: BTreeSet<PathBuf>,
    /// Records that can't be read, and why.
    pub unreadable: Vec<(PathBuf, RecordError)>,
}

/// The record of a file's results, and where it is.
pub struct FoundRecord {
    /// The file with the record.
    pub path: PathBuf,
    /// Its contents.
    pub record: Record,
}

impl Found {
    /// Searches folders and all their subfolders, also those that links lead to.
    ///
    /// # Errors
    /// When a folder doesn't exist, or a folder or the report of a run can't be read: results would be missing without notice.
    pub fn search(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for folder in folders {
            if !folder.is_dir() {
                bail!("{} is not a folder; name the folders that `mien analyze` wrote to", folder.display());
            }
            let RecordsBelow { files, unreadable } = RecordsBelow::find(folder);
            if let Some((path, reason)) = unreadable.first() {
                bail!("{} can't be read: {reason}", path.display());
            }
            for path in files {
                if path.file_name().is_some_and(|name| name == RUN_REPORT) {
                    let report = RunReport::read(&path);
                    found.note(report.with_context(|| format!("{} can't be read", path.display()))?);
                } else {
                    found.add(folder, path);
                }
            }
        }
        let (records, problems) = (&found.records, &mut found.problems);
        // Another run may have analysed it.
        problems.retain(|name, _| !records.contains_key(name));
        found.unfinished.retain(|name| !records.contains_key(name) && !problems.contains_key(name));
        Ok(found)
    }

    fn note(&mut self, report: RunReport) {
        for problem in report.problems {
            if problem.try_again {
                self.unfinished.insert(problem.name);
            } else {
                self.problems.insert(problem.name, problem.reason);
            }
        }
    }

    fn add(&mut self, folder: &Path, path: PathBuf) {
        match Record::read(&path) {
            Err(error) => self.unreadable.push((path, error)),
            Ok(record) if record.work.inputs.is_empty() => self.joined.push(FoundRecord { path, record }),
            Ok(record) => {
                let found = FoundRecord { path, record };
                self.records.entry(found.unit_name(folder)).or_default().push(found);
            }
        }
    }
}

impl FoundRecord {
    /// The name of the results. Earlier versions didn't record it; then it follows from the record's path in the folder.
    fn unit_name(&self, folder: &Path) -> PathBuf {
        let Record { name, part, .. } = &self.record;
        match name {
            Some(name) => part.map_or_else(|| name.clone(), |part| part.name(name)),
            None => {
                let place = self.path.strip_prefix(folder).unwrap_or(&self.path);
                place.to_string_lossy().trim_end_matches(RECORD_ENDING).into()
            }
        }
    }

    /// The file's name in tables; for a part, that of the whole film.
    pub fn file(&self) -> Option<&Path> {
        self.record.name.as_deref()
    }

    /// Which part of the film it is about, if not the whole.
    pub fn part(&self) -> Option<Part> {
        self.record.part
    }

    /// The files that were analysed, in the state that they had.
    pub fn inputs(&self) -> &[FileState] {
        &self.record.work.inputs
    }

    /// Whether these are the results of all pictures.
    pub fn is_of_pictures(&self) -> bool {
        self.path.file_name().is_some_and(|name| name.to_string_lossy() == format!("{PICTURES_NAME}{RECORD_ENDING}"))
    }

    /// The results, if they are complete.
    pub fn results(&self) -> Option<&Results> {
        self.record.results.as_ref().filter(|_| !self.record.adding)
    }

    /// The outputs of a product.
    pub fn outputs(&self, product: Product) -> impl Iterator<Item = &Output> {
        let outputs = self.results().map(|results| results.outputs.as_slice()).unwrap_or_default();
        outputs.iter().filter(move |output| output.product == Some(product))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::batch::Work;

    fn search(folder: &Path) -> anyhow::Result<Found> {
        Found::search(&[folder.to_owned()])
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_followed_and_what_cannot_be_read_is_named() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let (results, elsewhere) = (home.path().join("results"), home.path().join("node1"));
        fs::create_dir_all(&results).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        let inputs = vec![FileState { path: "a.mp4".into(), bytes: 1, modified_ms: None }];
        let work = Work { inputs, ..Work::default() };
        let record = Record { name: Some("a.mp4".into()), work, ..Record::default() };
        record.write(&elsewhere.join("a.mp4.mien.json")).unwrap();
        symlink(&elsewhere, results.join("1")).unwrap();
        // Leads back up.
        symlink(&results, results.join("all")).unwrap();
        let found = search(&results).unwrap();
        assert!(found.records.contains_key(Path::new("a.mp4")) && found.unreadable.is_empty());

        symlink(home.path().join("gone"), results.join("2")).unwrap();
        let error = search(&results).err().unwrap().to_string();
        assert!(error.contains("results/2 can't be read"), "{error}");
    }

    #[test]
    fn a_damaged_report_of_a_run_is_named() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(RUN_REPORT), "{\"done\": 1").unwrap();
        let error = format!("{:#}", search(home.path()).err().unwrap());
        assert!(error.contains("mien-run.json can't be read") && error.contains("damaged"), "{error}");
    }

    #[test]
    fn a_damaged_record_is_told_from_one_that_cannot_be_read() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("a.mp4.mien.json"), "{\"schema\"").unwrap();
        let found = search(home.path()).unwrap();
        assert!(matches!(found.unreadable.as_slice(), [(_, RecordError::Damaged(_))]));
        let absent = Record::read(&home.path().join("absent.mien.json"));
        assert!(matches!(absent, Err(RecordError::Unreadable(_))));
    }
}
