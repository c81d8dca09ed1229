//! What was seen as a page to read: one HTML file without script or network, with its pictures and charts in it.
//!
//! The templates in `templates/` are compiled in and checked against the structs of this module; they escape every text.

mod charts;
mod index;
mod pictures;
mod thumbnail;
mod video;
mod view;
mod words;

pub use index::{IndexRow, is_index, render_index};
pub use pictures::{PictureSummary, PicturesReport};
pub use thumbnail::{Thumbnail, thumbnail};
pub use video::VideoReport;
pub use words::counted;

/// A page can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A chart failed.
    #[error("can't draw a chart of the report: {0}")]
    Chart(String),
    /// A picture of a face failed.
    #[error("can't put a face into the report: {0}")]
    Picture(#[from] opencv::Error),
    /// The template failed.
    #[error("can't put the report together: {0}")]
    Template(#[from] askama::Error),
}

impl ReportError {
    /// plotters' errors carry the type of what was drawn on, which nobody needs to know.
    fn drawing(error: impl std::fmt::Display) -> Self {
        Self::Chart(error.to_string())
    }
}

/// What is said at the head of a page of how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of what.
    pub name: &'static str,
    /// What.
    pub value: String,
    /// Whether it is of no matter to pictures.
    pub videos_only: bool,
}

/// What every page says of itself to other programs, so that Mien knows its own pages.
const GENERATOR: &str = "Mien report";
