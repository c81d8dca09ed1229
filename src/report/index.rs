//! The page that leads to the others.

use std::collections::BTreeMap;
use std::path::Path;

use askama::Template;

use super::view::css;
use super::words::{counted, percent};
use super::{GENERATOR, ReportError};
use crate::emotion::Emotion;
use crate::verdict::UNSURE;

/// A file with results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// What it is called.
    pub name: String,
    /// Where its report is, if it has one, relative to the index, with slashes.
    pub report: Option<String>,
    /// Frames that were analysed.
    pub frames: u64,
    /// Those of them with a face.
    pub frames_with_face: u64,
    /// Faces on them, all frames added up.
    pub faces: u64,
    /// Those faces by their verdicts: an emotion in lower case, or `unsure`.
    pub verdicts: BTreeMap<String, u64>,
    /// Its other results, relative to the index, with slashes.
    pub others: Vec<String>,
    /// Warnings about them.
    pub complaints: Vec<String>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    generator: &'a str,
    title: &'a str,
    counted: String,
    columns: Vec<Column>,
    rows: Vec<RowView<'a>>,
}

/// An emotion, or “unsure”.
struct Column {
    name: &'static str,
    color: String,
}

struct RowView<'a> {
    name: &'a str,
    report: Option<&'a str>,
    frames: u64,
    frames_with_face: u64,
    faces: u64,
    shares: Vec<ShareView>,
    others: Vec<Link<'a>>,
    complaints: &'a [String],
}

/// How many of the faces of a file have a verdict.
struct ShareView {
    color: String,
    /// Of 100.
    length: f64,
    words: String,
}

struct Link<'a> {
    link: &'a str,
    name: &'a str,
}

impl<'a> From<&'a IndexRow> for RowView<'a> {
    fn from(row: &'a IndexRow) -> Self {
        let IndexRow { name, report, frames, frames_with_face, faces, verdicts, others, complaints } = row;
        let all = verdicts.values().sum::<u64>().max(1) as f64;
        let share = |(key, _, color)| {
            let share = verdicts.get(key).copied().unwrap_or_default() as f64 / all;
            let words = if verdicts.is_empty() { "–".to_owned() } else { percent(share) };
            ShareView { color, length: 100.0 * share, words }
        };
        let link = |link: &'a String| Link { link, name: link.rsplit('/').next().unwrap_or(link) };
        let others = others.iter().map(link).collect();
        let (report, shares) = (report.as_deref(), columns().map(share).collect());
        let (frames, frames_with_face, faces) = (*frames, *frames_with_face, *faces);
        Self { name, report, frames, frames_with_face, faces, shares, others, complaints }
    }
}

/// Key, name and colour of each verdict, as CSS writes it.
fn columns() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let emotions = Emotion::ALL.into_iter().map(|emotion| (emotion.key(), emotion.name(), css(emotion)));
    emotions.chain([(UNSURE, "Unsure", "var(--faint)".to_owned())])
}

/// What is said to other programs of an index.
fn generator() -> String {
    format!("{GENERATOR}, index")
}

/// The page.
///
/// # Errors
/// When the template fails.
pub fn render_index(rows: &[IndexRow]) -> Result<String, ReportError> {
    let page = Page {
        generator: &generator(),
        title: "Results",
        columns: columns().map(|(_, name, color)| Column { name, color }).collect(),
        counted: counted(rows.len() as u64, "file", "files"),
        rows: rows.iter().map(RowView::from).collect(),
    };
    Ok(page.render()?)
}

/// Whether the file at `path` is an index that Mien wrote, and so may be replaced.
pub fn is_index(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|page| page.contains(&format!("content=\"{}\"", generator())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_links_lead_where_the_files_are() {
        let row = IndexRow {
            name: "a/<b> & c.mp4".to_owned(),
            report: Some("a/<b> & c?#.mp4.html".to_owned()),
            frames: 10,
            frames_with_face: 8,
            faces: 9,
            verdicts: [("happy".to_owned(), 6), ("unsure".to_owned(), 3)].into(),
            others: vec!["a/b.csv".to_owned()],
            complaints: vec!["it is <cut>".to_owned()],
        };
        let page = render_index(&[row]).unwrap();
        assert!(page.contains("href=\"a/%3Cb%3E%20%26%20c%3F%23.mp4.html\""), "{page}");
        assert!(page.contains(">b.csv</a>") && page.contains("href=\"a/b.csv\""), "{page}");
        assert!(!page.contains("<b>") && !page.contains("<cut>"));
        assert!(page.contains("66.7 %") && page.contains("33.3 %"), "{page}");

        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("index.html");
        assert!(!is_index(&path));
        std::fs::write(&path, &page).unwrap();
        assert!(is_index(&path));
        std::fs::write(&path, "<h1>mine</h1>").unwrap();
        assert!(!is_index(&path));
    }
}
