//! Decimal places of results: the same in tables, JSON lines and the server's messages.

use crate::landmarks::Landmarks;

/// Decimal places of a time in seconds.
pub const TIME_DIGITS: usize = 4;

/// Decimal places of a position or length in pixels, and of an angle in degrees.
pub const PIXEL_DIGITS: usize = 1;

/// Decimal places of a probability.
pub const PROBABILITY_DIGITS: usize = 4;

/// Decimal places of a quality.
pub const QUALITY_DIGITS: usize = 2;

/// Returns `value` as it is read back after being written with `digits` decimal places.
pub fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(f64::NAN)
}

/// Landmarks as they are read back after being written, so that their roll is the one that a reader computes.
pub fn rounded_landmarks(landmarks: &Landmarks) -> Landmarks {
    landmarks.map(|place| place.map(|value| rounded(value.into(), PIXEL_DIGITS) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_as_it_is_written() {
        assert_eq!(rounded(0.123_456, 4), 0.1235);
        // Half-way cases go to the even digit, as with `format!`.
        assert_eq!((rounded(10.25, 1), rounded(10.75, 1)), (10.2, 10.8));
        assert!(rounded(f64::NAN, 4).is_nan());
    }
}
