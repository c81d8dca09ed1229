//! Results as pages to read. Each is one HTML file without scripts or network access, with its pictures and charts in it.
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

/// Why a page can't be made.
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
    /// Converts plotters' errors, whose types depend on the backend.
    fn drawing(error: impl std::fmt::Display) -> Self {
        Self::Chart(error.to_string())
    }
}

/// A fact at the head of a page about how the results were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// The fact itself.
    pub value: String,
    /// Whether it doesn't concern pictures.
    pub videos_only: bool,
}

/// The `generator` that every page names, by which Mien recognises its own.
const GENERATOR: &str = "Mien report";
