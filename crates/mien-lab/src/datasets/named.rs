//! Data sets whose file names say who is shown, and what.

use std::path::Path;

use super::files::{PictureFile, PictureFiles, SkipCounter, pictures_below};
use super::reader::Source;
use super::{DataError, ReadOptions};
use crate::faces::FaceMode;
use mien_core::emotion::Emotion;

/// What a file's name says.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// Who.
    pub subject: String,
    /// What they show.
    pub label: Emotion,
}

/// Whether the folder's first picture is named as `fits` wants it: all of a data set are, or none.
pub(super) fn begins_with(folder: &Path, fits: impl Fn(&Path) -> bool) -> Result<bool, DataError> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let first = pictures_below(folder).next().transpose()?;
    Ok(first.is_some_and(|picture| fits(&picture)))
}

/// The pictures below a folder; `read` tells a name's meaning, or why the picture is left out.
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
