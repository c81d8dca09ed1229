//! Parsers for times on the command line.

use std::time::Duration;

/// Parses a time: `90`, `1:30`, `0:01:30.5`.
///
/// # Errors
/// When the word isn't such a time.
pub(super) fn media_time(word: &str) -> Result<Duration, String> {
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

/// Parses a time above 0: `90s`, `10m`, `1h`, or as [`media_time`] does.
///
/// # Errors
/// When the word isn't such a time.
pub(super) fn part_length(word: &str) -> Result<Duration, String> {
    let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
    let time = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = word.strip_suffix(*unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    let time = time.map_or_else(|| media_time(word), Ok)?;
    if time.is_zero() { Err("must be above 0".to_owned()) } else { Ok(time) }
}

/// Parses a number of seconds above 0.
///
/// # Errors
/// When the word isn't such a number.
pub(super) fn seconds(word: &str) -> Result<Duration, String> {
    word.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "must be a number of seconds above 0".to_owned())
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
    fn a_length_has_a_unit_or_is_a_time() {
        let secs = |word: &str| part_length(word).map(|time| time.as_secs_f64());
        assert_eq!(
            [secs("10m"), secs("90s"), secs("1.5h"), secs("2:30")],
            [Ok(600.0), Ok(90.0), Ok(5400.0), Ok(150.0)]
        );
        for word in ["", "0", "-1m", "m", "10 minutes"] {
            assert!(part_length(word).is_err(), "{word}");
        }
    }

    #[test]
    fn no_seconds_are_no_time() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for word in ["0", "-1", "NaN", "inf", "1e300", "1:30", ""] {
            assert!(seconds(word).is_err(), "{word}");
        }
    }
}
