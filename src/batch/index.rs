//! The page that links to all results in an output folder and says what each file's faces showed.

use std::path::Path;

use anyhow::bail;

use super::below::RecordsBelow;
use super::record::Record;
use super::run::RECORD_ENDING;
use super::summaries::Summaries;
use super::together::TOGETHER_NAME;
use crate::export::{Existing, write_file};
use crate::report::{IndexRow, is_index, render_index};

const INDEX: &str = "index.html";

/// Rewrites the folder's index from the records in it: those of this run and of all earlier ones.
///
/// # Errors
/// When a file of that name exists that Mien didn't write, or the index can't be written.
pub fn write_index(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(INDEX);
    if path.exists() && !is_index(&path) {
        bail!("{} is not Mien's and was left alone, so there is no index of the results", path.display());
    }
    let page = render_index(&rows(folder))?;
    write_file(&path, page.as_bytes(), Existing::Replace)?;
    Ok(())
}

/// A row for each finished file, in order of their names. Links are followed; what can't be read has no row.
fn rows(folder: &Path) -> Vec<IndexRow> {
    RecordsBelow::find(folder).files.iter().filter_map(|record| row(folder, record)).collect()
}

fn row(folder: &Path, path: &Path) -> Option<IndexRow> {
    let beside = path.parent()?;
    let name = path.file_name()?.to_string_lossy().strip_suffix(RECORD_ENDING)?.to_owned();
    let below = |file: &str| {
        let path = beside.join(file);
        let parts = path.strip_prefix(folder).ok()?.components().map(|part| part.as_os_str().to_string_lossy());
        Some(parts.collect::<Vec<_>>().join("/"))
    };
    let results = Record::read(path).ok()?.results?;
    let report = Summaries::report_name(&name);
    // Copies of pictures have other names; they are too many for a row.
    let outputs = results.outputs.iter().filter_map(|output| output.file.path.file_name());
    let outputs: Vec<_> = outputs.map(|output| output.to_string_lossy().into_owned()).collect();
    let is_beside = |output: &&String| output.starts_with(&name) && beside.join(output).is_file();
    let there: Vec<_> = outputs.iter().filter(is_beside).collect();
    let is_of_a_file = name != TOGETHER_NAME && !there.is_empty();
    is_of_a_file.then(|| IndexRow {
        others: there.iter().filter(|it| ***it != report).filter_map(|it| below(it)).collect(),
        name: below(&name).unwrap_or_default(),
        report: there.contains(&&report).then(|| below(&report)).flatten(),
        frames: results.frames,
        frames_with_face: results.frames_with_face,
        faces: results.faces,
        classes: results.classes,
        verdicts: results.verdicts,
        complaints: results.complaints,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::batch::{FileState, Output, Results};

    fn finish(folder: &Path, name: &str, endings: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        let outputs = endings.iter().map(|ending| {
            let path = folder.join(format!("{name}{ending}"));
            fs::write(&path, "result").unwrap();
            Output { product: None, file: FileState::of(&path).unwrap(), sha256: None }
        });
        let (outputs, verdicts) = (outputs.collect(), [("happy".to_owned(), 4), ("unsure".to_owned(), 1)].into());
        let results = Results { outputs, frames: 7, faces: 5, verdicts, ..Results::default() };
        let record = Record { schema: 1, results: Some(results), ..Record::default() };
        record.write(&folder.join(format!("{name}{RECORD_ENDING}"))).unwrap();
    }

    #[test]
    fn the_index_has_what_every_run_left_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        finish(&folder.join("day1"), "a.mp4", &[".csv", ".html", ".annotated.mp4"]);
        finish(folder, "no-report.mp4", &[".csv"]);
        write_index(folder).unwrap();
        finish(folder, "b.mp4", &[".html"]);
        finish(folder, "removed.mp4", &[".html"]);
        fs::remove_file(folder.join("removed.mp4.html")).unwrap();
        write_index(folder).unwrap();

        let names: Vec<_> = rows(folder).into_iter().map(|row| (row.name, row.report, row.others.len())).collect();
        let row = |name: &str, others| (name.to_owned(), Some(format!("{name}.html")), others);
        let no_report = ("no-report.mp4".to_owned(), None, 1);
        assert_eq!(names, [row("b.mp4", 0), row("day1/a.mp4", 2), no_report]);
        let page = fs::read_to_string(folder.join(INDEX)).unwrap();
        assert!(page.contains("href=\"day1/a.mp4.annotated.mp4\""), "{page}");
        assert!(page.contains("80.0 %") && page.contains("20.0 %"), "{page}");
    }

    #[cfg(unix)]
    #[test]
    fn the_index_has_what_a_link_leads_to() {
        let home = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (home.path().join("results"), home.path().join("node1"));
        finish(&elsewhere, "a.mp4", &[".html"]);
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join("1")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("2")).unwrap();
        let names: Vec<_> = rows(&folder).into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["1/a.mp4"]);
    }

    #[test]
    fn a_page_of_that_name_that_is_not_ours_stays() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(INDEX), "<h1>my home page</h1>").unwrap();
        let error = write_index(home.path()).unwrap_err().to_string();
        assert!(error.contains("index.html") && error.contains("left alone"), "{error}");
        assert_eq!(fs::read_to_string(home.path().join(INDEX)).unwrap(), "<h1>my home page</h1>");
    }
}
