//! Figures as they are read.

use crate::summary::Counts;

/// Seconds as on a clock: `0:07`, `1:02:03.5`.
pub fn clock(secs: f64, decimals: usize) -> String {
    let scale = 10_u64.pow(decimals as u32);
    // Rounded first, so that no 59.96 becomes 60.0.
    let units = (secs.max(0.0) * scale as f64).round() as u64;
    let (whole, part) = (units / scale, units % scale);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut words =
        if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") };
    if decimals > 0 {
        words.push_str(&format!(".{part:0decimals$}"));
    }
    words
}

/// A share as `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 face`, `3 faces`.
pub fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// How much of what a face was said to show is doubtful, after what was counted; empty if nothing is.
pub fn unsure(counts: &Counts) -> String {
    match counts.all_unsure_share() {
        share if share > 0.0 => {
            let of = if counts.seconds() > 0.0 { "the faces' time" } else { "the faces" };
            format!("; unsure for {} of {of}", percent(share))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_on_a_clock() {
        let words = [clock(7.0, 0), clock(59.96, 1), clock(3723.46, 1), clock(0.0, 0), clock(-1.0, 0)];
        assert_eq!(words, ["0:07", "1:00.0", "1:02:03.5", "0:00", "0:00"]);
    }
}
