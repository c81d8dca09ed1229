//! The classes of a classifier: the seven emotions, or custom classes that a recipe names.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::contrast;
use crate::emotion::Emotion;
use crate::verdict::UNSURE;

/// Largest number of classes: a larger confusion matrix would be unreadable.
pub const MOST_CLASSES: usize = 20;

/// Most characters in a class's name: tables and charts have no room for longer ones.
const LONGEST_NAME: usize = 24;

/// Words already used in tables, messages and known answers; no class may have them.
const TAKEN: [&str; 5] = [UNSURE, "ignore", "label", "verdict", "box"];

/// Spellings of [`Word::Contempt`], in lower case.
const CONTEMPT: [&str; 2] = ["contempt", "contemptuous"];

/// Colours of custom classes as red, green and blue: the Okabe–Ito set without black, then those of Paul Tol's schemes (“Colour
/// schemes”, SRON/EPS/TN/09-002, 2021) that lie furthest (CIEDE2000) from all earlier ones, from white and from the window's dark
/// background. No two are closer than 10.6.
const PALETTE: [[u8; 3]; MOST_CLASSES] = [
    [0xE6, 0x9F, 0x00],
    [0x56, 0xB4, 0xE9],
    [0x00, 0x9E, 0x73],
    [0xF0, 0xE4, 0x42],
    [0x00, 0x72, 0xB2],
    [0xD5, 0x5E, 0x00],
    [0xCC, 0x79, 0xA7],
    [0x88, 0x22, 0x55],
    [0x99, 0x99, 0x33],
    [0x00, 0x44, 0x88],
    [0x11, 0x77, 0x33],
    [0xFF, 0xAA, 0xBB],
    [0xEE, 0x88, 0x66],
    [0xAA, 0x44, 0x99],
    [0xEE, 0x66, 0x77],
    [0x99, 0x77, 0x00],
    [0xCC, 0x33, 0x11],
    [0x99, 0xDD, 0xFF],
    [0x99, 0x99, 0x99],
    [0x99, 0x44, 0x55],
];

static EMOTIONS: LazyLock<Classes> =
    LazyLock::new(|| Classes::named_and_coloured(Emotion::ALL.map(|emotion| emotion.key().to_owned()).into()));

/// Class names in the order of a network's outputs. Elsewhere, a class is its index here, counted from 0. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Classes(Arc<[Known]>);

/// A class's name, and what follows from the names of all classes.
#[derive(PartialEq, Eq)]
struct Known {
    key: String,
    column: String,
    rgb: [u8; 3],
}

/// What a word means in a data set or in a table of known answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A class, by its index.
    Class(usize),
    /// The eighth class of CK+ and AffectNet; it is left out and counted. (FER+'s votes for it are added to neutral, except by
    /// Microsoft's rule.)
    Contempt,
}

/// Why names can't be classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassesError {
    /// Fewer than two.
    #[error("has to name at least two classes")]
    Few,
    /// More than [`MOST_CLASSES`].
    #[error("names {0} classes; {MOST_CLASSES} are the most")]
    Many(usize),
    /// An empty or blank name.
    #[error("holds a class without a name")]
    Empty,
    /// A name that doesn't fit into tables and charts.
    #[error(
        "“{0}” can't be a class's name: a name has up to {LONGEST_NAME} letters in one line, and no spaces around it"
    )]
    Unfit(String),
    /// Two names that are the same, apart from case.
    #[error("“{0}” is named twice")]
    Twice(String),
    /// Two names that would have the same column.
    #[error("“{0}” has the same letters as another class, so tables couldn't tell their columns apart")]
    Alike(String),
    /// A word that tables or messages use for something else.
    #[error("no class can be called “{0}”: tables and messages use this word for something else")]
    Taken(String),
}

impl Classes {
    /// Creates classes with these names.
    ///
    /// # Errors
    /// When there are fewer than two or more than [`MOST_CLASSES`], or a name is empty, unfit, reserved, or too similar to another.
    pub fn new(names: Vec<String>) -> Result<Self, ClassesError> {
        let (mut known, mut columns) = (BTreeSet::new(), BTreeSet::new());
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
            let column = column(name).to_lowercase();
            if TAKEN.contains(&column.as_str()) {
                return Err(ClassesError::Taken(name.clone()));
            }
            if !columns.insert(column) {
                return Err(ClassesError::Alike(name.clone()));
            }
        }
        match names.len() {
            0 | 1 => Err(ClassesError::Few),
            count if count > MOST_CLASSES => Err(ClassesError::Many(count)),
            _ => Ok(Self::named_and_coloured(names)),
        }
    }

    /// Classes named like an emotion get its colour; the others get the remaining colours of the palette.
    fn named_and_coloured(names: Vec<String>) -> Self {
        let mut taken = BTreeSet::new();
        let emotions: Vec<Option<[u8; 3]>> = names
            .iter()
            .map(|name| Emotion::spelled(name).map(Emotion::rgb).filter(|rgb| taken.insert(*rgb)))
            .collect();
        let mut left = PALETTE.into_iter().filter(|rgb| !taken.contains(rgb));
        let known = names.into_iter().zip(emotions).map(|(key, rgb)| {
            let rgb = rgb.or_else(|| left.next()).unwrap_or(GRAY);
            Known { column: column(&key), key, rgb }
        });
        Self(known.collect())
    }

    /// The seven emotions in FER2013 order, [`Emotion::ALL`].
    pub fn emotions() -> Self {
        EMOTIONS.clone()
    }

    /// Whether these are the seven emotions in FER2013 order.
    pub fn are_emotions(&self) -> bool {
        *self == *EMOTIONS
    }

    /// How many there are, at least two.
    #[expect(clippy::len_without_is_empty, reason = "there are always two")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names as files write them, for example as labels.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|known| known.key.as_str())
    }

    /// The name of one class as files write it; empty if there is no such class.
    pub fn key(&self, class: usize) -> &str {
        self.0.get(class).map_or("", |known| known.key.as_str())
    }

    /// The names as used in columns and addresses: underscores replace spaces and all ASCII characters but letters, digits, `_` and `-`.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|known| known.column.as_str())
    }

    /// The colour of a class as red, green and blue: the emotion's if the class is named like one, else one of a palette of which
    /// colour-blind readers can tell the first seven apart.
    pub fn rgb(&self, class: usize) -> [u8; 3] {
        self.0.get(class).map_or(GRAY, |known| known.rgb)
    }

    /// Whether text on a patch of [`Self::rgb`] must be dark to be readable (else it is white).
    pub fn wants_dark_text(&self, class: usize) -> bool {
        contrast::wants_dark_text(self.rgb(class))
    }

    /// Number of characters in the longest name, for the width of a column of names.
    pub fn longest(&self) -> usize {
        self.names().map(|name| name.chars().count()).max().unwrap_or_default()
    }

    /// The noun for one of them: `emotion` or `class`.
    pub fn noun(&self) -> &'static str {
        if self.are_emotions() { "emotion" } else { "class" }
    }

    /// The noun for several: `emotions` or `classes`.
    pub fn plural(&self) -> &'static str {
        if self.are_emotions() { "emotions" } else { "classes" }
    }

    /// The names as reports show them, capitalised.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.keys().map(capitalised)
    }

    /// The name of one class as reports show it.
    pub fn name(&self, class: usize) -> String {
        capitalised(self.key(class))
    }

    /// The class that a word names. Case doesn't matter.
    pub fn named(&self, word: &str) -> Option<usize> {
        let word = word.trim().to_lowercase();
        self.keys().position(|key| key.to_lowercase() == word)
    }

    /// What a word means in a data set or in a table of known answers: an emotion in any usual spelling, or a custom class by its name.
    pub fn word(&self, word: &str) -> Option<Word> {
        if !self.are_emotions() {
            return self.named(word).map(Word::Class);
        }
        if CONTEMPT.contains(&word.trim().to_lowercase().as_str()) {
            return Some(Word::Contempt);
        }
        Emotion::spelled(word).map(|emotion| Word::Class(emotion.index()))
    }
}

/// Colour of a class that doesn't exist.
const GRAY: [u8; 3] = [0x99; 3];

/// A name as used in columns. Non-ASCII characters stay: tables are UTF-8.
fn column(name: &str) -> String {
    let stays = |letter: char| !letter.is_ascii() || letter.is_ascii_alphanumeric() || "_-".contains(letter);
    name.chars().map(|letter| if stays(letter) && !letter.is_whitespace() { letter } else { '_' }).collect()
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
        classes.keys().map(str::to_owned).collect()
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keys().collect::<Vec<_>>().join(", "))
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
        assert_eq!(own.longest(), "Wide awake".len());
        assert_eq!(own.key(2), "");
    }

    #[test]
    fn words_are_spellings_of_emotions_and_names_of_own_classes() {
        let emotions = Classes::emotions();
        assert_eq!(emotions.word(" Happiness"), Some(Word::Class(Emotion::Happy.index())));
        assert_eq!([emotions.word("Contempt"), emotions.word("contemptuous ")], [Some(Word::Contempt); 2]);
        assert_eq!([emotions.word("3"), emotions.word("tired")], [None; 2]);
        let own = classes(&["tired", "contempt"]).unwrap();
        assert_eq!([own.word("Tired"), own.word("CONTEMPT")], [Some(Word::Class(0)), Some(Word::Class(1))]);
        assert_eq!(own.word("happy"), None);
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

    #[test]
    fn columns_are_made_of_letters_and_no_two_are_alike() {
        let own = classes(&["wide awake", "a.b/c", "müde", "half-way"]).unwrap();
        assert_eq!(own.columns().collect::<Vec<_>>(), ["wide_awake", "a_b_c", "müde", "half-way"]);
        assert_eq!(own.key(0), "wide awake");
        assert!(Classes::emotions().columns().eq(Classes::emotions().keys()));
        let error = |names: &[&str]| classes(names).unwrap_err();
        assert_eq!(error(&["wide awake", "Wide_awake"]), ClassesError::Alike("Wide_awake".to_owned()));
        assert_eq!(error(&["sure", "Unsure"]), ClassesError::Taken("Unsure".to_owned()));
        assert_eq!(error(&["box", "ball"]), ClassesError::Taken("box".to_owned()));
    }

    #[test]
    fn emotions_keep_their_colours_and_no_two_classes_share_one() {
        let emotions = Classes::emotions();
        assert!(Emotion::ALL.iter().all(|emotion| emotions.rgb(emotion.index()) == emotion.rgb()));
        assert!(emotions.wants_dark_text(Emotion::Happy.index()) && !emotions.wants_dark_text(Emotion::Sad.index()));
        let own = classes(&["tired", "Happy", "anger", "angry", "awake"]).unwrap();
        assert_eq!([own.rgb(1), own.rgb(2)], [Emotion::Happy.rgb(), Emotion::Angry.rgb()]);
        assert_eq!([own.rgb(0), own.rgb(3)], [PALETTE[0], PALETTE[1]]);
        let mixed =
            (0..MOST_CLASSES).map(|i| if i % 3 == 0 { Emotion::ALL[i / 3].to_string() } else { format!("class {i}") });
        let mixed = Classes::new(mixed.collect()).unwrap();
        let colours: BTreeSet<_> = (0..MOST_CLASSES).map(|class| mixed.rgb(class)).collect();
        assert_eq!(colours.len(), MOST_CLASSES);
    }

    #[test]
    fn every_colour_shows_on_the_window_s_dark_ground() {
        let faintest = PALETTE.iter().map(|rgb| contrast::contrast(*rgb, [0x12, 0x14, 0x17])).fold(f32::MAX, f32::min);
        assert!(faintest > 1.8, "{faintest}");
    }
}
