//! A recorded live session in a folder: the video as the camera gave it, the faces seen in it, and the user's marks.
//!
//! | file | what | when it is written |
//! |---|---|---|
//! | [`METADATA`] | device, model, options, versions, times | at the start, and again, complete, at the end |
//! | [`VIDEO`] | every frame as the camera gave it | as frames arrive; can be read up to there after a kill |
//! | [`FRAMES`] | a row for each frame in the video: its number and time | with its frame |
//! | [`FACES`] | the table of `docs/tables.md`, a row for each face on each labelled frame | as frames are labelled |
//! | [`ANALYSED`] | a row for each frame that was labelled, with or without a face | as frames are labelled |
//! | [`MARKS`] | a row for each mark | at once |
//! | [`EDITS`] | names, merges, hidden faces and marks that were edited in a replay | as a whole |
//! | [`SNAPSHOTS`] | pictures that were saved during the recording | each as a whole |

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
mod waiting;
mod writer;

pub use analysed::AnalysedFrames;
pub use edits::{Edits, EditsFile};
pub use error::OpenError;
pub use export::{Export, ExportProblem, Exported};
pub use faces::{FaceLog, FaceRow, Presence};
pub use files::RecordingError;
pub use folder::{check_folder, default_folder};
pub use frames::{FrameTimes, Stamp};
use marks::SavedMark;
pub use marks::{Mark, MarkError, append_mark, read_marks};
pub use metadata::{Counts, Metadata, OWN_CLASSES_SCHEMA, RECORDING_SCHEMA};
pub use reader::{Recording, folder_of};
pub use snapshot::{Snapshot, SnapshotError, save as save_snapshot};
pub use source::RecordingSource;
pub use waiting::Waiting;
pub use writer::{END_WITHIN, EndReason, Progress, RecordingEvent, SessionWriter, Subject};

/// The metadata, one JSON object. A folder that contains it is a recording.
pub const METADATA: &str = "session.json";

/// The video, in Matroska: what was written before a kill can be read.
pub const VIDEO: &str = "video.mkv";

/// `video_frame,frame,time_s`: the position in the video from 0, the frame's number as in the table of faces, and its time
/// in seconds since the recording began. The times in the video itself are evenly spaced.
pub const FRAMES: &str = "frames.csv";

/// `frame`: the number of each frame that was analysed, with or without a face. Recordings of older versions lack this file.
pub const ANALYSED: &str = "analysed.csv";

/// The table of faces. `time_s` counts from the start of the recording.
pub const FACES: &str = "faces.csv";

/// `time_s,text`: the time since the recording began, and the user's text.
pub const MARKS: &str = "marks.csv";

/// The edits made in a replay.
pub const EDITS: &str = "edits.json";

/// The folder of pictures saved during the recording.
pub const SNAPSHOTS: &str = "snapshots";
