//! Tells files that Mien wrote from files to analyse.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::record::Record;
use super::run::{LOCK, RECORD_ENDING};
use crate::export::COLUMNS;
use crate::export::RESULT_SUFFIX;

/// Limit for reading a table's header, in bytes.
const LONGEST_HEADER: u64 = 1 << 14;

/// Recognises files that Mien wrote: records list what `mien analyze` wrote, and a table lies beside each video that `mien replay` wrote. A
/// name alone proves nothing, since the user may have chosen it.
#[derive(Default)]
pub struct OwnResults {
    /// Names and lengths of the files that a folder's records list.
    recorded: BTreeMap<PathBuf, BTreeSet<(OsString, u64)>>,
}

impl OwnResults {
    /// Whether Mien wrote this file.
    pub fn contains(&mut self, path: &Path) -> bool {
        is_annotated_by_replay(path) || self.is_recorded(path)
    }

    /// Whether a record lists the file: one beside it, or one in a folder above that was the output of a batch. Compares names and lengths,
    /// as the folder may have been moved.
    fn is_recorded(&mut self, path: &Path) -> bool {
        let (Some(name), Ok(metadata)) = (path.file_name(), path.metadata()) else { return false };
        let file = (name.to_owned(), metadata.len());
        path.ancestors().skip(1).enumerate().any(|(above, folder)| {
            let may_list = above == 0 || folder.join(LOCK).exists();
            may_list && self.recorded.entry(folder.to_owned()).or_insert_with(|| listed_in(folder)).contains(&file)
        })
    }
}

/// The files that the records in a folder list.
fn listed_in(folder: &Path) -> BTreeSet<(OsString, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let records = entries.filter(|path| path.to_string_lossy().ends_with(RECORD_ENDING));
    let results = records.filter_map(|path| Record::read(&path).ok()?.results);
    let files = results.flat_map(|results| results.outputs);
    files.filter_map(|output| Some((output.file.path.file_name()?.to_owned(), output.file.bytes))).collect()
}

/// Whether this is `clip-emotions.mp4` or `clip-emotions-2.mp4` beside a table of faces of the same name.
fn is_annotated_by_replay(path: &Path) -> bool {
    let is_video = path.extension().is_some_and(|ending| ending == "mp4");
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let unnumbered = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let is_named_so = stem.ends_with(RESULT_SUFFIX) || unnumbered.ends_with(RESULT_SUFFIX);
    is_video && is_named_so && is_table_of_faces(&path.with_extension("csv"))
}

fn is_table_of_faces(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut header = String::new();
    let read = BufReader::new(file.take(LONGEST_HEADER)).read_line(&mut header);
    // Older tables have no columns `file` and `verdict`.
    let [_, columns @ .., _] = COLUMNS;
    read.is_ok() && header.contains(&columns.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{FileState, Output, Results};

    #[test]
    fn what_records_list_is_known_wherever_the_folder_was_moved() {
        let home = tempfile::tempdir().unwrap();
        let (folder, deep) = (home.path().join("results"), home.path().join("results/day1"));
        fs::create_dir_all(&deep).unwrap();
        let file = |path: PathBuf| {
            fs::write(&path, "film").unwrap();
            path
        };
        let beside = file(folder.join("annotated.mp4"));
        let below = file(deep.join("face.png"));
        let (mine, longer) = (file(folder.join("holiday.mp4")), file(deep.join("annotated.mp4")));
        fs::write(&longer, "a longer film").unwrap();

        let output = |path| Output { product: None, file: FileState::of(path).unwrap(), sha256: None };
        let results = Results { outputs: [&beside, &below].map(|path| output(path)).to_vec(), ..Results::default() };
        let record = Record { schema: 1, results: Some(results), ..Record::default() };
        record.write(&folder.join(format!("clip.mp4{RECORD_ENDING}"))).unwrap();
        fs::write(folder.join(LOCK), "").unwrap();

        let moved = home.path().join("moved");
        fs::rename(&folder, &moved).unwrap();
        let moved = |path: &Path| moved.join(path.strip_prefix(&folder).unwrap());
        let mut own = OwnResults::default();
        assert!(own.contains(&moved(&beside)) && own.contains(&moved(&below)));
        assert!(!own.contains(&moved(&mine)) && !own.contains(&moved(&longer)));
    }

    #[test]
    fn an_annotated_video_is_known_by_its_table_and_not_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
        for stem in ["a-emotions", "a-emotions-2", "b-emotions", "c-emotions", "d"] {
            file(&format!("{stem}.mp4"), "film");
        }
        let header = COLUMNS.join(",");
        for stem in ["a-emotions", "a-emotions-2", "d"] {
            file(&format!("{stem}.csv"), &format!("{header},raw_angry\n"));
        }
        file("c-emotions.csv", "when,what\n");
        let own = |name: &str| OwnResults::default().contains(&home.path().join(name));
        assert!(own("a-emotions.mp4") && own("a-emotions-2.mp4"));
        assert!(!own("b-emotions.mp4") && !own("c-emotions.mp4") && !own("d.mp4"));
    }
}
