//! What a video shows, and when: a table made by whoever knows.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::bounded;
use crate::emotion::Emotion;

/// Bytes that the table may have: a million rows.
const MOST_BYTES: u64 = 32 << 20;

/// A part of a video in which one emotion is displayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// In seconds from the start of the video.
    pub start: f64,
    /// The same, later than `start`.
    pub end: f64,
    /// What is displayed.
    pub emotion: Emotion,
}

/// All that is known of a video: parts that don't overlap, in order of time. Between them nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth(Vec<Interval>);

/// The table can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// No such file.
    #[error("can't read the known answers {path}: {source}; give a CSV file with the columns start,end,emotion")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A row is wrong.
    #[error("{path} doesn't fit: {problem}; it needs the columns start,end,emotion, with times in seconds")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Row {
    start: f64,
    end: f64,
    emotion: String,
}

impl Truth {
    /// Reads a CSV file with the columns `start,end,emotion`; others are passed over, rows may be in any order.
    ///
    /// # Errors
    /// When the file can't be read, holds no row, or a row is no interval, names no emotion or overlaps another.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let text = bounded::read_text(path, MOST_BYTES)
            .map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| TruthError::Row { path: path.to_owned(), problem })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let mut rows = reader.deserialize::<Row>();
        let mut intervals: Vec<(u64, Interval)> = Vec::new();
        while let Some(row) = rows.next() {
            // The reader's own messages name line and column.
            let Row { start, end, emotion } = row.map_err(|error| error.to_string())?;
            let line = rows.reader().position().line().saturating_sub(1);
            let emotion = emotion.parse().map_err(|error| format!("line {line}: {error}"))?;
            if !(start.is_finite() && end.is_finite() && 0.0 <= start && start < end) {
                return Err(format!("line {line}: {start} to {end} is no stretch of time"));
            }
            intervals.push((line, Interval { start, end, emotion }));
        }
        intervals.sort_by(|(_, a), (_, b)| a.start.total_cmp(&b.start));
        if let Some([(_, _), (line, _)]) = intervals.array_windows().find(|[(_, a), (_, b)]| b.start < a.end) {
            return Err(format!("line {line}: begins before the part before it has ended"));
        }
        if intervals.is_empty() {
            return Err("no row".to_owned());
        }
        Ok(Self(intervals.into_iter().map(|(_, interval)| interval).collect()))
    }

    /// The parts, in order of time.
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// Seconds whose answer is known.
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|interval| interval.end - interval.start).sum()
    }

    /// The number of the part that `time` falls into.
    pub fn at(&self, time: f64) -> Option<usize> {
        let next = self.0.partition_point(|interval| interval.start <= time);
        next.checked_sub(1).filter(|index| time < self.0[*index].end)
    }

    /// How many seconds of the stretch from `from` to `to` fall into each part that it touches, with the part's number.
    pub fn overlaps(&self, from: f64, to: f64) -> impl Iterator<Item = (usize, f64)> + use<> {
        let first = self.0.partition_point(|interval| interval.end <= from);
        let touched: Vec<_> = self.0[first..]
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

    #[test]
    fn rows_in_any_order_become_parts_in_order_of_time() {
        let truth = Truth::parse("note,start,end,emotion\nx,2,3.5,Happy\ny,0,2,sad\n").unwrap();
        assert_eq!(truth.intervals()[0], Interval { start: 0.0, end: 2.0, emotion: Emotion::Sad });
        assert!((truth.seconds() - 3.5).abs() < 1e-12);
        assert_eq!([truth.at(1.9), truth.at(2.0), truth.at(3.5)], [Some(0), Some(1), None]);
        let shares: Vec<_> = truth.overlaps(1.5, 4.0).collect();
        assert_eq!(shares, [(0, 0.5), (1, 1.5)]);
        assert_eq!(truth.overlaps(3.5, 4.0).count(), 0);
    }

    #[test]
    fn tables_that_make_no_sense_are_refused_with_line_and_reason() {
        let cases = [
            ("start,end,emotion\n", "no row"),
            ("begin,end,emotion\n0,1,sad\n", "missing field `start`"),
            ("start,end,emotion\n0,1,glad\n", "line 2: “glad”"),
            ("start,end,emotion\n0,1,sad\n2,2,sad\n", "line 3: 2 to 2"),
            ("start,end,emotion\nNaN,2,sad\n", "line 2"),
            ("start,end,emotion\n0,soon,sad\n", "line: 2"),
            ("start,end,emotion\n1,3,sad\n0,1.5,happy\n", "line 2: begins before"),
        ];
        for (text, reason) in cases {
            let error = Truth::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
