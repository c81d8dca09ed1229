//! Folders named after emotions or classes, the layout of most data sets on Kaggle: `train/angry/*.jpg` with `validation` or
//! `test` beside `train`, the emotions' folders alone, or either of these inside another folder.

use std::path::{Path, PathBuf};

use super::error::unknown_folder;
use super::files::{PictureFile, PictureFiles, SkipCounter, file_name, folders_in, pictures_below};
use super::names::{self, no_class, no_split};
use super::reader::{Reader, Source};
use super::{DataError, ReadOptions, Split};
use crate::faces::FaceMode;
use mien_core::classes::Classes;

/// Levels that are searched for the layout: archives may wrap it in folders that hold only one other folder.
const WRAPPERS: usize = 3;

/// The reader of folders named after emotions or classes.
pub(super) struct ClassFolders;

impl Reader for ClassFolders {
    fn kind(&self) -> &'static str {
        "folders named after emotions"
    }

    fn takes_classes(&self) -> bool {
        true
    }

    fn recognises(&self, path: &Path, classes: &Classes) -> Result<bool, DataError> {
        Ok(Layout::find(path, classes)?.is_some())
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let name = file_name(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        Layout::open(path, options, &name, |_| Ok(None))
    }
}

/// The folders that hold the classes' folders, each with its split if it is named after one.
pub(super) struct Layout {
    pub parts: Vec<(Option<Split>, PathBuf)>,
    /// Folders beside those of the splits.
    others: Vec<PathBuf>,
}

impl Layout {
    /// Looks for the layout at `path`; `None` if there is none.
    pub fn find(path: &Path, classes: &Classes) -> Result<Option<Self>, DataError> {
        if !path.is_dir() {
            return Ok(None);
        }
        let mut root = path.to_owned();
        for _ in 0..WRAPPERS {
            let folders = folders_in(&root)?;
            if folders.iter().any(|folder| classes.word(&file_name(folder)).is_some()) {
                return Ok(Some(Self { parts: vec![(None, root)], others: vec![] }));
            }
            let (named, others): (Vec<_>, Vec<_>) = folders
                .iter()
                .cloned()
                .map(|f| (names::split(&file_name(&f)), f))
                .partition(|(split, _)| split.is_some());
            if !named.is_empty() {
                return Ok(Some(Self { parts: named, others: others.into_iter().map(|(_, folder)| folder).collect() }));
            }
            match <[PathBuf; 1]>::try_from(folders) {
                Ok([only]) => root = only,
                Err(_) => break,
            }
        }
        Ok(None)
    }

    /// Lists all pictures of the layout at `path`; `subject` says who is in one.
    ///
    /// # Errors
    /// When there is no such layout, or a folder beside those of the splits holds pictures, which would be lost silently. Also
    /// any error of [`Self::pictures`] or `subject`.
    pub fn open(
        path: &Path,
        options: &ReadOptions,
        name: &str,
        subject: impl Fn(&Path) -> Result<Option<String>, DataError>,
    ) -> Result<Box<dyn Source>, DataError> {
        let layout = Self::find(path, &options.classes)?.ok_or_else(|| unknown_folder(path, &options.classes))?;
        for folder in &layout.others {
            if pictures_below(folder).next().transpose()?.is_some() {
                return Err(DataError::Picture { path: folder.clone(), problem: no_split(&file_name(folder)) });
            }
        }
        let (mut files, mut skipped) = (Vec::new(), SkipCounter::default());
        for (split, folder) in &layout.parts {
            for (path, label) in layout.pictures(folder, &options.classes, &mut skipped)? {
                let subject = subject(&path)?;
                files.push(PictureFile { path, label, subject, split: *split, line: None });
            }
        }
        // These data sets hold faces that are already cropped.
        Ok(Box::new(PictureFiles::sorted(name, path, (files, skipped), FaceMode::Whole, options)))
    }

    /// The pictures in the classes' folders below `folder`, with their labels.
    ///
    /// # Errors
    /// When a folder holds pictures but isn't named after a class: they would be lost silently.
    pub fn pictures(
        &self,
        folder: &Path,
        classes: &Classes,
        skipped: &mut SkipCounter,
    ) -> Result<Vec<(PathBuf, usize)>, DataError> {
        let mut pictures = Vec::new();
        for class_folder in folders_in(folder)? {
            let word = classes.word(&file_name(&class_folder));
            for picture in pictures_below(&class_folder) {
                let picture = picture?;
                let Some(word) = word else {
                    let problem = no_class(classes, &file_name(&class_folder));
                    return Err(DataError::Picture { path: class_folder, problem });
                };
                if let Some(label) = skipped.label_of(word) {
                    pictures.push((picture, label));
                }
            }
        }
        Ok(pictures)
    }
}
