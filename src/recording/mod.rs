//! What a live session left in a folder: the video as the camera gave it, what was seen in it, and what the user marked.
//!
//! | file | what | when it is written |
//! |---|---|---|
//! | [`METADATA`] | device, model, options, versions, times | at the start, and again, complete, at the end |
//! | [`VIDEO`] | every frame as the camera gave it | as it comes; what is there can be read after a kill |
//! | [`FRAMES`] | a row for each frame in the video: its number and time | written with it |
//! | [`FACES`] | the table of `docs/tables.md`, a row for each face on each labelled frame | as it comes |
//! | [`ANALYSED`] | a row for each frame that was labelled, with or without a face | as it comes |
//! | [`MARKS`] | a row for each mark | at once |
//! | [`EDITS`] | names, merges and hidden faces, by replay | as a whole |
//! | [`SNAPSHOTS`] | pictures that were taken meanwhile | each as a whole |

mod analysed;
mod edits;
mod error;
mod export;
mod faces;
mod feed;
mod files;
mod folder;
mod frames;
mod lines;
mod marks;
mod matroska;
mod metadata;
mod reader;
mod sleep;
mod snapshot;
mod source;
mod space;
mod thread;
mod writer;

pub use analysed::AnalysedFrames;
pub use edits::{Edits, EditsFile};
pub use error::OpenError;
pub use export::{Export, ExportProblem, Exported};
pub use faces::{FaceLog, FaceRow, Presence};
pub use files::RecordingError;
pub use folder::default_folder;
pub use frames::{FrameTimes, Stamp};
use marks::SavedMark;
pub use marks::{Mark, MarkError, append_mark, read_marks};
pub use metadata::{Counts, Metadata, OWN_CLASSES_SCHEMA, RECORDING_SCHEMA};
pub use reader::{Recording, folder_of};
pub use snapshot::{Snapshot, SnapshotError, save as save_snapshot};
pub use source::RecordingSource;
pub use writer::{END_WITHIN, EndReason, Progress, RecordingEvent, SessionWriter, Subject};

/// The metadata, one JSON object. A folder with it is a recording.
pub const METADATA: &str = "session.json";

/// The video. Matroska: what was written before a kill can be read.
pub const VIDEO: &str = "video.mkv";

/// `video_frame,frame,time_s`: the place in the video from 0, the frame's number as in the table of faces, and its time
/// since the recording began, in seconds. The times in the video itself are those of an even rate.
pub const FRAMES: &str = "frames.csv";

/// `frame`: the number of each frame that the network saw, also of those without a face. Recordings of older versions lack it.
pub const ANALYSED: &str = "analysed.csv";

/// The table of faces; `time_s` is since the recording began.
pub const FACES: &str = "faces.csv";

/// `time_s,text`: since the recording began, and what the user wrote.
pub const MARKS: &str = "marks.csv";

/// What was changed in replay.
pub const EDITS: &str = "edits.json";

/// The folder of pictures taken meanwhile.
pub const SNAPSHOTS: &str = "snapshots";
