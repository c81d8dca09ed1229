//! The clock of a recording. The system's clock stops while the computer sleeps, but a recording's goes on.

use std::fmt;
use std::time::{Duration, Instant};

use crate::clock::hours_and_minutes;

/// Shorter differences don't count as sleep: the system's two clocks can't be read at the same moment.
const SHORTEST: Duration = Duration::from_secs(1);

/// Returns how long the computer has slept in total.
pub(super) type SleptFor = Box<dyn Fn() -> Duration + Send>;

/// The difference between the system's clock that counts sleep and the one that doesn't.
#[cfg(target_os = "linux")]
pub(super) fn slept_for() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Read in this order, so that a delay in between can make the sleep look shorter, but never longer.
    let (with, without) = (clock_gettime(ClockId::Boottime), clock_gettime(ClockId::Monotonic));
    with.checked_sub(without).and_then(|slept| Duration::try_from(slept).ok()).unwrap_or_default()
}

/// Unknown on other systems.
#[cfg(not(target_os = "linux"))]
pub(super) fn slept_for() -> Duration {
    Duration::ZERO
}

/// A sleep of the computer during a recording.
#[derive(Debug, PartialEq)]
pub(super) struct Sleep {
    /// The last known moment before it, on the system's clock.
    pub at: Instant,
    /// The time of the recording at which the computer was awake again.
    pub time: Duration,
    /// How long it slept.
    pub lasted: Duration,
}

impl fmt::Display for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the computer slept for {}", hours_and_minutes(self.lasted.as_secs_f64()))
    }
}

/// The clock of a recording.
pub(super) struct SessionClock {
    began: Instant,
    slept_for: SleptFor,
    /// Total sleep already accounted for.
    known: Duration,
    /// No unnoticed sleep began before this.
    awake_until: Instant,
    /// For each sleep: the moment before it, and the total slept by its end.
    sleeps: Vec<(Instant, Duration)>,
    /// Sleeps not yet returned by [`Self::sleeps`].
    untold: Vec<Sleep>,
}

impl SessionClock {
    /// The clock of a recording that begins at `began`, which must be now.
    pub fn new(began: Instant, slept_for: SleptFor) -> Self {
        let known = slept_for();
        Self { began, slept_for, known, awake_until: began, sleeps: Vec::new(), untold: Vec::new() }
    }

    /// Time since the recording began, for a moment in the past. Later moments have later times, and a moment always has the same time.
    pub fn time_of(&mut self, at: Instant) -> Duration {
        // Look first, so that a sleep that is noticed later lies after this moment.
        self.look();
        let slept = self.sleeps.iter().rev().find(|(after, _)| at > *after).map_or(Duration::ZERO, |(_, slept)| *slept);
        at.saturating_duration_since(self.began) + slept
    }

    /// The sleeps noticed since the last call.
    pub fn sleeps(&mut self) -> Vec<Sleep> {
        self.look();
        std::mem::take(&mut self.untold)
    }

    fn look(&mut self) {
        let now = Instant::now();
        let lasted = (self.slept_for)().saturating_sub(self.known);
        let awake_until = std::mem::replace(&mut self.awake_until, now);
        if lasted < SHORTEST {
            return;
        }
        self.known += lasted;
        let slept = self.sleeps.last().map_or(Duration::ZERO, |(_, slept)| *slept) + lasted;
        self.sleeps.push((awake_until, slept));
        let time = awake_until.saturating_duration_since(self.began) + slept;
        self.untold.push(Sleep { at: awake_until, time, lasted });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that begins now, and how many milliseconds its computer has slept.
    fn clock() -> (SessionClock, Arc<AtomicU64>) {
        let slept = Arc::new(AtomicU64::new(7_000_000));
        let asked = Arc::clone(&slept);
        let slept_for = Box::new(move || Duration::from_millis(asked.load(Ordering::Relaxed)));
        (SessionClock::new(Instant::now(), slept_for), slept)
    }

    #[test]
    fn what_was_before_a_sleep_keeps_its_time_and_what_comes_after_it_is_later() {
        let (mut clock, slept) = clock();
        let began = clock.began;
        let first = Instant::now();
        assert_eq!(clock.time_of(first), first - began);
        slept.fetch_add(3_720_000, Ordering::Relaxed);
        let second = Instant::now();
        let long = Duration::from_secs(3720);
        assert_eq!((clock.time_of(second), clock.time_of(first)), (second - began + long, first - began));
        slept.fetch_add(20_000, Ordering::Relaxed);
        let third = Instant::now();
        assert_eq!(clock.time_of(third), third - began + long + Duration::from_secs(20));
        assert_eq!((clock.time_of(second), clock.time_of(first)), (second - began + long, first - began));

        let sleeps = clock.sleeps();
        let words: Vec<String> = sleeps.iter().map(Sleep::to_string).collect();
        assert_eq!(words, ["the computer slept for 1 h 02 min", "the computer slept for 20 s"]);
        // Each is reported once, and lies between what came before and after it.
        assert!(clock.time_of(first) + long <= sleeps[0].time && sleeps[0].time <= clock.time_of(second));
        assert_eq!(clock.sleeps(), []);
    }

    #[test]
    fn clocks_that_are_not_read_at_the_same_moment_are_no_sleep() {
        let (mut clock, slept) = clock();
        for _ in 0..3 {
            slept.fetch_add(300, Ordering::Relaxed);
            let now = Instant::now();
            assert_eq!(clock.time_of(now), now - clock.began);
        }
        // Short differences add up.
        slept.fetch_add(300, Ordering::Relaxed);
        assert_eq!(clock.sleeps()[0].lasted, Duration::from_millis(1200));
    }
}
