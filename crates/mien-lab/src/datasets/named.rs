//! Data sets whose file names give the person and the emotion.

use std::path::Path;

use super::files::{PictureFile, PictureFiles, SkipCounter, pictures_below};
use super::reader::Source;
use super::{DataError, ReadOptions};
use crate::faces::FaceMode;
use mien_core::emotion::Emotion;

/// What a file's name says.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// The person.
    pub subject: String,
    /// The emotion shown.
    pub label: Emotion,
}

/// Whether the path of the folder's first picture `fits`. All pictures of a data set follow the same naming, so one is enough.
pub(super) fn begins_with(folder: &Path, fits: impl Fn(&Path) -> bool) -> Result<bool, DataError> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let first = pictures_below(folder).next().transpose()?;
    Ok(first.is_some_and(|picture| fits(&picture)))
}

/// Lists the pictures below a folder. `read` interprets a file name, or says why the picture is left out.
pub(super) fn open(
    folder: &Path,
    options: &ReadOptions,
    name: &str,
    read: impl Fn(&Path) -> Result<Shown, &'static str>,
) -> Result<Box<dyn Source>, DataError> {
    let (mut files, mut skipped) = (Vec::new(), SkipCounter::default());
    for picture in pictures_below(folder) {
        let path = picture?;
        match read(&path) {
            Ok(Shown { subject, label }) => {
                files.push(PictureFile { path, label: label.index(), subject: Some(subject), split: None, line: None });
            }
            Err(reason) => skipped.add(reason),
        }
    }
    Ok(Box::new(PictureFiles::sorted(name, folder, (files, skipped), FaceMode::Detector, options)))
}
