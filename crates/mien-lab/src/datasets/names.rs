//! The names that data sets give to splits, and the errors for words that name no split or class.

use super::Split;
use mien_core::classes::Classes;

/// Names of split folders, in lower case without `_`, `-` and spaces.
const SPLITS: [(Split, &[&str]); 3] = [
    (Split::Training, &["train", "training"]),
    (Split::Public, &["validation", "valid", "val", "dev", "public", "publictest"]),
    (Split::Private, &["test", "testing", "private", "privatetest"]),
];

/// The split that a word names, whatever its case.
pub(super) fn split(word: &str) -> Option<Split> {
    let word: String = word.to_lowercase().chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    SPLITS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(split, _)| *split)
}

/// The error for a word that names no split.
pub(super) fn no_split(word: &str) -> String {
    format!("“{word}” is not a split: they are called train, validation, test or similar")
}

/// The error for a word that stands for none of `classes`.
pub(super) fn no_class(classes: &Classes, word: &str) -> String {
    if !classes.are_emotions() {
        return format!("“{word}” is none of the classes {classes}");
    }
    if word.trim().parse::<i64>().is_ok() {
        // RAF-DB, AffectNet and FER2013 number the same emotions in three different orders.
        format!("“{word}” is a number, and data sets number emotions differently: name it, such as happy or sadness")
    } else {
        format!(
            "“{word}” names no emotion: the seven are angry, disgust, fear, happy, sad, surprise and neutral; other classes have to be \
             named (`classes` in a recipe, --classes of `mien dataset`)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
