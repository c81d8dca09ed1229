//! The page of a video.

use askama::Template;

use super::view::{MomentView, Row, Shares};
use super::words::unsure;
use super::{Fact, GENERATOR, ReportError, Thumbnail, charts};
use crate::classes::Classes;
use crate::clock::clock;
use crate::console::counted;
use crate::summary::{FaceSummary, FileSummary};

/// What the page of a video says.
#[derive(Debug)]
pub struct VideoReport<'a> {
    /// The video's name.
    pub file: &'a str,
    /// Model, options, versions.
    pub facts: &'a [Fact],
    /// Warnings about the results.
    pub notes: &'a [String],
    /// The network's classes.
    pub classes: &'a Classes,
    /// The summary.
    pub summary: &'a FileSummary<Thumbnail>,
}

#[derive(Template)]
#[template(path = "video.html")]
struct Page<'a> {
    generator: &'a str,
    title: &'a str,
    counted: String,
    facts: &'a [Fact],
    notes: &'a [String],
    all: Option<Shares>,
    /// `emotion` or `class`.
    noun: &'static str,
    faces: Vec<FaceView>,
    left_out: u64,
}

struct FaceView {
    number: u32,
    counted: String,
    shares: Shares,
    timeline: String,
    timeline_words: String,
    moments: Vec<MomentView>,
    changes_to: Vec<String>,
    changes: Vec<Row>,
}

impl VideoReport<'_> {
    /// Renders the page.
    ///
    /// # Errors
    /// When a chart or a picture can't be drawn.
    pub fn render(&self) -> Result<String, ReportError> {
        let summary = self.summary;
        let all = if summary.people > 1 { Some(Shares::of_video(&summary.counts, self.classes)?) } else { None };
        let page = Page {
            generator: GENERATOR,
            title: self.file,
            counted: format!(
                "{} in {} of {}{}",
                counted(summary.people, "face", "faces"),
                summary.frames_with_face,
                counted(summary.frames, "analysed frame", "analysed frames"),
                unsure(&summary.counts)
            ),
            facts: self.facts,
            notes: self.notes,
            all,
            noun: self.classes.noun(),
            faces: summary.faces.iter().map(|face| FaceView::new(face, self.classes)).collect::<Result<_, _>>()?,
            left_out: summary.faces_left_out(),
        };
        Ok(page.render()?)
    }
}

impl FaceView {
    fn new(face: &FaceSummary<Thumbnail>, classes: &Classes) -> Result<Self, ReportError> {
        let figures = &face.figures;
        let [first, end] = [figures.first, figures.end].map(|time| clock(time.as_secs_f64(), 1));
        let seen: Vec<usize> = (0..classes.len()).filter(|class| figures.counts.frames_of(*class) > 0).collect();
        let moments = seen.iter().flat_map(|class| face.strongest.of(*class).iter().map(|it| (*class, it)));
        let moments = moments.map(|(class, moment)| {
            let at = format!("at {}", clock(moment.time.as_secs_f64(), 1));
            MomentView::new(classes, class, moment, &moment.picture, at)
        });
        let changes = |from: usize| {
            let cell = |to: &usize| if *to == from { "·".to_owned() } else { figures.changes(from, *to).to_string() };
            Row::new(classes, from, seen.iter().map(cell).collect())
        };
        let has_changes = figures.all_changes() > 0;
        Ok(Self {
            number: figures.id.0,
            counted: format!(
                "From {first} to {end}, shown for {:.1} s on {}",
                figures.counts.seconds(),
                counted(figures.counts.frames(), "frame", "frames")
            ),
            shares: Shares::of_face(figures, classes)?,
            timeline: charts::timeline(&face.timeline, classes)?,
            timeline_words: format!(
                "Each band goes from 0 to 100 %; dark is the mean over {:.2} s, light the range in that time. Media \
                 time from {first} to {end}.",
                face.timeline.bucket_secs()
            ),
            moments: moments.collect::<Result<_, _>>()?,
            changes_to: seen.iter().map(|class| classes.name(*class)).collect(),
            changes: if has_changes { seen.iter().copied().map(changes).collect() } else { Vec::new() },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opencv::core::{CV_8UC3, Mat, Scalar};

    use super::*;
    use crate::emotion::COUNT;
    use crate::face::FaceId;
    use crate::face::FaceRect;
    use crate::probabilities::Probabilities;
    use crate::report::thumbnail;
    use crate::summary::{Sighting, Summarizer};

    fn page(file: &str, faces: u32) -> String {
        let picture = Mat::new_rows_cols_with_default(90, 160, CV_8UC3, Scalar::all(90.0)).unwrap();
        let rect = FaceRect { x: 10.0, y: 10.0, width: 50.0, height: 50.0 };
        let mut summarizer = Summarizer::new(Duration::from_secs(2));
        for second in 0..10_u32 {
            let mut weights = [0.1; COUNT];
            weights[(second / 4) as usize] = 2.0;
            let probabilities = Probabilities::from_weights(&weights).unwrap();
            let sightings = (1..=faces)
                .map(|id| Sighting { id: FaceId(id), probabilities, is_unsure: id == 1 && second == 9 })
                .collect();
            let time = Duration::from_secs(second.into());
            summarizer.push(time, sightings, |_| thumbnail(&picture, &rect)).unwrap();
        }
        let (summary, _) = summarizer.finish(None);
        let facts = [Fact { name: "Model", value: "mien & co".to_owned(), videos_only: false }];
        let notes = ["it is cut".to_owned()];
        VideoReport { file, facts: &facts, notes: &notes, classes: &Classes::emotions(), summary: &summary }
            .render()
            .unwrap()
    }

    #[test]
    fn a_page_needs_no_network_and_no_script_and_has_everything_in_it() {
        let page = page("talk.mp4", 1);
        for wanted in ["<h1>talk.mp4</h1>", "not feelings", "it is cut", "Face 1", "data:image/jpeg;base64,", "<svg"] {
            assert!(page.contains(wanted), "{wanted} is missing");
        }
        let without_names = page.replace("http://www.w3.org/2000/svg", "");
        for unwanted in ["<script", "http:", "https:", "src=\"/", "url("] {
            assert!(!without_names.contains(unwanted), "{unwanted}");
        }
        assert!(!page.contains("All faces together"), "one face is all faces");
    }

    #[test]
    fn names_are_words_and_no_markup() {
        let page = page("<img src=x onerror=alert(1)>&\".mp4", 2);
        assert!(!page.contains("<img src=x"), "not escaped");
        assert!(page.contains("mien &#38; co") || page.contains("mien &amp; co"), "not escaped");
        assert!(page.contains("All faces together"));
    }

    #[test]
    fn a_video_without_a_face_has_a_page_too() {
        let summary = Summarizer::<Thumbnail>::new(Duration::ZERO).finish(None).0;
        let page =
            VideoReport { file: "wall.mp4", facts: &[], notes: &[], classes: &Classes::emotions(), summary: &summary }
                .render()
                .unwrap();
        assert!(page.contains("0 faces in 0 of 0 analysed frames"));
    }
}
