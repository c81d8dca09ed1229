//! Parsers for numbers on the command line.

use std::fmt::Display;
use std::str::FromStr;

pub(super) use mien_core::numbers::within;

/// Parses a share from 0 to 1.
///
/// # Errors
/// When the word isn't such a number.
pub(super) fn share<T: FromStr + PartialOrd + Display + From<u8>>(word: &str) -> Result<T, String> {
    within(word, T::from(0)..=T::from(1))
}

/// Parses a finite number above 0.
///
/// # Errors
/// When the word isn't such a number.
pub(super) fn above_zero(word: &str) -> Result<f64, String> {
    word.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
        .ok_or_else(|| "must be a number above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_share_is_refused() {
        assert_eq!(share("0.87"), Ok(0.87_f64));
        assert_eq!((share("0"), share("1")), (Ok(0.0_f32), Ok(1.0_f32)));
        for word in ["87", "-0.1", "NaN", "most", ""] {
            assert_eq!(share::<f64>(word), Err("must be a number from 0 to 1".to_owned()), "{word}");
        }
    }

    #[test]
    fn a_number_that_is_not_above_0_is_refused() {
        assert_eq!((above_zero("90"), above_zero("0.5")), (Ok(90.0), Ok(0.5)));
        for word in ["0", "-1", "NaN", "inf", "long", ""] {
            assert!(above_zero(word).is_err(), "{word}");
        }
    }
}
