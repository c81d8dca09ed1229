//! Finds what many runs have left in their folders: the results of each file, and what could not be analysed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::bail;
use walkdir::WalkDir;

use crate::batch::{
    FileState, Output, PICTURES_NAME, Part, Product, RECORD_ENDING, RUN_REPORT, Record, Results, RunReport,
};
use crate::export::is_temporary;

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
    /// Records that can't be read.
    pub unreadable: Vec<PathBuf>,
}

/// The record of a file's results, and where it is.
pub struct FoundRecord {
    /// The file with the record.
    pub path: PathBuf,
    /// Its contents.
    pub record: Record,
}

impl Found {
    /// Searches folders and all their subfolders.
    ///
    /// # Errors
    /// When a folder doesn't exist.
    pub fn search(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        for folder in folders {
            if !folder.is_dir() {
                bail!("{} is not a folder; name the folders that `mien analyze` wrote to", folder.display());
            }
            for path in files(folder) {
                if path.file_name().is_some_and(|name| name == RUN_REPORT) {
                    found.note(RunReport::read(&path).unwrap_or_default());
                } else if path.to_string_lossy().ends_with(RECORD_ENDING) {
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
            None => self.unreadable.push(path),
            Some(record) if record.work.inputs.is_empty() => self.joined.push(FoundRecord { path, record }),
            Some(record) => {
                let found = FoundRecord { path, record };
                self.records.entry(found.unit_name(folder)).or_default().push(found);
            }
        }
    }
}

/// All files below a folder, in order of their names, without those that a run is still writing.
pub fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries =
        WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|entry| !is_temporary(entry.path()));
    entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path)
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
