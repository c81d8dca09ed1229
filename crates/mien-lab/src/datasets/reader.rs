//! One way to read every kind of data set: recognise it by looking, list what it is made of, decode it.

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

/// The kinds of data sets, those first that would also pass for a later one.
const READERS: [&dyn Reader; 6] = [&Fer2013, &List, &CkPlus, &Jaffe, &Kdef, &ClassFolders];

/// The columns that the first line of a table may name, for messages.
const TABLES: &str = "emotion, pixels, Usage (FER2013) or path, label (a list of pictures)";

/// How a data set is to be read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// What its labels tell apart.
    pub classes: Classes,
    /// The FER+ votes that stand row by row beside FER2013.
    pub ferplus: Option<PathBuf>,
    /// The angles of KDEF that take part; none given means the straight ones.
    pub angles: Vec<Angle>,
    /// How faces are found in larger pictures.
    pub faces: FaceMode,
    /// Which crops are made of the faces.
    pub crop: Framing,
    /// How large a picture may be.
    pub pixels: PixelLimit,
    /// Who is told how far it has come.
    pub watch: Watch,
    /// The folder where decoded data sets are kept, if they are to be kept. See [`super::cache_folder`].
    pub cache: Option<PathBuf>,
}

impl ReadOptions {
    /// How faces are found in a data set whose own way is `usual`.
    pub(super) fn finding(&self, usual: FaceMode) -> FaceFinding {
        FaceFinding::new(self.faces, usual, self.crop)
    }
}

/// Somebody who is told how far the reading of pictures has come, and may end it: looking for faces in tens of thousands takes minutes.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(usize, usize) -> ControlFlow<()> + Send + Sync>);

impl Watch {
    /// `told` is given the number of pictures that are cut out, and of all.
    pub fn new(told: impl Fn(usize, usize) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// # Errors
    /// When it is to end.
    pub(super) fn tell(&self, done: usize, of: usize) -> Result<(), DataError> {
        if (self.0)(done, of).is_break() { Err(DataError::Stopped) } else { Ok(()) }
    }
}

impl Default for Watch {
    /// Nobody.
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
    /// What messages call it.
    fn kind(&self) -> &'static str;

    /// Whether FER+ votes belong to it.
    fn takes_votes(&self) -> bool {
        false
    }

    /// Where its pictures come from.
    fn origin(&self) -> Origin {
        Origin::Unknown
    }

    /// Which of its checksums is that of the file that defines the official split, if there is one: the pictures' (their folders or rows
    /// define it), unless a list does.
    fn divided_by(&self) -> usize {
        0
    }

    /// Whether its labels can be other classes than the seven emotions.
    fn takes_classes(&self) -> bool {
        false
    }

    /// Whether the file or folder, whose labels are `classes`, looks like this kind; cheap, and not a promise that all of it is.
    ///
    /// # Errors
    /// When it can't be read.
    fn recognises(&self, path: &Path, classes: &Classes) -> Result<bool, DataError>;

    /// Lists what the data set is made of, without decoding it.
    ///
    /// # Errors
    /// When something can't be read or isn't what the kind promises.
    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError>;
}

/// A data set that was found and is not decoded yet.
pub(super) trait Source: Sync {
    /// Every file that the result depends on.
    fn files(&self) -> Vec<&Path>;

    /// How faces are found and cut out.
    fn faces(&self) -> FaceFinding;

    /// Reads all pictures.
    ///
    /// # Errors
    /// When a file can't be read or doesn't hold what it should, or `watch` ends it.
    fn decode(&self, watch: &Watch) -> Result<Collection, DataError>;
}

/// All pictures of a data set, before they are split.
#[derive(Debug, PartialEq)]
pub(super) struct Collection {
    /// What is known of each picture, in a fixed order.
    pub entries: Vec<Entry>,
    /// Their gray pixels one after the other, 48×48 each.
    pub pixels: Vec<u8>,
    /// What is known of all.
    pub about: About,
}

/// What is known of a data set besides its pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    /// What to call it in reports.
    pub name: String,
    /// SHA-256 of its files: one for each table, one for all pictures of a folder or list, which comes first.
    pub sha256: Vec<String>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// How faces were found.
    pub faces: FaceCounts,
    /// Where their landmarks lay.
    #[serde(default)]
    pub places: LandmarkPlaces,
}

impl About {
    /// The name, with the way in which faces were found where that could have been another.
    pub fn told_name(&self) -> String {
        if self.faces.are_cut() { format!("{} ({})", self.name, self.faces) } else { self.name.clone() }
    }
}

/// What is known of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where it comes from: a line, or a path below the data set's folder.
    pub place: String,
    /// The data set's label, by its place among the classes.
    pub label: usize,
    /// Who it shows.
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

/// Reads a data set, whatever its kind: `fer2013.csv` and `icml_face_data.csv`, folders named after emotions or classes, CK+48, JAFFE,
/// KDEF, or a table of paths and labels. It is recognised by looking.
///
/// What its publishers didn't split is split by the default.
///
/// # Errors
/// When it is of no known kind, a file can't be read or is damaged (named with its row), or it can't be split.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    read_undivided(path, options)?.divided(&SplitSpec::default())
}

/// The same before it is split, for callers that split it in another way, or in several.
///
/// # Errors
/// As [`read`], but for the split.
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

/// Reads all pictures of a data set, on a thread of its own: detectors tell libtorch to use one thread where they run, and what is done with
/// the pictures afterwards is to have all.
///
/// # Errors
/// As [`Source::decode`].
pub(super) fn decode(source: &dyn Source, watch: &Watch) -> Result<Collection, DataError> {
    mien_net::torch::apart(|| source.decode(watch)).map_err(FaceError::Thread)?
}

/// Whether FER+ votes belong to the data set at `path`, whose labels are `classes`.
///
/// # Errors
/// When it is of no known kind or can't be looked at.
pub fn takes_votes(path: &Path, classes: &Classes) -> Result<bool, DataError> {
    Ok(recognise(path, classes)?.takes_votes())
}

/// The reader for what lies at `path`.
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
