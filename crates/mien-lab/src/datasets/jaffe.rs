//! JAFFE, the Japanese Female Facial Expression data set (Lyons et al. 1998): ten women, three or four pictures of each
//! emotion, named `KA.AN1.39.tiff`: person, class and number of the pose, running number.

use std::path::Path;

use super::files::file_name;
use super::named::{self, Shown};
use super::reader::{Reader, Source};
use super::{DataError, Origin, ReadOptions};
use mien_core::classes::Classes;
use mien_core::emotion::Emotion;

/// The reader of JAFFE.
pub(super) struct Jaffe;

impl Reader for Jaffe {
    fn kind(&self) -> &'static str {
        "JAFFE"
    }

    fn origin(&self) -> Origin {
        Origin::Jaffe
    }

    fn recognises(&self, path: &Path, _classes: &Classes) -> Result<bool, DataError> {
        named::begins_with(path, |picture| parse(&file_name(picture)).is_some())
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let read = |picture: &Path| parse(&file_name(picture)).ok_or("not named as JAFFE's pictures are");
        named::open(path, options, "JAFFE", read)
    }
}

/// The person and emotion in a file name, such as `KA` and angry in `KA.AN1.39.tiff`.
fn parse(name: &str) -> Option<Shown> {
    let mut parts = name.split('.');
    let (subject, pose, number) = (parts.next()?, parts.next()?, parts.next()?);
    let is_person = subject.len() == 2 && subject.bytes().all(|byte| byte.is_ascii_uppercase());
    let (class, pose) = pose.split_at_checked(2)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let label = Emotion::spelled(class)?;
    (is_person && is_number(pose) && is_number(number)).then(|| Shown { subject: subject.to_owned(), label })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_it_is_and_what_she_shows() {
        let shown = |subject: &str, label| Some(Shown { subject: subject.to_owned(), label });
        assert_eq!(parse("KA.AN1.39.tiff"), shown("KA", Emotion::Angry));
        assert_eq!(parse("NM.FE3.114.tiff"), shown("NM", Emotion::Fear));
        for other in ["KA.XX1.39.tiff", "KA.AN.39.tiff", "ka.AN1.39.tiff", "README.txt", "KA.ü.1.tiff", "KA.A", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
