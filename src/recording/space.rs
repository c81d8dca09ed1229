//! How long a disk has room for a recording.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Bytes that are left free: to complete tables and video, and because a system fails without any.
const RESERVE: u64 = 64 << 20;

/// Remaining time below which the user is warned: enough to make room or to finish.
const SHORT: Duration = Duration::from_secs(10 * 60);

/// Recorded time from which the rate of the recording is known.
const RATE_KNOWN_AFTER: Duration = Duration::from_secs(3);

/// Period over which the filling rate of the disk is measured: some file systems update the free space only twice a minute.
const LOOK_BACK: Duration = Duration::from_secs(60);

/// Observed time from which the filling rate of the disk is known.
const FILLING_KNOWN_AFTER: Duration = Duration::from_secs(30);

/// Tells how much room a folder's disk has.
pub(super) trait Space: Send {
    /// Free bytes for this user; `None` if the system doesn't say.
    fn free(&self, folder: &Path) -> Option<u64>;
}

/// The free space that the system reports.
pub(super) struct FreeSpace;

impl Space for FreeSpace {
    fn free(&self, folder: &Path) -> Option<u64> {
        fs4::available_space(folder).ok()
    }
}

/// Watches how fast a disk fills. Other recordings and programs write to it too.
#[derive(Default)]
pub(super) struct Filling {
    /// Time of each look since the recording began, and the bytes that were free.
    looks: VecDeque<(Duration, u64)>,
}

impl Filling {
    /// The room in `free` bytes for a recording that took `bytes` in the time `elapsed`.
    pub fn room(&mut self, free: u64, bytes: u64, elapsed: Duration) -> Room {
        self.looks.retain(|(at, _)| elapsed.saturating_sub(*at) <= LOOK_BACK);
        self.looks.push_back((elapsed, free));
        let usable = free.saturating_sub(RESERVE);
        let by_itself = if elapsed >= RATE_KNOWN_AFTER { time_for(usable, bytes, elapsed) } else { None };
        let by_all = self.taken_by_all(free, elapsed).and_then(|(bytes, time)| time_for(usable, bytes, time));
        // Other writers can only shorten it: that they removed files doesn't mean that they will remove more.
        Room { usable, lasts: by_itself.into_iter().chain(by_all).min() }
    }

    /// The bytes that all writers took, and the time in which they did.
    fn taken_by_all(&self, free: u64, now: Duration) -> Option<(u64, Duration)> {
        let (at, before) = self.looks.front()?;
        let time = now.saturating_sub(*at);
        (time >= FILLING_KNOWN_AFTER).then(|| (before.saturating_sub(free), time))
    }
}

/// How long `usable` bytes last at a rate of `bytes` per `time`.
fn time_for(usable: u64, bytes: u64, time: Duration) -> Option<Duration> {
    // If nothing was taken, the quotient isn't a valid duration.
    Duration::try_from_secs_f64(usable as f64 * time.as_secs_f64() / bytes as f64).ok()
}

/// The room left on a disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    usable: u64,
    lasts: Option<Duration>,
}

impl Room {
    /// Whether to warn the user.
    pub fn is_short(&self) -> bool {
        self.lasts.is_some_and(|lasts| lasts < SHORT)
    }

    /// Whether there is enough room to re-arm the warning, as after another program's large copy.
    pub fn is_ample(&self) -> bool {
        self.lasts.is_none_or(|lasts| lasts >= 2 * SHORT)
    }

    /// Whether the recording has to end.
    pub fn is_over(&self) -> bool {
        self.usable == 0
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.usable / 1_000_000;
        let minutes = self.lasts.map_or(0, |lasts| lasts.as_secs() / 60);
        let lasts = if minutes > 0 { format!("about {minutes} min") } else { "less than a minute".to_owned() };
        write!(f, "The disk has room for {lasts} of recording ({megabytes} MB); make room, or stop soon")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    /// The room at the first look.
    fn room(free: u64, bytes: u64, secs: u64) -> Room {
        Filling::default().room(free, bytes, Duration::from_secs(secs))
    }

    /// The room at each second of a recording at 2 MB/s. `free` gives the usable MB at a second.
    fn watched(free: impl Fn(u64) -> u64, secs: u64) -> Vec<Room> {
        let mut filling = Filling::default();
        (0..=secs).map(|at| filling.room(RESERVE + free(at) * MB, 2 * MB * at, Duration::from_secs(at))).collect()
    }

    #[test]
    fn the_user_is_warned_ten_minutes_before_the_end() {
        // 2 MB a second.
        assert!(!room(RESERVE + 1201 * MB, 20 * MB, 10).is_short());
        let short = room(RESERVE + 1199 * MB, 20 * MB, 10);
        assert!(short.is_short() && !short.is_over());
        assert!(short.to_string().contains("about 9 min of recording (1199 MB)"), "{short}");
        // The first frames say nothing about the rate.
        assert!(!room(RESERVE + MB, 20 * MB, 1).is_short());
    }

    #[test]
    fn what_everybody_else_writes_to_the_disk_counts_too() {
        // Thirty visitors are recorded. By this recording's rate alone, the room would last for hours.
        let rooms = watched(|at| 72_000 - 60 * at, 620);
        assert!(rooms[..590].iter().all(|room| !room.is_short()) && rooms[20].lasts > rooms[40].lasts);
        let short = rooms[610];
        assert!(short.is_short() && short.to_string().contains("about 9 min of recording (35400 MB)"), "{short}");
    }

    #[test]
    fn a_copy_that_another_program_makes_warns_while_it_lasts_and_removed_files_promise_nothing() {
        let rooms = watched(|at| 90_000 - 1000 * at.clamp(40, 60), 200);
        assert!(!rooms[39].is_short() && rooms[50].is_short() && !rooms[50].is_ample());
        assert!(rooms[125].is_ample());
        let freed = watched(|at| 1000 + at, 60);
        assert!(freed[60].is_short(), "{}", freed[60]);
    }

    #[test]
    fn the_end_comes_before_the_disk_is_full_to_the_last_byte() {
        assert!(room(RESERVE, 20 * MB, 10).is_over());
        assert!(!room(RESERVE + 1, 20 * MB, 10).is_over());
    }

    #[test]
    fn the_system_knows_the_free_space_of_a_folder() {
        assert!(FreeSpace.free(&std::env::temp_dir()).is_some_and(|free| free > 0));
    }
}
