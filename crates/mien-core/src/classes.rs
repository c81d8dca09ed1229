//! What a classifier tells apart: the seven emotions, or classes that a recipe names.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::emotion::Emotion;

/// The most classes: a confusion matrix of more is no longer read.
pub const MOST_CLASSES: usize = 20;

/// The most letters of a class's name: tables and charts have no room for longer ones.
const LONGEST_NAME: usize = 24;

static EMOTIONS: LazyLock<Classes> =
    LazyLock::new(|| Classes(Emotion::ALL.map(|emotion| emotion.key().to_owned()).into()));

/// Names in the order of a network's outputs. A class is meant by its place among them, counted from 0. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Classes(Arc<[String]>);

/// Names that are no classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassesError {
    /// One or none: there is nothing to tell apart.
    #[error("has to name at least two classes")]
    Few,
    /// More than [`MOST_CLASSES`].
    #[error("names {0} classes; {MOST_CLASSES} are the most")]
    Many(usize),
    /// A name without letters.
    #[error("holds a class without a name")]
    Empty,
    /// A name that can't stand in tables and charts.
    #[error("“{0}” is no name for a class: it has up to {LONGEST_NAME} letters in one line, and no spaces around it")]
    Unfit(String),
    /// Two names that differ in capitals at most.
    #[error("“{0}” is named twice")]
    Twice(String),
}

impl Classes {
    /// Classes of these names.
    ///
    /// # Errors
    /// When there are fewer than two or more than [`MOST_CLASSES`], or a name is empty, unfit or there twice.
    pub fn new(names: Vec<String>) -> Result<Self, ClassesError> {
        let mut known = BTreeSet::new();
        for name in &names {
            if name.trim().is_empty() {
                return Err(ClassesError::Empty);
            }
            if name.trim() != name || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
                return Err(ClassesError::Unfit(name.escape_debug().to_string()));
            }
            if !known.insert(name.to_lowercase()) {
                return Err(ClassesError::Twice(name.clone()));
            }
        }
        match names.len() {
            0 | 1 => Err(ClassesError::Few),
            count if count > MOST_CLASSES => Err(ClassesError::Many(count)),
            _ => Ok(Self(names.into())),
        }
    }

    /// The seven emotions in FER2013 order, [`Emotion::ALL`].
    pub fn emotions() -> Self {
        EMOTIONS.clone()
    }

    /// Whether they are the seven emotions in their order.
    pub fn are_emotions(&self) -> bool {
        *self == *EMOTIONS
    }

    /// How many there are, at least two.
    #[expect(clippy::len_without_is_empty, reason = "there are always two")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names as files have them: columns, labels, fields.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The name of one class as files have it; empty for a place that there isn't.
    pub fn key(&self, class: usize) -> &str {
        self.0.get(class).map_or("", String::as_str)
    }

    /// The names as reports show them, each with a capital.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.keys().map(capitalised)
    }

    /// The name of one class as reports show it.
    pub fn name(&self, class: usize) -> String {
        capitalised(self.key(class))
    }

    /// The class that a word names, whatever its case.
    pub fn named(&self, word: &str) -> Option<usize> {
        let word = word.trim().to_lowercase();
        self.keys().position(|key| key.to_lowercase() == word)
    }
}

fn capitalised(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

impl Default for Classes {
    /// The seven emotions.
    fn default() -> Self {
        Self::emotions()
    }
}

impl TryFrom<Vec<String>> for Classes {
    type Error = ClassesError;

    fn try_from(names: Vec<String>) -> Result<Self, ClassesError> {
        Self::new(names)
    }
}

impl From<Classes> for Vec<String> {
    fn from(classes: Classes) -> Self {
        classes.0.to_vec()
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Result<Classes, ClassesError> {
        Classes::new(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_default_are_the_seven_emotions_in_their_order() {
        let emotions = Classes::default();
        assert!(emotions.are_emotions());
        for emotion in Emotion::ALL {
            assert_eq!(
                (emotions.key(emotion.index()), emotions.name(emotion.index())),
                (emotion.key(), emotion.to_string())
            );
        }
        let mut others: Vec<String> = emotions.clone().into();
        assert_eq!(Classes::new(others.clone()).unwrap(), emotions);
        others.swap(0, 6);
        assert!(!Classes::new(others).unwrap().are_emotions());
    }

    #[test]
    fn classes_are_found_by_their_names_whatever_the_case() {
        let own = classes(&["tired", "wide awake"]).unwrap();
        assert_eq!([own.named(" Wide Awake "), own.named("TIRED"), own.named("happy")], [Some(1), Some(0), None]);
        assert_eq!((own.name(1).as_str(), own.to_string().as_str()), ("Wide awake", "tired, wide awake"));
        assert_eq!(own.key(2), "");
    }

    #[test]
    fn names_that_can_not_be_meant_are_refused() {
        let error = |names: &[&str]| classes(names).unwrap_err();
        assert_eq!(error(&[]), ClassesError::Few);
        assert_eq!(error(&["tired"]), ClassesError::Few);
        assert_eq!(error(&["tired", "Tired"]), ClassesError::Twice("Tired".to_owned()));
        assert_eq!(error(&["tired", " "]), ClassesError::Empty);
        assert_eq!(error(&["tired", "a\nb"]), ClassesError::Unfit("a\\nb".to_owned()));
        assert!(matches!(error(&["tired", " awake"]), ClassesError::Unfit(_)));
        assert!(matches!(error(&["tired", &"a".repeat(25)]), ClassesError::Unfit(_)));
        let many: Vec<String> = (0..=MOST_CLASSES).map(|i| format!("class {i}")).collect();
        assert_eq!(Classes::new(many).unwrap_err(), ClassesError::Many(MOST_CLASSES + 1));
    }
}
