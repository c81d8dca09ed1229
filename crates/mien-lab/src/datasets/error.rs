//! What can be wrong with a data set, worded for the user.

use std::path::{Path, PathBuf};

use super::Split;
use crate::faces::FaceError;
use mien_core::classes::Classes;

/// A data set can't be read or used. Names the file and, where there is one, the row.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file or folder can't be opened or read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The first line isn't that of the format.
    #[error("{path} is not a {format}: its first line has to name the columns {wanted}")]
    Header {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// The columns it should have.
        wanted: &'static str,
    },
    /// A row doesn't hold what its columns promise.
    #[error("{path}, line {line}: {problem}")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A picture file is damaged, or its name or folder doesn't say what it shows.
    #[error("{path}: {problem}")]
    Picture {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A folder that no reader recognises.
    #[error(
        "{0} is a directory in which no data set was found: Mien reads folders named after emotions (also below train, \
         validation and test), CK+48, JAFFE and KDEF; folders of other classes need their names (`classes` in a recipe, --classes of \
         `mien dataset`)"
    )]
    UnknownFolder(
        /// Which folder.
        PathBuf,
    ),
    /// A folder in which no folder is named after a class.
    #[error(
        "{path} is a directory in which no data set was found: no folder in it is named after one of the classes {classes}"
    )]
    NoClassFolder {
        /// Which folder.
        path: PathBuf,
        /// The classes.
        classes: Classes,
    },
    /// Custom classes were requested for a data set whose labels are the seven emotions.
    #[error(
        "{path} is read as {kind}, whose labels are the seven emotions, and not {classes}: custom classes need folders with \
         their names, or a list"
    )]
    ClassesElsewhere {
        /// The data set.
        path: PathBuf,
        /// What it was recognised as.
        kind: &'static str,
        /// The classes.
        classes: Classes,
    },
    /// A split that the format always has is empty.
    #[error("{path} holds no picture of the split {}", .split.usage())]
    EmptySplit {
        /// Which file.
        path: PathBuf,
        /// The split without pictures.
        split: Split,
    },
    /// No picture takes part under the requested target or rule.
    #[error(
        "no picture of the split {} is left: it is empty or its votes name nothing; `mien dataset` lists what each split holds",
        .split.usage()
    )]
    NoPicture {
        /// The split without pictures.
        split: Split,
    },
    /// The rows of the FER+ file don't match those of FER2013.
    #[error("{path} has {votes} rows where fer2013.csv has {pictures}: the two must belong together row by row")]
    RowCount {
        /// The FER+ file.
        path: PathBuf,
        /// Its rows.
        votes: usize,
        /// Rows of FER2013.
        pictures: usize,
    },
    /// Votes are needed, but their file wasn't given.
    #[error("this needs the FER+ votes: give fer2013new.csv with --ferplus")]
    NoVotes,
    /// Votes were given for pictures that they don't belong to.
    #[error("{path} is read as {kind}, and FER+ votes belong to fer2013.csv alone: leave --ferplus out")]
    VotesElsewhere {
        /// The data set.
        path: PathBuf,
        /// What it was recognised as.
        kind: &'static str,
    },
    /// The pictures can't be split as requested.
    #[error("{path} can't be split: {problem}")]
    Split {
        /// The data set.
        path: PathBuf,
        /// Why not.
        problem: &'static str,
    },
    /// Two sources hold the same pictures.
    #[error("“{name}” holds the same pictures as another source: give each once")]
    Twice {
        /// The later source.
        name: String,
    },
    /// A source has a share of each batch but no picture to draw.
    #[error("no picture of “{name}” takes part in Training: leave it out of the recipe's sources")]
    EmptySource {
        /// Which source.
        name: String,
    },
    /// Pictures are to be drawn evenly over people, but the people aren't known.
    #[error("“{name}” doesn't say who its pictures show, so they can't be drawn evenly over people")]
    NoPeople {
        /// Which source.
        name: String,
    },
    /// libtorch failed.
    #[error("libtorch failed on the pictures: {}", mien_net::torch::said(.0))]
    Torch(#[from] tch::TchError),
    /// The caller's [`super::Watch`] stopped the reading.
    #[error("the pictures were not all read")]
    Stopped,
    /// Faces can't be found.
    #[error(transparent)]
    Faces(#[from] FaceError),
}

/// The error for a folder that no reader recognises.
pub(super) fn unknown_folder(path: &Path, classes: &Classes) -> DataError {
    let path = path.to_owned();
    if classes.are_emotions() {
        DataError::UnknownFolder(path)
    } else {
        DataError::NoClassFolder { path, classes: classes.clone() }
    }
}
