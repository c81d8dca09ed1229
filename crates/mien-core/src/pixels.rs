//! How many pixels a picture may have. A file of a megabyte can hold a picture that takes gigabytes in memory, so the size in its
//! header is checked before it is decoded.

use std::fmt;
use std::str::FromStr;

/// The largest number of pixels of a picture or a video's frame, in millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelLimit(u64);

/// OpenCV decodes at most 2³⁰ pixels, 1073 million.
const LARGEST_LIMIT: u64 = 1073;

/// A picture is too large to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has {width}×{height} pixels, and pictures of more than {limit} megapixels aren't decoded, because they take much memory"
)]
pub struct TooManyPixels {
    width: u64,
    height: u64,
    limit: PixelLimit,
}

impl Default for PixelLimit {
    /// The resolution of the largest cameras: 200 megapixels, 600 MB in colour.
    fn default() -> Self {
        Self(200)
    }
}

impl PixelLimit {
    /// A limit of this many megapixels, for limits in code.
    pub const fn megapixels(millions: u64) -> Self {
        Self(millions)
    }

    /// The limit in pixels.
    pub fn pixels(self) -> u64 {
        self.0 * 1_000_000
    }

    /// Checks that a picture of this size may be decoded.
    ///
    /// # Errors
    /// When it has too many pixels.
    pub fn check(self, width: u64, height: u64) -> Result<(), TooManyPixels> {
        if width.saturating_mul(height) > self.pixels() {
            return Err(TooManyPixels { width, height, limit: self });
        }
        Ok(())
    }
}

impl fmt::Display for PixelLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PixelLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
        limit.map(Self).ok_or_else(|| format!("must be a whole number from 1 to {LARGEST_LIMIT}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_counted_without_overflow() {
        let limit: PixelLimit = "2".parse().unwrap();
        assert_eq!(limit, PixelLimit::megapixels(2));
        assert!(limit.check(2000, 1000).is_ok() && limit.check(0, 0).is_ok());
        let error = limit.check(u64::MAX, 2).unwrap_err().to_string();
        assert!(error.contains("more than 2 megapixels"), "{error}");
        assert!(limit.check(2001, 1000).is_err());
    }

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        for text in ["0", "-1", "many", "1e3", "5000"] {
            assert!(text.parse::<PixelLimit>().is_err(), "{text}");
        }
    }
}
