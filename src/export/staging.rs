//! Results that belong together: all of them get their names, or none.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir, TempPath};
use walkdir::WalkDir;

use super::ExportError;
use crate::whole::{Existing, LOCKS_ADVISE, PREFIX, give_name, without_temporary_name};

/// A folder under a temporary name, in the folder that its files will be moved to. Removed on drop with its contents.
#[derive(Debug)]
pub struct Staging {
    temporary: TempDir,
    destination: PathBuf,
    /// Locked like a [`super::PartialFile`]; `None` where folders can't be locked.
    _lock: Option<File>,
}

impl Staging {
    /// Creates the folder `destination` if needed, and the temporary one in it.
    ///
    /// # Errors
    /// When a folder can't be created.
    pub fn create(destination: &Path) -> Result<Self, ExportError> {
        let error = |reason| ExportError::Folder { folder: destination.to_owned(), reason };
        fs::create_dir_all(destination).map_err(error)?;
        loop {
            let temporary = Builder::new().prefix(PREFIX).tempdir_in(destination);
            let temporary = temporary.map_err(|reason| error(without_temporary_name(&reason)))?;
            let lock = File::open(temporary.path()).ok().filter(|_| LOCKS_ADVISE);
            let is_taken = lock.as_ref().is_some_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
            // Before it was locked, another run may have taken it for a leftover.
            if !is_taken && temporary.path().exists() {
                return Ok(Self { temporary, destination: destination.to_owned(), _lock: lock });
            }
        }
    }

    /// Where to write results, under their final names, also in subfolders.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// The final path of a staged file.
    #[must_use]
    pub fn destination_of(&self, staged: &Path) -> PathBuf {
        staged.strip_prefix(self.path()).map_or_else(|_outside| staged.to_owned(), |name| self.destination.join(name))
    }

    /// Puts the final path of a staged file into an error about it.
    #[must_use]
    pub fn with_final_name(&self, error: ExportError) -> ExportError {
        match error {
            ExportError::Write { path, reason } => ExportError::Write { path: self.destination_of(&path), reason },
            ExportError::Incomplete { path, written, expected } => {
                ExportError::Incomplete { path: self.destination_of(&path), written, expected }
            }
            other => other,
        }
    }

    /// Moves all files to their final paths. They must be complete and closed.
    ///
    /// # Errors
    /// When a file of that name exists and must be kept, or the disk fails. With [`Existing::Keep`], files that were already moved are
    /// removed again.
    pub fn publish(self, existing: Existing) -> Result<(), ExportError> {
        let mut moved = Vec::new();
        let result = self.move_all(existing, &mut moved);
        if result.is_err() && existing == Existing::Keep {
            // Without the others, these new files would pass for results.
            moved.iter().for_each(|path| drop(fs::remove_file(path)));
        }
        result
    }

    fn move_all(&self, existing: Existing, moved: &mut Vec<PathBuf>) -> Result<(), ExportError> {
        for entry in WalkDir::new(self.path()).min_depth(1).sort_by_file_name() {
            let entry = entry
                .map_err(|error| ExportError::Folder { folder: self.destination.clone(), reason: error.into() })?;
            let path = self.destination_of(entry.path());
            let result = if entry.file_type().is_dir() {
                fs::create_dir_all(&path)
            } else {
                let result = move_to(entry.path(), &path, existing);
                moved.extend(result.is_ok().then(|| path.clone()));
                result
            };
            result.map_err(|reason| match reason.kind() {
                io::ErrorKind::AlreadyExists => ExportError::Exists(path),
                _ => ExportError::Write { path, reason },
            })?;
        }
        Ok(())
    }
}

fn move_to(from: &Path, to: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(from, to),
        Existing::Keep => give_name(TempPath::try_from_path(from)?, to).map_err(|error| error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::remove_leftovers;

    fn staged(destination: &Path, files: &[&str]) -> Staging {
        let staging = Staging::create(destination).unwrap();
        for file in files {
            let path = staging.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "new").unwrap();
        }
        staging
    }

    fn texts(folder: &Path) -> Vec<(String, String)> {
        let files = WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        let name = |path: &Path| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        files.map(|entry| (name(entry.path()), fs::read_to_string(entry.path()).unwrap())).collect()
    }

    fn text(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn all_files_get_their_names_in_their_folders() {
        let home = tempfile::tempdir().unwrap();
        let staging = staged(home.path(), &["a.csv", "deep/b.png"]);
        assert_eq!(staging.destination_of(&staging.path().join("deep/b.png")), home.path().join("deep/b.png"));
        staging.publish(Existing::Keep).unwrap();
        assert_eq!(texts(home.path()), [text("a.csv", "new"), text("deep/b.png", "new")]);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }

    #[test]
    fn where_one_name_is_taken_none_is_given() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("b.csv"), "precious").unwrap();
        let result = staged(home.path(), &["a.csv", "b.csv", "c.csv"]).publish(Existing::Keep);
        assert!(matches!(result, Err(ExportError::Exists(path)) if path.ends_with("b.csv")));
        assert_eq!(texts(home.path()), [text("b.csv", "precious")]);
    }

    #[test]
    fn the_old_stays_until_the_new_replaces_it() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("a.csv"), "old").unwrap();
        let old = || fs::read_to_string(home.path().join("a.csv")).unwrap();
        drop(staged(home.path(), &["a.csv"]));
        assert_eq!(texts(home.path()), [text("a.csv", "old")]);
        let staging = staged(home.path(), &["a.csv"]);
        assert_eq!(old(), "old");
        staging.publish(Existing::Replace).unwrap();
        assert_eq!(texts(home.path()), [text("a.csv", "new")]);
    }

    #[test]
    fn only_what_a_dead_run_left_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("a.csv"), "half").unwrap();
        let staging = staged(home.path(), &["b.csv"]);
        remove_leftovers(home.path()).unwrap();
        assert!(!left.exists());
        staging.publish(Existing::Keep).unwrap();
        assert_eq!(texts(home.path()), [text("b.csv", "new")]);
    }
}
