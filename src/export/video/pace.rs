//! When each scene is shown in a file of constant rate. Pure arithmetic.
//!
//! The file's frame `n` is shown at `n / rate`, counted from the first scene. A scene takes the frame whose time is
//! nearest to its own; frames that no scene takes repeat the one before, and of scenes that want the same frame the newest
//! has it. So nothing is shown earlier or later than by one interval, and the sound stays in step however long the file is.

use std::time::Duration;

/// How far from the next frame's time, in intervals, a scene may be that still takes it. Above one half, so that stamps which
/// waver around the middle between two frames don't leave out one scene and repeat the next; below one, so that no
/// scene is off by an interval.
const REACH: f64 = 0.75;

/// What is held longer than this is no still picture but a stamp gone wrong, and would fill the disk with repetitions.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// Rates outside this range are none that players can show: fewer frames are repeated, more are left out.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// The frame rate of a source that doesn't say: what most cameras have.
const FALLBACK_RATE: f64 = 30.0;

/// The nearest rate that OpenCV can write, in frames a second. It takes fractions with powers of ten below the line, to
/// within 0.001 frames a second: over an hour that would be off by more than an interval, so the file's true rate counts.
pub fn writable_rate(wanted: f64) -> f64 {
    let is_rate = wanted.is_finite() && wanted > 0.0;
    let wanted = if is_rate { wanted.clamp(*RATES.start(), *RATES.end()) } else { FALLBACK_RATE };
    let fractions = [1.0, 10.0, 100.0, 1000.0].map(|below| (wanted * below).round() / below);
    fractions.into_iter().find(|rate| (rate - wanted).abs() <= 0.001).unwrap_or(fractions[3])
}

/// Gives scenes their frames.
#[derive(Clone, Debug)]
pub struct Pace {
    rate: f64,
    last: Option<Placed>,
    /// What was cut out of times so far.
    cut: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    first: Duration,
    media_time: Duration,
    frame: u64,
}

impl Pace {
    /// For a file with so many frames a second.
    pub fn new(rate: f64) -> Self {
        Self { rate, last: None, cut: Duration::ZERO }
    }

    /// The frame from which on the scene of this time is shown; that of the scene before, if it replaces it. The first is 0.
    pub fn place(&mut self, media_time: Duration) -> u64 {
        let Some(last) = self.last else {
            self.last = Some(Placed { first: media_time, media_time, frame: 0 });
            return 0;
        };
        self.cut += media_time.saturating_sub(last.media_time).saturating_sub(LONGEST_HOLD);
        let since_first = media_time.saturating_sub(last.first).saturating_sub(self.cut);
        let exact = since_first.as_secs_f64() * self.rate;
        let next = last.frame + 1;
        let frame = if (exact - next as f64).abs() < REACH { next } else { (exact.round() as u64).max(last.frame) };
        self.last = Some(Placed { media_time, frame, ..last });
        frame
    }

    /// Time of the first scene.
    pub fn first(&self) -> Option<Duration> {
        self.last.map(|last| last.first)
    }

    /// Whether a leap in the stamps was left out: then the times behind it are earlier than in the source.
    pub fn left_out_a_leap(&self) -> bool {
        !self.cut.is_zero()
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
    fn a_leap_of_hours_is_no_still_picture() {
        let mut pace = Pace::new(1.0);
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!([pace.place(hours(0)), pace.place(hours(9))], [0, 600]);
        assert!(pace.left_out_a_leap());
        assert_eq!(pace.place(hours(9) + Duration::from_secs(1)), 601);
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
