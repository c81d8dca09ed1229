//! The words by which data sets call splits, and what is said of words that name no emotion.

use super::Split;

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
