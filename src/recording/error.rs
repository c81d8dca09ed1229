//! Why a recording can't be opened, worded for the user.

use std::path::PathBuf;

use super::{FACES, FRAMES, METADATA, OWN_CLASSES_SCHEMA, VIDEO};
use crate::source::SourceError;

/// Why a folder can't be opened as a recording.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such folder.
    #[error("{} does not exist; check the path", .0.display())]
    Missing(PathBuf),
    /// The folder holds no metadata.
    #[error("{} is a folder without {METADATA}, so it is not a recording; name the folder that Mien recorded into, or a video", .0.display())]
    NoRecording(PathBuf),
    /// The metadata can't be parsed.
    #[error("{}: {reason}; without it the recording can't be opened, but its {VIDEO} can be, as a video", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: serde_json::Error,
    },
    /// Its schema isn't supported by this version.
    #[error("{} was recorded in format {schema}, and this Mien knows formats up to {OWN_CLASSES_SCHEMA}; open it with a newer Mien", folder.display())]
    Schema {
        /// The folder.
        folder: PathBuf,
        /// The schema in the metadata.
        schema: u32,
    },
    /// A required file is missing.
    #[error("{} has no {name}: {}", folder.display(), without(name))]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        name: &'static str,
    },
    /// The system refuses to read a file.
    #[error("{} can't be read ({reason}); check its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: std::io::Error,
    },
    /// A row of a table is invalid.
    #[error("{}, line {line}: {reason}; get the file again, or remove that line", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1, the header included.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Nothing was recorded.
    #[error("{} holds no frame: its recording ended before the first one was written", .0.display())]
    Empty(PathBuf),
    /// The video can't be read.
    #[error(transparent)]
    Video(#[from] SourceError),
}

/// What to do about a missing file.
fn without(name: &str) -> &'static str {
    match name {
        VIDEO => "without the video there is nothing to show; its tables can still be read",
        FRAMES => "without it nobody knows when a frame was seen, but its video.mkv can be replayed as a video",
        FACES => "without it there are no recorded results, but its video.mkv can be replayed as a video",
        _ => "it must have been moved or deleted",
    }
}
