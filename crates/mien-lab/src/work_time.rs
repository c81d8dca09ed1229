//! Working time: leaves out time during which the process is stopped (Ctrl-Z, `kill -STOP`) or the machine sleeps.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

/// How often the clock is read.
const GLANCE: Duration = Duration::from_secs(1);
/// A longer interval between two readings was a pause: even on a busy machine a reading isn't delayed that much.
const LONGEST: Duration = Duration::from_secs(10);

/// Counts the working time of this process. A thread reads the clock regularly, and ends when this is dropped.
pub struct WorkClock(Arc<Mutex<Tally>>);

impl WorkClock {
    /// Starts the clock.
    ///
    /// # Errors
    /// When the thread can't be started.
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

    /// Starts a measurement.
    pub fn begin(&self) -> WorkTime {
        WorkTime { tally: Arc::clone(&self.0), begun: worked(&self.0) }
    }
}

/// The working time since a certain moment.
pub struct WorkTime {
    tally: Arc<Mutex<Tally>>,
    begun: Duration,
}

impl WorkTime {
    /// The working time so far, in seconds.
    pub fn seconds(&self) -> f64 {
        worked(&self.tally).saturating_sub(self.begun).as_secs_f64()
    }
}

struct Tally {
    /// Working time up to the last reading.
    worked: Duration,
    /// When the last reading was.
    seen: Instant,
}

impl Tally {
    /// Adds the time since the last reading; a pause counts as one [`GLANCE`].
    fn glance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen);
        self.worked += if passed > LONGEST { GLANCE } else { passed };
        self.seen = now;
    }
}

/// The total working time up to now.
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
