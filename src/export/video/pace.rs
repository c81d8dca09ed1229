//! Decides when each scene is shown in a file with a constant rate. Pure arithmetic.
//!
//! The file's frame `n` is shown at `n / rate`, counted from the first scene. A scene takes the frame whose time is nearest to its own.
//! Frames that no scene takes repeat the one before; if several scenes want the same frame, the newest gets it. So nothing is shown more
//! than one interval early or late, and the sound stays in sync however long the file is.
//!
//! How long a scene is held is limited, because the time stamps of a file of a few kilobytes may be months apart. The excess is cut out of
//! the times of all following scenes, so that these keep their distances.

use std::time::Duration;

/// How far a scene may be from the next frame's time, in intervals, and still take it. Above one half, so that stamps that jitter around
/// the middle between two frames don't leave out one scene and repeat the next; below one, so that no scene is off by an interval.
const REACH: f64 = 0.75;

/// The longest time that a scene is held. In a video of people, a picture that stays longer means that a stamp is wrong or nobody was
/// filmed.
pub const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// Most repetitions in a copy for each of its scenes, on average. The slowest source that declares its rate, a frame in 100 seconds, needs
/// 100 at the lowest rate that is written. A source that declares a wrong rate must not take hours.
const REPEATS_PER_SCENE: u64 = 100;

/// Repetitions that are allowed in addition, so that a short copy can hold scenes as long as any other: two of the longest holds at 30
/// frames a second.
const FREE_REPEATS: u64 = 3600;

/// Rates that players can show. Below, frames are repeated; above, they are left out.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// Assumed for a source that doesn't declare its rate: that of most cameras.
const FALLBACK_RATE: f64 = 30.0;

/// The nearest rate that OpenCV can write, in frames a second. It writes fractions whose denominator is a power of ten, to within 0.001
/// frames a second. Over an hour, that amounts to more than an interval, so frames must be placed by this rate.
pub fn writable_rate(wanted: f64) -> f64 {
    let is_rate = wanted.is_finite() && wanted > 0.0;
    let wanted = if is_rate { wanted.clamp(*RATES.start(), *RATES.end()) } else { FALLBACK_RATE };
    let fractions = [1.0, 10.0, 100.0, 1000.0].map(|below| (wanted * below).round() / below);
    fractions.into_iter().find(|rate| (rate - wanted).abs() <= 0.001).unwrap_or(fractions[3])
}

/// Assigns frames to scenes.
#[derive(Clone, Debug)]
pub struct Pace {
    rate: f64,
    last: Option<Placed>,
    /// Time cut out so far.
    cut: Duration,
    /// Repetitions that are left for the scenes so far.
    repeats: u64,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    first: Duration,
    media_time: Duration,
    frame: u64,
}

impl Pace {
    /// Starts a file with `rate` frames a second.
    pub fn new(rate: f64) -> Self {
        Self { rate, last: None, cut: Duration::ZERO, repeats: FREE_REPEATS }
    }

    /// Returns the first frame that shows the scene of this time; that of the previous scene if this one replaces it. The first is 0.
    pub fn place(&mut self, media_time: Duration) -> u64 {
        self.repeats = self.repeats.saturating_add(REPEATS_PER_SCENE);
        let Some(last) = self.last else {
            self.last = Some(Placed { first: media_time, media_time, frame: 0 });
            return 0;
        };
        let longest = Duration::from_secs_f64(self.repeats as f64 / self.rate).min(LONGEST_HOLD);
        self.cut += media_time.saturating_sub(last.media_time).saturating_sub(longest);
        let since_first = media_time.saturating_sub(last.first).saturating_sub(self.cut);
        let exact = since_first.as_secs_f64() * self.rate;
        let next = last.frame + 1;
        let frame = if (exact - next as f64).abs() < REACH { next } else { (exact.round() as u64).max(last.frame) };
        self.repeats = self.repeats.saturating_sub(frame.saturating_sub(next));
        self.last = Some(Placed { media_time, frame, ..last });
        frame
    }

    /// Time of the first scene.
    pub fn first(&self) -> Option<Duration> {
        self.last.map(|last| last.first)
    }

    /// Time cut out: how much earlier than in the source the last scene is shown.
    pub fn cut(&self) -> Duration {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(rate: f64, times: impl IntoIterator<Item = f64>) -> Vec<u64> {
        let mut pace = Pace::new(rate);
        times.into_iter().map(|time| pace.place(Duration::from_secs_f64(time))).collect()
    }

    #[test]
    fn of_a_constant_rate_each_scene_has_one_frame_whatever_the_rounding_of_stamps() {
        // Whole milliseconds, as in WebM, and a beginning in the middle of an interval, as after --from.
        for (rate, begin) in [(30.0, 0.0), (23.976, 0.0), (30.0, 1.0 / 60.0), (24.0, 7.0 / 48.0)] {
            let stamps = (0..2000).map(|i| ((begin + f64::from(i) / rate) * 1000.0).round() / 1000.0);
            assert_eq!(frames(rate, stamps), (0..2000).collect::<Vec<_>>(), "{rate} from {begin}");
        }
    }

    #[test]
    fn a_declared_rate_that_is_not_quite_true_costs_a_frame_now_and_then() {
        let taken = frames(30.0, (0..3000).map(|i| f64::from(i) / 29.9));
        // 100 s of scenes, of which each 300th is shown twice.
        assert_eq!(*taken.last().unwrap(), 3009);
        assert!(taken.is_sorted_by(|a, b| a < b), "none is left out");
    }

    #[test]
    fn a_scene_that_stays_is_repeated_and_a_burst_is_thinned_out() {
        assert_eq!(frames(10.0, [0.0, 0.1, 0.5, 0.52, 0.54, 0.6]), [0, 1, 5, 5, 6, 6]);
    }

    #[test]
    fn a_leap_is_held_for_a_minute_and_what_follows_keeps_its_distances() {
        let mut pace = Pace::new(10.0);
        let days = Duration::from_secs(30 * 24 * 3600);
        let mut place = |secs: f64| pace.place(Duration::from_secs_f64(secs));
        assert_eq!([0.0, 0.1].map(&mut place), [0, 1]);
        let after = |secs: f64| days.as_secs_f64() + secs;
        assert_eq!([0.1, 0.2, 0.5, 61.0].map(|secs| place(after(secs))), [601, 602, 605, 1205]);
        let cut = pace.cut().as_secs_f64() - (days.as_secs_f64() - 60.0) - 0.5;
        assert!(cut.abs() < 1e-6, "{cut}");
    }

    #[test]
    fn of_scenes_that_all_lie_far_apart_the_copy_is_no_longer_than_its_bound() {
        for rate in [1.0, 30.0, 240.0] {
            let mut pace = Pace::new(rate);
            let scenes = 1000;
            let last = (0..scenes).map(|scene| pace.place(Duration::from_secs(4000 * scene))).last().unwrap();
            assert!(last <= FREE_REPEATS + (REPEATS_PER_SCENE + 1) * scenes, "{last} at {rate}");
            // Still in step at a distance that can be shown.
            let next = pace.place(Duration::from_secs(4000 * (scenes - 1)) + Duration::from_secs_f64(10.0 / rate));
            assert_eq!(next, last + 10);
        }
    }

    #[test]
    fn the_slowest_rate_that_a_file_can_declare_is_shown_as_it_is() {
        let mut pace = Pace::new(writable_rate(0.02));
        let last = (0..1000).map(|scene| pace.place(Duration::from_secs(50 * scene))).last();
        assert_eq!((last, pace.cut()), (Some(50 * 999), Duration::ZERO));
    }

    #[test]
    fn rates_are_those_that_can_be_written() {
        let same = [25.0, 29.97, 23.976, 4.8, 1.0];
        assert_eq!(same.map(writable_rate), same);
        assert_eq!(writable_rate(30000.0 / 1001.0), 29.97);
        assert_eq!([0.1, 1000.0, 0.0, f64::NAN].map(writable_rate), [1.0, 240.0, 30.0, 30.0]);
    }

    proptest! {
        #[test]
        fn nothing_is_shown_more_than_an_interval_off(
            rate in 1.0..60.0_f64,
            steps in prop::collection::vec(0.001..3.0_f64, 1..200),
        ) {
            let times: Vec<f64> = steps.iter().scan(0.0, |time, step| { *time += step; Some(*time) }).collect();
            let taken = frames(rate, times.iter().copied());
            prop_assert!(taken.is_sorted());
            for (time, frame) in times.iter().zip(&taken) {
                let shown_at = *frame as f64 / rate;
                prop_assert!((shown_at - (time - times[0])).abs() < 1.0 / rate, "{time} at {shown_at}");
            }
        }
    }
}
