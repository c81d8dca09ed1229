//! With how many digits results are written: alike in tables, in lines of JSON and in what the server sends.

use crate::landmarks::Landmarks;

/// Digits behind the point of a time in seconds.
pub const TIME_DIGITS: usize = 4;

/// Of a place or a length in pixels, and of an angle in degrees.
pub const PIXEL_DIGITS: usize = 1;

/// Of a probability.
pub const PROBABILITY_DIGITS: usize = 4;

/// Of a quality.
pub const QUALITY_DIGITS: usize = 2;

/// The number that is read back where `value` was written with so many digits behind the point.
pub fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(f64::NAN)
}

/// Landmarks as they are written; their roll is that of the places that a reader has.
pub fn rounded_landmarks(landmarks: &Landmarks) -> Landmarks {
    landmarks.map(|place| place.map(|value| rounded(value.into(), PIXEL_DIGITS) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_as_it_is_written() {
        assert_eq!(rounded(0.123_456, 4), 0.1235);
        // Half-way cases go to the even digit, as `format!` has it.
        assert_eq!((rounded(10.25, 1), rounded(10.75, 1)), (10.2, 10.8));
        assert!(rounded(f64::NAN, 4).is_nan());
    }
}
