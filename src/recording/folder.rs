//! Where recordings go, and what their folders are called.

use std::io;
use std::path::{Path, PathBuf};

use directories::UserDirs;
use jiff::ZonedDateTime;

use super::files::RecordingError;

/// Maximum number of characters in a name without its extension. Some systems allow 255 bytes in all.
const LONGEST_NAME: usize = 80;

/// Characters that are forbidden in names on some system.
const FORBIDDEN: &[char] = &['/', '\\', ':', '*', '?', '"', '<', '>', '|'];

/// Default folder for recordings and pictures: `Mien` in the user's video folder, else documents folder, else home folder.
#[must_use]
pub fn default_folder() -> PathBuf {
    let user = UserDirs::new();
    let folder = user.as_ref().map(|dirs| dirs.video_dir().or(dirs.document_dir()).unwrap_or(dirs.home_dir()));
    folder.unwrap_or(Path::new(".")).join("Mien")
}

/// A name that sorts by time: `2026-11-24 21-03-11 Integrated Webcam`.
pub(super) fn name(began: &ZonedDateTime, device: &str) -> String {
    tidy(&format!("{} {device}", began.strftime("%Y-%m-%d %H-%M-%S")))
}

/// Makes a name valid on every system.
pub(super) fn tidy(name: &str) -> String {
    let allowed = |c: char| if FORBIDDEN.contains(&c) || c.is_control() { '-' } else { c };
    let name: String = name.chars().map(allowed).take(LONGEST_NAME).collect();
    // Windows drops trailing dots and spaces by itself.
    name.trim_end_matches(['.', ' ']).to_owned()
}

/// Checks that recordings can be made in `parent`, which is created if necessary.
///
/// # Errors
/// When it can't be created or written to.
pub fn check_folder(parent: &Path) -> Result<(), RecordingError> {
    let check = || {
        std::fs::create_dir_all(parent)?;
        tempfile::tempdir_in(parent)?.close()
    };
    check().map_err(|reason| RecordingError::Folder { folder: parent.to_owned(), reason })
}

/// Creates a new folder in `parent`, which is created if necessary: `name`, or `name 2`, `name 3`, … if that is taken.
pub(super) fn create(parent: &Path, name: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(parent)?;
    let mut number = 1;
    loop {
        let folder = parent.join(if number == 1 { name.to_owned() } else { format!("{name} {number}") });
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_the_local_time_and_hold_nothing_that_a_system_forbids() {
        let began: ZonedDateTime = "2026-11-24T21:03:11+01:00[Europe/Berlin]".parse().unwrap();
        assert_eq!(name(&began, "Integrated Webcam"), "2026-11-24 21-03-11 Integrated Webcam");
        assert_eq!(name(&began, "a/b: \"c\"\n."), "2026-11-24 21-03-11 a-b- -c--");
        assert_eq!(name(&began, ""), "2026-11-24 21-03-11");
        assert!(name(&began, &"ü".repeat(500)).len() < 255);
    }

    #[test]
    fn a_folder_that_is_there_is_never_used_again() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("Videos/Mien");
        let made: Vec<_> = (0..3).map(|_| create(&parent, "now").unwrap()).collect();
        assert_eq!(made, ["now", "now 2", "now 3"].map(|name| parent.join(name)));
    }
}
