//! From crops to the tensor that a network sees.

use mien_core::crop::{CROP_SIZE, FaceCrop};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

/// How bytes become the numbers that a network was trained on: `(byte / 255 − mean) / std`. Part of the model card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of the training pixels, 0 to 1.
    pub mean: f64,
    /// Standard deviation of the training pixels.
    pub std: f64,
    /// Whether each picture is normalised by its own mean and deviation instead, so that lighting and contrast don't matter.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_picture: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Bytes as floats from 0 to 1, of the same shape.
///
/// # Errors
/// When libtorch fails, for example because memory is full.
pub fn to_unit(bytes: &Tensor) -> Result<Tensor, TchError> {
    bytes.f_to_kind(Kind::Float)?.f_div_scalar(255.0)
}

/// Smallest deviation that a picture is divided by, as a share of the full range. It keeps the noise of a flat picture from being
/// amplified.
pub(super) const LEAST_STD: f64 = 0.02;

impl Default for Normalization {
    /// Mean and standard deviation of FER2013's Training split.
    fn default() -> Self {
        Self { mean: 0.508, std: 0.255, per_picture: false }
    }
}

impl Normalization {
    /// The network's input for a batch of crops: float, `[N, 1, 48, 48]`, on `device`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn to_input(self, crops: &[FaceCrop], device: Device) -> Result<Tensor, TchError> {
        let bytes: Vec<u8> = crops.iter().flat_map(|crop| crop.pixels().iter().copied()).collect();
        let side = CROP_SIZE as i64;
        let batch = Tensor::f_from_slice(&bytes)?.f_view([crops.len() as i64, 1, side, side])?;
        self.apply(&batch.f_to_device(device)?)
    }

    /// Normalises pictures of bytes `[N, 1, H, W]` to floats of the same shape.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn apply(self, bytes: &Tensor) -> Result<Tensor, TchError> {
        self.apply_to_unit(&to_unit(bytes)?)
    }

    /// Like [`Self::apply`], for pictures of floats from 0 to 1.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn apply_to_unit(self, pictures: &Tensor) -> Result<Tensor, TchError> {
        if self.per_picture {
            // Mean and deviation of the data would cancel out, which leaves the picture's own.
            const OVER_PIXELS: [i64; 3] = [1, 2, 3];
            let mean = |x: &Tensor| x.f_mean_dim(OVER_PIXELS.as_slice(), true, Kind::Float);
            let centered = pictures.f_sub(&mean(pictures)?)?;
            let deviation = mean(&centered.f_square()?)?.f_sqrt()?;
            centered.f_div(&deviation.f_clamp_min(LEAST_STD)?)
        } else {
            pictures.f_sub_scalar(self.mean)?.f_div_scalar(self.std)
        }
    }

    /// Converts normalised pictures back to floats from 0 to 1, for a network with another normalisation. With `per_picture`, a
    /// picture's own mean and deviation are lost, and `mean` and `std` stand in for them.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn revert(self, normalized: &Tensor) -> Result<Tensor, TchError> {
        normalized.f_mul_scalar(self.std)?.f_add_scalar(self.mean)
    }

    /// Describes invalid values of a card, if any.
    pub(super) fn problem(self) -> Option<String> {
        let Self { mean, std, .. } = self;
        let is_usable = mean.is_finite() && std.is_finite() && std > 0.0;
        (!is_usable).then(|| format!("its normalisation is mean {mean}, std {std}"))
    }
}

#[cfg(test)]
mod tests {
    use mien_core::crop::CROP_PIXELS;

    use super::*;

    /// A picture without symmetry, so that a flip, a shift or a transposition would show.
    fn pattern(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).map(|i| ((i % width) * 5 + (i / width) * 3 + (i * i) % 7) as u8).collect()
    }

    #[test]
    fn the_input_is_each_crop_s_bytes_row_by_row_as_the_card_normalises_them() {
        let normalization = Normalization { mean: 0.5, std: 0.25, per_picture: false };
        let crops = [pattern(CROP_SIZE, CROP_SIZE), vec![255; CROP_PIXELS]].map(|p| FaceCrop::from_pixels(p).unwrap());
        let input = normalization.to_input(&crops, Device::Cpu).unwrap();
        assert_eq!((input.size(), input.kind()), (vec![2, 1, 48, 48], Kind::Float));
        for (n, y, x) in [(0, 0, 0), (0, 0, 47), (0, 31, 5), (0, 47, 47), (1, 20, 30)] {
            let byte = crops[n].pixels()[y * CROP_SIZE + x];
            let expected = (f64::from(byte) / 255.0 - 0.5) / 0.25;
            let value = input.double_value(&[n as i64, 0, y as i64, x as i64]);
            assert!((value - expected).abs() < 1e-6, "{n} {y} {x}: {value} instead of {expected}");
        }
    }

    #[test]
    fn light_and_contrast_of_a_picture_count_for_nothing_when_it_is_normalised_by_itself() {
        let normalization = Normalization { per_picture: true, ..Normalization::default() };
        let bright = Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48]);
        let dim = bright.to_kind(Kind::Float) * 0.25 + 20.0;
        let difference = normalization.apply(&bright).unwrap() - normalization.apply(&dim).unwrap();
        assert!(difference.abs().max().double_value(&[]) < 1e-4);
        // A flat picture has no deviation to divide by.
        let flat = normalization.apply(&Tensor::full([1, 1, 48, 48], 90, (Kind::Uint8, Device::Cpu))).unwrap();
        assert!(flat.abs().max().double_value(&[]) < 1e-4);
    }

    #[test]
    fn reverting_gives_the_picture_back() {
        let unit = to_unit(&Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48])).unwrap();
        let normalization = Normalization::default();
        let difference = normalization.revert(&normalization.apply_to_unit(&unit).unwrap()).unwrap() - unit;
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }
}
