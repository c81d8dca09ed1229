//! Numbers as they are given on the command line.

use std::str::FromStr;

/// A share from 0 to 1.
///
/// # Errors
/// When the word is another number or none.
pub(super) fn share<T: FromStr + PartialOrd + From<u8>>(word: &str) -> Result<T, String> {
    word.parse()
        .ok()
        .filter(|share| (T::from(0)..=T::from(1)).contains(share))
        .ok_or_else(|| "has to be a number from 0 to 1, as 0.87".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_share_is_refused() {
        assert_eq!(share("0.87"), Ok(0.87_f64));
        assert_eq!((share("0"), share("1")), (Ok(0.0_f32), Ok(1.0_f32)));
        for word in ["87", "-0.1", "NaN", "most", ""] {
            assert!(share::<f64>(word).is_err(), "{word}");
        }
    }
}
