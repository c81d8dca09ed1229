//! Turns a container's time stamps, which may be missing or go backwards, into times that only grow.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Interval assumed if there are neither stamps nor a declared rate.
pub(super) const FALLBACK_INTERVAL: Duration = Duration::from_millis(40);

/// Step added if a stamp isn't after the previous one. Small, so that the next good stamp is later and the clock is
/// right again.
const SMALLEST_STEP: Duration = Duration::from_micros(1);

/// A stamp this far before the previous one is wrong, or its clock has restarted, as in files that were joined.
const FAR_BACK: Duration = Duration::from_secs(1);

/// A stamp this far ahead of the previous one is wrong or restarted, too: if an MPEG stream's clock goes back, FFmpeg assumes that it
/// has wrapped around, which it does after 26.5 hours, and adds that time. Longer leaps come from cameras that were off for days.
const FAR_AHEAD: RangeInclusive<Duration> = Duration::from_secs(47_722)..=Duration::from_secs(95_444);

/// This many stamps far off in a row aren't wrong: the clock has restarted.
const STAMPS_THAT_AGREE: u32 = 3;

/// Rates outside this range are a container's time base mistaken for a frame rate (1000 in WebM, 90000 in raw streams).
const PLAUSIBLE_FPS: RangeInclusive<f64> = 0.01..=500.0;

/// The declared rate, if it is plausible.
pub(super) fn plausible_fps(fps: f64) -> Option<f64> {
    PLAUSIBLE_FPS.contains(&fps).then_some(fps)
}

/// Time from one frame to the next at the declared rate, if that is plausible.
pub(super) fn declared_interval(fps: f64) -> Option<Duration> {
    plausible_fps(fps).map(|fps| Duration::from_secs_f64(1.0 / fps))
}

/// Number of frames whose times are kept: more than two hours at 30 frames a second, in 4 MB. After a seek beyond them, a frame's
/// number follows from the declared rate, which is exact unless the rate varies.
const MOST_KNOWN: usize = 1 << 18;

/// The middle of the time for which a frame is shown, where rounding can't lead to its neighbour. `next` is when the next one begins.
pub(super) fn middle(begin: Duration, next: Option<Duration>) -> Duration {
    begin + next.map_or(Duration::ZERO, |next| next.saturating_sub(begin) / 2)
}

/// Media times of frames 0, 1, 2 … as far as a file was read without a gap. They give exact frame numbers after a seek.
#[derive(Debug, Default)]
pub(super) struct KnownTimes(Vec<Duration>);

impl KnownTimes {
    /// Notes the time of a frame, if it is the next one and there is room.
    pub(super) fn note(&mut self, index: u64, media_time: Duration) {
        let is_later = self.0.last().is_none_or(|last| *last < media_time);
        if self.0.len() as u64 == index && self.0.len() < MOST_KNOWN && is_later {
            self.0.push(media_time);
        }
    }

    /// The number of the frame at this time, if it is known.
    pub(super) fn index_of(&self, media_time: Duration) -> Option<u64> {
        self.0.binary_search(&media_time).ok().map(|index| index as u64)
    }

    /// As [`super::FrameSource::time_before`].
    pub(super) fn time_before(&self, media_time: Duration, frames: u32) -> Option<Duration> {
        // How long the last one is shown isn't known.
        self.0.last().filter(|last| media_time <= **last)?;
        let shown = self.0.partition_point(|time| *time <= media_time).saturating_sub(1);
        let place = shown.saturating_sub(frames as usize);
        Some(middle(*self.0.get(place)?, self.0.get(place + 1).copied()))
    }
}

/// Turns raw stamps into media times.
#[derive(Debug)]
pub(super) struct StampClock {
    declared_interval: Option<Duration>,
    last_interval: Option<Duration>,
    previous: Option<Duration>,
    /// What is added to stamps whose clock has restarted, in seconds.
    offset: f64,
    /// How many stamps in a row lay far off. A missing one says nothing about the clock and doesn't count.
    far_off: u32,
}

impl StampClock {
    /// `fps` as declared by the container; implausible values are ignored.
    pub(super) fn new(fps: f64) -> Self {
        Self { declared_interval: declared_interval(fps), last_interval: None, previous: None, offset: 0.0, far_off: 0 }
    }

    /// Whether the stamps have restarted since the last jump: then the container doesn't know its total length.
    pub(super) fn began_again(&self) -> bool {
        self.offset != 0.0
    }

    /// Forgets the previous frame, as after a jump.
    pub(super) fn reset(&mut self) {
        (self.previous, self.offset, self.far_off) = (None, 0.0, 0);
    }

    /// Time from one frame to the next if nothing better is known.
    pub(super) fn interval(&self) -> Duration {
        self.declared_interval.or(self.last_interval).unwrap_or(FALLBACK_INTERVAL)
    }

    /// The media time of a frame with this raw stamp and index. A stamp of zero means the start only for frame 0: OpenCV
    /// also gives zero for "none" (seen on the last frames of H.264 files).
    pub(super) fn media_time(&mut self, stamp_millis: f64, index: u64) -> Duration {
        let stamp = (stamp_millis.is_finite() && stamp_millis > 0.0)
            .then(|| Duration::try_from_secs_f64((stamp_millis / 1000.0 + self.offset).max(0.0)).ok())
            .flatten();
        let next = |previous| previous + self.last_interval.unwrap_or_else(|| self.interval());
        let time = match (stamp, self.previous) {
            (Some(stamp), Some(previous))
                if stamp + FAR_BACK < previous || FAR_AHEAD.contains(&stamp.saturating_sub(previous)) =>
            {
                let time = next(previous);
                self.far_off += 1;
                if self.far_off == STAMPS_THAT_AGREE {
                    (self.offset, self.far_off) = (time.as_secs_f64() - stamp_millis / 1000.0, 0);
                }
                time
            }
            (Some(stamp), Some(previous)) if stamp > previous => {
                (self.last_interval, self.far_off) = (Some(stamp - previous), 0);
                stamp
            }
            (Some(_), Some(previous)) => {
                // Near the old clock, which therefore goes on.
                self.far_off = 0;
                previous + SMALLEST_STEP
            }
            (Some(stamp), None) => stamp,
            (None, Some(previous)) => next(previous),
            (None, None) => self.interval().mul_f64(index as f64),
        };
        self.previous = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(fps: f64, stamps: &[f64]) -> Vec<u128> {
        let mut clock = StampClock::new(fps);
        (0..).zip(stamps).map(|(index, stamp)| clock.media_time(*stamp, index).as_millis()).collect()
    }

    #[test]
    fn what_is_known_of_a_file_has_a_bound() {
        let mut known = KnownTimes::default();
        let time = |index: u64| Duration::from_millis(40 * index);
        for index in (0..MOST_KNOWN as u64 + 1000).filter(|index| *index != 500) {
            known.note(index, time(index));
        }
        assert_eq!((known.index_of(time(499)), known.index_of(time(501))), (Some(499), None), "nothing after a gap");
        for index in 500..MOST_KNOWN as u64 + 1000 {
            known.note(index, time(index));
        }
        let last = MOST_KNOWN as u64 - 1;
        assert_eq!((known.index_of(time(last)), known.index_of(time(last + 1))), (Some(last), None));
    }

    #[test]
    fn the_frames_before_one_are_known_as_far_as_the_file_was_read() {
        let mut known = KnownTimes::default();
        let time = Duration::from_millis;
        assert_eq!(known.time_before(Duration::ZERO, 1), None);
        for (index, millis) in (0..).zip([0, 40, 80, 2080, 2120]) {
            known.note(index, time(millis));
        }
        // While the third one is shown; the last one, of which only the beginning is known; more than there are.
        assert_eq!(known.time_before(time(1500), 1), Some(time(60)));
        assert_eq!(known.time_before(time(2120), 2), Some(time(1080)));
        assert_eq!(known.time_before(time(2121), 2), None);
        assert_eq!(known.time_before(time(80), 9), Some(time(20)));
        // A time that isn't later.
        known.note(5, time(40));
        assert_eq!(known.time_before(time(2120), 1), Some(time(2100)));
    }

    #[test]
    fn real_stamps_are_kept_whatever_their_rhythm() {
        assert_eq!(times(25.0, &[0.0, 40.0, 140.0, 150.0]), [0, 40, 140, 150]);
    }

    #[test]
    fn a_missing_stamp_continues_the_rhythm() {
        assert_eq!(times(25.0, &[0.0, 40.0, 80.0, 0.0, 0.0]), [0, 40, 80, 120, 160]);
        assert_eq!(times(25.0, &[0.0, f64::NAN, 80.0]), [0, 40, 80]);
    }

    #[test]
    fn time_never_goes_back_and_recovers_after_a_bad_stamp() {
        let mut clock = StampClock::new(1.0);
        let stamps = [0.0, 33.0, 33.0, 20.0, 66.0, 100.0];
        let times: Vec<_> = (0..).zip(stamps).map(|(index, stamp)| clock.media_time(stamp, index)).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        assert_eq!(times[4].as_millis(), 66);
    }

    #[test]
    fn time_goes_on_where_the_stamps_begin_again() {
        let joined = [4920.0, 4960.0, 5000.0, 0.0, 40.0, 80.0, 120.0, 160.0, 200.0];
        assert_eq!(times(25.0, &joined), [4920, 4960, 5000, 5040, 5080, 5120, 5160, 5200, 5240]);
        // FFmpeg's stamps if the first piece's clock is an hour ahead of the second's; then a third piece.
        let turned = [4960.0, 5000.0, 91_849_200.0, 91_849_240.0, 91_849_280.0, 91_849_320.0, 91_849_360.0];
        let third = [40.0, 80.0, 120.0, 160.0, 200.0];
        let expected: Vec<u128> = (0..12).map(|frame| 4960 + 40 * frame).collect();
        assert_eq!(times(25.0, &[&turned[..], &third].concat()), expected);
        // A single wrong stamp doesn't affect the others.
        assert_eq!(times(25.0, &[4960.0, 5000.0, 20.0, 5080.0, 5120.0]), [4960, 5000, 5040, 5080, 5120]);
    }

    #[test]
    fn only_stamps_far_off_in_a_row_restart_the_clock() {
        // A good stamp between them: later than the time before it, equal to it, and a little before it.
        for (good, expected) in
            [(5080.0, [5080_u128, 5120, 5160]), (5040.0, [5040, 5080, 5120]), (5030.0, [5040, 5080, 5120])]
        {
            let stamps = [4960.0, 5000.0, 20.0, good, 20.0, 20.0, 5200.0, 5240.0];
            let expected = [&[4960, 5000, 5040][..], &expected, &[5200, 5240]].concat();
            assert_eq!(times(25.0, &stamps), expected, "{good}");
        }
        // A missing stamp doesn't vouch for the old clock.
        let restarted = [4960.0, 5000.0, 20.0, 0.0, 100.0, 140.0, 190.0];
        assert_eq!(times(25.0, &restarted), [4960, 5000, 5040, 5080, 5120, 5160, 5210]);
    }

    #[test]
    fn a_first_stamp_below_zero_is_the_start() {
        assert_eq!(times(25.0, &[-80.0, 40.0]), [0, 40]);
    }

    #[test]
    fn without_any_stamp_the_declared_rate_or_a_usual_one_is_taken() {
        assert_eq!(times(50.0, &[0.0, 0.0, 0.0]), [0, 20, 40]);
        assert_eq!(times(90_000.0, &[0.0, 0.0, 0.0]), [0, 40, 80]);
        assert_eq!(times(f64::NAN, &[0.0, 0.0, 0.0]), [0, 40, 80]);
    }

    #[test]
    fn after_a_jump_a_missing_stamp_is_told_by_the_index() {
        let mut clock = StampClock::new(25.0);
        clock.media_time(4000.0, 100);
        clock.reset();
        assert_eq!(clock.media_time(0.0, 10), Duration::from_millis(400));
    }
}
