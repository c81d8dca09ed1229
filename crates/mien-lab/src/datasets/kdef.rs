//! KDEF, the Karolinska Directed Emotional Faces (Lundqvist et al. 1998): 70 people, seven emotions, five angles, two
//! sessions, named `AF01ANS.JPG`: session (A, B), sex (F, M), number, class (AF AN DI HA NE SA SU), angle (FL HL S HR FR).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::file_stem;
use super::named::{self, Shown};
use super::reader::{Reader, Source};
use super::{DataError, Origin, ReadOptions};
use mien_core::classes::Classes;
use mien_core::emotion::Emotion;

/// Where the camera stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Angle {
    /// FL: from the face's left side.
    FullLeft,
    /// HL: from halfway to the left side.
    HalfLeft,
    /// S: from the front.
    Straight,
    /// HR: from halfway to the right side.
    HalfRight,
    /// FR: from the right side.
    FullRight,
}

/// The letters in file names.
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

    fn recognises(&self, path: &Path, _classes: &Classes) -> Result<bool, DataError> {
        named::begins_with(path, |picture| parse(&file_stem(picture)).is_some())
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let straight = [Angle::Straight];
        let angles = if options.angles.is_empty() { &straight } else { options.angles.as_slice() };
        named::open(path, options, "KDEF", |picture| match parse(&file_stem(picture)) {
            // A handful of the published files are misnamed.
            None => Err("not named as KDEF's pictures are"),
            Some((_, angle)) if !angles.contains(&angle) => Err("from an angle that wasn't asked for"),
            Some((shown, _)) => Ok(shown),
        })
    }
}

/// The person, emotion and angle in a file name. The subject is sex and number, without the session: both sessions show the same people.
fn parse(stem: &str) -> Option<(Shown, Angle)> {
    let stem = stem.to_ascii_uppercase();
    let (session, rest) = stem.split_at_checked(1)?;
    let (subject, rest) = rest.split_at_checked(3)?;
    let (class, angle) = rest.split_at_checked(2)?;
    let is_person = subject.starts_with(['F', 'M']) && subject[1..].bytes().all(|byte| byte.is_ascii_digit());
    let angle = ANGLES.iter().find(|(letters, _)| *letters == angle)?.1;
    let label = Emotion::spelled(class)?;
    (matches!(session, "A" | "B") && is_person).then(|| (Shown { subject: subject.to_owned(), label }, angle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_it_is_what_they_show_and_from_where() {
        let name = |subject: &str, label, angle| Some((Shown { subject: subject.to_owned(), label }, angle));
        assert_eq!(parse("AF01ANS"), name("F01", Emotion::Angry, Angle::Straight));
        assert_eq!(parse("BF01AFHL"), name("F01", Emotion::Fear, Angle::HalfLeft));
        assert_eq!(parse("bm35sus"), name("M35", Emotion::Surprise, Angle::Straight));
        for other in ["CF01ANS", "AF01ANX", "AF01XXS", "AX01ANS", "AM31H", "AFÜ1ANS", "AF01AN", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
