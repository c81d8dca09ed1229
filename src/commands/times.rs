//! Parsers for times on the command line.

use std::time::Duration;

pub(super) use crate::clock::media_time;

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
