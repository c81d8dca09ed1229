//! How long a disk still has room for.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Room that is left free: for the ends of tables and video, and for a system that stumbles without any.
const RESERVE: u64 = 64 << 20;

/// Below this time the user is warned: enough to make room or to come to an end.
const SHORT: Duration = Duration::from_secs(10 * 60);

/// Until so much was recorded, its rate isn't known.
const RATE_KNOWN_AFTER: Duration = Duration::from_secs(3);

/// Knows how much room a folder's disk has.
pub(super) trait Space: Send {
    /// Free bytes for this user; `None` if the system doesn't say.
    fn free(&self, folder: &Path) -> Option<u64>;

    /// What is left for a recording that took so many bytes in this time.
    fn room(&self, folder: &Path, bytes: u64, elapsed: Duration) -> Option<Room> {
        let usable = self.free(folder)?.saturating_sub(RESERVE);
        let lasts = (elapsed >= RATE_KNOWN_AFTER && bytes > 0)
            .then(|| Duration::try_from_secs_f64(usable as f64 * elapsed.as_secs_f64() / bytes as f64).ok())
            .flatten();
        Some(Room { usable, lasts })
    }
}

/// What the system says.
pub(super) struct FreeSpace;

impl Space for FreeSpace {
    fn free(&self, folder: &Path) -> Option<u64> {
        fs4::available_space(folder).ok()
    }
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

    struct Free(u64);

    impl Space for Free {
        fn free(&self, _folder: &Path) -> Option<u64> {
            Some(self.0)
        }
    }

    const MB: u64 = 1_000_000;

    fn room(free: u64, bytes: u64, secs: u64) -> Room {
        Free(free).room(Path::new("."), bytes, Duration::from_secs(secs)).unwrap()
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
    fn the_end_comes_before_the_disk_is_full_to_the_last_byte() {
        assert!(room(RESERVE, 20 * MB, 10).is_over());
        assert!(!room(RESERVE + 1, 20 * MB, 10).is_over());
    }

    #[test]
    fn the_system_knows_the_free_space_of_a_folder() {
        assert!(FreeSpace.free(&std::env::temp_dir()).is_some_and(|free| free > 0));
    }
}
