//! Effects of light, lens and sensor on a picture's bytes.

use crate::recipe::Problems;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use rand::{Rng as _, RngCore as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The share of pictures that gets each effect.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Light {
    /// Contrast and brightness.
    pub levels: f64,
    /// Gamma.
    pub gamma: f64,
    /// Too little light.
    pub dark: f64,
    /// Too much light.
    pub burnt: f64,
    /// Light from one side.
    pub shade: f64,
    /// Out of focus.
    pub blur: f64,
    /// Motion blur.
    pub motion: f64,
    /// The sensor's noise.
    pub noise: f64,
    /// JPEG artefacts.
    pub jpeg: f64,
}

impl Default for Light {
    fn default() -> Self {
        Self {
            levels: 0.5,
            gamma: 0.3,
            dark: 0.1,
            burnt: 0.1,
            shade: 0.2,
            blur: 0.2,
            motion: 0.08,
            noise: 0.25,
            jpeg: 0.2,
        }
    }
}

/// Draws uniformly from a range.
pub(super) fn between([low, high]: [f32; 2], rng: &mut ChaCha8Rng) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// Draws log-uniformly from a range.
pub(super) fn log_between([low, high]: [f32; 2], rng: &mut ChaCha8Rng) -> f32 {
    between([low.ln(), high.ln()], rng).exp()
}

impl Light {
    /// Adds what is wrong with the shares to `found`.
    pub fn check(&self, found: &mut Problems) {
        let Self { levels, gamma, dark, burnt, shade, blur, motion, noise, jpeg } = *self;
        let shares = [
            ("augmentation.light.levels", levels),
            ("augmentation.light.gamma", gamma),
            ("augmentation.light.dark", dark),
            ("augmentation.light.burnt", burnt),
            ("augmentation.light.shade", shade),
            ("augmentation.light.blur", blur),
            ("augmentation.light.motion", motion),
            ("augmentation.light.noise", noise),
            ("augmentation.light.jpeg", jpeg),
        ];
        for (field, share) in shares {
            found.check(field, (0.0..=1.0).contains(&share), "has to be from 0 to 1");
        }
    }

    /// Changes a square gray picture, with effects in the order in which they occur: lens, light, sensor, storage.
    pub fn apply(&self, pixels: &mut Vec<u8>, side: usize, rng: &mut ChaCha8Rng) {
        if rng.random_bool(self.blur) {
            let radius = rng.random_range(1..=2);
            // Two box blurs are nearly a Gaussian one.
            for _ in 0..2 {
                blur(pixels, side, radius, true);
                blur(pixels, side, radius, false);
            }
        }
        if rng.random_bool(self.motion) {
            let radius = rng.random_range(1..=4);
            blur(pixels, side, radius, rng.random());
        }
        if rng.random_bool(self.shade) {
            shade(pixels, side, rng);
        }
        let tones = self.tones(rng);
        pixels.iter_mut().for_each(|pixel| *pixel = tones[usize::from(*pixel)]);
        if rng.random_bool(self.noise) {
            noise(pixels, log_between([2.0, 22.0], rng), rng);
        }
        if rng.random_bool(self.jpeg) {
            let quality = rng.random_range(15..=70);
            if let Some(stored) = jpeg(pixels, side, quality) {
                *pixels = stored;
            }
        }
    }

    /// Makes a random tone curve: the new value of each byte.
    fn tones(&self, rng: &mut ChaCha8Rng) -> [u8; 256] {
        let (mut gain, mut shift, mut power) = (1.0, 0.0, 1.0);
        if rng.random_bool(self.gamma) {
            power = log_between([0.4, 2.5], rng);
        }
        if rng.random_bool(self.levels) {
            gain = log_between([0.5, 1.7], rng);
            shift = between([-0.2, 0.2], rng);
        }
        let kind = rng.random::<f64>();
        if kind < self.dark {
            gain *= log_between([0.08, 0.4], rng);
        } else if kind < self.dark + self.burnt {
            gain *= between([1.5, 3.0], rng);
            shift += between([0.0, 0.25], rng);
        }
        // Contrast scales around mid-gray. A gain beyond its range comes from exposure, which scales around black.
        let pivot = if (0.5..=1.7).contains(&gain) { 0.5 } else { 0.0 };
        std::array::from_fn(|byte| {
            let value = ((byte as f32 / 255.0).powf(power) - pivot) * gain + pivot + shift;
            (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
        })
    }
}

/// Replaces each pixel by the mean over `radius` pixels to both sides, along rows or columns.
fn blur(pixels: &mut [u8], side: usize, radius: usize, along_rows: bool) {
    let (step, next) = if along_rows { (1, side) } else { (side, 1) };
    let mut line = vec![0_u8; side];
    let share = (2 * radius + 1) as u32;
    for start in (0..side).map(|index| index * next) {
        line.iter_mut().enumerate().for_each(|(i, pixel)| *pixel = pixels[start + i * step]);
        let at = |i: isize| u32::from(line[i.clamp(0, side as isize - 1) as usize]);
        let radius = radius as isize;
        let mut sum: u32 = (-radius..=radius).map(at).sum();
        for i in 0..side {
            pixels[start + i * step] = ((sum + share / 2) / share) as u8;
            sum += at(i as isize + radius + 1);
            sum -= at(i as isize - radius);
        }
    }
}

/// Darkens towards one side.
fn shade(pixels: &mut [u8], side: usize, rng: &mut ChaCha8Rng) {
    let (sin, cos) = between([0.0, std::f32::consts::TAU], rng).sin_cos();
    let darkest = between([0.15, 0.7], rng);
    let half = side as f32 / 2.0;
    for (y, row) in pixels.chunks_exact_mut(side).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            // From 0 to 1 across the picture.
            let along = 0.5 + ((x as f32 - half) * cos + (y as f32 - half) * sin) / (2.83 * half);
            *pixel = (f32::from(*pixel) * (1.0 - (1.0 - darkest) * along.clamp(0.0, 1.0))) as u8;
        }
    }
}

/// Adds noise with this standard deviation. The sum of four random bytes is nearly normal.
fn noise(pixels: &mut [u8], deviation: f32, rng: &mut ChaCha8Rng) {
    const MEAN: f32 = 4.0 * 127.5;
    const DEVIATION: f32 = 147.8;
    let mut bytes = vec![0; 4 * pixels.len()];
    rng.fill_bytes(&mut bytes);
    for (pixel, bytes) in pixels.iter_mut().zip(bytes.as_chunks::<4>().0) {
        let sum: u16 = bytes.iter().map(|byte| u16::from(*byte)).sum();
        let noisy = f32::from(*pixel) + (f32::from(sum) - MEAN) * (deviation / DEVIATION);
        *pixel = noisy.clamp(0.0, 255.0) as u8;
    }
}

/// Stores a picture as JPEG and reads it again.
fn jpeg(pixels: &[u8], side: usize, quality: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.encode(pixels, side as u32, side as u32, ExtendedColorType::L8).ok()?;
    Some(image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).ok()?.into_luma8().into_raw())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_blurred_line_is_spread_evenly_and_nothing_is_lost() {
        let side = 32;
        let mut pixels = vec![0; side * side];
        for row in pixels.chunks_exact_mut(side) {
            row[16] = 250;
        }
        blur(&mut pixels, side, 2, true);
        assert_eq!(pixels[5 * side + 13..5 * side + 20], [0, 50, 50, 50, 50, 50, 0]);
        let before = pixels.clone();
        blur(&mut pixels, side, 3, false);
        assert_eq!(pixels, before, "a line blurs along itself into itself");
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        let mut pixels = vec![128; 64 * 64];
        noise(&mut pixels, 10.0, &mut ChaCha8Rng::seed_from_u64(1));
        let mean = pixels.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / pixels.len() as f64;
        let variance = pixels.iter().map(|pixel| (f64::from(*pixel) - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
        assert!((mean - 127.5).abs() < 1.0 && (variance.sqrt() - 10.0).abs() < 0.6, "{mean} {variance}");
    }

    #[test]
    fn every_change_together_leaves_a_picture_of_the_same_size() {
        let all = Light {
            levels: 1.0,
            gamma: 1.0,
            dark: 0.5,
            burnt: 0.5,
            shade: 1.0,
            blur: 1.0,
            motion: 1.0,
            noise: 1.0,
            jpeg: 1.0,
        };
        let before: Vec<u8> = (0..64 * 64).map(|i| (i % 251) as u8).collect();
        for seed in 0..8 {
            let mut pixels = before.clone();
            all.apply(&mut pixels, 64, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(pixels.len(), before.len());
            assert_ne!(pixels, before);
        }
    }
}
