//! Opens a folder that holds a recording.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::Error as _;

use super::{
    ANALYSED, AnalysedFrames, EDITS, Edits, EditsFile, FACES, FRAMES, FaceLog, FrameTimes, MARKS, METADATA, Mark,
    Metadata, OWN_CLASSES_SCHEMA, OpenError, RECORDING_SCHEMA, VIDEO, read_marks,
};
use crate::bounded;
use crate::source::{FrameSource as _, SourceInfo, VideoSource};
use crate::whole;

/// Bytes that the metadata may have; they have about 2000.
const MOST_METADATA_BYTES: u64 = 1 << 20;

/// Bytes that a device's name may have: a file's have 255 at most, a camera's 32.
const LONGEST_DEVICE: usize = 1024;

/// A recording, read: everything but the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    folder: PathBuf,
    /// How it was made.
    pub metadata: Metadata,
    /// Which frame is where in the video, and when it was seen.
    pub frames: FrameTimes,
    /// Which frames the network saw, if the recording says.
    pub analysed: Option<AnalysedFrames>,
    /// The recorded faces.
    pub faces: Arc<FaceLog>,
    /// The marks as recorded.
    pub marks: Vec<Mark>,
    /// The video's own words about itself.
    pub video: SourceInfo,
    /// What is missing, a sentence each.
    pub notices: Vec<String>,
}

/// The folder of the recording that `path` means: the folder itself, or the one of its metadata.
pub fn folder_of(path: &Path) -> Option<PathBuf> {
    if path.join(METADATA).is_file() {
        return Some(path.to_owned());
    }
    let is_metadata = path.file_name().is_some_and(|name| name == METADATA) && path.is_file();
    is_metadata.then(|| whole::folder_of(path).to_owned())
}

impl Recording {
    /// Reads the recording in a folder. What a kill left unfinished is read as far as it goes, and [`Self::notices`]
    /// says so.
    ///
    /// # Errors
    /// When the folder is no recording, a file of it is missing, or a table has a row that is none.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let metadata = read_metadata(folder)?;
        for name in [VIDEO, FRAMES, FACES] {
            if !folder.join(name).exists() {
                return Err(OpenError::NoFile { folder: folder.to_owned(), name });
            }
        }
        let killed = metadata.ended.is_none();
        let (frames, frames_cut) = FrameTimes::read(&folder.join(FRAMES), killed)?;
        if frames.is_empty() {
            return Err(OpenError::Empty(folder.to_owned()));
        }
        let (faces, faces_cut) = FaceLog::read(&folder.join(FACES), &metadata.classes, killed)?;
        let analysed = AnalysedFrames::read(&folder.join(ANALYSED), killed)?;
        let video = VideoSource::open(&folder.join(VIDEO))?.info().clone();

        let mut notices = Vec::new();
        if killed {
            let cut = if frames_cut || faces_cut { ", the last row incomplete" } else { "" };
            notices.push(format!(
                "This recording was not ended properly; what was written until then is shown ({} frames{cut})",
                frames.len()
            ));
        }
        if let Some(in_video) = video.frames()
            && in_video != frames.len() as u64
        {
            notices.push(format!(
                "{VIDEO} holds {in_video} frames and {FRAMES} lists {}; those in both are shown",
                frames.len()
            ));
        }
        // A broken list of marks is no reason to show nothing.
        let marks = read_marks(&folder.join(MARKS)).unwrap_or_else(|error| {
            notices.push(format!("The marks are left out: {error}"));
            Vec::new()
        });
        let faces = Arc::new(faces);
        Ok(Self { folder: folder.to_owned(), metadata, frames, analysed, faces, marks, video, notices })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What to call it: the folder's name.
    pub fn name(&self) -> String {
        // The folder may have been named as `.`.
        let absolute = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        absolute.file_name().map_or_else(|| "recording".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The file of its edits, with what is in it.
    ///
    /// # Errors
    /// When the file is there and can't be understood, in words for the user.
    pub fn edits(&self) -> Result<(EditsFile, Edits), String> {
        EditsFile::open(&self.folder.join(EDITS))
    }
}

fn read_metadata(folder: &Path) -> Result<Metadata, OpenError> {
    if !folder.exists() {
        return Err(OpenError::Missing(folder.to_owned()));
    }
    let path = folder.join(METADATA);
    if !path.is_file() {
        return Err(OpenError::NoRecording(folder.to_owned()));
    }
    let text = bounded::read(&path, MOST_METADATA_BYTES)
        .map_err(|reason| OpenError::Unreadable { path: path.clone(), reason })?;
    let broken = |reason| OpenError::Metadata { path: path.clone(), reason };
    // The form first: one that is newer may have fields of other kinds.
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(broken)?;
    if let Some(schema) = value.get("schema").and_then(serde_json::Value::as_u64)
        && ![RECORDING_SCHEMA, OWN_CLASSES_SCHEMA].map(u64::from).contains(&schema)
    {
        let schema = u32::try_from(schema).unwrap_or(u32::MAX);
        return Err(OpenError::Schema { folder: folder.to_owned(), schema });
    }
    // From the text again, for the line of what is wrong.
    let metadata: Metadata = serde_json::from_slice(&text).map_err(broken)?;
    if metadata.device.len() > LONGEST_DEVICE {
        // It stands in each row of an exported table.
        let reason = format!("the name of the device is longer than {LONGEST_DEVICE} bytes");
        return Err(broken(serde_json::Error::custom(reason)));
    }
    Ok(metadata)
}
