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
