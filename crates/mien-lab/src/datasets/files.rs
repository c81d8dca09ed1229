//! Data sets made of picture files: finding, decoding and cropping them, whatever their names mean.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::reader::{About, Collection, Entry, Skipped, Source, Watch};
use super::{DataError, ReadOptions, Split};
use crate::faces::{FaceCutter, FaceError, FaceFinding, FaceMode};
use crate::pictures::decode_gray;
use crate::provenance;
use mien_core::classes::{Classes, Word};
use mien_core::pixels::PixelLimit;

/// File extensions of the picture formats that Mien reads.
const ENDINGS: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];
/// Levels of folders below a data set that are searched. KDEF needs two, Kaggle's layouts four. The limit also stops links to
/// parent folders.
const DEPTH: usize = 8;

/// A picture of a data set.
pub(super) struct PictureFile {
    pub path: PathBuf,
    /// As an index into the classes.
    pub label: usize,
    pub subject: Option<String>,
    pub split: Option<Split>,
    /// The line of the list that names it, if there is a list.
    pub line: Option<u64>,
}

/// A data set of picture files that are listed but not decoded.
pub(super) struct PictureFiles {
    pub name: String,
    /// The folder that picture names are relative to.
    pub root: PathBuf,
    /// The table that lists them, if there is one.
    pub list: Option<PathBuf>,
    pub files: Vec<PictureFile>,
    /// The classes of their labels.
    pub classes: Classes,
    pub skipped: Vec<Skipped>,
    pub faces: FaceFinding,
    /// How large a picture may be.
    pub pixels: PixelLimit,
}

impl Source for PictureFiles {
    fn files(&self) -> Vec<&Path> {
        self.list.iter().chain(self.files.iter().map(|file| &file.path)).map(PathBuf::as_path).collect()
    }

    fn faces(&self) -> FaceFinding {
        self.faces
    }

    fn decode(&self, watch: &Watch) -> Result<Collection, DataError> {
        let mut cutter = FaceCutter::new(self.faces)?;
        let mut sum = Sha256::new();
        let (mut entries, mut pixels) = (Vec::with_capacity(self.files.len()), Vec::new());
        for file in &self.files {
            let place = file.path.strip_prefix(&self.root).unwrap_or(&file.path).to_string_lossy().into_owned();
            let bytes = std::fs::read(&file.path).map_err(|e| self.wrong(file, format!("can't be read: {e}")))?;
            for part in
                [place.as_bytes(), &(bytes.len() as u64).to_le_bytes(), self.classes.key(file.label).as_bytes(), &bytes]
            {
                sum.update(part);
            }
            let picture = decode_gray(&bytes, self.pixels).map_err(|problem| self.wrong(file, problem))?;
            let face = picture.view().ok_or(FaceError::TooSmall).and_then(|view| cutter.cut(view))?;
            pixels.extend_from_slice(face.pixels());
            entries.push(Entry {
                place,
                label: file.label,
                subject: file.subject.clone(),
                split: file.split,
                votes: None,
            });
            watch.tell(entries.len(), self.files.len())?;
        }
        let about = About {
            name: self.name.clone(),
            sha256: std::iter::once(format!("{:x}", sum.finalize())).chain(self.list_sum()?).collect(),
            skipped: self.skipped.clone(),
            faces: cutter.counts(),
            places: cutter.places(),
        };
        Ok(Collection { entries, pixels, about })
    }
}

impl PictureFiles {
    /// A data set of the listed pictures in and below `root`. Their faces are found as `mode` says unless the options say otherwise.
    pub fn sorted(
        name: &str,
        root: &Path,
        (files, skipped): (Vec<PictureFile>, SkipCounter),
        mode: FaceMode,
        options: &ReadOptions,
    ) -> Self {
        Self {
            name: name.to_owned(),
            root: root.to_owned(),
            list: None,
            files,
            classes: options.classes.clone(),
            skipped: skipped.into_list(),
            faces: options.finding(mode),
            pixels: options.pixels,
        }
    }

    /// SHA-256 of the list, if there is one: only the list says who its pictures show and how they are split.
    fn list_sum(&self) -> Result<Option<String>, DataError> {
        let sum =
            |path: &PathBuf| provenance::sha256(path).map_err(|source| DataError::Read { path: path.clone(), source });
        self.list.as_ref().map(sum).transpose()
    }

    /// The error for a problem with one picture, with its path or the line that lists it.
    fn wrong(&self, file: &PictureFile, problem: String) -> DataError {
        match (&self.list, file.line) {
            (Some(list), Some(line)) => DataError::Row {
                path: list.clone(),
                line,
                problem: format!("the picture {}: {problem}", file.path.display()),
            },
            _ => DataError::Picture { path: file.path.clone(), problem },
        }
    }
}

/// Every picture file in and below a folder, in the order of their paths. Skips hidden files and folders, and the folder that
/// macOS puts into archives.
pub(super) fn pictures_below(folder: &Path) -> impl Iterator<Item = Result<PathBuf, DataError>> + use<> {
    let root = folder.to_owned();
    WalkDir::new(folder)
        .max_depth(DEPTH)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_passed_over(entry.file_name()))
        .filter_map(move |entry| match entry {
            Ok(entry) => is_picture(&entry).then(|| Ok(entry.into_path())),
            Err(error) => {
                let path = error.path().unwrap_or(&root).to_owned();
                Some(Err(DataError::Read { path, source: error.into() }))
            }
        })
}

/// The folders in a folder, in the order of their names, except those that are skipped.
pub(super) fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = WalkDir::new(folder).min_depth(1).max_depth(1).follow_links(true).sort_by_file_name().into_iter();
    entries
        .filter_entry(|entry| !is_passed_over(entry.file_name()))
        .filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_dir()))
        .map(|entry| {
            entry
                .map(DirEntry::into_path)
                .map_err(|e| DataError::Read { path: e.path().unwrap_or(folder).to_owned(), source: e.into() })
        })
        .collect()
}

fn is_passed_over(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX"
}

fn is_picture(entry: &DirEntry) -> bool {
    let ending = entry.path().extension().unwrap_or_default();
    entry.file_type().is_file() && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// The last part of a path as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The last part of a path without its extension, as text.
pub(super) fn file_stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Counts what is left out, by reason.
#[derive(Default)]
pub(super) struct SkipCounter(Vec<Skipped>);

impl SkipCounter {
    /// Counts one picture for this reason.
    pub fn add(&mut self, reason: &str) {
        match self.0.iter_mut().find(|skipped| skipped.reason == reason) {
            Some(skipped) => skipped.count += 1,
            None => self.0.push(Skipped { reason: reason.to_owned(), count: 1 }),
        }
    }

    /// The label that a word stands for. `None` for contempt, which isn't one of the seven emotions; it is counted as left out.
    pub fn label_of(&mut self, word: Word) -> Option<usize> {
        match word {
            Word::Class(label) => Some(label),
            Word::Contempt => {
                self.add("contempt, which isn't one of the seven emotions");
                None
            }
        }
    }

    /// The reasons and their counts.
    pub fn into_list(self) -> Vec<Skipped> {
        self.0
    }
}
