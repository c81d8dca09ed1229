//! Results as files: tables and annotated videos.
//!
//! Every file is written under a temporary name in its folder and gets its real name only when it is complete, so a crash, a full disk or
//! Ctrl-C never leaves a part that looks like a result. A camera's tables are kept as far as they go, because the same can't be recorded
//! again.

mod annotate;
mod copy;
mod in_memory;
mod join;
mod lines;
mod live;
mod osc;
mod parquet;
mod partial;
pub(crate) mod rows;
mod staging;
mod table;
mod video;

use std::io;
use std::path::PathBuf;

pub use annotate::{annotate, annotate_titled};
pub use copy::{TableCopy, TableRows};
pub use in_memory::{encoded, write_file};
pub use join::join_tables;
pub use lines::{FaceLines, LinesError};
pub use live::LiveTable;
pub use osc::{OscError, OscOutput};
pub use parquet::SCHEMA_KEY;
pub use partial::{PartialFile, free_names};
pub use rows::{COLUMNS, FRAME_COLUMNS, NAME_COLUMN, SCHEMA_VERSION};
pub use staging::Staging;
pub use table::{FaceTable, FrameTable, TableFormat};
pub use video::{AnnotatedVideo, FinishedVideo, Original, Sound, VideoCodec, VideoShape};

pub use crate::whole::{Existing, is_temporary, remove_leftovers};

/// Appended to the video's own name, so that a result in the source's folder isn't mistaken for the source.
pub const RESULT_SUFFIX: &str = "-emotions";

/// Why a result can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder doesn't exist or isn't writable.
    #[error("cannot write to the folder {}: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// The disk is full or gone.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file's final path.
        path: PathBuf,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// A table that should be joined to others can't be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// What the system says, or what is wrong with it.
        #[source]
        reason: io::Error,
    },
    /// A file of this name exists.
    #[error("{} exists already and was left alone; choose another name", .0.display())]
    Exists(PathBuf),
    /// Tables with different columns, for example of different classes, can't be joined.
    #[error(
        "{} and {} have different columns, as tables of other classes or of an older Mien do, and can't be joined",
        one.display(), other.display()
    )]
    OtherColumns {
        /// One of them.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// OpenCV can't encode video here.
    #[error("the OpenCV installed here cannot write video: it has neither an H.264 nor an MPEG-4 encoder")]
    NoEncoder,
    /// The encoder took the frames but the file doesn't hold them.
    #[error("{} came out incomplete ({written} frames of {expected}) and was removed; is the disk full?", path.display())]
    Incomplete {
        /// The file's final path.
        path: PathBuf,
        /// Frames that can be read back.
        written: u64,
        /// Frames that were given to the encoder.
        expected: u64,
    },
    /// OpenCV gave an error.
    #[error("cannot draw or encode the video: {0}")]
    OpenCv(#[from] opencv::Error),
    /// The user interrupted while the sound was added.
    #[error("interrupted while the sound was added to the video")]
    Interrupted,
    /// The thread that writes the video ended unexpectedly.
    #[error("the video could not be written: its writer ended unexpectedly; please report this")]
    WriterDied,
}

#[cfg(test)]
pub(crate) mod testing {
    use std::time::{Duration, Instant};

    use opencv::core::{CV_8UC3, Mat, Scalar};

    use crate::classes::Classes;
    use crate::emotion::{COUNT, Emotion};
    use crate::face::FaceRect;
    use crate::face::{Face, FaceId};
    use crate::frame::Frame;
    use crate::pipeline::{Scene, StageTimings};
    use crate::probabilities::Probabilities;

    pub const SCENE_WIDTH: usize = 320;
    pub const SCENE_HEIGHT: usize = 240;

    /// A gray frame with one face on it.
    pub fn scene(index: u64, emotion: Emotion) -> Scene {
        let mut weights = [0.1; COUNT];
        weights[emotion.index()] = 2.0;
        let probabilities = Probabilities::from_weights(&weights).unwrap();
        let image =
            Mat::new_rows_cols_with_default(SCENE_HEIGHT as i32, SCENE_WIDTH as i32, CV_8UC3, Scalar::all(90.0));
        let captured_at = Instant::now();
        Scene {
            frame: Frame {
                index,
                media_time: Duration::from_millis(40) * index as u32,
                captured_at,
                image: image.unwrap().into(),
            },
            picture: None,
            classes: Classes::emotions(),
            faces: vec![Face {
                landmarks: None,
                quality: Some(0.75),
                id: FaceId(1),
                rect: FaceRect { x: 100.0, y: 80.0, width: 90.0, height: 90.0 },
                score: 12.0,
                raw: probabilities,
                smoothed: probabilities,
            }],
            timings: StageTimings::default(),
            labelled_at: captured_at,
        }
    }
}
