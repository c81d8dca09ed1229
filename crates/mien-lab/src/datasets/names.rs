//! The words by which data sets call emotions and splits.

use super::Split;
use mien_core::emotion::Emotion;

/// What a label in a data set means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// One of the seven.
    Emotion(Emotion),
    /// An eighth class of CK+ and AffectNet, which Mien's networks don't name: such pictures are left out and counted.
    Contempt,
}

/// Spellings in use, in lower case: nouns, adjectives and the two letters of JAFFE and KDEF (`FE` and `AF`).
const CLASSES: [(Class, &[&str]); 8] = [
    (Class::Emotion(Emotion::Angry), &["angry", "anger", "an"]),
    (Class::Emotion(Emotion::Disgust), &["disgust", "disgusted", "di"]),
    (Class::Emotion(Emotion::Fear), &["fear", "fearful", "afraid", "scared", "fe", "af"]),
    (Class::Emotion(Emotion::Happy), &["happy", "happiness", "joy", "ha"]),
    (Class::Emotion(Emotion::Sad), &["sad", "sadness", "sa"]),
    (Class::Emotion(Emotion::Surprise), &["surprise", "surprised", "su"]),
    (Class::Emotion(Emotion::Neutral), &["neutral", "neutrality", "ne"]),
    (Class::Contempt, &["contempt", "contemptuous"]),
];

/// Names of split folders, in lower case without `_`, `-` and spaces.
const SPLITS: [(Split, &[&str]); 3] = [
    (Split::Training, &["train", "training"]),
    (Split::Public, &["validation", "valid", "val", "dev", "public", "publictest"]),
    (Split::Private, &["test", "testing", "private", "privatetest"]),
];

/// The class that a word names, whatever its case.
pub(super) fn class(word: &str) -> Option<Class> {
    let word = word.trim().to_lowercase();
    CLASSES.iter().find(|(_, spellings)| spellings.contains(&word.as_str())).map(|(class, _)| *class)
}

/// The split that a word names, whatever its case.
pub(super) fn split(word: &str) -> Option<Split> {
    let word: String = word.to_lowercase().chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    SPLITS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(split, _)| *split)
}

/// What a word that is no class is answered with.
pub(super) fn no_class(word: &str) -> String {
    if word.trim().parse::<i64>().is_ok() {
        // RAF-DB, AffectNet and FER2013 number the same emotions in three different orders.
        format!("“{word}” is a number, and data sets number emotions differently: name it, such as happy or sadness")
    } else {
        format!("“{word}” names no emotion: the seven are angry, disgust, fear, happy, sad, surprise and neutral")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_means_one_class() {
        assert_eq!(class("Happiness"), Some(Class::Emotion(Emotion::Happy)));
        assert_eq!(class(" AF "), Some(Class::Emotion(Emotion::Fear)));
        assert_eq!(class("contempt"), Some(Class::Contempt));
        assert_eq!(class("3"), None);
        let mut all: Vec<_> = CLASSES.iter().flat_map(|(_, spellings)| *spellings).collect();
        all.sort();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        for emotion in Emotion::ALL {
            assert_eq!(class(emotion.name()), Some(Class::Emotion(emotion)));
        }
    }

    #[test]
    fn splits_are_known_by_the_names_that_are_in_use() {
        for (name, expected) in [
            ("train", Some(Split::Training)),
            ("Validation", Some(Split::Public)),
            ("Public_Test", Some(Split::Public)),
            ("TEST", Some(Split::Private)),
            ("happy", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }
}
