//! What a training writes: one folder a run, each file whole or absent.

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
    /// The recipe that the run was started with: a resume with another one is refused.
    pub recipe: R,
    /// SHA-256 of the data files, likewise.
    pub data_sha256: Vec<String>,
    /// How faces were found in each source, likewise. Checkpoints from before this was recorded have nothing here.
    #[serde(default)]
    pub finding: Vec<String>,
    /// SHA-256 of the weights that it began with, if they weren't random.
    #[serde(default)]
    pub start_sha256: Option<String>,
    /// Where the schedule stands.
    pub schedule: Schedule,
    /// The epochs so far.
    pub history: Vec<E>,
    /// Steps of the optimiser so far.
    pub steps: i64,
    /// The epoch with the highest figure, counted from 1; 0 before the first.
    pub best_epoch: usize,
}

impl<R, E: Record> TrainingState<R, E> {
    /// Time worked so far in seconds, over all runs.
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
    /// Held locked, so that no two trainings write into one folder.
    _lock: Option<File>,
}

/// The file that a training holds locked in its folder.
const LOCK: &str = ".lock";

/// Locks a folder for whoever holds the file: until it is closed, or its process ends. Nothing where the file system knows no locks.
///
/// # Errors
/// `ResourceBusy` when another holds it, else when the file can't be made.
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
    /// Makes the folder if it isn't there. `name` is the model's.
    ///
    /// # Errors
    /// When it can't be made, or another training is at work in it.
    pub fn create(folder: &Path, name: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), _lock: lock_folder(folder)? })
    }

    /// State and tensors of the last whole epoch.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The history as CSV.
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.csv")
    }

    /// The history as a picture.
    pub fn curves(&self) -> PathBuf {
        self.folder.join("curves.png")
    }

    /// Faces that the best weights find and miss on the validation pictures, as a picture.
    pub fn found_and_missed(&self) -> PathBuf {
        self.folder.join("found-and-missed.png")
    }

    /// The confusion matrix of the best weights on PublicTest, as a picture.
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
    /// When the disk is full or the folder can't be written; the checkpoint before stays.
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
