//! KDEF, the Karolinska Directed Emotional Faces (Lundqvist et al. 1998): 70 people, seven emotions, five angles, two
//! sessions, named `AF01ANS.JPG`: session (A, B), sex (F, M), number, class (AF AN DI HA NE SA SU), angle (FL HL S HR FR).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{PictureFile, PictureFiles, SkipCounter, file_stem, pictures_below};
use super::reader::{Reader, Source};
use super::{DataError, Origin, ReadOptions};
use crate::faces::FaceMode;
use mien_core::emotion::{Class, Emotion};

/// Where the camera stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Angle {
    /// FL: at the face's left side.
    FullLeft,
    /// HL: halfway to it.
    HalfLeft,
    /// S: before the face.
    Straight,
    /// HR: halfway to the right side.
    HalfRight,
    /// FR: at the right side.
    FullRight,
}

/// The letters in file names. The longer ones first: `S` ends none of them, and would be found in `SUS`.
const ANGLES: [(&str, Angle); 5] = [
    ("FL", Angle::FullLeft),
    ("HL", Angle::HalfLeft),
    ("S", Angle::Straight),
    ("HR", Angle::HalfRight),
    ("FR", Angle::FullRight),
];

/// The reader of KDEF.
pub(super) struct Kdef;

impl Reader for Kdef {
    fn kind(&self) -> &'static str {
        "KDEF"
    }

    fn origin(&self) -> Origin {
        Origin::Kdef
    }

    fn recognises(&self, path: &Path) -> Result<bool, DataError> {
        if !path.is_dir() {
            return Ok(false);
        }
        let first = pictures_below(path).next().transpose()?;
        Ok(first.is_some_and(|picture| parse(&file_stem(&picture)).is_some()))
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let straight = [Angle::Straight];
        let angles = if options.angles.is_empty() { &straight } else { options.angles.as_slice() };
        let mut skipped = SkipCounter::default();
        let mut files = Vec::new();
        for picture in pictures_below(path) {
            let picture = picture?;
            match parse(&file_stem(&picture)) {
                // A handful of the published files are misnamed.
                None => skipped.add("not named as KDEF's pictures are"),
                Some(name) if !angles.contains(&name.angle) => skipped.add("from an angle that wasn't asked for"),
                Some(Name { subject, label, .. }) => {
                    files.push(PictureFile { path: picture, label, subject: Some(subject), split: None, line: None });
                }
            }
        }
        Ok(Box::new(PictureFiles {
            name: "KDEF".to_owned(),
            root: path.to_owned(),
            list: None,
            files,
            skipped: skipped.into_list(),
            faces: options.finding(FaceMode::Detector),
            pixels: options.pixels,
        }))
    }
}

/// What a file's name says.
#[derive(Debug, PartialEq)]
struct Name {
    /// Sex and number: the session is left out, both show the same person.
    subject: String,
    label: Emotion,
    angle: Angle,
}

fn parse(stem: &str) -> Option<Name> {
    let stem = stem.to_ascii_uppercase();
    let (session, rest) = stem.split_at_checked(1)?;
    let (subject, rest) = rest.split_at_checked(3)?;
    let (class, angle) = rest.split_at_checked(2)?;
    let is_person = subject.starts_with(['F', 'M']) && subject[1..].bytes().all(|byte| byte.is_ascii_digit());
    let angle = ANGLES.iter().find(|(letters, _)| *letters == angle)?.1;
    let Some(Class::Emotion(label)) = Class::named(class) else { return None };
    (matches!(session, "A" | "B") && is_person).then(|| Name { subject: subject.to_owned(), label, angle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_it_is_what_they_show_and_from_where() {
        let name = |subject: &str, label, angle| Some(Name { subject: subject.to_owned(), label, angle });
        assert_eq!(parse("AF01ANS"), name("F01", Emotion::Angry, Angle::Straight));
        assert_eq!(parse("BF01AFHL"), name("F01", Emotion::Fear, Angle::HalfLeft));
        assert_eq!(parse("bm35sus"), name("M35", Emotion::Surprise, Angle::Straight));
        for other in ["CF01ANS", "AF01ANX", "AF01XXS", "AX01ANS", "AM31H", "AFÜ1ANS", "AF01AN", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
