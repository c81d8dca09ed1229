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

/// Maximum size of the metadata in bytes; they usually have about 2000.
const MOST_METADATA_BYTES: u64 = 1 << 20;

/// Maximum length of a device's name in bytes. A file's name has at most 255, a camera's 32.
const LONGEST_DEVICE: usize = 1024;

/// A recording that was read, without its pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    folder: PathBuf,
    /// How it was made.
    pub metadata: Metadata,
    /// Number and time of each frame in the video.
    pub frames: FrameTimes,
    /// Which frames were analysed, if the recording says.
    pub analysed: Option<AnalysedFrames>,
    /// The recorded faces.
    pub faces: Arc<FaceLog>,
    /// The marks as recorded.
    pub marks: Vec<Mark>,
    /// What the video file says about itself.
    pub video: SourceInfo,
    /// What is missing, one sentence each.
    pub notices: Vec<String>,
}

/// The folder of the recording at `path`, which is either that folder or its metadata file.
pub fn folder_of(path: &Path) -> Option<PathBuf> {
    if path.join(METADATA).is_file() {
        return Some(path.to_owned());
    }
    let is_metadata = path.file_name().is_some_and(|name| name == METADATA) && path.is_file();
    is_metadata.then(|| whole::folder_of(path).to_owned())
}

impl Recording {
    /// Reads the recording in a folder. One that was cut off by a kill is read as far as it goes, and [`Self::notices`] says so.
    ///
    /// # Errors
    /// When the folder isn't a recording, one of its files is missing or can't be read, or a table has an invalid row.
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
        let (analysed, analysed_cut) = AnalysedFrames::read(&folder.join(ANALYSED), killed)?;
        let video = VideoSource::open(&folder.join(VIDEO))?.info().clone();

        let mut notices = Vec::new();
        if killed {
            let cut = if frames_cut || faces_cut || analysed_cut { ", the last row incomplete" } else { "" };
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
        // Without its marks, a recording can still be shown.
        let marks = read_marks(&folder.join(MARKS)).unwrap_or_else(|error| {
            notices.push(format!("The marks are left out: {error}"));
            Vec::new()
        });
        let faces = Arc::new(faces);
        Ok(Self { folder: folder.to_owned(), metadata, frames, analysed, faces, marks, video, notices })
    }

    /// The folder of the recording.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its name, which is the folder's.
    pub fn name(&self) -> String {
        // The path may be `.`.
        let absolute = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        absolute.file_name().map_or_else(|| "recording".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Opens its edits file, and returns it with the edits in it.
    ///
    /// # Errors
    /// When the file exists but can't be read or parsed; worded for the user.
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
    // Check the schema first: a newer one may have fields of other types.
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(broken)?;
    if let Some(schema) = value.get("schema").and_then(serde_json::Value::as_u64)
        && ![RECORDING_SCHEMA, OWN_CLASSES_SCHEMA].map(u64::from).contains(&schema)
    {
        let schema = u32::try_from(schema).unwrap_or(u32::MAX);
        return Err(OpenError::Schema { folder: folder.to_owned(), schema });
    }
    // Parse the text again, so that an error has a line number.
    let metadata: Metadata = serde_json::from_slice(&text).map_err(broken)?;
    if metadata.device.len() > LONGEST_DEVICE {
        // The name is in each row of an exported table.
        let reason = format!("the name of the device is longer than {LONGEST_DEVICE} bytes");
        return Err(broken(serde_json::Error::custom(reason)));
    }
    Ok(metadata)
}
