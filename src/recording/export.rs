//! Exports a recording: its table with names and merges, its video with the boxes drawn in, its marks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Edits, Mark, Recording, RecordingSource, SavedMark};
use crate::blur::{Blur, SceneBlurrer};
use crate::export::{
    AnnotatedVideo, Existing, ExportError, FaceTable, PartialFile, RESULT_SUFFIX, Staging, VideoShape, annotate_titled,
    free_names,
};
use crate::face::Face;
use crate::pipeline::{Scene, StageTimings};
use crate::source::{FrameSource as _, SourceError};

/// Rows of the table between two checks whether to stop.
const ROWS_BETWEEN_LOOKS: usize = 4096;

/// What to export, and where to.
#[derive(Clone, Debug)]
pub struct Export {
    /// The recording.
    pub recording: Arc<Recording>,
    /// The user's edits of it.
    pub edits: Edits,
    /// What is blurred in the video.
    pub blur: Option<Blur>,
    /// Folder for the results; it is created if necessary.
    pub folder: PathBuf,
}

/// The exported files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The video with boxes, names and labels.
    pub video: PathBuf,
    /// The table of faces.
    pub table: PathBuf,
    /// The marks.
    pub marks: PathBuf,
    /// Warnings about the video.
    pub complaints: Vec<String>,
}

/// Why a recording can't be exported. No result is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ExportProblem {
    /// A result can't be written.
    #[error(transparent)]
    Write(#[from] ExportError),
    /// The video can't be read.
    #[error(transparent)]
    Read(#[from] SourceError),
    /// The export was stopped, after this many frames.
    #[error("stopped after {0} frames; no results were written")]
    Stopped(u64),
}

impl Export {
    /// Writes the three files. The table has every recorded row, including those of hidden people. The video shows only
    /// people who aren't hidden, at a constant rate. `on_scene` is called for each frame.
    ///
    /// # Errors
    /// When a file can't be written, the video can't be read, or `stop` was set.
    pub fn run(&self, stop: &AtomicBool, on_scene: impl FnMut(&Scene)) -> Result<Exported, ExportProblem> {
        let stem = format!("{}{RESULT_SUFFIX}", self.recording.name());
        let [video, table, marks] = free_names(&self.folder, &stem, [".mp4", ".csv", "-marks.csv"]);
        let staging = Staging::create(&self.folder)?;
        let staged = [&video, &table, &marks].map(|path| staging.path().join(path.file_name().unwrap_or_default()));
        let complaints = self.write(&staged, stop, on_scene).map_err(|problem| match problem {
            ExportProblem::Write(error) => ExportProblem::Write(staging.with_final_name(error)),
            other => other,
        })?;
        staging.publish(Existing::Keep)?;
        Ok(Exported { video, table, marks, complaints })
    }

    /// Writes the files and returns the warnings about the video.
    fn write(
        &self,
        [video, table, marks]: &[PathBuf; 3],
        stop: &AtomicBool,
        mut on_scene: impl FnMut(&Scene),
    ) -> Result<Vec<String>, ExportProblem> {
        let mut source = RecordingSource::open(Arc::clone(&self.recording))?;
        let info = source.info().clone();
        // Create all files first, so that a folder that can't be written to is found at once.
        let table = FaceTable::create_with_names(table, &self.recording.metadata.classes)?;
        let marks = PartialFile::create(marks)?;
        let mut video = AnnotatedVideo::create(video, VideoShape::of(&info))?;

        let mut blurrer = self.blur.map(SceneBlurrer::new);
        let mut frames = 0;
        while let Some(frame) = source.read()? {
            go_on(stop, frames)?;
            let recorded: Vec<Face> = self.recording.faces.of_frame(frame.index).map(|row| row.face()).collect();
            let faces = self.edits.shown(&recorded);
            let timings = StageTimings::default();
            let classes = self.recording.metadata.classes.clone();
            let scene = Scene { frame, picture: None, classes, faces, timings, labelled_at: Instant::now() };
            on_scene(&scene);
            frames += 1;
            let Some(blurrer) = &mut blurrer else {
                self.show(scene, &mut video)?;
                continue;
            };
            // All recorded faces: people who are hidden in the window must be blurred too.
            let ready = blurrer.push(scene, &recorded).map_err(ExportError::from)?;
            ready.into_iter().try_for_each(|scene| self.show(scene, &mut video))?;
        }
        if let Some(blurrer) = blurrer {
            let rest = blurrer.finish().map_err(ExportError::from)?;
            rest.into_iter().try_for_each(|scene| self.show(scene, &mut video))?;
        }
        self.write_table(table, || go_on(stop, frames))?;
        write_marks(marks, &self.edits.marks(&self.recording.marks))?;
        let complaints = video.finish(None)?.complaints();
        // The last chance to stop: after this, the files get their final names.
        go_on(stop, frames)?;
        Ok(complaints)
    }

    fn show(&self, mut scene: Scene, video: &mut AnnotatedVideo) -> Result<(), ExportError> {
        let faces = std::mem::take(&mut scene.faces);
        let title = |face: &Face| self.edits.short(face.id);
        annotate_titled(Arc::make_mut(&mut scene.frame.image), &faces, &scene.classes, title)?;
        video.push(scene)
    }

    fn write_table(
        &self,
        mut table: FaceTable,
        go_on: impl Fn() -> Result<(), ExportProblem>,
    ) -> Result<(), ExportProblem> {
        let file = &self.recording.metadata.device;
        for (place, row) in self.recording.faces.rows().enumerate() {
            if place.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                go_on()?;
            }
            let face = self.edits.apply(row.face());
            let name = self.edits.name(face.id).unwrap_or_default();
            table.push_named(file, row.frame(), row.time(), &face, &self.recording.metadata.classes, name)?;
        }
        table.finish()?;
        Ok(())
    }
}

fn go_on(stop: &AtomicBool, frames: u64) -> Result<(), ExportProblem> {
    if stop.load(Ordering::Relaxed) { Err(ExportProblem::Stopped(frames)) } else { Ok(()) }
}

fn write_marks((partial, file): (PartialFile, std::fs::File), marks: &[Mark]) -> Result<(), ExportError> {
    let path: &Path = partial.destination();
    let write = || -> std::io::Result<()> {
        let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(&file);
        rows.write_record(SavedMark::COLUMNS)?;
        for mark in marks {
            rows.serialize(SavedMark::from(mark))?;
        }
        rows.flush()
    };
    write().map_err(|reason| ExportError::Write { path: path.to_owned(), reason })?;
    drop(file);
    partial.finish().map(drop)
}
