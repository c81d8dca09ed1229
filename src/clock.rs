//! Times as people write them: those within a video or a recording, and how long something took.

use std::time::Duration;

/// Formats seconds as on a clock, with this many decimals: `0:07`, `0:12.4`, `1:02:03.5`. Negative times become 0.
pub fn clock(secs: f64, decimals: usize) -> String {
    let scale = 10_u64.pow(decimals as u32);
    // Round first, so that 59.96 becomes 1:00.0 and not 0:60.0.
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

/// Formats the time of a frame in tenths of a second, truncated rather than rounded: a frame is shown until the next one.
pub fn moment(time: Duration) -> String {
    clock((time.as_millis() / 100) as f64 / 10.0, 1)
}

/// Formats how long something took or may take: `90 s`, `59 min`, `1 h 50 min`.
pub fn hours_and_minutes(secs: f64) -> String {
    if secs < 119.5 {
        return format!("{secs:.0} s");
    }
    let minutes = (secs / 60.0).round() as u64;
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h {:02} min", minutes / 60, minutes % 60) }
}

/// Parses a time: `90`, `1:30`, `0:01:30.5`.
///
/// # Errors
/// When the word isn't such a time.
pub fn media_time(word: &str) -> Result<Duration, String> {
    let problem = || "must be a time in seconds, m:ss or h:mm:ss".to_owned();
    let parts: Vec<&str> = word.split(':').collect();
    let (seconds, larger) = parts.split_last().ok_or_else(problem)?;
    let seconds: f64 = seconds.parse().map_err(|_unparsable| problem())?;
    let larger: Vec<u32> =
        larger.iter().map(|part| part.parse()).collect::<Result<_, _>>().map_err(|_unparsable| problem())?;
    let whole_units = larger.iter().fold(0.0, |sum, part| (sum + f64::from(*part)) * 60.0);
    let in_range =
        larger.is_empty() || ((0.0..60.0).contains(&seconds) && larger.iter().skip(1).all(|part| *part < 60));
    if parts.len() > 3 || !in_range {
        return Err(problem());
    }
    Duration::try_from_secs_f64(whole_units + seconds).map_err(|_out_of_range| problem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_forms() {
        let secs = |word: &str| media_time(word).map(|time| time.as_secs_f64());
        assert_eq!(
            [secs("90"), secs("1:30"), secs("0:01:30.5"), secs("2:00:00")],
            [Ok(90.0), Ok(90.0), Ok(90.5), Ok(7200.0)]
        );
        for word in ["", "-1", "x", "1:60", "1:2:3:4", "1:75:00", ":5", "NaN", "inf", "1e300"] {
            assert!(media_time(word).is_err(), "{word}");
        }
    }

    #[test]
    fn what_took_long_is_told_in_hours_and_minutes_and_what_did_not_in_seconds() {
        assert_eq!([120.0, 6606.0, 7200.0].map(hours_and_minutes), ["2 min", "1 h 50 min", "2 h 00 min"]);
        assert_eq!([0.006, 59.4, 119.4, 119.6].map(hours_and_minutes), ["0 s", "59 s", "119 s", "2 min"]);
    }

    #[test]
    fn times_read_as_on_a_clock() {
        let words = [clock(7.0, 0), clock(59.96, 1), clock(3723.46, 1), clock(0.0, 0), clock(-1.0, 0)];
        assert_eq!(words, ["0:07", "1:00.0", "1:02:03.5", "0:00", "0:00"]);
    }

    #[test]
    fn moments_have_tenths_that_are_not_rounded_up() {
        for (ms, text) in
            [(0, "0:00.0"), (12_430, "0:12.4"), (12_490, "0:12.4"), (61_000, "1:01.0"), (3_723_500, "1:02:03.5")]
        {
            assert_eq!(moment(Duration::from_millis(ms)), text);
        }
    }
}
