//! The page that leads to the others.

use std::path::Path;

use askama::Template;

use super::words::counted;
use super::{GENERATOR, ReportError};

/// A file with a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// What it is called.
    pub name: String,
    /// Where its report is, relative to the index, with slashes.
    pub report: String,
    /// Frames that were analysed.
    pub frames: u64,
    /// Faces on them, all frames added up.
    pub faces: u64,
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
    rows: Vec<RowView<'a>>,
}

struct RowView<'a> {
    name: &'a str,
    report: &'a str,
    frames: u64,
    faces: u64,
    others: Vec<Link<'a>>,
    complaints: &'a [String],
}

struct Link<'a> {
    link: &'a str,
    name: &'a str,
}

impl<'a> From<&'a IndexRow> for RowView<'a> {
    fn from(row: &'a IndexRow) -> Self {
        let IndexRow { name, report, frames, faces, others, complaints } = row;
        let link = |link: &'a String| Link { link, name: link.rsplit('/').next().unwrap_or(link) };
        let others = others.iter().map(link).collect();
        Self { name, report, frames: *frames, faces: *faces, others, complaints }
    }
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
            report: "a/<b> & c?#.mp4.html".to_owned(),
            frames: 10,
            faces: 9,
            others: vec!["a/b.csv".to_owned()],
            complaints: vec!["it is <cut>".to_owned()],
        };
        let page = render_index(&[row]).unwrap();
        assert!(page.contains("href=\"a/%3Cb%3E%20%26%20c%3F%23.mp4.html\""), "{page}");
        assert!(page.contains(">b.csv</a>") && page.contains("href=\"a/b.csv\""), "{page}");
        assert!(!page.contains("<b>") && !page.contains("<cut>"));

        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("index.html");
        assert!(!is_index(&path));
        std::fs::write(&path, &page).unwrap();
        assert!(is_index(&path));
        std::fs::write(&path, "<h1>mine</h1>").unwrap();
        assert!(!is_index(&path));
    }
}
