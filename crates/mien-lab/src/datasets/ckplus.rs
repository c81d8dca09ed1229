//! CK+48: the last three frames of each labelled sequence of the extended Cohn-Kanade data set (Lucey et al. 2010), cut to
//! 48×48 and sorted into folders: `anger/S010_004_00000017.png`, which is subject, sequence and frame.
//!
//! It has no neutral. Contempt is left out and counted, unless a recipe's classes include it. The three frames of a sequence
//! are almost the same, and a person's sequences are similar, so it must be split by subject.

use std::path::Path;

use super::class_folders::Layout;
use super::files::{SkipCounter, file_stem};
use super::reader::{Reader, Source};
use super::{DataError, Origin, ReadOptions};
use mien_core::classes::Classes;

/// The reader of CK+48.
pub(super) struct CkPlus;

impl Reader for CkPlus {
    fn kind(&self) -> &'static str {
        "CK+48"
    }

    fn origin(&self) -> Origin {
        Origin::CkPlus
    }

    fn takes_classes(&self) -> bool {
        true
    }

    fn recognises(&self, path: &Path, classes: &Classes) -> Result<bool, DataError> {
        let Some(layout) = Layout::find(path, classes)? else { return Ok(false) };
        let [(None, folder)] = layout.parts.as_slice() else { return Ok(false) };
        let pictures = layout.pictures(folder, classes, &mut SkipCounter::default());
        // A folder that isn't named after a class is reported by the reader that opens the data set.
        let pictures = pictures.unwrap_or_default();
        let named = pictures.iter().filter(|(picture, _)| subject(&file_stem(picture)).is_some()).count();
        Ok(2 * named > pictures.len())
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        Layout::open(path, options, "CK+48", |picture| match subject(&file_stem(picture)) {
            Some(subject) => Ok(Some(subject)),
            None => {
                let problem = "isn't named like the rest of CK+48, SUBJECT_SEQUENCE_FRAME: without the subject it \
                               can't be split"
                    .to_owned();
                Err(DataError::Picture { path: picture.to_owned(), problem })
            }
        })
    }
}

/// The subject in a file name, such as `S010` in `S010_004_00000017`.
fn subject(stem: &str) -> Option<String> {
    let mut parts = stem.split('_');
    let (subject, sequence, frame) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_named = subject.strip_prefix('S').is_some_and(is_number) && is_number(sequence) && is_number(frame);
    (is_named && parts.next().is_none()).then(|| subject.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_it_is() {
        assert_eq!(subject("S010_004_00000017").as_deref(), Some("S010"));
        for other in ["S010", "S010_004", "angry_1_2", "S010_004_x", "S_1_2", "S010_004_1_2", ""] {
            assert_eq!(subject(other), None, "{other}");
        }
    }
}
