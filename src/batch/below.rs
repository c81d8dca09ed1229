//! Finds the records of results in a folder.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::inputs::own_paths_first;
use super::outcome::RUN_REPORT;
use super::run::RECORD_ENDING;
use crate::export::is_temporary;

/// Records and reports of runs below a folder.
pub struct RecordsBelow {
    /// Their paths, in order. A file that several paths lead to is there once, by its own path if that is below the folder.
    pub files: Vec<PathBuf>,
    /// What can't be read and may hold more, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

impl RecordsBelow {
    /// Searches a folder and all its subfolders, also those that links lead to.
    pub fn find(folder: &Path) -> Self {
        let (mut files, mut unreadable) = (Vec::new(), Vec::new());
        let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| !is_temporary(entry.path())) {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_record(entry.path()) => files.push(entry.into_path()),
                Ok(_) => {}
                Err(error) => unreadable.extend(complaint(error)),
            }
        }
        let mut known = BTreeSet::new();
        let files =
            own_paths_first(folder, files.into_iter()).into_iter().filter(|(real, _)| known.insert(real.clone()));
        let mut files: Vec<_> = files.map(|(_, file)| file).collect();
        files.sort_unstable();
        Self { files, unreadable }
    }
}

fn is_record(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == RUN_REPORT || name.to_string_lossy().ends_with(RECORD_ENDING)
}

/// What can't be read, and why. `None` if no results can be missing: a link that leads back up has been searched, and what other programs
/// hide, and the folder that belongs to a file system, hold none. A broken link may have led to a folder of results.
fn complaint(error: walkdir::Error) -> Option<(PathBuf, io::Error)> {
    let path = error.path()?.to_owned();
    let name = path.file_name()?.to_string_lossy();
    let is_foreign = name.starts_with('.') || name == "lost+found";
    let is_other_file = path.is_symlink() && path.extension().is_some() && !is_record(&path);
    let is_of_interest = !(is_foreign || is_other_file);
    error.into_io_error().filter(|_| is_of_interest).map(|reason| (path, reason))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_record_is_found_once_and_only_what_may_hold_results_is_missed() {
        let home = tempfile::tempdir().unwrap();
        let (results, elsewhere) = (home.path().join("results"), home.path().join("node1"));
        for folder in [&results.join("2026-11-28"), &elsewhere] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("a.mp4.mien.json"), "").unwrap();
            fs::write(folder.join("a.mp4.csv"), "").unwrap();
        }
        symlink("2026-11-28", results.join("1-latest")).unwrap();
        symlink(&elsewhere, results.join("node")).unwrap();
        symlink(&results, results.join("up")).unwrap();
        symlink("user@host.123", results.join(".#a.mp4.csv")).unwrap();
        symlink("gone.log", results.join("latest.log")).unwrap();
        let below = |found: RecordsBelow| -> (Vec<PathBuf>, Vec<PathBuf>) {
            let below = |path: &PathBuf| path.strip_prefix(&results).unwrap().to_owned();
            (found.files.iter().map(below).collect(), found.unreadable.iter().map(|(path, _)| below(path)).collect())
        };
        let records = ["2026-11-28/a.mp4.mien.json", "node/a.mp4.mien.json"].map(PathBuf::from).to_vec();
        assert_eq!(below(RecordsBelow::find(&results)), (records.clone(), vec![]));
        symlink("gone", results.join("3")).unwrap();
        symlink("gone", results.join("b.mp4.mien.json")).unwrap();
        assert_eq!(below(RecordsBelow::find(&results)), (records, vec!["3".into(), "b.mp4.mien.json".into()]));
    }
}
