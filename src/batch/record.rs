//! The record of each file's results, by which a batch that was killed can be resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize};

use super::part::Part;
use super::products::{Product, Wanted};
use crate::classes::Classes;
use crate::export::{Existing, ExportError, write_file};
use crate::lab::provenance::sha256;
use crate::version::Versions;

/// The record beside the results of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Schema of the tables: [`crate::export::SCHEMA_VERSION`].
    pub schema: u32,
    /// What the file is called in results; records of earlier versions don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PathBuf>,
    /// Which part of it was analysed, if not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Mien's version and commit, and those of its libraries, that made what was added last.
    #[serde(default)]
    pub versions: Option<Versions>,
    /// What was analysed, and how.
    #[serde(flatten)]
    pub work: Work,
    /// What came out; `None` while the first of it is given its names.
    pub results: Option<Results>,
    /// Whether more of it is being given its names: what isn't in `results` yet may be there, and is ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adding: bool,
    /// Results of other work that were left beside these: ours, to be replaced when they are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<PathBuf>,
}

/// What decides about the results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The files with their states.
    pub inputs: Vec<FileState>,
    /// All options that change results, the model's checksum among them. Which results are written isn't one of them.
    #[serde(deserialize_with = "without_device")]
    pub options: serde_json::Value,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Where.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970; `None` where the system doesn't say.
    pub modified_ms: Option<u64>,
}

/// A result as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// What it belongs to; records of schema 1 don't say.
    #[serde(default)]
    pub product: Option<Product>,
    /// The file.
    #[serde(flatten)]
    pub file: FileState,
    /// SHA-256 of its contents; records of earlier versions don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What came out of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The results as they were written.
    pub outputs: Vec<Output>,
    /// What was made of it, whether there was anything to write or not.
    #[serde(default)]
    pub products: BTreeSet<Product>,
    /// Frames analysed.
    pub frames: u64,
    /// Those of them with a face.
    #[serde(default)]
    pub frames_with_face: u64,
    /// Faces on them, all frames added up.
    pub faces: u64,
    /// Faces that were left out, as their quality was less than asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub below_quality: u64,
    /// What networks computed with ([`crate::network::NetworkInUse::arithmetic`]): more than one where results were added on another
    /// machine. Records of earlier versions don't say. It is none of the options, as a file may be resumed anywhere.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub arithmetic: BTreeSet<String>,
    /// What was told apart; of the seven emotions nothing is said.
    #[serde(default, skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// Those faces by their verdicts: a class as tables have it, or `unsure`.
    #[serde(default)]
    pub verdicts: BTreeMap<String, u64>,
    /// Warnings about them: a cut video, unreadable pictures.
    pub complaints: Vec<String>,
    /// How they were written, where that is not always the same.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What an earlier run left of a file's results.
#[derive(Debug, PartialEq)]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// All that is wanted, by the same work.
    Finished(Results),
    /// Results of the same work, but not all that is wanted.
    Partly {
        /// What there is.
        results: Results,
        /// What is wanted and isn't there.
        missing: Wanted,
    },
    /// Results of other work: other options, or the file or its table has changed since.
    OtherWork,
    /// Perhaps some: a run was killed while it gave them their names, or somebody has removed all.
    Unfinished,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Writes a value as indented JSON over what may be at `path`, whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ExportError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| ExportError::Write { path: path.to_owned(), reason: error.into() })?;
    write_file(path, &text, Existing::Replace).map(drop)
}

/// Options without the device, which earlier versions noted among them: it doesn't decide about results.
fn without_device<'de, D: Deserializer<'de>>(options: D) -> Result<serde_json::Value, D::Error> {
    let mut options = serde_json::Value::deserialize(options)?;
    if let serde_json::Value::Object(options) = &mut options {
        options.retain(|name, _| name != "device");
    }
    Ok(options)
}

impl FileState {
    /// Of a file now.
    ///
    /// # Errors
    /// When it can't be looked at.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let modified = metadata.modified().ok().and_then(since_1970);
        let modified_ms = modified.and_then(|time| u64::try_from(time.as_millis()).ok());
        Ok(Self { path: path.to_owned(), bytes: metadata.len(), modified_ms })
    }
}

impl Output {
    /// Of a file as it is now.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(product: Product, path: &Path) -> std::io::Result<Self> {
        Ok(Self { product: Some(product), file: FileState::of(path)?, sha256: Some(sha256(path)?) })
    }

    /// Whether the file has the contents that were noted.
    pub fn is_as_noted(&self) -> bool {
        self.sha256.as_ref().is_some_and(|sum| sha256(&self.file.path).is_ok_and(|now| now == *sum))
    }
}

impl Record {
    /// The record at `path`, if there is one that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// What the record at `path` tells of an earlier run, and the record. One that can't be read counts as one of a run that
    /// didn't end.
    pub fn earlier(path: &Path, work: &Work, schema: u32, wanted: &Wanted) -> (Earlier, Option<Self>) {
        let Ok(text) = std::fs::read(path) else { return (Earlier::Nothing, None) };
        let record = serde_json::from_slice::<Self>(&text).ok();
        let earlier = record.as_ref().map_or(Earlier::Unfinished, |record| record.tells(work, schema, wanted));
        (earlier, record)
    }

    /// What it tells of the run that wrote it.
    fn tells(&self, work: &Work, schema: u32, wanted: &Wanted) -> Earlier {
        let Some(results) = self.results.clone() else { return Earlier::Unfinished };
        if self.schema != schema || self.work != *work {
            let is_there = |output: &Output| output.file.path.exists();
            let is_removed = !results.outputs.is_empty() && !results.outputs.iter().any(is_there);
            return if is_removed { Earlier::Unfinished } else { Earlier::OtherWork };
        }
        let mut missing = Wanted::new();
        for product in wanted {
            let mut files = results.outputs.iter().filter(|output| output.product == Some(*product));
            let now: Vec<_> = files.by_ref().map(|output| (FileState::of(&output.file.path), &output.file)).collect();
            // Somebody may have worked on a table that has another length by now: it isn't ours to replace unasked.
            if now.iter().any(|(now, then)| now.as_ref().is_ok_and(|now| now.bytes != then.bytes)) {
                return Earlier::OtherWork;
            }
            if !results.products.contains(product) || now.iter().any(|(now, _)| now.is_err()) {
                missing.insert(*product);
            }
        }
        if missing.is_empty() { Earlier::Finished(results) } else { Earlier::Partly { results, missing } }
    }

    /// Writes it to `path`, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        write_json(path, self)
    }
}

impl Results {
    /// Takes in what there was before, where this run hasn't made it again. What was said of it before stays with it.
    #[must_use]
    pub fn added_to(mut self, before: Self) -> Self {
        let is_all_new = before.products.is_subset(&self.products);
        let is_kept = |output: &Output| output.product.is_some_and(|product| !self.products.contains(&product));
        let (kept, complaints, notes) = (before.outputs.into_iter().filter(is_kept), before.complaints, before.notes);
        let mut outputs: Vec<_> = kept.collect();
        outputs.append(&mut self.outputs);
        self.outputs = outputs;
        self.products.extend(before.products);
        if is_all_new {
            return self;
        }
        self.arithmetic.extend(before.arithmetic);
        for (now, before) in [(&mut self.complaints, complaints), (&mut self.notes, notes)] {
            let new: Vec<_> = before.into_iter().filter(|words| !now.contains(words)).collect();
            now.extend(new);
        }
        self
    }

    /// Adds up, for tables over many files, what came out of one more, which is called `name`.
    pub fn take_in(&mut self, name: &Path, file: &Self) {
        self.frames += file.frames;
        self.frames_with_face += file.frames_with_face;
        self.faces += file.faces;
        self.classes = file.classes.clone();
        self.arithmetic.extend(file.arithmetic.iter().cloned());
        self.complaints.extend(file.complaints.iter().map(|complaint| format!("{}: {complaint}", name.display())));
    }
}

#[cfg(test)]
mod tests {
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

        // More is wanted than there is.
        let both = Wanted::from([Product::Faces(TableFormat::Csv), Product::Summary]);
        let missing = Wanted::from([Product::Summary]);
        let partly = Earlier::Partly { results: results.clone(), missing: missing.clone() };
        assert_eq!(look(&work, 1, &both), partly);
        let more = Results { products: missing.clone(), frames: 3, faces: 2, ..Results::default() };
        let all = more.added_to(results.clone());
        assert_eq!((all.products, all.outputs), (both, results.outputs.clone()));
        // What was complained of before is forgotten once everything was made again, and no sooner.
        let complaining = Results { complaints: vec!["cut".to_owned()], ..results.clone() };
        let again = |products: &Wanted| Results { products: products.clone(), ..Results::default() };
        assert_eq!(again(&missing).added_to(complaining.clone()).complaints, ["cut"]);
        assert!(again(&csv).added_to(complaining).complaints.is_empty());
        // So is what it was computed with.
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

        std::fs::write(&output, "table, worked on").unwrap();
        assert_eq!(earlier(&work), Earlier::OtherWork);
        // It isn't asked for.
        let partly = Earlier::Partly { results: results.clone(), missing: missing.clone() };
        assert_eq!(look(&work, 1, &missing), partly);
        std::fs::remove_file(&output).unwrap();
        assert_eq!(earlier(&other), Earlier::Unfinished);
        assert_eq!(earlier(&work), Earlier::Partly { results, missing: csv.clone() });
        std::fs::write(&path, "{").unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);
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
