//! A file that has its real name only once it is whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

use super::{Existing, ExportError};

/// Temporary names begin with this: hidden, and telling whose they are should the machine lose power.
pub(super) const PREFIX: &str = ".mien-part-";

/// Whether a lock only keeps those out who ask for it. Elsewhere it would keep our own encoder out, so none is taken, and what a
/// killed run left stays.
pub(super) const LOCKS_ADVISE: bool = cfg!(unix);

/// A file under a temporary name in the folder of its destination. Removed on drop unless it was finished.
///
/// It is locked until then, which tells it from what a killed run left: the system gives locks of the dead back.
#[derive(Debug)]
pub struct PartialFile {
    temporary: TempPath,
    destination: PathBuf,
    existing: Existing,
    /// Locked. The encoder of a video opens the file a second time, by its name.
    _lock: File,
}

impl PartialFile {
    /// Makes the folder of `destination` if it isn't there, and the file in it, empty. Fails early for a bad path.
    ///
    /// # Errors
    /// When the folder can't be made or written to, or there is a file of that name.
    pub fn create(destination: &Path) -> Result<(Self, File), ExportError> {
        if destination.exists() {
            return Err(ExportError::Exists(destination.to_owned()));
        }
        Self::begin(destination, Existing::Keep)
    }

    /// As [`Self::create`], for a file that takes the place of one that may be there, once it is whole.
    ///
    /// # Errors
    /// When the folder can't be made or written to.
    pub fn replace(destination: &Path) -> Result<(Self, File), ExportError> {
        Self::begin(destination, Existing::Replace)
    }

    fn begin(destination: &Path, existing: Existing) -> Result<(Self, File), ExportError> {
        let folder = folder_of(destination);
        let locked = || {
            fs::create_dir_all(&folder)?;
            let (file, temporary) = locked_in(&folder, destination)?.into_parts();
            Ok((file.try_clone()?, file, temporary))
        };
        let (lock, file, temporary) =
            locked().map_err(|reason| ExportError::Folder { folder: folder.clone(), reason })?;
        Ok((Self { temporary, destination: destination.to_owned(), existing, _lock: lock }, file))
    }

    /// Where the file is until it is finished.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Where the file will be.
    #[must_use]
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Gives the file its real name. It must be flushed and closed.
    ///
    /// # Errors
    /// When a file of that name has appeared meanwhile, or the disk fails.
    pub fn finish(self) -> Result<PathBuf, ExportError> {
        let Self { temporary, destination, existing, _lock } = self;
        let named = match existing {
            Existing::Keep => temporary.persist_noclobber(&destination),
            Existing::Replace => temporary.persist(&destination),
        };
        match named {
            Ok(()) => Ok(destination),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(ExportError::Exists(destination)),
            Err(error) => Err(ExportError::Write { path: destination, reason: error.error }),
        }
    }
}

/// The folder that a file will lie in: `.` for a bare name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A temporary file that keeps the extension, by which encoders choose the container.
fn temporary_in(folder: &Path, destination: &Path) -> io::Result<NamedTempFile> {
    let suffix = destination.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(suffix.as_deref().unwrap_or_default());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As other programs make files: the umask takes away what the user wants taken away.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A temporary file that is locked.
fn locked_in(folder: &Path, destination: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = temporary_in(folder, destination)?;
        if !LOCKS_ADVISE {
            return Ok(file);
        }
        match file.as_file().try_lock() {
            // Without a lock for a moment, it may have been taken for a leftover.
            Ok(()) if !file.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            Ok(()) => return Ok(file),
            // Some network drives know no locks. Nobody can lock a file there in order to remove it either.
            Err(TryLockError::Error(error)) => {
                tracing::debug!("{} can't be locked: {error}", file.path().display());
                return Ok(file);
            }
        }
    }
}

/// Removes files and folders that killed runs left under temporary names in `folder`. What a run is writing stays: it is locked.
///
/// # Errors
/// When the folder can't be read, or a file can't be removed.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_temporary(&path) {
            remove_if_left(&path)?;
        }
    }
    Ok(())
}

/// Whether a file or folder has a temporary name: a run is working on it, or was killed while it was.
#[must_use]
pub fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Removes a temporary file or folder unless somebody holds it, or that can't be told.
fn remove_if_left(path: &Path) -> io::Result<()> {
    let is_folder = path.is_dir();
    let Ok(lock) = File::options().read(true).write(!is_folder).open(path) else { return Ok(()) };
    if !LOCKS_ADVISE || lock.try_lock().is_err() {
        return Ok(());
    }
    match if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) } {
        // Its owner finished it or gave it up just now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
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
        let (partial, mut file) = PartialFile::replace(&path).unwrap();
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
    fn what_a_dead_run_left_is_removed_and_what_is_being_written_stays() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join(format!("{PREFIX}abc.mp4"));
        let others = home.path().join(".other");
        for path in [&left, &others] {
            fs::write(path, "").unwrap();
        }
        let path = home.path().join("table.csv");
        let (partial, file) = PartialFile::create(&path).unwrap();
        // As an annotated video does, which its encoder opens by the name.
        drop(file);
        remove_leftovers(home.path()).unwrap();
        assert!(!left.exists() && others.exists() && partial.temporary().exists());
        assert_eq!(partial.finish().unwrap(), path);
        remove_leftovers(home.path()).unwrap();
        assert!(path.exists());
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
