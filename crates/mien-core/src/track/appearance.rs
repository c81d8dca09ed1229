//! What a face looks like, well enough to recognise it after some seconds.

use crate::crop::{CROP_SIZE, FaceCrop};

/// Number of cells along each side of a face. A cell has 8×8 pixels.
const CELLS: usize = 6;

/// Local binary patterns with at most two changes around the circle have a bin each; all others share one.
const BINS: usize = 59;

/// A face as histograms of local binary patterns in cells: Ahonen, Hadid and Pietikäinen 2006, “Face Description with
/// Local Binary Patterns: Application to Face Recognition”. Even changes of light don't affect it.
#[derive(Clone, Debug, PartialEq)]
pub struct Appearance {
    /// The share of each pattern, for each cell.
    cells: Vec<[f32; BINS]>,
}

impl Appearance {
    /// Measures the appearance of the face in a crop.
    #[must_use]
    pub fn of(crop: &FaceCrop) -> Self {
        let pixels = crop.pixels();
        let level = |x: usize, y: usize| pixels.get(y * CROP_SIZE + x).copied().unwrap_or_default();
        let mut cells = vec![[0.0_f32; BINS]; CELLS * CELLS];
        for y in 1..CROP_SIZE - 1 {
            for x in 1..CROP_SIZE - 1 {
                let center = level(x, y);
                let around = [
                    level(x - 1, y - 1),
                    level(x, y - 1),
                    level(x + 1, y - 1),
                    level(x + 1, y),
                    level(x + 1, y + 1),
                    level(x, y + 1),
                    level(x - 1, y + 1),
                    level(x - 1, y),
                ];
                let pattern = around.iter().fold(0_u8, |bits, other| bits << 1 | u8::from(*other >= center));
                let cell = y * CELLS / CROP_SIZE * CELLS + x * CELLS / CROP_SIZE;
                if let Some(share) = cells.get_mut(cell).and_then(|bins| bins.get_mut(bin(pattern))) {
                    *share += 1.0;
                }
            }
        }
        for bins in &mut cells {
            let count = bins.iter().sum::<f32>().max(1.0);
            bins.iter_mut().for_each(|share| *share /= count);
        }
        Self { cells }
    }

    /// How similar two faces are: 1 the same, 0 nothing in common (the shared part of the histograms, averaged over cells).
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f32 {
        let shared = |(a, b): (&[f32; BINS], &[f32; BINS])| a.iter().zip(b).map(|(a, b)| a.min(*b)).sum::<f32>();
        self.cells.iter().zip(&other.cells).map(shared).sum::<f32>() / (CELLS * CELLS) as f32
    }
}

/// The bin of a pattern: uniform patterns by the number of set bits and where they begin, all others in the last.
fn bin(pattern: u8) -> usize {
    let set = pattern.count_ones() as usize;
    match (pattern ^ pattern.rotate_left(1)).count_ones() {
        0 => {
            if set == 0 {
                0
            } else {
                BINS - 2
            }
        }
        2 => {
            let first =
                (0..8).find(|turn| pattern.rotate_right(*turn) & 1 == 1 && pattern.rotate_right(*turn) & 0x80 == 0);
            // The run of set bits may wrap around, so its beginning is the rotation that brings it to bit 0.
            1 + (set - 1) * 8 + first.unwrap_or_default() as usize
        }
        _ => BINS - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crop::CROP_PIXELS;

    fn pattern(step: usize) -> Vec<u8> {
        (0..CROP_PIXELS).map(|i| (i * i * step / 11 % 97) as u8).collect()
    }

    fn appearance(pixels: Vec<u8>) -> Appearance {
        Appearance::of(&FaceCrop::from_pixels(pixels).unwrap())
    }

    #[test]
    fn a_face_is_like_itself_in_other_light_and_unlike_another() {
        let face = appearance(pattern(1));
        let brighter = appearance(pattern(1).iter().map(|level| level * 2 + 20).collect());
        assert!((face.similarity(&brighter) - 1.0).abs() < 1e-5);
        assert!(face.similarity(&appearance(pattern(5))) < 0.9);
    }

    #[test]
    fn every_uniform_pattern_has_a_bin_of_its_own() {
        let mut members = [0; BINS];
        (0..=u8::MAX).for_each(|pattern| members[bin(pattern)] += 1);
        assert_eq!(members[..BINS - 1], [1; BINS - 1]);
        assert_eq!(members[BINS - 1], 256 - 58);
    }
}
