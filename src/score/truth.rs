//! What a video shows, and when: a table of known answers.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::table::{Row, Table};
use crate::bounded;
use crate::classes::{Classes, Word};
use crate::columns::NOT_UTF8;

/// Largest size of the table in bytes: about a million rows.
const MOST_BYTES: u64 = 32 << 20;

/// A part of a video in which one class is displayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// In seconds from the start of the video.
    pub start: f64,
    /// End, in the same unit; later than `start`.
    pub end: f64,
    /// Index of the displayed class.
    pub class: usize,
}

/// Everything that is known about a video: parts that don't overlap, in order of time. Nothing is known about the time between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    classes: Classes,
    intervals: Vec<Interval>,
    left_out: LeftOut,
}

/// Seconds that a table lists but that aren't scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LeftOut {
    /// Parts marked [`IGNORE`].
    #[serde(rename = "seconds_ignored")]
    pub ignored: f64,
    /// Parts that show contempt. Networks of the seven emotions can't name it, so no label could be right. `None` for custom classes.
    #[serde(rename = "seconds_of_contempt", skip_serializing_if = "Option::is_none")]
    pub contempt: Option<f64>,
}

/// The word for a part that is not to be scored.
pub const IGNORE: &str = "ignore";

/// What a row of the table says.
struct Part {
    start: f64,
    end: f64,
    shows: Shows,
}

/// What a row shows.
enum Shows {
    Word(Word),
    Ignored,
}

impl Shows {
    /// Parses a label. Emotions may be spelt as in data sets, custom classes as in the model's card.
    fn named(word: &str, classes: &Classes) -> Option<Self> {
        if word.trim().eq_ignore_ascii_case(IGNORE) {
            return Some(Self::Ignored);
        }
        classes.word(word).map(Self::Word)
    }
}

/// Why the table can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file can't be read.
    #[error("can't read the known answers {path}: {source}; give a CSV file with the columns start,end,{noun}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// What the model's classes are called: `emotion` or `class`.
        noun: &'static str,
    },
    /// A row is invalid, or the table as a whole.
    #[error("can't use {path}: {problem}; it needs the columns start,end,{noun}, with times in seconds or as 1:30.5")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        problem: String,
        /// What the model's classes are called: `emotion` or `class`.
        noun: &'static str,
    },
}

impl Truth {
    /// Reads a CSV file with the columns `start,end,emotion` or `start,end,class`, separated by commas, semicolons or tabs. Other columns are
    /// ignored, and rows may be in any order. Emotions may be spelt as in data sets (`Anger`, `happiness`). [`IGNORE`] and, among emotions,
    /// contempt are left out and counted.
    ///
    /// # Errors
    /// When the file can't be read, has no part with a class, or a row is no interval, names none of `classes` or overlaps another.
    pub fn read(path: &Path, classes: &Classes) -> Result<Self, TruthError> {
        let noun = classes.noun();
        let unusable = |problem: String| TruthError::Row { path: path.to_owned(), problem, noun };
        let text = bounded::read_text(path, MOST_BYTES).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => unusable(NOT_UTF8.to_owned()),
            _ => TruthError::Read { path: path.to_owned(), source, noun },
        })?;
        Self::parse(&text, classes).map_err(unusable)
    }

    fn parse(text: &str, classes: &Classes) -> Result<Self, String> {
        let mut table = Table::of(text)?;
        let mut parts: Vec<(u64, Part)> = Vec::new();
        while let Some(Row { line, start, end, label }) = table.read()? {
            let shows = Shows::named(&label, classes).ok_or_else(|| {
                let known = if classes.are_emotions() {
                    "is not an emotion; the seven are angry, disgust, fear, happy, sad, surprise and neutral".to_owned()
                } else {
                    format!("is none of the model's classes; they are {classes}")
                };
                format!("line {line}: “{label}” {known}, and {IGNORE} leaves a part out")
            })?;
            if start >= end {
                return Err(format!("line {line}: {start} to {end} is not a valid time range"));
            }
            parts.push((line, Part { start, end, shows }));
        }
        parts.sort_by(|(_, a), (_, b)| a.start.total_cmp(&b.start));
        if let Some([(_, _), (line, _)]) = parts.array_windows().find(|[(_, a), (_, b)]| b.start < a.end) {
            return Err(format!("line {line}: begins before the previous part ends"));
        }
        if parts.is_empty() {
            return Err("it has no rows".to_owned());
        }
        let contempt = classes.are_emotions().then_some(0.0);
        let (mut intervals, mut left_out) = (Vec::new(), LeftOut { ignored: 0.0, contempt });
        for (_, Part { start, end, shows }) in parts {
            match shows {
                Shows::Word(Word::Class(class)) => intervals.push(Interval { start, end, class }),
                Shows::Word(Word::Contempt) => {
                    left_out.contempt = left_out.contempt.map(|seconds| seconds + end - start);
                }
                Shows::Ignored => left_out.ignored += end - start,
            }
        }
        if intervals.is_empty() {
            let or_contempt = if classes.are_emotions() { " or contempt" } else { "" };
            return Err(format!("every part is {IGNORE}{or_contempt}, so there is nothing to score"));
        }
        Ok(Self { classes: classes.clone(), intervals, left_out })
    }

    /// The classes that the parts refer to.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The parts to be scored, in order of time.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Time that the table lists but that isn't scored.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Total seconds with known answers.
    pub fn seconds(&self) -> f64 {
        self.intervals.iter().map(|interval| interval.end - interval.start).sum()
    }

    /// Index of the part that contains `time`.
    pub fn at(&self, time: f64) -> Option<usize> {
        let next = self.intervals.partition_point(|interval| interval.start <= time);
        next.checked_sub(1).filter(|index| time < self.intervals[*index].end)
    }

    /// For each part that overlaps with `from` to `to`: its index and the overlap in seconds.
    pub fn overlaps(&self, from: f64, to: f64) -> impl Iterator<Item = (usize, f64)> + use<> {
        let first = self.intervals.partition_point(|interval| interval.end <= from);
        let touched: Vec<_> = self.intervals[first..]
            .iter()
            .enumerate()
            .take_while(|(_, interval)| interval.start < to)
            .map(|(i, interval)| (first + i, interval.end.min(to) - interval.start.max(from)))
            .collect();
        touched.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    #[test]
    fn rows_in_any_order_become_parts_in_order_of_time() {
        let truth = Truth::parse("note,start,end,emotion\nx,2,3.5,Happy\ny,0,2,sad\n", &Classes::emotions()).unwrap();
        assert_eq!(truth.intervals()[0], Interval { start: 0.0, end: 2.0, class: Emotion::Sad.index() });
        assert!((truth.seconds() - 3.5).abs() < 1e-12);
        assert_eq!([truth.at(1.9), truth.at(2.0), truth.at(3.5)], [Some(0), Some(1), None]);
        let shares: Vec<_> = truth.overlaps(1.5, 4.0).collect();
        assert_eq!(shares, [(0, 0.5), (1, 1.5)]);
        assert_eq!(truth.overlaps(3.5, 4.0).count(), 0);
    }

    #[test]
    fn emotions_are_called_as_data_sets_call_them_and_parts_can_be_left_out() {
        let text = "start,end,emotion\n0,1,Anger\n1,3,ignore\n3,4,HAPPINESS\n4,4.5,Contempt\n5,6, joy \n";
        let truth = Truth::parse(text, &Classes::emotions()).unwrap();
        let emotions: Vec<_> = truth.intervals().iter().map(|interval| interval.class).collect();
        assert_eq!(emotions, [Emotion::Angry, Emotion::Happy, Emotion::Happy].map(Emotion::index));
        assert_eq!(truth.left_out(), LeftOut { ignored: 2.0, contempt: Some(0.5) });
        assert_eq!((truth.seconds(), truth.at(2.0), truth.at(4.2)), (3.0, None, None));
    }

    #[test]
    fn tables_that_make_no_sense_are_refused_with_line_and_reason() {
        let cases = [
            ("start,end,emotion\n", "no row"),
            ("begin,end,emotion\n0,1,sad\n", "no column start"),
            ("start,end,emotion\n0,1,glad\n", "line 2: “glad”"),
            ("start,end,emotion\n0,1,sad\n2,2,sad\n", "line 3: 2 to 2"),
            ("start,end,emotion\nNaN,2,sad\n", "line 2: “NaN” must be a time"),
            ("start,end,emotion\n0,soon,sad\n", "line 2: “soon” must be a time"),
            ("start,end,emotion\n0,1,3\n", "line 2: “3” is not an emotion"),
            // Windows line endings, an empty line, and no newline at the end.
            ("start,end,emotion\r\n0,1,sad\r\n2,2,sad\r\n", "line 3: 2 to 2"),
            ("start,end,emotion\r\n0,soon,sad\r\n", "line 2"),
            ("start,end,emotion\n\n0,1,glad\n", "line 3: “glad”"),
            ("start,end,emotion\n0,1,glad", "line 2: “glad”"),
            ("start,end,emotion\n0,1,ignore\n1,2,contempt\n", "nothing to score"),
            ("start,end,emotion\n0,2,ignore\n1,3,happy\n", "line 3: begins before"),
            ("start,end,emotion\n1,3,sad\n0,1.5,happy\n", "line 2: begins before"),
        ];
        for (text, reason) in cases {
            let error = Truth::parse(text, &Classes::emotions()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn own_classes_are_called_as_the_model_calls_them() {
        let classes = Classes::new(["tired", "wide awake", "contempt"].map(str::to_owned).into()).unwrap();
        let text = "start,end,class\n0,1,Tired\n1,3,ignore\n3,4,wide awake\n4,6,contempt\n";
        let truth = Truth::parse(text, &classes).unwrap();
        let named: Vec<_> = truth.intervals().iter().map(|interval| interval.class).collect();
        assert_eq!((named, truth.left_out()), (vec![0, 1, 2], LeftOut { ignored: 2.0, contempt: None }));
        let error = Truth::parse("start,end,emotion\n0,1,happy\n", &classes).unwrap_err();
        assert!(
            error.contains("“happy” is none of the model's classes; they are tired, wide awake, contempt"),
            "{error}"
        );
    }
}
