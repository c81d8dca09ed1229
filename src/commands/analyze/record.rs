//! What is noted of each file, so that a batch that was killed can be taken up again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::export::{ExportError, PartialFile};

/// The note beside the results of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Schema of the tables: [`crate::export::SCHEMA_VERSION`].
    pub schema: u32,
    /// What was analysed, and how.
    #[serde(flatten)]
    pub work: Work,
    /// What came out; `None` while it is given its names.
    pub results: Option<Results>,
}

/// What decides about the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The files with their states.
    pub inputs: Vec<FileState>,
    /// All options that change results, the model's checksum among them.
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

/// What came out of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The results as they were written.
    pub outputs: Vec<FileState>,
    /// Frames analysed.
    pub frames: u64,
    /// Faces on them, all frames added up.
    pub faces: u64,
    /// Warnings about them: a video that was cut, pictures that could not be read.
    pub complaints: Vec<String>,
    /// What else is to be said: how a video is coded, whether it has its sound.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What an earlier run left of a file's results.
#[derive(Debug, PartialEq)]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// All of them, by the same work.
    Finished(Results),
    /// Results of other work: other options, or the file or its table has changed since.
    OtherWork,
    /// Some of them: a run was killed while it gave them their names, or somebody has removed one.
    Unfinished,
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

impl Record {
    /// The record at `path`, if there is one that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Looks at the record at `path`. A record that can't be read counts as one of a run that didn't end.
    pub fn earlier(path: &Path, work: &Work, schema: u32) -> Earlier {
        let Ok(text) = std::fs::read(path) else { return Earlier::Nothing };
        let Ok(record) = serde_json::from_slice::<Self>(&text) else { return Earlier::Unfinished };
        let Some(results) = record.results else { return Earlier::Unfinished };
        let now: Vec<_> = results.outputs.iter().map(|output| FileState::of(&output.path)).collect();
        // Somebody may have worked on a table that has another length by now: it isn't ours to replace unasked.
        let as_written = |(now, then): (&std::io::Result<FileState>, &FileState)| {
            now.as_ref().is_ok_and(|now| now.bytes == then.bytes)
        };
        if now.iter().any(Result::is_err) {
            Earlier::Unfinished
        } else if record.schema == schema && record.work == *work && now.iter().zip(&results.outputs).all(as_written) {
            Earlier::Finished(results)
        } else {
            Earlier::OtherWork
        }
    }

    /// Writes it to `path`, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let (partial, mut file) = PartialFile::replace(path)?;
        let write = |reason| ExportError::Write { path: path.to_owned(), reason };
        let text = serde_json::to_vec_pretty(self).map_err(|error| write(error.into()))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(write)?;
        drop(file);
        partial.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_results_of_the_same_work_count_as_finished() {
        let home = tempfile::tempdir().unwrap();
        let (input, output, path) = (home.path().join("a.mp4"), home.path().join("a.csv"), home.path().join("a.json"));
        std::fs::write(&input, "film").unwrap();
        std::fs::write(&output, "table").unwrap();
        let work = Work { inputs: vec![FileState::of(&input).unwrap()], options: serde_json::json!({ "skip": 0 }) };
        let earlier = |work: &Work| Record::earlier(&path, work, 1);
        assert_eq!(earlier(&work), Earlier::Nothing);

        let mut record = Record { schema: 1, work: work.clone(), results: None };
        record.write(&path).unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);

        let outputs = vec![FileState::of(&output).unwrap()];
        let results = Results { outputs, frames: 3, faces: 2, complaints: vec![], notes: vec![] };
        record.results = Some(results.clone());
        record.write(&path).unwrap();
        assert_eq!(earlier(&work), Earlier::Finished(results));
        let other = Work { options: serde_json::json!({ "skip": 1 }), ..work.clone() };
        assert_eq!(earlier(&other), Earlier::OtherWork);
        assert_eq!(Record::earlier(&path, &work, 2), Earlier::OtherWork);

        std::fs::write(&output, "table, worked on").unwrap();
        assert_eq!(earlier(&work), Earlier::OtherWork);
        std::fs::remove_file(&output).unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(earlier(&work), Earlier::Unfinished);
    }
}
