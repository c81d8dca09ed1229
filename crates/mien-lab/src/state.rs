//! What a training writes: one folder per run, each file written atomically.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::history::EpochRecord;
use super::recipe::Recipe;
use super::schedule::Schedule;
use super::task::{Planned, Record};
use mien_core::whole::{self, Existing};
use mien_net::{CheckpointError, TensorMap, WeightKind, decode, decode_note, encode};

/// Everything besides tensors that a resumed training needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingState<R = Recipe, E = EpochRecord> {
    /// The recipe of the run. Resuming with another one is refused.
    pub recipe: R,
    /// SHA-256 of the data files. Resuming with others is refused.
    pub data_sha256: Vec<String>,
    /// How faces were found in each source. Resuming is refused if it has changed. Empty in checkpoints from before this was recorded.
    #[serde(default)]
    pub finding: Vec<String>,
    /// SHA-256 of the weights of the model that the training started from, if any. Resuming is refused if these, or one of the next two,
    /// have changed. They are empty in checkpoints from before they were recorded.
    #[serde(default)]
    pub start_sha256: Option<String>,
    /// SHA-256 of the file with the backbone's weights, if any.
    #[serde(default)]
    pub backbone_sha256: Option<String>,
    /// SHA-256 of the teachers' weights, in the recipe's order.
    #[serde(default)]
    pub teachers_sha256: Vec<String>,
    /// State of the learning-rate schedule.
    pub schedule: Schedule,
    /// The epochs so far.
    pub history: Vec<E>,
    /// Steps of the optimiser so far.
    pub steps: i64,
    /// The epoch with the highest figure, counted from 1; 0 before the first.
    pub best_epoch: usize,
}

impl<R, E: Record> TrainingState<R, E> {
    /// Time spent so far, in seconds, including earlier sessions.
    pub fn wall_seconds(&self) -> f64 {
        self.history.iter().map(Record::seconds).sum()
    }

    /// The record of the best epoch.
    pub fn best(&self) -> Option<&E> {
        self.history.iter().find(|record| record.epoch() == self.best_epoch)
    }
}

/// What a checkpoint holds.
type Checkpoint<R, E> = (TrainingState<R, E>, TensorMap);

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    folder: PathBuf,
    name: String,
    /// Keeps the folder locked, so that no two trainings write into it. `None` if the file system has no locks.
    _lock: Option<File>,
}

/// The file in a run's folder that its training keeps locked.
const LOCK: &str = ".lock";

/// Locks a folder until the returned file is closed or the process ends. `None` if the file system has no locks.
///
/// # Errors
/// `ResourceBusy` when another training holds the lock, otherwise when the lock file can't be created.
pub fn lock_folder(folder: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let said = "another training is using it";
            Err(std::io::Error::new(std::io::ErrorKind::ResourceBusy, said))
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

impl RunFolder {
    /// Creates the folder if necessary, and locks it. `name` is the model's name.
    ///
    /// # Errors
    /// When it can't be created, or another training is using it.
    pub fn create(folder: &Path, name: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), _lock: lock_folder(folder)? })
    }

    /// State and tensors of the last complete epoch.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The history as CSV.
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.csv")
    }

    /// The history as a plot.
    pub fn curves(&self) -> PathBuf {
        self.folder.join("curves.png")
    }

    /// Faces that the best weights find and miss on the validation pictures, as a picture.
    pub fn found_and_missed(&self) -> PathBuf {
        self.folder.join("found-and-missed.png")
    }

    /// The confusion matrix of the best weights on PublicTest, as a plot.
    pub fn confusion(&self) -> PathBuf {
        self.folder.join("confusion.png")
    }

    /// The best weights so far. Their card has the same name and ends in `.toml`.
    pub fn model(&self) -> PathBuf {
        self.folder.join(format!("{}.safetensors", self.name))
    }

    /// Writes state and tensors in one file, so that the two can't belong to different epochs.
    ///
    /// # Errors
    /// When the disk is full or the folder can't be written; the previous checkpoint is kept.
    pub fn write_checkpoint<R: Planned, E: Record>(
        &self,
        state: &TrainingState<R, E>,
        tensors: &TensorMap,
    ) -> Result<(), CheckpointError> {
        let path = self.checkpoint();
        let write = |source| CheckpointError::Write { path: path.clone(), source };
        let note = serde_json::to_string(state).map_err(|e| write(e.into()))?;
        whole::write(&path, &encode(tensors, WeightKind::F32, Some(note))?, Existing::Replace).map_err(write)
    }

    /// The last checkpoint, or `None` if there is none yet.
    ///
    /// # Errors
    /// When there is one that can't be read.
    pub fn read_checkpoint<R: Planned, E: Record>(&self) -> Result<Option<Checkpoint<R, E>>, CheckpointError> {
        let path = self.checkpoint();
        let read = |source| CheckpointError::Read { path: path.clone(), source };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        let note = decode_note(&bytes)?.unwrap_or_default();
        let state = serde_json::from_str(&note).map_err(|e| read(e.into()))?;
        Ok(Some((state, decode(&bytes)?)))
    }
}
