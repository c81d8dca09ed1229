//! The seven emotions, their spellings in data sets, and their colours.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many emotions there are.
pub const COUNT: usize = 7;

/// A displayed emotion, in the order of FER2013. Networks for the seven emotions use this order in every vector and table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    /// Label 0 of FER2013.
    Angry,
    /// Label 1.
    Disgust,
    /// Label 2.
    Fear,
    /// Label 3.
    Happy,
    /// Label 4.
    Sad,
    /// Label 5.
    Surprise,
    /// Label 6. FER+ votes for contempt count as neutral, except by Microsoft's rule.
    Neutral,
}

impl Emotion {
    /// All emotions in FER2013 order.
    pub const ALL: [Self; COUNT] =
        [Self::Angry, Self::Disgust, Self::Fear, Self::Happy, Self::Sad, Self::Surprise, Self::Neutral];

    /// The emotion with this FER2013 label, or `None` above 6.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// The FER2013 label, 0 to 6.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The English name, capitalised: what the window and the reports show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Angry => "Angry",
            Self::Disgust => "Disgust",
            Self::Fear => "Fear",
            Self::Happy => "Happy",
            Self::Sad => "Sad",
            Self::Surprise => "Surprise",
            Self::Neutral => "Neutral",
        }
    }

    /// The name in lower case: what files use as a column name or a label.
    pub fn key(self) -> &'static str {
        match self {
            Self::Angry => "angry",
            Self::Disgust => "disgust",
            Self::Fear => "fear",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Surprise => "surprise",
            Self::Neutral => "neutral",
        }
    }

    /// The emotion's colour as red, green and blue, from the Okabe–Ito set, which colour-blind readers can tell apart.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Angry => [0xD5, 0x5E, 0x00],
            Self::Disgust => [0x00, 0x9E, 0x73],
            Self::Fear => [0xCC, 0x79, 0xA7],
            Self::Happy => [0xF0, 0xE4, 0x42],
            Self::Sad => [0x00, 0x72, 0xB2],
            Self::Surprise => [0x56, 0xB4, 0xE9],
            Self::Neutral => [0x99, 0x99, 0x99],
        }
    }

    /// The emotion that a word names, in any spelling that data sets use. Case doesn't matter.
    pub fn spelled(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        SPELLINGS.iter().find(|(_, spellings)| spellings.contains(&word.as_str())).map(|(emotion, _)| *emotion)
    }
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names none of the seven emotions.
#[derive(Debug, thiserror::Error)]
#[error("“{0}” is not an emotion; the seven are angry, disgust, fear, happy, sad, surprise and neutral")]
pub struct UnknownEmotion(String);

impl FromStr for Emotion {
    type Err = UnknownEmotion;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|emotion| emotion.key().eq_ignore_ascii_case(word.trim()))
            .ok_or_else(|| UnknownEmotion(word.to_owned()))
    }
}

/// Spellings in use, in lower case: nouns, adjectives and the two-letter codes of JAFFE and KDEF (such as `FE` and `AF`).
const SPELLINGS: [(Emotion, &[&str]); COUNT] = [
    (Emotion::Angry, &["angry", "anger", "an"]),
    (Emotion::Disgust, &["disgust", "disgusted", "di"]),
    (Emotion::Fear, &["fear", "fearful", "afraid", "scared", "fe", "af"]),
    (Emotion::Happy, &["happy", "happiness", "joy", "ha"]),
    (Emotion::Sad, &["sad", "sadness", "sa"]),
    (Emotion::Surprise, &["surprise", "surprised", "su"]),
    (Emotion::Neutral, &["neutral", "neutrality", "ne"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_fer2013() {
        let names: Vec<_> = Emotion::ALL.iter().map(|e| e.name()).collect();
        assert_eq!(names, ["Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"]);
        assert!(Emotion::ALL.iter().enumerate().all(|(i, e)| e.index() == i));
    }

    #[test]
    fn names_are_read_back_whatever_the_case() {
        for emotion in Emotion::ALL {
            assert_eq!(emotion.name().parse::<Emotion>().unwrap(), emotion);
        }
        assert!("contempt".parse::<Emotion>().is_err());
    }

    #[test]
    fn every_spelling_means_one_emotion() {
        assert_eq!(Emotion::spelled("Happiness"), Some(Emotion::Happy));
        assert_eq!(Emotion::spelled(" AF "), Some(Emotion::Fear));
        assert_eq!(Emotion::spelled("contempt"), None);
        assert_eq!(Emotion::spelled("3"), None);
        let mut all: Vec<_> = SPELLINGS.iter().flat_map(|(_, spellings)| *spellings).collect();
        all.sort();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        for emotion in Emotion::ALL {
            assert_eq!(Emotion::spelled(emotion.name()), Some(emotion));
        }
    }
}
