//! The summary of a video, or of all pictures: a table and a page.

use std::path::PathBuf;
use std::time::Duration;

use super::products::Place;
use crate::export::{Existing, ExportError, write_file};
use crate::face::Face;
use crate::pipeline::Scene;
use crate::report::{PictureSummary, PicturesReport, Thumbnail, VideoReport, thumbnail};
use crate::source::SourceInfo;
use crate::summary::{FileFigures, FileSummary, Sighting, Summarizer, SummaryTable};
use crate::track::TrackOptions;

/// A summary in progress. Faces in videos are written to the table when they are gone.
pub struct Summaries {
    table: SummaryTable,
    kind: Kind,
}

enum Kind {
    Video {
        summarizer: Box<Summarizer<Thumbnail>>,
        interval: Duration,
        /// As the file declares it, like `duration`.
        fps: Option<f64>,
        duration: Option<Duration>,
    },
    Pictures(Box<PictureSummary>),
}

impl Summaries {
    /// The file name of the table.
    pub fn table_name(name: &str) -> String {
        format!("{name}.summary.csv")
    }

    /// The file name of the page.
    pub fn report_name(name: &str) -> String {
        format!("{name}.html")
    }

    /// Starts the summary of a video whose analysed frames are `spacing` apart.
    pub fn of_video(place: Place<'_>, info: &SourceInfo, spacing: Duration) -> Result<Self, ExportError> {
        let summarizer = Box::new(Summarizer::new(TrackOptions::for_spacing(spacing).longest_absence()));
        let (fps, duration) = (Some(info.fps).filter(|fps| *fps > 0.0), info.duration());
        Self::create(place, Kind::Video { summarizer, interval: spacing, fps, duration })
    }

    /// Starts the summary of all pictures.
    pub fn of_pictures(place: Place<'_>) -> Result<Self, ExportError> {
        Self::create(place, Kind::Pictures(Box::default()))
    }

    fn create(place: Place<'_>, kind: Kind) -> Result<Self, ExportError> {
        let table = SummaryTable::create(&place.folder.join(Self::table_name(place.name)), place.classes)?;
        Ok(Self { table, kind })
    }

    /// Notes which faces are present at this time, including those that are left out: they may be counted again later.
    pub fn note_present(&mut self, time: Duration, faces: &[Face]) {
        if let Kind::Video { summarizer, .. } = &mut self.kind {
            faces.iter().for_each(|face| summarizer.note_present(face.id, time));
        }
    }

    /// Adds the next scene of `file`.
    pub fn push(&mut self, file: &str, scene: &Scene) -> Result<(), ExportError> {
        let image = &scene.frame.image;
        match &mut self.kind {
            Kind::Video { summarizer, .. } => {
                let sightings = scene.faces.iter().map(Sighting::of).collect();
                let picture = |index: usize| thumbnail(image, &scene.faces[index].rect);
                let gone = summarizer.push(scene.frame.media_time, sightings, picture)?;
                gone.iter().try_for_each(|face| self.table.push(file, face))
            }
            Kind::Pictures(summary) => {
                summary.add_picture(scene.faces.len());
                for face in &scene.faces {
                    summary.add_face(file, &Sighting::of(face), || thumbnail(image, &face.rect))?;
                }
                Ok(())
            }
        }
    }

    /// Completes the table and the page and returns their paths.
    pub fn finish(self, place: Place<'_>, notes: &[String]) -> anyhow::Result<[PathBuf; 2]> {
        let Self { mut table, kind } = self;
        let Place { file, facts, classes, .. } = place;
        let (page, figures) = match kind {
            Kind::Video { summarizer, interval, fps, duration } => {
                let (summary, rest) = summarizer.finish(Some(interval));
                rest.iter().try_for_each(|face| table.push(file, face))?;
                if summary.people == 0 {
                    table.push_faceless(file, &summary.counts)?;
                }
                let FileSummary { frames, frames_with_face, .. } = summary;
                let page = VideoReport { file, facts, notes, classes, summary: &summary }.render()?;
                (page, FileFigures { fps, duration, frames, frames_with_face })
            }
            Kind::Pictures(summary) => {
                table.push_faceless("", summary.counts())?;
                let (frames, frames_with_face) = summary.pictures();
                let page = PicturesReport { facts, notes, classes, summary: &summary }.render()?;
                (page, FileFigures { frames, frames_with_face, ..FileFigures::default() })
            }
        };
        let report = place.folder.join(Self::report_name(place.name));
        let report = write_file(&report, page.as_bytes(), Existing::Keep)?;
        Ok([table.finish(&figures)?, report])
    }
}
