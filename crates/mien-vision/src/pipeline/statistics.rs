//! How fast the pipeline runs, counted while it runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames per second are counted over this time: long enough for a steady number, short enough to show a change.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Ages are collected over this time, so that a 95th percentile has some frames behind it.
const AGE_WINDOW: Duration = Duration::from_secs(5);

/// How fast a [`Live`](super::Live) runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Frames per second that the source gave over the last two seconds.
    pub source_fps: f64,
    /// Frames per second that were labelled over the last two seconds.
    pub analysed_fps: f64,
    /// Median of the time from capture to label over the last five seconds; `None` without a frame in them.
    pub age_p50: Option<Duration>,
    /// 95th percentile of the same.
    pub age_p95: Option<Duration>,
    /// Camera frames dropped since the start, because a newer one came before they could be labelled.
    pub dropped: u64,
    /// Labelled scenes that a newer one replaced since the start, before [`Live::take_scene`](super::Live::take_scene) fetched them.
    pub overtaken: u64,
    /// Frames that the source gave since the start, without those that a camera gave while paused.
    pub captured: u64,
    /// Frames labelled since the start.
    pub frames: u64,
}

impl Statistics {
    /// Frames whose scenes could never be fetched because a newer frame came, before or after they were labelled.
    pub fn missed(&self) -> u64 {
        self.dropped + self.overtaken
    }
}

/// Counts for [`Statistics`], in bounded memory.
#[derive(Debug, Default)]
pub struct Meter {
    captured: Rate,
    labelled: Rate,
    ages: VecDeque<(Instant, Duration)>,
    dropped: u64,
    overtaken: u64,
}

impl Meter {
    /// Counts a frame that the source gave.
    pub fn captured(&mut self, now: Instant) {
        self.captured.count(now);
    }

    /// Counts a dropped frame.
    pub fn dropped(&mut self) {
        self.dropped += 1;
    }

    /// Counts a labelled scene that was replaced before it was fetched.
    pub fn overtaken(&mut self) {
        self.overtaken += 1;
    }

    /// Counts a frame that was labelled `age` after it was captured.
    pub fn labelled(&mut self, now: Instant, age: Duration) {
        self.labelled.count(now);
        forget_before(&mut self.ages, now, AGE_WINDOW, |(at, _)| *at);
        self.ages.push_back((now, age));
    }

    /// The statistics at this time.
    pub fn read(&mut self, now: Instant) -> Statistics {
        forget_before(&mut self.ages, now, AGE_WINDOW, |(at, _)| *at);
        let mut ages: Vec<Duration> = self.ages.iter().map(|(_, age)| *age).collect();
        ages.sort_unstable();
        Statistics {
            source_fps: self.captured.per_second(now),
            analysed_fps: self.labelled.per_second(now),
            age_p50: percentile(&ages, 0.5),
            age_p95: percentile(&ages, 0.95),
            dropped: self.dropped,
            overtaken: self.overtaken,
            captured: self.captured.total,
            frames: self.labelled.total,
        }
    }
}

/// Counts events in a sliding window.
#[derive(Debug, Default)]
struct Rate {
    recent: VecDeque<Instant>,
    total: u64,
}

impl Rate {
    fn count(&mut self, now: Instant) {
        forget_before(&mut self.recent, now, RATE_WINDOW, |at| *at);
        self.recent.push_back(now);
        self.total += 1;
    }

    /// The number of intervals divided by the time they span. If nothing has come for long, the wait counts as an interval.
    fn per_second(&mut self, now: Instant) -> f64 {
        forget_before(&mut self.recent, now, RATE_WINDOW, |at| *at);
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else { return 0.0 };
        let intervals = self.recent.len() - 1;
        if intervals == 0 {
            return 0.0;
        }
        let span = last.duration_since(*first);
        let waited = now.saturating_duration_since(*last);
        let usual = span / u32::try_from(intervals).unwrap_or(u32::MAX);
        let (intervals, span) = if waited > usual * 2 { (intervals + 1, span + waited) } else { (intervals, span) };
        if span.is_zero() { 0.0 } else { intervals as f64 / span.as_secs_f64() }
    }
}

fn forget_before<T>(items: &mut VecDeque<T>, now: Instant, window: Duration, at: impl Fn(&T) -> Instant) {
    while items.front().is_some_and(|item| now.saturating_duration_since(at(item)) > window) {
        items.pop_front();
    }
}

/// The smallest value that at least this share of the sorted values doesn't exceed.
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    /// A meter that saw `frames` frames at 25 a second, with ages of 1, 2, 3, … ms; and the time of the last one.
    fn after(frames: u32) -> (Meter, Instant) {
        let start = Instant::now();
        let mut meter = Meter::default();
        for i in 0..frames {
            meter.captured(start + FRAME * i);
            meter.labelled(start + FRAME * i, Duration::from_millis(u64::from(i) + 1));
        }
        (meter, start + FRAME * (frames - 1))
    }

    #[test]
    fn the_rate_is_that_of_the_last_two_seconds() {
        let (mut meter, now) = after(500);
        let statistics = meter.read(now);
        assert!((statistics.source_fps - 25.0).abs() < 0.01, "{}", statistics.source_fps);
        assert!((statistics.analysed_fps - 25.0).abs() < 0.01);
        assert_eq!((statistics.captured, statistics.frames), (500, 500));
    }

    #[test]
    fn the_rate_falls_when_nothing_comes() {
        let (mut meter, now) = after(100);
        let later = meter.read(now + Duration::from_secs(1)).source_fps;
        assert!(later < 17.0, "{later}");
        assert_eq!(meter.read(now + Duration::from_secs(3)).source_fps, 0.0);
    }

    #[test]
    fn ages_are_those_of_the_last_five_seconds() {
        let (mut meter, now) = after(500);
        let statistics = meter.read(now);
        // Ages of 375 to 500 ms are left: 126 of them.
        assert_eq!(statistics.age_p50, Some(Duration::from_millis(437)));
        assert_eq!(statistics.age_p95, Some(Duration::from_millis(494)));
        assert_eq!(meter.read(now + Duration::from_secs(6)).age_p50, None);
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let (meter, _) = after(10_000);
        assert!(meter.ages.len() <= 126 && meter.captured.recent.len() <= 51);
    }

    #[test]
    fn nothing_counted_is_nothing() {
        assert_eq!(Meter::default().read(Instant::now()), Statistics::default());
    }
}
