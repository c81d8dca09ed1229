//! The record of each file's results, from which a batch that was killed can be resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use super::part::Part;
use super::products::{Product, Wanted};
use super::state::{FileState, Output};
use crate::classes::Classes;
use crate::export::{Existing, ExportError, write_file};
use crate::version::Versions;
use crate::whole::folder_of;

/// The record beside the results of a file. Its paths of results say where they are; in the file they are relative to its folder, which may
/// be moved or copied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Schema of the tables: [`crate::export::SCHEMA_VERSION`].
    pub schema: u32,
    /// The file's name in results; missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PathBuf>,
    /// Which part of it was analysed, if not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Versions of Mien and its libraries that made the latest results.
    #[serde(default)]
    pub versions: Option<Versions>,
    /// What was analysed, and how.
    #[serde(flatten)]
    pub work: Work,
    /// The results; `None` while the first of them are being moved to their names.
    pub results: Option<Results>,
    /// Whether more results are being moved to their names: files that aren't in `results` yet may exist, and are Mien's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adding: bool,
    /// Results of other work that were left beside these. They are Mien's and are replaced when they are wanted again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<PathBuf>,
}

/// What the results depend on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The files with their states.
    pub inputs: Vec<FileState>,
    /// All options that change results, including the model's checksum. Which results are written isn't one of them.
    #[serde(deserialize_with = "without_device")]
    pub options: serde_json::Value,
}

impl Work {
    /// Whether it is the same work, whatever became of these inputs.
    fn is_same_but_for(&self, other: &Self, unread: &[PathBuf]) -> bool {
        let is_read = |input: &&FileState| !unread.contains(&input.path);
        self.options == other.options && self.inputs.iter().filter(is_read).eq(other.inputs.iter().filter(is_read))
    }
}

/// The results of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The files as they were written.
    pub outputs: Vec<Output>,
    /// The products that were made, even if there was nothing to write.
    #[serde(default)]
    pub products: BTreeSet<Product>,
    /// Frames analysed.
    pub frames: u64,
    /// Those of them with a face.
    #[serde(default)]
    pub frames_with_face: u64,
    /// Faces in all frames together.
    pub faces: u64,
    /// Faces that were left out because their quality was too low.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub below_quality: u64,
    /// What networks computed with ([`crate::network::NetworkInUse::arithmetic`]); several if results were added on another machine.
    /// Missing in records of earlier versions. It isn't an option, because a file may be resumed anywhere.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub arithmetic: BTreeSet<String>,
    /// The network's classes; not written if they are the seven emotions.
    #[serde(default, skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// The number of faces by verdict: a class as in tables, or `unsure`.
    #[serde(default)]
    pub verdicts: BTreeMap<String, u64>,
    /// Warnings about them: a truncated video, unreadable pictures.
    pub complaints: Vec<String>,
    /// How they were written, where that can vary.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether an annotated copy lacks sound that another run may add, as where ffmpeg was missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_sound: bool,
    /// Pictures that the system didn't let Mien read, and that another run may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<PathBuf>,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It holds something else.
    #[error("can't be read as a record of Mien")]
    Damaged(#[from] serde_json::Error),
}

/// What an earlier run left for a file.
#[derive(Debug, PartialEq)]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// Everything that is wanted, from the same work.
    Finished(Results),
    /// Results of the same work, but not all that is wanted.
    Partly {
        /// The existing results.
        results: Results,
        /// What is wanted and doesn't exist; all products if they lack pictures that can be read now.
        missing: Wanted,
    },
    /// Results of other work: other options, or the file or its table has changed since.
    OtherWork,
    /// Perhaps some results: a run was killed while it moved them to their names, or all were removed.
    Unfinished,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Writes a value to `path` as indented JSON, completely or not at all. Replaces an existing file.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ExportError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| ExportError::Write { path: path.to_owned(), reason: error.into() })?;
    write_file(path, &text, Existing::Replace).map(drop)
}

/// Reads options without the device, which earlier versions recorded among them: results don't depend on it.
fn without_device<'de, D: Deserializer<'de>>(options: D) -> Result<serde_json::Value, D::Error> {
    let mut options = serde_json::Value::deserialize(options)?;
    if let serde_json::Value::Object(options) = &mut options {
        options.retain(|name, _| name != "device");
    }
    Ok(options)
}

impl Record {
    /// The record at `path`.
    ///
    /// # Errors
    /// When the file can't be read, or isn't a record.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        Ok(Self::parse(&std::fs::read(path)?, path)?)
    }

    fn parse(text: &[u8], path: &Path) -> serde_json::Result<Self> {
        let mut record: Self = serde_json::from_slice(text)?;
        // Earlier versions recorded absolute paths. The shortest of results is that of a file in the folder itself, as each table is; copies
        // of pictures may be in subfolders. What was recorded after the folder was copied may have another beginning. Nothing leads out of
        // this folder, where the files of another one could be taken for these.
        let outputs = record.results.iter().flat_map(|results| &results.outputs).map(|output| &output.file.path);
        let shortest = outputs.filter(|file| file.is_absolute()).min_by_key(|file| file.components().count());
        let there = shortest.and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
        let here = folder_of(path);
        let is_below = |file: &Path| file.components().all(|part| matches!(part, Component::Normal(_)));
        for file in record.files() {
            let below = file.strip_prefix(&there).ok().filter(|below| is_below(below)).map(Path::to_owned);
            *file = here.join(below.unwrap_or_else(|| tail_in(here, file)));
        }
        Ok(record)
    }

    /// The files that it lists.
    fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let outputs = self.results.iter_mut().flat_map(|results| &mut results.outputs);
        outputs.map(|output| &mut output.file.path).chain(&mut self.left)
    }

    /// What the record at `path` says about an earlier run, and the record. An unreadable record counts as that of an unfinished run.
    pub fn earlier(path: &Path, work: &Work, schema: u32, wanted: &Wanted) -> (Earlier, Option<Self>) {
        let Ok(text) = std::fs::read(path) else { return (Earlier::Nothing, None) };
        let record = Self::parse(&text, path).ok();
        let earlier = record.as_ref().map_or(Earlier::Unfinished, |record| record.tells(work, schema, wanted));
        (earlier, record)
    }

    /// What it says about the run that wrote it.
    fn tells(&self, work: &Work, schema: u32, wanted: &Wanted) -> Earlier {
        let Some(results) = self.results.clone() else { return Earlier::Unfinished };
        if self.schema != schema || !self.work.is_same_but_for(work, &results.unread) {
            let is_there = |output: &Output| output.file.path.exists();
            let is_removed = !results.outputs.is_empty() && !results.outputs.iter().any(is_there);
            return if is_removed { Earlier::Unfinished } else { Earlier::OtherWork };
        }
        let mut missing = Wanted::new();
        // All products of a task are about the same pictures.
        let lacks_pictures = results.lacks_pictures();
        let looked_at = if lacks_pictures { wanted | &results.products } else { wanted.clone() };
        for product in &looked_at {
            let files = results.outputs.iter().filter(|output| output.product == Some(*product));
            let now: Vec<_> = files.map(|output| (FileState::of(&output.file.path), output)).collect();
            // A table that has changed may have been edited; it must not be replaced without `--force`.
            if now.iter().any(|(now, output)| now.as_ref().is_ok_and(|now| !output.is_as_written(now))) {
                return Earlier::OtherWork;
            }
            if lacks_pictures || !results.products.contains(product) || now.iter().any(|(now, _)| now.is_err()) {
                missing.insert(*product);
            }
        }
        if missing.is_empty() { Earlier::Finished(results) } else { Earlier::Partly { results, missing } }
    }

    /// Writes it to `path`, completely or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let mut record = self.clone();
        for file in record.files() {
            if let Ok(below) = file.strip_prefix(folder_of(path)) {
                *file = below.to_owned();
            }
        }
        write_json(path, &record)
    }
}

impl Results {
    /// Whether they lack pictures that couldn't be read then and can be opened now.
    fn lacks_pictures(&self) -> bool {
        self.unread.iter().any(|path| File::open(path).is_ok())
    }

    /// Adds earlier results that this run hasn't made again. Unless all of them were made again, their complaints and notes are kept.
    #[must_use]
    pub fn added_to(mut self, before: Self) -> Self {
        let is_all_new = before.products.is_subset(&self.products);
        let is_kept = |output: &Output| output.product.is_some_and(|product| !self.products.contains(&product));
        self.lacks_sound |= before.lacks_sound && !self.products.contains(&Product::Annotated);
        let (kept, complaints, notes) = (before.outputs.into_iter().filter(is_kept), before.complaints, before.notes);
        let mut outputs: Vec<_> = kept.collect();
        outputs.append(&mut self.outputs);
        self.outputs = outputs;
        self.products.extend(before.products);
        if is_all_new {
            return self;
        }
        self.arithmetic.extend(before.arithmetic);
        let unread: Vec<_> = before.unread.into_iter().filter(|path| !self.unread.contains(path)).collect();
        self.unread.extend(unread);
        for (now, before) in [(&mut self.complaints, complaints), (&mut self.notes, notes)] {
            let new: Vec<_> = before.into_iter().filter(|words| !now.contains(words)).collect();
            now.extend(new);
        }
        self
    }

    /// Adds the results of another file, called `name`, to the sum for tables over many files.
    pub fn take_in(&mut self, name: &Path, file: &Self) {
        self.frames += file.frames;
        self.frames_with_face += file.frames_with_face;
        self.faces += file.faces;
        self.below_quality += file.below_quality;
        for (verdict, faces) in &file.verdicts {
            *self.verdicts.entry(verdict.clone()).or_default() += faces;
        }
        self.classes = file.classes.clone();
        self.arithmetic.extend(file.arithmetic.iter().cloned());
        self.complaints.extend(file.complaints.iter().map(|complaint| format!("{}: {complaint}", name.display())));
    }
}

/// The longest end of a path that leads to a file in `folder`; if none does, its last component.
fn tail_in(folder: &Path, file: &Path) -> PathBuf {
    let parts: Vec<_> = file.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let mut tails = (0..parts.len()).map(|first| parts[first..].iter().collect::<PathBuf>());
    let last = file.file_name().map(PathBuf::from).unwrap_or_default();
    tails.find(|tail| folder.join(tail).exists()).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::export::TableFormat;

    #[test]
    fn only_whole_results_of_the_same_work_count_as_finished() {
        let home = tempfile::tempdir().unwrap();
        let (input, output, path) = (home.path().join("a.mp4"), home.path().join("a.csv"), home.path().join("a.json"));
        std::fs::write(&input, "film").unwrap();
        std::fs::write(&output, "table").unwrap();
        let work = Work { inputs: vec![FileState::of(&input).unwrap()], options: serde_json::json!({ "skip": 0 }) };
        let csv = Wanted::from([Product::Faces(TableFormat::Csv)]);
        let look = |work: &Work, schema, wanted: &Wanted| Record::earlier(&path, work, schema, wanted).0;
        let earlier = |work: &Work| look(work, 1, &csv);
        assert_eq!(earlier(&work), Earlier::Nothing);

        let mut record = Record { schema: 1, work: work.clone(), ..Record::default() };
        record.write(&path).unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);

        let outputs = vec![Output::of(Product::Faces(TableFormat::Csv), &output).unwrap()];
        let results = Results { outputs, products: csv.clone(), frames: 3, faces: 2, ..Results::default() };
        record.results = Some(results.clone());
        record.write(&path).unwrap();
        assert_eq!(earlier(&work), Earlier::Finished(results.clone()));
        let other = Work { options: serde_json::json!({ "skip": 1 }), ..work.clone() };
        assert_eq!(earlier(&other), Earlier::OtherWork);
        assert_eq!(look(&work, 2, &csv), Earlier::OtherWork);

        // More is wanted than exists.
        let both = Wanted::from([Product::Faces(TableFormat::Csv), Product::Summary]);
        let missing = Wanted::from([Product::Summary]);
        let partly = Earlier::Partly { results: results.clone(), missing: missing.clone() };
        assert_eq!(look(&work, 1, &both), partly);
        let more = Results { products: missing.clone(), frames: 3, faces: 2, ..Results::default() };
        let all = more.added_to(results.clone());
        assert_eq!((all.products, all.outputs), (both, results.outputs.clone()));
        // Earlier complaints are dropped once everything was made again, and no sooner.
        let complaining = Results { complaints: vec!["cut".to_owned()], ..results.clone() };
        let again = |products: &Wanted| Results { products: products.clone(), ..Results::default() };
        assert_eq!(again(&missing).added_to(complaining.clone()).complaints, ["cut"]);
        assert!(again(&csv).added_to(complaining).complaints.is_empty());
        // So is the arithmetic.
        let computed = |with: &str, results: Results| Results { arithmetic: [with.to_owned()].into(), ..results };
        let arithmetic = |products: &Wanted| {
            let both = computed("cpu bf16", again(products)).added_to(computed("cpu f32", results.clone()));
            both.arithmetic.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(arithmetic(&missing), ["cpu bf16", "cpu f32"]);
        assert_eq!(arithmetic(&csv), ["cpu bf16"]);

        // A run was killed while it added something.
        Record { adding: true, ..record.clone() }.write(&path).unwrap();
        let partly = Earlier::Partly { results: results.clone(), missing: missing.clone() };
        assert_eq!(look(&work, 1, &missing), partly);
        record.write(&path).unwrap();

        // A copy has another time, and an edited table may have the same length.
        let copied = || File::options().append(true).open(&output)?.set_modified(UNIX_EPOCH);
        copied().unwrap();
        assert_eq!(earlier(&work), Earlier::Finished(results.clone()));
        std::fs::write(&output, "cable").unwrap();
        copied().unwrap();
        assert_eq!(earlier(&work), Earlier::OtherWork);
        std::fs::write(&output, "table, worked on").unwrap();
        assert_eq!(earlier(&work), Earlier::OtherWork);
        // The edited table isn't wanted.
        let partly = Earlier::Partly { results: results.clone(), missing: missing.clone() };
        assert_eq!(look(&work, 1, &missing), partly);
        std::fs::remove_file(&output).unwrap();
        assert_eq!(earlier(&other), Earlier::Unfinished);
        assert_eq!(earlier(&work), Earlier::Partly { results, missing: csv.clone() });
        std::fs::write(&path, "{").unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);
    }

    #[test]
    fn results_that_lack_a_picture_are_made_again_once_it_can_be_read() {
        let home = tempfile::tempdir().unwrap();
        let (picture, table) = (home.path().join("closed.png"), home.path().join("pictures.csv"));
        std::fs::write(&table, "table").unwrap();
        let csv = Product::Faces(TableFormat::Csv);
        let products = Wanted::from([csv, Product::Annotated]);
        let outputs = vec![Output::of(csv, &table).unwrap()];
        let unread = vec![picture.clone()];
        let results = Results { outputs, products: products.clone(), unread: unread.clone(), ..Results::default() };
        let record = Record { schema: 1, results: Some(results.clone()), ..Record::default() };
        let path = home.path().join("pictures.mien.json");
        record.write(&path).unwrap();
        let earlier = || Record::earlier(&path, &Work::default(), 1, &[csv].into()).0;
        assert_eq!(earlier(), Earlier::Finished(results.clone()));
        std::fs::write(&picture, "picture").unwrap();
        // Also what isn't wanted now: all products are about the same pictures.
        assert_eq!(earlier(), Earlier::Partly { results: results.clone(), missing: products.clone() });
        // Its state wasn't known either if its folder couldn't be entered.
        let work = Work { inputs: vec![FileState::of(&picture).unwrap()], ..Work::default() };
        assert!(matches!(Record::earlier(&path, &work, 1, &[csv].into()).0, Earlier::Partly { .. }));
        let again = |products: &Wanted| Results { products: products.clone(), ..Results::default() };
        assert!(again(&products).added_to(results.clone()).unread.is_empty());
        assert_eq!(again(&[csv].into()).added_to(results).unread, unread);
        // An edited table isn't replaced for it.
        std::fs::write(&table, "table, worked on").unwrap();
        assert_eq!(earlier(), Earlier::OtherWork);
    }

    #[test]
    fn results_are_found_wherever_their_folder_is_now() {
        let home = tempfile::tempdir().unwrap();
        let (before, now) = (home.path().join("before"), home.path().join("now"));
        std::fs::create_dir_all(before.join("deep")).unwrap();
        let output = |product, name: &str| {
            let path = before.join(name);
            std::fs::write(&path, name).unwrap();
            Output::of(product, &path).unwrap()
        };
        // A copy in a subfolder comes first if the table was made again.
        let copy = output(Product::Annotated, "deep/face.png.annotated.png");
        let outputs = vec![copy, output(Product::Faces(TableFormat::Csv), "pictures.csv")];
        let products = Wanted::from([Product::Faces(TableFormat::Csv), Product::Annotated]);
        let results = Some(Results { outputs, products: products.clone(), ..Results::default() });
        let left = vec![output(Product::Faces(TableFormat::Jsonl), "pictures.jsonl").file.path];
        let record = Record { schema: 1, results, left, ..Record::default() };
        let name = "pictures.mien.json";
        for is_of_an_earlier_version in [false, true] {
            if is_of_an_earlier_version {
                write_json(&before.join(name), &record).unwrap();
            } else {
                record.write(&before.join(name)).unwrap();
            }
            assert_eq!(Record::read(&before.join(name)).unwrap(), record);
            std::fs::rename(&before, &now).unwrap();
            let (earlier, found) = Record::earlier(&now.join(name), &Work::default(), 1, &products);
            let Earlier::Finished(results) = earlier else { panic!("{earlier:?}") };
            let paths: Vec<_> = results.outputs.into_iter().map(|output| output.file.path).collect();
            assert_eq!(paths, ["deep/face.png.annotated.png", "pictures.csv"].map(|name| now.join(name)));
            assert_eq!(found.unwrap().left, [now.join("pictures.jsonl")]);
            std::fs::rename(&now, &before).unwrap();
        }
    }

    #[test]
    fn a_record_never_leads_to_the_files_of_another_folder() {
        let home = tempfile::tempdir().unwrap();
        let output = |path: &str| {
            let file = FileState { path: path.into(), bytes: 0, modified_ms: None };
            Output { product: None, file, sha256: None }
        };
        // As earlier versions wrote it if the folder was copied before more results were added.
        let files =
            ["/home/u/results/day1/a.mp4.csv", "/r/day1/a.mp4.jsonl", "/r/day1/deep/face.png", "../../a.mp4.csv"];
        let results = Some(Results { outputs: files.map(output).to_vec(), ..Results::default() });
        let record = Record { results, left: vec!["/r/day1/a.mp4.parquet".into()], ..Record::default() };
        std::fs::create_dir(home.path().join("deep")).unwrap();
        std::fs::write(home.path().join("deep/face.png"), "").unwrap();
        let path = home.path().join("a.mp4.mien.json");
        write_json(&path, &record).unwrap();
        let mut read = Record::read(&path).unwrap();
        let files: Vec<_> = read.files().map(|file| file.to_owned()).collect();
        let expected = ["a.mp4.csv", "a.mp4.jsonl", "deep/face.png", "a.mp4.csv", "a.mp4.parquet"];
        assert_eq!(files, expected.map(|name| home.path().join(name)));
    }

    #[test]
    fn the_sum_of_files_counts_verdicts_and_faces_of_poor_quality_too() {
        let file = |unsure: u64, below_quality: u64| {
            let verdicts = [("happy".to_owned(), 4), ("unsure".to_owned(), unsure)].into();
            Results { faces: 4 + unsure, below_quality, verdicts, ..Results::default() }
        };
        let mut sum = Results::default();
        sum.take_in(Path::new("a.mp4"), &file(1, 0));
        sum.take_in(Path::new("b.mp4"), &file(2, 3));
        assert_eq!((sum.faces, sum.below_quality), (11, 3));
        assert_eq!(sum.verdicts, [("happy".to_owned(), 8), ("unsure".to_owned(), 3)].into());
    }

    #[test]
    fn a_record_of_schema_1_can_be_read() {
        let text = r#"{ "schema": 1, "inputs": [], "options": null, "results": { "outputs": [
            { "path": "a.csv", "bytes": 5, "modified_ms": null }], "frames": 3, "faces": 2, "complaints": [] } }"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!((record.results.unwrap().outputs[0].file.bytes, record.versions), (5, None));
    }

    #[test]
    fn the_device_that_earlier_versions_noted_is_no_option() {
        let text = r#"{ "schema": 3, "inputs": [], "options": { "device": "cuda:1", "skip": 4 }, "results": null }"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.work.options, serde_json::json!({ "skip": 4 }));
    }
}
