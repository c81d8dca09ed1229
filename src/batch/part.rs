//! A part of a long film that is analysed by itself, so that several machines can share the film.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::source::{SourceInfo, Span};

/// A part begins at a multiple of 120 analysed frames, so that its batches (8 frames) and its full scans (every 15 frames, or 3 without a
/// face) fall on the same frames as in a run over the whole film. With another `--full-scan-every`, full scans may fall on other frames.
const RHYTHM: u64 = 120;

/// A part of a film. Frames before `from_s` are analysed, too: when the part begins, its faces are known and its probabilities are
/// smoothed, and those rows serve to match its faces with the previous part's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// How many parts the film has.
    pub of: u32,
    /// Media time of its beginning, in seconds: between two frames, and between two times that tables can have.
    pub from_s: f64,
    /// Media time of its end, in seconds; `None` for the end of the film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_s: Option<f64>,
    /// How much of the film before its beginning is analysed, too, in seconds.
    pub overlap_s: f64,
}

impl Part {
    /// The name of its results, given the film's.
    pub fn name(&self, name: &Path) -> PathBuf {
        name.with_added_extension(format!("part-{:03}-of-{:03}", self.number, self.of))
    }

    /// The frames to analyse for it, leaving out `skip` after each one.
    pub fn span(&self, info: &SourceInfo, skip: u64) -> Span {
        let begin = self.first_frame(info.fps, skip);
        // Between two frames, so that rounding doesn't decide which one is the first.
        let from = if begin == 0 { 0.0 } else { (begin as f64 - 0.5) / info.fps };
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Span { from: time(from), to: self.to_s.map(time), skip }
    }

    fn first_frame(&self, fps: f64, skip: u64) -> u64 {
        let rhythm = RHYTHM.saturating_mul(skip.saturating_add(1));
        let first = ((self.from_s - self.overlap_s).max(0.0) * fps) as u64;
        first / rhythm * rhythm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_before_its_overlap_at_a_frame_of_the_rhythm() {
        let part = Part { number: 2, of: 3, from_s: 600.02, to_s: Some(1200.02), overlap_s: 15.0 };
        assert_eq!(part.name(Path::new("day1/film.mp4")), Path::new("day1/film.mp4.part-002-of-003"));
        // 585.02 s are 14625.5 frames.
        assert_eq!(part.first_frame(25.0, 0), 14520);
        assert_eq!(part.first_frame(25.0, 4), 14400);
        let first = Part { number: 1, from_s: 0.0, ..part };
        assert_eq!(first.first_frame(25.0, 4), 0);
    }
}
