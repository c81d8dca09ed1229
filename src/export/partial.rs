//! A result that gets its real name only when it is complete (see [`crate::whole`]).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::ExportError;
use crate::whole::{Existing, Unfinished, folder_of};

/// A result under a temporary name in the folder of its destination. Removed on drop unless it was finished.
#[derive(Debug)]
pub struct PartialFile(Unfinished);

impl PartialFile {
    /// Creates the folder of `destination` if needed, and an empty file in it. Fails early for a bad path.
    ///
    /// # Errors
    /// When the folder can't be created or written to, or a file of that name exists.
    pub fn create(destination: &Path) -> Result<(Self, File), ExportError> {
        if destination.exists() {
            return Err(ExportError::Exists(destination.to_owned()));
        }
        Self::begin(destination, Existing::Keep)
    }

    pub(super) fn begin(destination: &Path, existing: Existing) -> Result<(Self, File), ExportError> {
        let folder = folder_of(destination);
        let begun = fs::create_dir_all(folder).and_then(|()| Unfinished::begin(destination, existing));
        let (unfinished, file) = begun.map_err(|reason| ExportError::Folder { folder: folder.to_owned(), reason })?;
        Ok((Self(unfinished), file))
    }

    /// Where the file is until it is finished.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        self.0.temporary()
    }

    /// Where the file will be.
    #[must_use]
    pub fn destination(&self) -> &Path {
        self.0.destination()
    }

    /// Syncs the file to the disk and gives it its real name. It must be flushed and closed.
    ///
    /// # Errors
    /// When a file of that name has appeared meanwhile, or the disk fails.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        let path = self.destination().to_owned();
        self.0.finish().map_err(|reason| unnamed(path, reason))
    }

    /// The same for a file that can't be made again: see [`Unfinished::keep`]. It must be flushed and closed.
    pub fn keep(self) -> (PathBuf, Result<(), ExportError>) {
        let path = self.destination().to_owned();
        let (kept, result) = self.0.keep();
        (kept, result.map_err(|reason| unnamed(path, reason)))
    }
}

/// Why a file doesn't get its name.
fn unnamed(path: PathBuf, reason: io::Error) -> ExportError {
    match reason.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(path),
        _ => ExportError::Write { path, reason },
    }
}

/// Names in `folder` for results that belong together: `stem` with each of the endings, or `stem-2`, `stem-3`, …,
/// the first for which none of them exists.
#[must_use]
pub fn free_names<const N: usize>(folder: &Path, stem: &str, endings: [&str; N]) -> [PathBuf; N] {
    let names = |number: u64| {
        let stem = if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") };
        endings.map(|ending| folder.join(format!("{stem}{ending}")))
    };
    let mut number = 1;
    while names(number).iter().any(|path| path.exists()) {
        number += 1;
    }
    names(number)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_finished_file_has_its_name_and_its_folder_is_made() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/folder/table.csv");
        let (partial, mut file) = PartialFile::create(&path).unwrap();
        assert!(!path.exists());
        file.write_all(b"whole").unwrap();
        drop(file);
        assert_eq!(partial.finish().unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (partial, mut file) = PartialFile::create(&home.path().join("table.csv")).unwrap();
        file.write_all(b"half").unwrap();
        drop(partial);
        assert_eq!(entries(home.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_appeared_meanwhile_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("table.csv");
        let (partial, _file) = PartialFile::create(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(partial.finish(), Err(ExportError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(PartialFile::create(&path), Err(ExportError::Exists(_))));
        assert_eq!(entries(home.path()), ["table.csv"]);
    }

    #[test]
    fn what_is_to_be_replaced_stays_until_the_new_file_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("note.json");
        fs::write(&path, "old").unwrap();
        let (partial, mut file) = PartialFile::begin(&path, Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        partial.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_before_any_work() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(PartialFile::create(&file.join("table.csv")), Err(ExportError::Folder { .. })));
    }

    #[test]
    fn names_are_counted_on_until_all_of_them_are_free() {
        let home = tempfile::tempdir().unwrap();
        let [video, table] = free_names(home.path(), "clip", [".mp4", ".csv"]);
        assert_eq!((video, table.clone()), (home.path().join("clip.mp4"), home.path().join("clip.csv")));
        fs::write(&table, "").unwrap();
        fs::write(home.path().join("clip-2.mp4"), "").unwrap();
        let [video, table] = free_names(home.path(), "clip", [".mp4", ".csv"]);
        assert_eq!((video, table), (home.path().join("clip-3.mp4"), home.path().join("clip-3.csv")));
    }
}
