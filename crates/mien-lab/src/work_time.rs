//! Time that is worked: not what passes while the process is stopped (Ctrl-Z, `kill -STOP`) or the machine sleeps.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

/// How often the clock is looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// No glance comes later than this, however busy the machine is: what is longer was a pause.
const LONGEST: Duration = Duration::from_secs(10);

/// Counts the time in which this process is at work. A thread glances at it; it ends with the clock.
pub struct WorkClock(Arc<Mutex<Tally>>);

impl WorkClock {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let tally = Arc::new(Mutex::new(Tally { worked: Duration::ZERO, seen: Instant::now() }));
        let watched = Arc::downgrade(&tally);
        let glance = move || {
            while let Some(tally) = watched.upgrade() {
                worked(&tally);
                drop(tally);
                thread::sleep(GLANCE);
            }
        };
        thread::Builder::new().name("clock".to_owned()).spawn(glance)?;
        Ok(Self(tally))
    }

    /// Begins to measure a time.
    pub fn begin(&self) -> WorkTime {
        WorkTime { tally: Arc::clone(&self.0), begun: worked(&self.0) }
    }
}

/// The time that is worked from a moment on.
pub struct WorkTime {
    tally: Arc<Mutex<Tally>>,
    begun: Duration,
}

impl WorkTime {
    /// So far, in seconds.
    pub fn seconds(&self) -> f64 {
        worked(&self.tally).saturating_sub(self.begun).as_secs_f64()
    }
}

struct Tally {
    /// Up to the last glance.
    worked: Duration,
    /// When that was.
    seen: Instant,
}

impl Tally {
    /// Counts what has passed until `now`.
    fn glance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen);
        self.worked += if passed > LONGEST { GLANCE } else { passed };
        self.seen = now;
    }
}

/// All that was worked until now.
fn worked(tally: &Mutex<Tally>) -> Duration {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.glance(Instant::now());
    tally.worked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_at_which_nobody_glanced_is_no_time_of_work() {
        let begun = Instant::now();
        let mut tally = Tally { worked: Duration::ZERO, seen: begun };
        for (at, worked) in [(1, 1), (4, 4), (3604, 5), (3610, 11), (3610, 11)] {
            tally.glance(begun + Duration::from_secs(at));
            assert_eq!(tally.worked, Duration::from_secs(worked), "{at}");
        }
    }

    #[test]
    fn each_time_is_counted_from_its_own_beginning() {
        let clock = WorkClock::start().unwrap();
        let first = clock.begin();
        thread::sleep(Duration::from_millis(20));
        let second = clock.begin();
        assert!(first.seconds() >= 0.02);
        let (later, earlier) = (second.seconds(), first.seconds());
        assert!(later <= earlier - 0.02 + 1e-9, "{later} {earlier}");
    }
}
