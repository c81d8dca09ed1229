//! The page that links to the others.

use std::collections::BTreeMap;
use std::path::Path;

use askama::Template;

use super::view::css;
use super::words::percent;
use super::{GENERATOR, ReportError};
use crate::classes::Classes;
use crate::console::counted;
use crate::verdict::UNSURE;

/// A file with results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Its name.
    pub name: String,
    /// Path of its report, if it has one, relative to the index, with slashes.
    pub report: Option<String>,
    /// Frames that were analysed.
    pub frames: u64,
    /// Those of them with a face.
    pub frames_with_face: u64,
    /// Faces in all frames together.
    pub faces: u64,
    /// The network's classes.
    pub classes: Classes,
    /// The number of faces by verdict: a class as in tables, or `unsure`.
    pub verdicts: BTreeMap<String, u64>,
    /// Its other results, relative to the index, with slashes.
    pub others: Vec<String>,
    /// Warnings about its results.
    pub complaints: Vec<String>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    generator: &'a str,
    title: &'a str,
    counted: String,
    /// `emotion` or `class`.
    noun: &'static str,
    columns: Vec<Column>,
    rows: Vec<RowView<'a>>,
}

/// A class, or “unsure”.
struct Column {
    key: String,
    name: String,
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

/// The share of a file's faces with a verdict.
struct ShareView {
    color: String,
    /// Length of the bar, in percent.
    length: f64,
    words: String,
}

struct Link<'a> {
    link: &'a str,
    name: &'a str,
}

impl<'a> RowView<'a> {
    fn new(row: &'a IndexRow, columns: &[Column]) -> Self {
        let IndexRow { name, report, frames, frames_with_face, faces, classes, verdicts, others, complaints } = row;
        let all = verdicts.values().sum::<u64>().max(1) as f64;
        let share = |Column { key, color, .. }: &Column| {
            let share = verdicts.get(key).copied().unwrap_or_default() as f64 / all;
            let may_be = key == UNSURE || classes.keys().any(|class| class == key);
            let words = if verdicts.is_empty() || !may_be { "–".to_owned() } else { percent(share) };
            ShareView { color: color.clone(), length: 100.0 * share, words }
        };
        let link = |link: &'a String| Link { link, name: link.rsplit('/').next().unwrap_or(link) };
        let others = others.iter().map(link).collect();
        let (report, shares) = (report.as_deref(), columns.iter().map(share).collect());
        let (frames, frames_with_face, faces) = (*frames, *frames_with_face, *faces);
        Self { name, report, frames, frames_with_face, faces, shares, others, complaints }
    }
}

/// Key, name and CSS colour of each verdict that a row may have: the classes of all rows, and “unsure”.
fn columns(rows: &[IndexRow]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for classes in sets(rows) {
        for class in 0..classes.len() {
            let (key, name) = (classes.key(class), classes.name(class));
            if !columns.iter().any(|column| column.key == key) {
                columns.push(Column { key: key.to_owned(), name, color: css(&classes, class) });
            }
        }
    }
    columns.push(Column { key: UNSURE.to_owned(), name: "Unsure".to_owned(), color: "var(--faint)".to_owned() });
    columns
}

/// The classes of the rows, each set once; the emotions if there is no row.
fn sets(rows: &[IndexRow]) -> Vec<Classes> {
    let mut sets: Vec<Classes> = Vec::new();
    for row in rows {
        if !sets.contains(&row.classes) {
            sets.push(row.classes.clone());
        }
    }
    if sets.is_empty() { vec![Classes::emotions()] } else { sets }
}

/// The page's `generator` tag, by which `is_index` knows Mien's own.
fn generator() -> String {
    format!("{GENERATOR}, index")
}

/// Renders the page.
///
/// # Errors
/// When the template fails.
pub fn render_index(rows: &[IndexRow]) -> Result<String, ReportError> {
    let columns = columns(rows);
    let page = Page {
        generator: &generator(),
        title: "Results",
        counted: counted(rows.len() as u64, "file", "files"),
        noun: if sets(rows).iter().all(Classes::are_emotions) { "emotion" } else { "class" },
        rows: rows.iter().map(|row| RowView::new(row, &columns)).collect(),
        columns,
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
            classes: Classes::emotions(),
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

    #[test]
    fn an_index_over_results_of_several_models_has_the_classes_of_all_of_them() {
        let row = |name: &str, classes: Classes, verdict: &str| IndexRow {
            name: name.to_owned(),
            report: None,
            frames: 1,
            frames_with_face: 1,
            faces: 1,
            classes,
            verdicts: [(verdict.to_owned(), 1)].into(),
            others: vec![],
            complaints: vec![],
        };
        let own = Classes::new(["tired", "happy"].map(str::to_owned).into()).unwrap();
        let rows = [row("a.mp4", Classes::emotions(), "happy"), row("b.mp4", own, "tired")];
        let keys: Vec<_> = columns(&rows).into_iter().map(|column| column.key).collect();
        assert_eq!(keys, ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "tired", "unsure"]);
        let page = render_index(&rows).unwrap();
        assert!(page.contains("verdict: the class") && page.contains(">Tired<"), "{page}");
        assert_eq!(page.matches("100.0 %").count(), 2);
        assert_eq!(page.matches(">–<").count(), 7, "what a model doesn't name is no 0 %");
        assert!(render_index(&rows[..1]).unwrap().contains("verdict: the emotion"));
    }
}
