//! Mistakes in a recipe, and their lines.

use std::borrow::Cow;
use std::fmt;

/// A value of the right type that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `optimizer.learning_rate`.
    pub field: &'static str,
    /// What it has to be.
    pub wanted: Cow<'static, str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.wanted)
    }
}

/// The problems of a recipe.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem with `field` unless it `fits`; `wanted` says what it has to be.
    pub fn check(&mut self, field: &'static str, fits: bool, wanted: &'static str) {
        if !fits {
            self.add(field, wanted);
        }
    }

    /// Adds a problem.
    pub fn add(&mut self, field: &'static str, wanted: impl Into<Cow<'static, str>>) {
        self.0.push(Problem { field, wanted: wanted.into() });
    }

    /// The problems, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

/// A mistake in a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, counted from 1; `None` if something is missing.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// What programs expect, in the words of serde, and the same in words for people.
const EXPECTED: [(&str, &str); 8] = [
    ("unit variant, expected newtype variant", "a word alone; it needs a value, as in { mix = 0.3 }"),
    (", there are no fields", ", no others go with it"),
    ("expected usize", "expected a whole number of at least 0"),
    ("expected u64", "expected a whole number of at least 0"),
    ("expected i64", "expected a whole number"),
    ("expected f64", "expected a number"),
    ("expected f32", "expected a number"),
    ("expected a boolean", "expected true or false"),
];

/// What the names of types are preceded by in the words of serde.
const TYPES: [&str; 2] = ["expected struct ", "expected internally tagged enum "];

/// A problem as serde words it, in one line and in words for people.
pub(super) fn in_words(problem: &str) -> String {
    let mut words = problem.trim_end().replace('\n', ", ");
    for (before, after) in EXPECTED {
        words = words.replace(before, after);
    }
    for before in TYPES {
        if let Some((start, rest)) = words.split_once(before) {
            let rest = rest.trim_start_matches(|letter: char| letter.is_alphanumeric());
            words = format!("{start}expected a table{rest}");
        }
    }
    words
}

/// Displays all mistakes in one line, like every error.
pub(super) struct Told<'a>(pub &'a [Mistake]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [only] => write!(f, "has a mistake: {only}"),
            all => {
                let told: Vec<String> = all.iter().map(ToString::to_string).collect();
                write!(f, "has {} mistakes: {}", all.len(), told.join("; "))
            }
        }
    }
}
