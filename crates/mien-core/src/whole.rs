//! The one way in which whole files are written: under a temporary name beside their destination, with the permissions that other files
//! have, put on the disk, and renamed. So a file that has its name is whole, whatever happened meanwhile.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

/// Temporary names begin with this: hidden, and telling whose they are should the machine lose power.
pub const PREFIX: &str = ".mien-part-";

/// Whether a lock only keeps those out who ask for it. Elsewhere it would keep our own encoder out, so none is taken, and what a
/// killed run left stays.
pub const LOCKS_ADVISE: bool = cfg!(unix);

/// What becomes of files that have the name of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and nothing is written.
    Keep,
    /// The new one takes their place once it is whole.
    Replace,
}

/// Writes a file whose contents are at hand.
///
/// # Errors
/// When its folder isn't there or can't be written to, the disk is full, or there is a file of that name to be kept. What stood there
/// stays then.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let (unfinished, mut file) = Unfinished::begin(path, existing)?;
    file.write_all(bytes)?;
    drop(file);
    unfinished.finish().map(drop)
}

/// A file under a temporary name in the folder of its destination. Removed on drop unless it was finished.
///
/// It is locked until then, which tells it from what a killed run left: the system gives locks of the dead back.
#[derive(Debug)]
pub struct Unfinished {
    temporary: TempPath,
    destination: PathBuf,
    existing: Existing,
    /// Locked. The encoder of a video opens the file a second time, by its name.
    lock: File,
}

impl Unfinished {
    /// Makes the file, empty, and opens it.
    ///
    /// # Errors
    /// When its folder isn't there or can't be written to.
    pub fn begin(destination: &Path, existing: Existing) -> io::Result<(Self, File)> {
        let (file, temporary) = locked_in(folder_of(destination), destination)?.into_parts();
        let lock = file.try_clone()?;
        Ok((Self { temporary, destination: destination.to_owned(), existing, lock }, file))
    }

    /// Where the file is until it is finished.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Where the file will be.
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Puts the file on the disk and gives it its real name. It must be flushed and closed.
    ///
    /// # Errors
    /// When a file of that name is there to be kept, or the disk fails.
    pub fn finish(self) -> io::Result<PathBuf> {
        let Self { temporary, destination, existing, lock } = self;
        lock.sync_all()?;
        let named = match existing {
            Existing::Keep => temporary.persist_noclobber(&destination),
            Existing::Replace => temporary.persist(&destination),
        };
        named.map_err(|error| error.error)?;
        Ok(destination)
    }
}

/// The folder that a file will lie in: `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_written_over_another_only_where_that_is_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.txt");
        write(&path, b"one", Existing::Keep).unwrap();
        let error = write(&path, b"two", Existing::Keep).unwrap_err();
        assert_eq!(
            (error.kind(), fs::read_to_string(&path).unwrap()),
            (io::ErrorKind::AlreadyExists, "one".to_owned())
        );
        write(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(entries(home.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn written_files_can_be_read_by_whoever_may_read_other_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let (ours, plain) = (home.path().join("ours"), home.path().join("plain"));
        write(&ours, b"x", Existing::Replace).unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
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
        let (partial, file) = Unfinished::begin(&path, Existing::Keep).unwrap();
        // As an annotated video does, which its encoder opens by the name.
        drop(file);
        remove_leftovers(home.path()).unwrap();
        assert!(!left.exists() && others.exists() && partial.temporary().exists());
        assert_eq!(partial.finish().unwrap(), path);
        remove_leftovers(home.path()).unwrap();
        assert!(path.exists());
    }
}
