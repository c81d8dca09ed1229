//! The page of all pictures together.

use std::time::Duration;

use askama::Template;

use super::view::{MomentView, Shares, css};
use super::words::unsure;
use super::{Fact, GENERATOR, ReportError, Thumbnail};
use crate::classes::Classes;
use crate::console::counted;
use crate::summary::{Counts, Sighting, Strongest};

/// Most faces that are shown for each class.
const ON_A_SHEET: usize = 12;

/// What the faces of many pictures showed.
#[derive(Debug)]
pub struct PictureSummary {
    pictures: u64,
    with_face: u64,
    counts: Counts,
    /// With the name of the file.
    strongest: Strongest<(String, Thumbnail)>,
}

impl Default for PictureSummary {
    fn default() -> Self {
        Self { pictures: 0, with_face: 0, counts: Counts::default(), strongest: Strongest::new(ON_A_SHEET) }
    }
}

impl PictureSummary {
    /// Counts a picture with this number of faces.
    pub fn add_picture(&mut self, faces: usize) {
        self.pictures += 1;
        self.with_face += u64::from(faces > 0);
    }

    /// Adds a face in the picture; `picture` makes a thumbnail of it, when one is needed.
    ///
    /// # Errors
    /// When `picture` fails.
    pub fn add_face<E>(
        &mut self,
        file: &str,
        sighting: &Sighting,
        picture: impl FnOnce() -> Result<Thumbnail, E>,
    ) -> Result<(), E> {
        self.counts.add(sighting, Duration::ZERO);
        self.strongest.offer(Duration::ZERO, &sighting.probabilities, || Ok((file.to_owned(), picture()?)))
    }

    /// The number of pictures, and of those with a face.
    pub fn pictures(&self) -> (u64, u64) {
        (self.pictures, self.with_face)
    }

    /// Faces by leading class.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// What the page of all pictures says.
#[derive(Debug)]
pub struct PicturesReport<'a> {
    /// Model, options, versions.
    pub facts: &'a [Fact],
    /// Warnings about the results.
    pub notes: &'a [String],
    /// The network's classes.
    pub classes: &'a Classes,
    /// The summary.
    pub summary: &'a PictureSummary,
}

#[derive(Template)]
#[template(path = "pictures.html")]
struct Page<'a> {
    generator: &'a str,
    title: &'a str,
    counted: String,
    facts: Vec<&'a Fact>,
    notes: &'a [String],
    all: Option<Shares>,
    sheets: Vec<Sheet>,
}

/// The strongest faces of a class.
struct Sheet {
    name: String,
    /// The name as an anchor, which has no spaces.
    id: String,
    color: String,
    counted: String,
    moments: Vec<MomentView>,
}

impl PicturesReport<'_> {
    /// Renders the page.
    ///
    /// # Errors
    /// When a chart or a picture can't be drawn.
    pub fn render(&self) -> Result<String, ReportError> {
        let PictureSummary { pictures, with_face, counts, .. } = self.summary;
        let faces = counts.frames();
        let page = Page {
            generator: GENERATOR,
            title: "Pictures",
            counted: format!(
                "{} in {with_face} of {}{}",
                counted(faces, "face", "faces"),
                counted(*pictures, "picture", "pictures"),
                unsure(counts)
            ),
            facts: self.facts.iter().filter(|fact| !fact.videos_only).collect(),
            notes: self.notes,
            all: if faces > 0 { Some(Shares::of_pictures(counts, self.classes)?) } else { None },
            sheets: (0..self.classes.len()).filter_map(|class| self.sheet(class)).collect::<Result<_, _>>()?,
        };
        Ok(page.render()?)
    }

    /// `None` if the class never led.
    fn sheet(&self, class: usize) -> Option<Result<Sheet, ReportError>> {
        let moments = self.summary.strongest.of(class);
        let faces = self.summary.counts.frames_of(class);
        let views = moments.iter().map(|moment| {
            let (file, picture) = &moment.picture;
            MomentView::new(self.classes, class, moment, picture, file.clone())
        });
        let sheet = |moments: Vec<MomentView>| Sheet {
            id: self.classes.name(class).replace(char::is_whitespace, "_"),
            name: self.classes.name(class),
            color: css(self.classes, class),
            counted: if faces > moments.len() as u64 {
                format!("The strongest {} of {faces} faces", moments.len())
            } else {
                counted(faces, "face", "faces")
            },
            moments,
        };
        (faces > 0).then(|| views.collect::<Result<_, _>>().map(sheet))
    }
}
