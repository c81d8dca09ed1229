//! The files of a recording while they grow. Each row and each picture is passed to the system at once, so that a kill
//! leaves everything before it intact.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opencv::core::{Mat, MatTraitConst as _, Vector};
use opencv::imgcodecs;

use super::matroska::MotionJpeg;
use super::{ANALYSED, Counts, FACES, FRAMES, MARKS, METADATA, Mark, MarkError, Metadata, VIDEO, append_mark};
use crate::classes::Classes;
use crate::digits::TIME_DIGITS;
use crate::export::rows;
use crate::face::Face;
use crate::whole::{self, Existing};

/// JPEG quality of the pictures in the video, in percent. A webcam's own JPEG is coarser: the loss is far below its noise
/// (53 dB at 640×480, where MPEG-4 and H.264 with OpenCV's settings reach 37), in 0.8 ms per picture.
const QUALITY: i32 = 95;

/// Frame rate of the video if the camera doesn't declare one.
const FALLBACK_FPS: f64 = 30.0;

/// Why a recording can't be started or continued.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The folder can't be created.
    #[error("can't record to {}: {reason}; choose another folder", folder.display())]
    Folder {
        /// The folder that was chosen.
        folder: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// A file can't be written: the disk is full or gone.
    #[error("can't write to {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// A mark can't be written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// OpenCV can't encode a picture.
    #[error("a picture can't be encoded: {0}")]
    Encode(#[from] opencv::Error),
    /// The size of the frames changed, and a video has only one.
    #[error("the camera now sends {}×{} instead of {}×{}; start another recording", now.0, now.1, before.0, before.1)]
    OtherSize {
        /// Width and height at the start.
        before: (usize, usize),
        /// Width and height now.
        now: (usize, usize),
    },
    /// The classes changed, and a table has the columns of only one set.
    #[error("the network's classes are now {now}, not {before}; start another recording")]
    OtherClasses {
        /// At the start.
        before: Classes,
        /// Now.
        now: Classes,
    },
}

impl RecordingError {
    /// Whether the disk or the user's quota is full.
    pub(super) fn is_full_disk(&self) -> bool {
        let full =
            |reason: &io::Error| matches!(reason.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Self::Folder { reason, .. } | Self::Write { reason, .. } | Self::Mark(MarkError::Write { reason, .. }) => {
                full(reason)
            }
            _ => false,
        }
    }
}

/// A recording's files.
pub(super) struct Files {
    folder: PathBuf,
    metadata: Metadata,
    video: MotionJpeg,
    frames: Table,
    analysed: Table,
    faces: Table,
    jpeg: Vector<u8>,
    jpeg_options: Vector<i32>,
    faces_written: u64,
}

impl Files {
    /// Creates the files in an empty folder.
    pub fn create(folder: &Path, metadata: Metadata) -> Result<Self, RecordingError> {
        write_metadata(folder, &metadata)?;
        let fps = if metadata.fps > 0.0 { metadata.fps } else { FALLBACK_FPS };
        let video = MotionJpeg::create(&folder.join(VIDEO), metadata.width, metadata.height, fps)
            .map_err(|reason| RecordingError::Write { path: folder.join(VIDEO), reason })?;
        Ok(Self {
            video,
            frames: Table::create(folder.join(FRAMES), ["video_frame", "frame", "time_s"].map(str::to_owned))?,
            analysed: Table::create(folder.join(ANALYSED), ["frame".to_owned()])?,
            faces: Table::create(folder.join(FACES), rows::header(&metadata.classes))?,
            folder: folder.to_owned(),
            metadata,
            jpeg: Vector::new(),
            jpeg_options: Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, QUALITY]),
            faces_written: 0,
        })
    }

    /// Adds a frame to the video, with its number in the source and its time since the recording began.
    pub fn frame(&mut self, image: &Mat, frame: u64, time: Duration) -> Result<(), RecordingError> {
        let size = |pixels: i32| usize::try_from(pixels).unwrap_or(0);
        let (now, before) = ((size(image.cols()), size(image.rows())), (self.metadata.width, self.metadata.height));
        if now != before {
            return Err(RecordingError::OtherSize { before, now });
        }
        imgcodecs::imencode(".jpg", image, &mut self.jpeg, &self.jpeg_options)?;
        let video_frame = self.video.frames();
        self.video
            .push(self.jpeg.as_slice())
            .map_err(|reason| RecordingError::Write { path: self.folder.join(VIDEO), reason })?;
        // After the picture, so that each row has one.
        self.frames.row([video_frame.to_string(), frame.to_string(), seconds(time)])
    }

    /// Adds the faces of a frame that was labelled by a network with these classes.
    pub fn faces(
        &mut self,
        faces: &[Face],
        classes: &Classes,
        frame: u64,
        time: Duration,
    ) -> Result<(), RecordingError> {
        if *classes != self.metadata.classes {
            let (before, now) = (self.metadata.classes.clone(), classes.clone());
            return Err(RecordingError::OtherClasses { before, now });
        }
        self.analysed.row([frame.to_string()])?;
        for face in faces {
            let row = rows::row(&self.metadata.device, frame, time, face, classes);
            self.faces.row(row.iter().map(ToString::to_string))?;
            self.faces_written += 1;
        }
        Ok(())
    }

    /// Adds a mark.
    pub fn mark(&self, mark: &Mark) -> Result<(), RecordingError> {
        Ok(append_mark(&self.folder.join(MARKS), mark)?)
    }

    /// Frames in the video so far.
    pub fn frames(&self) -> u64 {
        self.video.frames()
    }

    /// Bytes of video so far.
    pub fn bytes(&self) -> u64 {
        self.video.bytes()
    }

    /// Completes the files. If that fails, they can still be read. `lost` says what is missing from them.
    pub fn finish(self, ended: String, lost: Counts) -> (Counts, Result<(), RecordingError>) {
        let Self { folder, mut metadata, mut video, frames, analysed, faces, faces_written, .. } = self;
        let counts = Counts { frames: video.frames(), faces: faces_written, ..lost };
        metadata.ended = Some(ended);
        metadata.counts = Some(counts);
        let of_video = |reason| RecordingError::Write { path: folder.join(VIDEO), reason };
        // The tables first: once the metadata has an end, a cut row counts as damage.
        let tables = frames.finish().and(analysed.finish()).and(faces.finish());
        let completed = video.complete().map_err(of_video);
        let described = write_metadata(&folder, &metadata);
        // Last, because a slow disk may take longer than the program lives.
        let synced = video.sync().map_err(of_video);
        (counts, tables.and(completed).and(described).and(synced))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.*}", TIME_DIGITS, time.as_secs_f64())
}

/// Writes the metadata atomically, so that the file is always whole.
fn write_metadata(folder: &Path, metadata: &Metadata) -> Result<(), RecordingError> {
    let path = folder.join(METADATA);
    let write = || {
        let mut text = serde_json::to_vec_pretty(metadata)?;
        text.push(b'\n');
        whole::write(&path, &text, Existing::Replace)
    };
    write().map_err(|reason| RecordingError::Write { path: path.clone(), reason })
}

/// A table whose rows are passed to the system one by one, each in one write.
struct Table {
    path: PathBuf,
    file: File,
    /// Length of the whole rows.
    whole: u64,
}

impl Table {
    fn create(path: PathBuf, header: impl IntoIterator<Item = String>) -> Result<Self, RecordingError> {
        let opened = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = opened.map_err(|reason| RecordingError::Write { path: path.clone(), reason })?;
        let mut table = Self { path, file, whole: 0 };
        table.row(header)?;
        Ok(table)
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> Result<(), RecordingError> {
        let write = || {
            let mut row = csv::Writer::from_writer(Vec::new());
            row.write_record(cells).map_err(io::Error::from)?;
            let row = row.into_inner().map_err(csv::IntoInnerError::into_error)?;
            self.whole = whole::append(&mut self.file, self.whole, &row)?;
            Ok(())
        };
        write().map_err(|reason| RecordingError::Write { path: self.path.clone(), reason })
    }

    fn finish(self) -> Result<(), RecordingError> {
        self.file.sync_all().map_err(|reason| RecordingError::Write { path: self.path, reason })
    }
}
