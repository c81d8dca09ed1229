//! What a video lacks of the frames that it declares.

use std::fmt;
use std::time::Duration;

/// A file counts as truncated only if more than this many frames are missing in a row: damaged files lose whole groups of frames, but
/// decoders also leave out single ones of intact files.
pub(super) const TOLERATED_FRAMES: usize = 4;

/// If the number of frames is an estimate, a file counts as truncated only if more than this share of its declared length is missing.
const TOLERATED_SHARE: f64 = 0.05;

/// A file doesn't give all frames that it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Number of frames that can't be read.
    pub lost: u64,
    /// Number of frames that the file declares.
    pub declared: u64,
    /// Media time at which the first of the lost frames would be shown.
    pub first: Duration,
}

impl Shortfall {
    /// What a file lacks that ended at `end` after `frames` frames, if that is clearly before its declared length. Both the number of
    /// frames and the time must say so: a container may count frames at a different rate than it shows them.
    pub(super) fn estimate((frames, end): (u64, Duration), (declared, duration): (u64, Duration)) -> Option<Self> {
        let lost = declared.saturating_sub(frames);
        let tolerated = (TOLERATED_FRAMES as f64).max(declared as f64 * TOLERATED_SHARE);
        let is_short = lost as f64 > tolerated && end < duration.mul_f64(1.0 - TOLERATED_SHARE);
        is_short.then_some(Self { lost, declared, first: end })
    }
}

/// Completes a sentence that begins with “it is”.
impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, declared, first } = self;
        let first = first.as_secs_f64();
        write!(
            f,
            "truncated or damaged: {lost} of the {declared} frames that it declares can't be read, the first of them at {first:.1} s"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_short_only_by_frames_and_time_together() {
        let secs = Duration::from_secs;
        let declared = (1000, secs(40));
        let short = Shortfall::estimate((500, secs(20)), declared);
        assert_eq!(short, Some(Shortfall { lost: 500, declared: 1000, first: secs(20) }));
        for whole in [(500, secs(40)), (1000, secs(20)), (960, secs(38)), (1100, secs(44))] {
            assert_eq!(Shortfall::estimate(whole, declared), None, "{whole:?}");
        }
        // Of a very short file, a few frames are a large share.
        assert_eq!(Shortfall::estimate((6, Duration::from_millis(240)), (10, Duration::from_millis(400))), None);
    }
}
