//! JAFFE, the Japanese Female Facial Expression data set (Lyons et al. 1998): ten women, three or four pictures of each
//! emotion, named `KA.AN1.39.tiff`: person, class and number of the pose, running number.

use std::path::Path;

use super::files::{PictureFile, PictureFiles, SkipCounter, file_name, pictures_below};
use super::reader::{Reader, Source};
use super::{DataError, Origin, ReadOptions};
use crate::faces::FaceMode;
use mien_core::emotion::{Class, Emotion};

/// The reader of JAFFE.
pub(super) struct Jaffe;

impl Reader for Jaffe {
    fn kind(&self) -> &'static str {
        "JAFFE"
    }

    fn origin(&self) -> Origin {
        Origin::Jaffe
    }

    fn recognises(&self, path: &Path) -> Result<bool, DataError> {
        if !path.is_dir() {
            return Ok(false);
        }
        // All files are named like this, or none.
        let first = pictures_below(path).next().transpose()?;
        Ok(first.is_some_and(|picture| parse(&file_name(&picture)).is_some()))
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let mut skipped = SkipCounter::default();
        let mut files = Vec::new();
        for picture in pictures_below(path) {
            let picture = picture?;
            match parse(&file_name(&picture)) {
                Some((subject, label)) => {
                    files.push(PictureFile { path: picture, label, subject: Some(subject), split: None, line: None });
                }
                None => skipped.add("not named as JAFFE's pictures are"),
            }
        }
        Ok(Box::new(PictureFiles {
            name: "JAFFE".to_owned(),
            root: path.to_owned(),
            list: None,
            files,
            skipped: skipped.into_list(),
            faces: options.finding(FaceMode::Detector),
            pixels: options.pixels,
        }))
    }
}

/// `KA` and angry of `KA.AN1.39.tiff`.
fn parse(name: &str) -> Option<(String, Emotion)> {
    let mut parts = name.split('.');
    let (subject, pose, number) = (parts.next()?, parts.next()?, parts.next()?);
    let is_person = subject.len() == 2 && subject.bytes().all(|byte| byte.is_ascii_uppercase());
    let (class, pose) = pose.split_at_checked(2)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(Class::Emotion(emotion)) = Class::named(class) else { return None };
    (is_person && is_number(pose) && is_number(number)).then(|| (subject.to_owned(), emotion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_it_is_and_what_she_shows() {
        assert_eq!(parse("KA.AN1.39.tiff"), Some(("KA".to_owned(), Emotion::Angry)));
        assert_eq!(parse("NM.FE3.114.tiff"), Some(("NM".to_owned(), Emotion::Fear)));
        for other in ["KA.XX1.39.tiff", "KA.AN.39.tiff", "ka.AN1.39.tiff", "README.txt", "KA.ü.1.tiff", "KA.A", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
