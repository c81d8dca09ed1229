//! Reads every kind of data set in the same way: recognises the kind, lists the files, decodes them.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::error::unknown_folder;
use super::kdef::Angle;
use super::{DataError, Dataset, Origin, Split, SplitSpec, Undivided, Votes};
use super::{ckplus::CkPlus, class_folders::ClassFolders, fer2013::Fer2013, jaffe::Jaffe, kdef::Kdef, list::List};
use crate::faces::{FaceCounts, FaceError, FaceFinding, FaceMode, LandmarkPlaces};
use mien_core::classes::Classes;
use mien_core::crop::Framing;
use mien_core::pixels::PixelLimit;

/// The kinds of data sets. A kind comes before those that would recognise its data too.
const READERS: [&dyn Reader; 6] = [&Fer2013, &List, &CkPlus, &Jaffe, &Kdef, &ClassFolders];

/// The columns expected in the first line of a table, for messages.
const TABLES: &str = "emotion, pixels, Usage (FER2013) or path, label (a list of pictures)";

/// How to read a data set.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The classes of its labels.
    pub classes: Classes,
    /// The file with the FER+ votes, whose rows match those of FER2013.
    pub ferplus: Option<PathBuf>,
    /// The angles of KDEF to read; only straight pictures if empty.
    pub angles: Vec<Angle>,
    /// How faces are found in larger pictures.
    pub faces: FaceMode,
    /// How faces are cropped.
    pub crop: Framing,
    /// How large a picture may be.
    pub pixels: PixelLimit,
    /// Receives the progress, and may stop the reading.
    pub watch: Watch,
    /// The folder in which decoded data sets are cached, if they are. See [`super::cache_folder`].
    pub cache: Option<PathBuf>,
}

impl ReadOptions {
    /// How faces are found in a data set whose default is `usual`.
    pub(super) fn finding(&self, usual: FaceMode) -> FaceFinding {
        FaceFinding::new(self.faces, usual, self.crop)
    }
}

/// A callback that receives the progress of reading pictures, and may stop it: finding faces in tens of thousands takes minutes.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(usize, usize) -> ControlFlow<()> + Send + Sync>);

impl Watch {
    /// `told` receives the number of pictures that are done, and their total number.
    pub fn new(told: impl Fn(usize, usize) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// # Errors
    /// When the callback stops it.
    pub(super) fn tell(&self, done: usize, of: usize) -> Result<(), DataError> {
        if (self.0)(done, of).is_break() { Err(DataError::Stopped) } else { Ok(()) }
    }
}

impl Default for Watch {
    /// Ignores the progress.
    fn default() -> Self {
        Self::new(|_, _| ControlFlow::Continue(()))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// A kind of data set.
pub(super) trait Reader: Sync {
    /// Its name in messages.
    fn kind(&self) -> &'static str;

    /// Whether it can have FER+ votes.
    fn takes_votes(&self) -> bool {
        false
    }

    /// Where its pictures come from.
    fn origin(&self) -> Origin {
        Origin::Unknown
    }

    /// The index of the checksum of the file that defines the official split, if there is one. That is the pictures' checksum,
    /// since their folders or rows define the split, unless a list does.
    fn divided_by(&self) -> usize {
        0
    }

    /// Whether its labels can be other classes than the seven emotions.
    fn takes_classes(&self) -> bool {
        false
    }

    /// Whether the file or folder looks like this kind, with labels that are `classes`. The check is cheap, so reading may still fail.
    ///
    /// # Errors
    /// When it can't be read.
    fn recognises(&self, path: &Path, classes: &Classes) -> Result<bool, DataError>;

    /// Lists the files of the data set without decoding them.
    ///
    /// # Errors
    /// When something can't be read or isn't as this kind of data set requires.
    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError>;
}

/// A data set that was recognised and isn't decoded yet.
pub(super) trait Source: Sync {
    /// Every file that the result depends on.
    fn files(&self) -> Vec<&Path>;

    /// How faces are found and cropped.
    fn faces(&self) -> FaceFinding;

    /// Reads all pictures.
    ///
    /// # Errors
    /// When a file can't be read or doesn't hold what it should, or `watch` stops the reading.
    fn decode(&self, watch: &Watch) -> Result<Collection, DataError>;
}

/// All pictures of a data set, before they are split.
#[derive(Debug, PartialEq)]
pub(super) struct Collection {
    /// What is known of each picture, in a fixed order.
    pub entries: Vec<Entry>,
    /// Their gray pixels one after the other, 48×48 each.
    pub pixels: Vec<u8>,
    /// What is known of the data set as a whole.
    pub about: About,
}

/// What is known of a data set besides its pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    /// Its name in reports.
    pub name: String,
    /// SHA-256 of its files: one for all pictures of a folder or list, which comes first, and one for each table.
    pub sha256: Vec<String>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// How faces were found.
    pub faces: FaceCounts,
    /// Where landmarks were found in them.
    #[serde(default)]
    pub places: LandmarkPlaces,
}

impl About {
    /// The name, followed by how faces were found unless all pictures are whole.
    pub fn told_name(&self) -> String {
        if self.faces.are_cut() { format!("{} ({})", self.name, self.faces) } else { self.name.clone() }
    }
}

/// What is known of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where it comes from: a line, or a path below the data set's folder.
    pub place: String,
    /// The data set's label, as an index into the classes.
    pub label: usize,
    /// The person that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The split that its publishers put it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// FER+ votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Votes>,
}

/// Pictures that a reader left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: usize,
}

/// Reads a data set of any kind: `fer2013.csv` and `icml_face_data.csv`, folders named after emotions or classes, CK+48, JAFFE,
/// KDEF, or a table of paths and labels. The kind is recognised from the data.
///
/// If there is no official split, the default [`SplitSpec`] is used.
///
/// # Errors
/// When its kind is unknown, a file can't be read or is damaged (the error names the row), or it can't be split.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    read_undivided(path, options)?.divided(&SplitSpec::default())
}

/// Like [`read`], but without the split, for callers that split it in another way, or in several.
///
/// # Errors
/// As [`read`], except those of the split.
pub fn read_undivided(path: &Path, options: &ReadOptions) -> Result<Undivided, DataError> {
    let reader = recognise(path, &options.classes)?;
    if !options.classes.are_emotions() && !reader.takes_classes() {
        let classes = options.classes.clone();
        return Err(DataError::ClassesElsewhere { path: path.to_owned(), kind: reader.kind(), classes });
    }
    if options.ferplus.is_some() && !reader.takes_votes() {
        return Err(DataError::VotesElsewhere { path: path.to_owned(), kind: reader.kind() });
    }
    let source = reader.open(path, options)?;
    let collection = match &options.cache {
        Some(folder) => {
            Cache::new(folder, path, options, source.as_ref()).get_or_decode(source.as_ref(), &options.watch)?
        }
        None => decode(source.as_ref(), &options.watch)?,
    };
    let (classes, path) = (options.classes.clone(), path.to_owned());
    let (origin, divided_by) = (reader.origin(), reader.divided_by());
    Ok(Undivided { collection, classes, origin, divided_by, finding: source.faces(), path })
}

/// Reads all pictures of a data set on a separate thread. Detectors restrict libtorch to one thread where they run, and later
/// work on the pictures should have all threads.
///
/// # Errors
/// As [`Source::decode`].
pub(super) fn decode(source: &dyn Source, watch: &Watch) -> Result<Collection, DataError> {
    mien_net::torch::apart(|| source.decode(watch)).map_err(FaceError::Thread)?
}

/// Whether the data set at `path`, with labels that are `classes`, can have FER+ votes.
///
/// # Errors
/// When its kind is unknown or it can't be read.
pub fn takes_votes(path: &Path, classes: &Classes) -> Result<bool, DataError> {
    Ok(recognise(path, classes)?.takes_votes())
}

/// The reader for the data set at `path`.
fn recognise(path: &Path, classes: &Classes) -> Result<&'static dyn Reader, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    for reader in READERS {
        if reader.recognises(path, classes)? {
            tracing::debug!("{} is read as {}", path.display(), reader.kind());
            return Ok(reader);
        }
    }
    Err(if metadata.is_dir() {
        unknown_folder(path, classes)
    } else {
        DataError::Header { path: path.to_owned(), format: "data set that Mien reads", wanted: TABLES }
    })
}
