//! The only way in which whole files are written: under a temporary name beside their destination, with the usual permissions, synced
//! to disk, and then renamed. A file under its real name is therefore always complete. Only files that can't be made again are kept
//! incomplete ([`Unfinished::keep`]).

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, PathPersistError, TempPath};

/// Prefix of temporary names. It hides the files, and shows which program left them if the machine loses power.
pub const PREFIX: &str = ".mien-part-";

/// Whether file locks are advisory. Where locks are mandatory, they would shut out our own video encoder, so nothing is locked, and
/// files left by killed runs are never removed.
pub const LOCKS_ADVISE: bool = cfg!(unix);

/// What happens to an existing file with the name of the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// The new file replaces it once it is complete.
    Replace,
}

/// Writes `bytes` to a file.
///
/// # Errors
/// When its folder doesn't exist or can't be written to, the disk is full, or a file of that name must be kept. An existing file then
/// stays as it is.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let (unfinished, mut file) = Unfinished::begin(path, existing)?;
    file.write_all(bytes)?;
    drop(file);
    unfinished.finish().map(drop)
}

/// A file under a temporary name in the folder of its destination. Removed on drop unless it was finished.
///
/// It is locked until then, which distinguishes it from files left by killed runs: the system releases the locks of dead processes.
#[derive(Debug)]
pub struct Unfinished {
    temporary: TempPath,
    destination: PathBuf,
    existing: Existing,
    /// Holds the lock. A video's encoder opens the file a second time, by its name.
    lock: File,
}

impl Unfinished {
    /// Creates the file, empty, and opens it.
    ///
    /// # Errors
    /// When its folder doesn't exist or can't be written to.
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

    /// Syncs the file to disk and gives it its real name. The caller must have flushed and closed it.
    ///
    /// # Errors
    /// When a file of that name must be kept, or the disk fails.
    pub fn finish(self) -> io::Result<PathBuf> {
        let Self { temporary, destination, existing, lock } = self;
        lock.sync_all()?;
        let named = match existing {
            Existing::Keep => give_name(temporary, &destination),
            Existing::Replace => temporary.persist(&destination),
        };
        named.map_err(|error| error.error)?;
        Ok(destination)
    }

    /// Like [`Self::finish`], for a file that can't be made again: it stays whatever fails, and replaces nothing. If its name is taken, a
    /// number is appended; if it can't be renamed at all, it keeps its temporary name. Returns where the file is, and what failed first.
    pub fn keep(self) -> (PathBuf, io::Result<()>) {
        let Self { mut temporary, destination, lock, .. } = self;
        let mut result = lock.sync_all();
        let mut path = destination.clone();
        let mut number = 1;
        loop {
            let (error, mut unnamed) = match give_name(temporary, &path) {
                Ok(()) => return (path, result),
                Err(PathPersistError { error, path }) => (error, path),
            };
            let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
            // Only the first failure is reported.
            result = result.and(Err(error));
            if !is_taken {
                unnamed.disable_cleanup(true);
                return (unnamed.to_path_buf(), result);
            }
            number += 1;
            path = numbered(&destination, number);
            temporary = unnamed;
        }
    }
}

/// Gives a complete file its real name, without replacing another file.
///
/// # Errors
/// When a file of that name exists, or the disk fails. The error holds the file, which still has its temporary name.
pub fn give_name(temporary: TempPath, path: &Path) -> Result<(), PathPersistError> {
    match temporary.persist_noclobber(path) {
        // Some file systems have neither hard links nor a rename that spares existing files. VirtualBox's shared folders report this
        // as forbidden, some network drives (FUSE) as unsupported or invalid.
        Err(PathPersistError { error, path: temporary }) if error.kind() != io::ErrorKind::AlreadyExists => {
            reserve_and_rename(temporary, path)
        }
        named => named,
    }
}

/// Reserves a name with an empty file, then replaces that. If the program is killed between the two steps, the empty file stays.
fn reserve_and_rename(temporary: TempPath, path: &Path) -> Result<(), PathPersistError> {
    if let Err(error) = File::create_new(path) {
        return Err(PathPersistError { error, path: temporary });
    }
    temporary.persist(path).inspect_err(|_| drop(fs::remove_file(path)))
}

/// The path with a number appended to its name: `day-2.csv`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Appends bytes that belong together, such as a row, to a file of this length. Returns its new length.
///
/// # Errors
/// When the disk is full, or fails. The file is then truncated to `length`; if that fails too, some of the bytes may stay.
pub fn append(file: &mut File, length: u64, bytes: &[u8]) -> io::Result<u64> {
    if let Err(error) = file.write_all(bytes) {
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        return Err(error);
    }
    Ok(length + bytes.len() as u64)
}

/// The folder of a file: `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a temporary file with the destination's extension, by which encoders choose the container.
fn temporary_in(folder: &Path, destination: &Path) -> io::Result<NamedTempFile> {
    let suffix = destination.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(suffix.as_deref().unwrap_or_default());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The usual mode for new files; the umask removes what the user doesn't want.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(|error| without_temporary_name(&error))
}

/// An error of `tempfile` without the temporary path that it appends to what the system says: the user doesn't know that file.
#[must_use]
pub fn without_temporary_name(error: &io::Error) -> io::Error {
    let words = error.to_string();
    let reason = words.split_once(" at path ").map_or(words.as_str(), |(reason, _path)| reason);
    io::Error::new(error.kind(), reason)
}

/// Creates a locked temporary file.
fn locked_in(folder: &Path, destination: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = temporary_in(folder, destination)?;
        if !LOCKS_ADVISE {
            return Ok(file);
        }
        match file.as_file().try_lock() {
            // Before it was locked, another run may have removed it as a leftover.
            Ok(()) if !file.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            Ok(()) => return Ok(file),
            // Some network drives don't support locks. There, other runs can't lock the file either, so they won't remove it.
            Err(TryLockError::Error(error)) => {
                tracing::debug!("{} can't be locked: {error}", file.path().display());
                return Ok(file);
            }
        }
    }
}

/// Removes files and folders that killed runs left under temporary names in `folder`. Those that a run is writing are locked and stay.
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

/// Whether a file or folder has a temporary name: a run is writing it, or was killed while writing it.
#[must_use]
pub fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Removes a temporary file or folder, unless it is locked or its lock can't be checked.
fn remove_if_left(path: &Path) -> io::Result<()> {
    let is_folder = path.is_dir();
    let Ok(lock) = File::options().read(true).write(!is_folder).open(path) else { return Ok(()) };
    if !LOCKS_ADVISE || lock.try_lock().is_err() {
        return Ok(());
    }
    match if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) } {
        // Its owner has just finished or removed it.
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

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let home = tempfile::tempdir().unwrap();
        let error = write(&home.path().join("absent/a.txt"), b"one", Existing::Replace).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(PREFIX), "{error}");
    }

    /// A temporary file without a real name yet, and the path of an existing file.
    fn unnamed_and_taken(home: &Path) -> (TempPath, PathBuf) {
        let mut file = temporary_in(home, Path::new("new.txt")).unwrap();
        file.write_all(b"new").unwrap();
        let taken = home.join("taken.txt");
        fs::write(&taken, "precious").unwrap();
        (file.into_temp_path(), taken)
    }

    #[test]
    fn where_a_file_system_cannot_spare_files_a_name_is_reserved_first() {
        let home = tempfile::tempdir().unwrap();
        let (unnamed, taken) = unnamed_and_taken(home.path());
        let PathPersistError { error, path: unnamed } = reserve_and_rename(unnamed, &taken).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&taken).unwrap(), fs::read(&unnamed).unwrap()), (b"precious".to_vec(), b"new".to_vec()));
        let path = home.path().join("new.txt");
        reserve_and_rename(unnamed, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(entries(home.path()).len(), 2);
    }

    #[test]
    fn a_name_that_was_reserved_in_vain_is_free_again() {
        let home = tempfile::tempdir().unwrap();
        let gone = TempPath::try_from_path(home.path().join("gone")).unwrap();
        let path = home.path().join("new.txt");
        assert_eq!(reserve_and_rename(gone, &path).unwrap_err().error.kind(), io::ErrorKind::NotFound);
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_made_again_stays_beside_a_file_that_took_its_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("day.csv");
        let names = ["day.csv", "day-2.csv", "day-3.csv"].map(|name| home.path().join(name));
        for (index, name) in names.iter().enumerate() {
            let (unfinished, mut file) = Unfinished::begin(&path, Existing::Keep).unwrap();
            write!(file, "{index}").unwrap();
            drop(file);
            let (kept, result) = unfinished.keep();
            assert_eq!(&kept, name);
            assert_eq!(result.err().map(|error| error.kind()), (index > 0).then_some(io::ErrorKind::AlreadyExists));
        }
        assert_eq!(names.map(|name| fs::read_to_string(name).unwrap()), ["0", "1", "2"]);
    }

    #[test]
    fn what_cannot_be_made_again_stays_where_it_is_if_it_cannot_be_renamed() {
        let home = tempfile::tempdir().unwrap();
        let (mut unfinished, mut file) = Unfinished::begin(&home.path().join("day.csv"), Existing::Keep).unwrap();
        file.write_all(b"rows").unwrap();
        drop(file);
        // As if the folder had been removed meanwhile.
        unfinished.destination = home.path().join("gone/day.csv");
        let temporary = unfinished.temporary().to_owned();
        let (kept, result) = unfinished.keep();
        assert_eq!((&kept, result.unwrap_err().kind()), (&temporary, io::ErrorKind::NotFound));
        assert_eq!(fs::read(&kept).unwrap(), b"rows");
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
        // As for an annotated video, which its encoder opens by name.
        drop(file);
        remove_leftovers(home.path()).unwrap();
        assert!(!left.exists() && others.exists() && partial.temporary().exists());
        assert_eq!(partial.finish().unwrap(), path);
        remove_leftovers(home.path()).unwrap();
        assert!(path.exists());
    }
}
