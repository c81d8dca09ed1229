//! What the system reports about this process and the machine; `None` where it doesn't. Only Linux reports all of it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static STARTED: OnceLock<Instant> = OnceLock::new();

/// Notes the time, for [`age`] on systems that don't record when a process started. Call it first in `main`.
pub fn mark_start() {
    STARTED.get_or_init(Instant::now);
}

/// Time since the process started: on Linux including the loading of shared libraries, elsewhere since [`mark_start`].
pub fn age() -> Option<Duration> {
    system::age().or_else(|| STARTED.get().map(Instant::elapsed))
}

/// Current and peak memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Current.
    pub current: u64,
    /// Peak so far, or the current value where the system doesn't report it.
    pub peak: u64,
}

/// Resident memory of this process, including shared libraries.
pub fn memory() -> Option<Memory> {
    system::memory().or_else(|| {
        let current = memory_stats::memory_stats()?.physical_mem as u64;
        Some(Memory { current, peak: current })
    })
}

/// Processor time that all threads of this process have used so far.
pub fn cpu_time() -> Option<Duration> {
    system::cpu_time()
}

/// Whether NVIDIA's driver is loaded, even if libtorch can't use it.
pub fn has_nvidia_driver() -> bool {
    system::has_nvidia_driver()
}

/// Measures how much processor time other programs use.
pub struct OtherLoad {
    began: Instant,
    everyone: Duration,
    own: Duration,
}

impl OtherLoad {
    /// Starts measuring.
    pub fn start() -> Option<Self> {
        Some(Self { began: Instant::now(), everyone: system::busy_time()?, own: cpu_time()? })
    }

    /// Average number of cores that other programs have used since the start.
    pub fn cores(&self) -> Option<f64> {
        let everyone = system::busy_time()?.saturating_sub(self.everyone);
        let own = cpu_time()?.saturating_sub(self.own);
        let wall = self.began.elapsed().as_secs_f64();
        (wall > 0.0).then(|| everyone.saturating_sub(own).as_secs_f64() / wall)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::read_to_string;
    use std::path::Path;
    use std::time::Duration;

    use super::Memory;

    /// The unit of times in /proc: USER_HZ, 100 in every kernel that Rust runs on.
    const TICKS_PER_SECOND: f64 = 100.0;

    pub fn age() -> Option<Duration> {
        let uptime: f64 = read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
        // Field 22 of proc(5).
        let started: f64 = own_stat()?.get(21 - STAT_OFFSET)?.parse().ok()?;
        Duration::try_from_secs_f64(uptime - started / TICKS_PER_SECOND).ok()
    }

    pub fn memory() -> Option<Memory> {
        let status = read_to_string("/proc/self/status").ok()?;
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Memory { current: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    pub fn cpu_time() -> Option<Duration> {
        // Fields 14 and 15: in user mode and in the kernel.
        let stat = own_stat()?;
        let ticks = |field: usize| stat.get(field - STAT_OFFSET)?.parse::<f64>().ok();
        Duration::try_from_secs_f64((ticks(13)? + ticks(14)?) / TICKS_PER_SECOND).ok()
    }

    pub fn has_nvidia_driver() -> bool {
        Path::new("/proc/driver/nvidia/version").exists()
    }

    /// Processor time that all programs have used since boot, including niced ones.
    pub fn busy_time() -> Option<Duration> {
        let stat = read_to_string("/proc/stat").ok()?;
        let mut fields = stat.lines().next()?.split_whitespace().skip(1).map(|field| field.parse::<f64>().ok());
        let (user, nice, system) = (fields.next()??, fields.next()??, fields.next()??);
        Duration::try_from_secs_f64((user + nice + system) / TICKS_PER_SECOND).ok()
    }

    /// Number of fields before those that [`own_stat`] returns: the process id, and the name in brackets.
    const STAT_OFFSET: usize = 2;

    /// The fields of /proc/self/stat after the program's name, which may itself contain blanks.
    fn own_stat() -> Option<Vec<String>> {
        let stat = read_to_string("/proc/self/stat").ok()?;
        Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    use super::Memory;

    pub fn age() -> Option<Duration> {
        None
    }

    pub fn memory() -> Option<Memory> {
        None
    }

    pub fn cpu_time() -> Option<Duration> {
        None
    }

    pub fn has_nvidia_driver() -> bool {
        false
    }

    pub fn busy_time() -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_touched_is_counted() {
        let before = memory().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = memory().unwrap();
        assert!(std::hint::black_box(&block).iter().all(|byte| *byte == 1));
        assert!(after.peak >= after.current);
        assert!(after.current > before.current + (32 << 20), "{before:?} {after:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_is_counted_as_processor_time_of_this_process() {
        let before = cpu_time().unwrap();
        let mut sum = 0_u64;
        while cpu_time().unwrap() < before + Duration::from_millis(30) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(age().unwrap() > Duration::ZERO);
        assert!(age().unwrap() < Duration::from_secs(24 * 3600));
    }
}
