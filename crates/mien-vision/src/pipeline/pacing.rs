//! When the frames of a video are due.

use std::time::{Duration, Instant};

/// The slowest and the fastest speed.
const SPEEDS: std::ops::RangeInclusive<f64> = 1.0 / 16.0..=16.0;

/// A frame that is later than this resets the clock instead of being caught up on: after a hiccup, or on a machine that
/// is too slow, the video continues at its speed rather than racing.
const MAX_LATENESS: Duration = Duration::from_millis(100);

/// Translates media time to wall-clock time.
#[derive(Debug)]
pub(super) struct Pacer {
    speed: f64,
    /// A wall-clock time and the media time that belongs to it.
    anchor: Option<(Instant, Duration)>,
}

impl Pacer {
    pub(super) fn new(speed: f64) -> Self {
        Self { speed: valid_speed(speed), anchor: None }
    }

    /// Changes the speed. The next frame is due at once.
    pub(super) fn set_speed(&mut self, speed: f64) {
        self.speed = valid_speed(speed);
        self.restart();
    }

    /// Makes the next frame due at once, and the others relative to it: after a pause or a jump.
    pub(super) fn restart(&mut self) {
        self.anchor = None;
    }

    /// When the frame at `media_time` is due. `now` is the current time.
    pub(super) fn due(&mut self, media_time: Duration, now: Instant) -> Instant {
        if let Some((wall, start)) = self.anchor
            && let Some(played) = media_time.checked_sub(start)
        {
            let due = wall + Duration::from_secs_f64(played.as_secs_f64() / self.speed);
            if now.saturating_duration_since(due) <= MAX_LATENESS {
                return due;
            }
        }
        self.anchor = Some((now, media_time));
        now
    }
}

fn valid_speed(speed: f64) -> f64 {
    if speed.is_nan() { 1.0 } else { speed.clamp(*SPEEDS.start(), *SPEEDS.end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn frames_are_due_by_their_media_time_from_the_first_one_on() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1.0);
        assert_eq!(pacer.due(ms(500), start), start);
        assert_eq!(pacer.due(ms(540), start), start + ms(40));
        assert_eq!(pacer.due(ms(700), start + ms(45)), start + ms(200));
    }

    #[test]
    fn double_speed_halves_the_time() {
        let start = Instant::now();
        let mut pacer = Pacer::new(2.0);
        pacer.due(ms(0), start);
        assert_eq!(pacer.due(ms(40), start), start + ms(20));
    }

    #[test]
    fn a_short_delay_is_caught_up_and_a_long_one_moves_the_clock() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1.0);
        pacer.due(ms(0), start);
        assert_eq!(pacer.due(ms(40), start + ms(90)), start + ms(40));
        let late = start + ms(400);
        assert_eq!(pacer.due(ms(80), late), late);
        assert_eq!(pacer.due(ms(120), late), late + ms(40));
    }

    #[test]
    fn a_repeat_restarts_the_clock() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1.0);
        pacer.due(ms(9_000), start);
        assert_eq!(pacer.due(ms(0), start + ms(40)), start + ms(40));
    }

    #[test]
    fn speeds_that_make_no_sense_are_limited() {
        assert_eq!(valid_speed(f64::NAN), 1.0);
        assert_eq!(valid_speed(0.0), 1.0 / 16.0);
        assert_eq!(valid_speed(-3.0), 1.0 / 16.0);
        assert_eq!(valid_speed(f64::INFINITY), 16.0);
    }
}
