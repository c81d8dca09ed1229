//! Everything that is written from the scenes of a file: tables, annotated copies, summary and report.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::record::{FileState, Results};
use super::summaries::Summaries;
use crate::export::{
    AnnotatedVideo, ExportError, FaceTable, Original, TableFormat, VideoShape, annotate, encoded, write_file,
};
use crate::pipeline::Scene;
use crate::report::Fact;
use crate::source::SourceInfo;

/// Put before the ending of annotated copies.
const ANNOTATED: &str = ".annotated";

/// Kinds of pictures that an annotated copy has too; of any other one it is a PNG.
const KEPT_KINDS: [&str; 3] = ["jpeg", "jpg", "png"];

/// What is to be written of each file.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Kinds of tables.
    pub tables: Vec<TableFormat>,
    /// Annotated copies.
    pub video: bool,
    /// Summary and report.
    pub summary: bool,
}

/// Where the results of one file, or of all pictures, are to be written.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// What files in it are called, without ending.
    pub name: &'a str,
    /// What tables and reports call the video.
    pub file: &'a str,
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What a report says of model, options and versions.
    pub facts: &'a [Fact],
}

/// Everything that is written from a stream of scenes. Dropped unfinished, it leaves nothing but what is in its folder.
pub struct Products<'a> {
    place: Place<'a>,
    tables: Vec<FaceTable>,
    video: Option<AnnotatedVideo>,
    annotates_pictures: bool,
    pictures: Vec<PathBuf>,
    summaries: Option<Summaries>,
    frames: u64,
    faces: u64,
}

impl Wanted {
    /// What the results of a file of this name are called that are there in any case.
    pub fn names(&self, name: &str, is_video: bool) -> Vec<String> {
        let mut names: Vec<_> = self.tables.iter().map(|format| format!("{name}{}", format.ending())).collect();
        if self.video && is_video {
            names.push(annotated_video(name));
        }
        if self.summary {
            names.extend([Summaries::table_name(name), Summaries::report_name(name)]);
        }
        names
    }
}

impl<'a> Products<'a> {
    /// Of a video whose frames lie so far apart.
    pub fn of_video(place: Place<'a>, info: &SourceInfo, spacing: Duration) -> Result<Self, ExportError> {
        let shape = VideoShape { width: info.width, height: info.height, fps: 1.0 / spacing.as_secs_f64() };
        let path = place.folder.join(annotated_video(place.name));
        let video = place.wanted.video.then(|| AnnotatedVideo::create(&path, shape)).transpose()?;
        let summaries = place.wanted.summary.then(|| Summaries::of_video(place, spacing)).transpose()?;
        Ok(Self { video, summaries, ..Self::tables_alone(place)? })
    }

    /// Of all pictures.
    pub fn of_pictures(place: Place<'a>) -> Result<Self, ExportError> {
        let summaries = place.wanted.summary.then(|| Summaries::of_pictures(place)).transpose()?;
        Ok(Self { annotates_pictures: place.wanted.video, summaries, ..Self::tables_alone(place)? })
    }

    fn tables_alone(place: Place<'a>) -> Result<Self, ExportError> {
        let path = |format: &TableFormat| place.folder.join(format!("{}{}", place.name, format.ending()));
        let tables = place.wanted.tables.iter().map(|format| FaceTable::create(&path(format), *format));
        Ok(Self {
            place,
            tables: tables.collect::<Result<_, _>>()?,
            video: None,
            annotates_pictures: false,
            pictures: Vec::new(),
            summaries: None,
            frames: 0,
            faces: 0,
        })
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Adds the next scene of `file`.
    pub fn push(&mut self, file: &str, mut scene: Scene) -> anyhow::Result<()> {
        self.frames += 1;
        self.faces += scene.faces.len() as u64;
        self.tables.iter_mut().try_for_each(|table| table.push(file, &scene))?;
        if let Some(summaries) = &mut self.summaries {
            summaries.push(file, &scene)?;
        }
        if let Some(video) = &mut self.video {
            video.push(scene)?;
        } else if self.annotates_pictures && !scene.faces.is_empty() {
            annotate(Arc::make_mut(&mut scene.frame.image), &scene.faces)?;
            let copy = annotated_picture(Path::new(file));
            let ending = copy.extension().map_or(Cow::default(), |ending| ending.to_string_lossy());
            let path = self.place.folder.join(&copy);
            self.pictures.push(write_file(&path, &encoded(&scene.frame.image, &ending)?)?);
        }
        Ok(())
    }

    /// Completes everything. The sound comes from `original`.
    pub fn finish(self, mut complaints: Vec<String>, original: Option<&Original<'_>>) -> anyhow::Result<Results> {
        let mut paths = Vec::new();
        let mut notes = Vec::new();
        for table in self.tables {
            paths.push(table.finish()?);
        }
        if let Some(video) = self.video {
            let video = video.finish(original)?;
            notes.push(video.to_string());
            complaints.extend(video.complaints());
            paths.push(video.path);
        }
        if let Some(summaries) = self.summaries {
            paths.extend(summaries.finish(self.place, &complaints)?);
        }
        paths.extend(self.pictures);
        let outputs = paths.iter().map(|path| FileState::of(path)).collect::<Result<_, _>>()?;
        Ok(Results { outputs, frames: self.frames, faces: self.faces, complaints, notes })
    }
}

/// What the annotated copy of a video is called.
fn annotated_video(name: &str) -> String {
    format!("{name}{ANNOTATED}.mp4")
}

/// What the annotated copy of a picture is called: no other picture's copy has that name.
pub fn annotated_picture(picture: &Path) -> PathBuf {
    let ending = picture.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let ending = KEPT_KINDS.into_iter().find(|kind| *kind == ending).unwrap_or("png");
    let mut copy = picture.as_os_str().to_owned();
    copy.push(format!("{ANNOTATED}.{ending}"));
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_pictures_keep_their_folders_and_kinds_and_never_meet() {
        let copy = |name: &str| annotated_picture(Path::new(name)).to_string_lossy().replace('\\', "/");
        assert_eq!(copy("a/face.JPG"), "a/face.JPG.annotated.jpg");
        assert_eq!(copy("a/face.tiff"), "a/face.tiff.annotated.png");
        assert_eq!(copy("face.png"), "face.png.annotated.png");
    }
}
