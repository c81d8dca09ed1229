//! Numbers in text, such as command-line arguments.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Parses a number that must lie in `range`.
///
/// # Errors
/// When `word` isn't a number, or is outside the range.
pub fn within<T: FromStr + PartialOrd + Display>(word: &str, range: RangeInclusive<T>) -> Result<T, String> {
    match word.parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("must be a number from {} to {}", range.start(), range.end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_range_are_in_it_and_what_is_beyond_is_refused() {
        assert_eq!((within("1.01", 1.01..=2.0), within("2", 1.01..=2.0)), (Ok(1.01), Ok(2.0)));
        for word in ["1", "2.01", "NaN", "-inf", "much", ""] {
            assert_eq!(within(word, 1.01..=2.0), Err("must be a number from 1.01 to 2".to_owned()), "{word}");
        }
    }
}
