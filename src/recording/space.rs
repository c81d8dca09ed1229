//! How long a disk still has room for.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Room that is left free: for the ends of tables and video, and for a system that stumbles without any.
const RESERVE: u64 = 64 << 20;

/// Below this time the user is warned: enough to make room or to come to an end.
const SHORT: Duration = Duration::from_secs(10 * 60);

/// Until so much was recorded, its rate isn't known.
const RATE_KNOWN_AFTER: Duration = Duration::from_secs(3);

/// How long ago the disk may have been looked at to tell how fast it fills: some file systems count what was written only twice a minute.
const LOOK_BACK: Duration = Duration::from_secs(60);

/// Until the disk was watched for so long, it isn't known how fast it fills.
const FILLING_KNOWN_AFTER: Duration = Duration::from_secs(30);

/// Knows how much room a folder's disk has.
pub(super) trait Space: Send {
    /// Free bytes for this user; `None` if the system doesn't say.
    fn free(&self, folder: &Path) -> Option<u64>;
}

/// What the system says.
pub(super) struct FreeSpace;

impl Space for FreeSpace {
    fn free(&self, folder: &Path) -> Option<u64> {
        fs4::available_space(folder).ok()
    }
}

/// Watches how fast a disk fills. Other recordings and programs write to it too.
#[derive(Default)]
pub(super) struct Filling {
    /// When it was looked at, counted from the beginning of the recording, and how many bytes were free.
    looks: VecDeque<(Duration, u64)>,
}

impl Filling {
    /// What is left of so many free bytes for a recording that took `bytes` in the time `elapsed`.
    pub fn room(&mut self, free: u64, bytes: u64, elapsed: Duration) -> Room {
        self.looks.retain(|(at, _)| elapsed.saturating_sub(*at) <= LOOK_BACK);
        self.looks.push_back((elapsed, free));
        let usable = free.saturating_sub(RESERVE);
        let by_itself = if elapsed >= RATE_KNOWN_AFTER { time_for(usable, bytes, elapsed) } else { None };
        let by_all = self.taken_by_all(free, elapsed).and_then(|(bytes, time)| time_for(usable, bytes, time));
        // What others write only makes it shorter. That they removed files doesn't mean that they remove more.
        Room { usable, lasts: by_itself.into_iter().chain(by_all).min() }
    }

    /// The bytes that everybody took, and the time in which they did.
    fn taken_by_all(&self, free: u64, now: Duration) -> Option<(u64, Duration)> {
        let (at, before) = self.looks.front()?;
        let time = now.saturating_sub(*at);
        (time >= FILLING_KNOWN_AFTER).then(|| (before.saturating_sub(free), time))
    }
}

/// How long `usable` bytes last if so many bytes are taken in this time.
fn time_for(usable: u64, bytes: u64, time: Duration) -> Option<Duration> {
    // Where nothing was taken, the quotient is no time.
    Duration::try_from_secs_f64(usable as f64 * time.as_secs_f64() / bytes as f64).ok()
}

/// What a disk still has room for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    usable: u64,
    lasts: Option<Duration>,
}

impl Room {
    /// Whether the user is to be warned.
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

    /// The room of a recording of 2 MB a second at a look each second, with what is free at that second.
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
        // The first frames say nothing of the rate.
        assert!(!room(RESERVE + MB, 20 * MB, 1).is_short());
    }

    #[test]
    fn what_everybody_else_writes_to_the_disk_counts_too() {
        // Thirty visitors are recorded. By the own rate alone it would last for hours.
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
