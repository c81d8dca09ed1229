//! From crops to the tensor that a network sees.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use mien_core::crop::{CROP_SIZE, FaceCrop};

/// How bytes become the numbers that a network was trained on: `(byte / 255 − mean) / std`. Part of the model card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of the training pixels, 0 to 1.
    pub mean: f64,
    /// Standard deviation of the training pixels.
    pub std: f64,
    /// Whether each picture is first brought to that mean and deviation by itself, so that light and contrast of a room
    /// count for nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_picture: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Bytes as floats from 0 to 1, of the same shape.
pub fn to_unit(bytes: &Tensor) -> Tensor {
    bytes.to_kind(Kind::Float) / 255.0
}

/// The least deviation that a picture is divided by, in shares of the full range: a flat picture stays flat, and its noise
/// isn't blown up to a face.
const LEAST_STD: f64 = 0.02;

impl Default for Normalization {
    /// Mean and standard deviation of FER2013's Training split.
    fn default() -> Self {
        Self { mean: 0.508, std: 0.255, per_picture: false }
    }
}

impl Normalization {
    /// The network's input for a batch of crops: float, `[N, 1, 48, 48]`, on `device`.
    pub fn to_input(self, crops: &[FaceCrop], device: Device) -> Tensor {
        let bytes: Vec<u8> = crops.iter().flat_map(|crop| crop.pixels().iter().copied()).collect();
        let side = CROP_SIZE as i64;
        let batch = Tensor::from_slice(&bytes).view([crops.len() as i64, 1, side, side]);
        self.apply(&batch.to_device(device))
    }

    /// Normalises pictures of bytes `[N, 1, H, W]` to floats of the same shape: what training uses between reading
    /// a batch and augmenting it.
    pub fn apply(self, bytes: &Tensor) -> Tensor {
        self.apply_to_unit(&to_unit(bytes))
    }

    /// The same for pictures of floats from 0 to 1.
    pub fn apply_to_unit(self, pictures: &Tensor) -> Tensor {
        if self.per_picture {
            // With mean and deviation of the data on both sides, what is left is each picture's own.
            const OVER_PIXELS: [i64; 3] = [1, 2, 3];
            let centered = pictures - pictures.mean_dim(OVER_PIXELS.as_slice(), true, Kind::Float);
            let deviation = centered.square().mean_dim(OVER_PIXELS.as_slice(), true, Kind::Float).sqrt();
            centered / deviation.clamp_min(LEAST_STD)
        } else {
            (pictures - self.mean) / self.std
        }
    }

    /// Back to floats from 0 to 1, `mean` and `std` standing in for what a picture's own were: for another network that
    /// normalises otherwise.
    pub fn revert(self, normalized: &Tensor) -> Tensor {
        normalized * self.std + self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture without symmetry, so that a flip, a shift or a transposition would show.
    fn pattern(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).map(|i| ((i % width) * 5 + (i / width) * 3 + (i * i) % 7) as u8).collect()
    }

    #[test]
    fn what_the_app_makes_of_crops_is_what_training_makes_of_bytes() {
        let crops: Vec<FaceCrop> = [0, 7]
            .iter()
            .map(|shift| FaceCrop::from_pixels(pattern(48, 48 + shift)[48 * shift..].to_vec()).unwrap())
            .collect();
        let bytes: Vec<Tensor> =
            crops.iter().map(|crop| Tensor::from_slice(crop.pixels()).view([1, 1, 48, 48])).collect();
        let (app, lab) = (Normalization::default(), Normalization::default());
        let difference = app.to_input(&crops, Device::Cpu) - lab.apply(&Tensor::cat(&bytes, 0));
        assert_eq!(difference.abs().max().double_value(&[]), 0.0);
        // The first pixel is black and the last of the first row isn't: a known value for each.
        let input = app.to_input(&crops, Device::Cpu);
        assert!((input.double_value(&[0, 0, 0, 0]) - (0.0 - 0.508) / 0.255).abs() < 1e-6);
        let byte = f64::from(crops[1].pixels()[47]);
        assert!((input.double_value(&[1, 0, 0, 47]) - (byte / 255.0 - 0.508) / 0.255).abs() < 1e-5);
    }

    #[test]
    fn light_and_contrast_of_a_picture_count_for_nothing_when_it_is_normalised_by_itself() {
        let normalization = Normalization { per_picture: true, ..Normalization::default() };
        let bright = Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48]);
        let dim = bright.to_kind(Kind::Float) * 0.25 + 20.0;
        let difference = normalization.apply(&bright) - normalization.apply(&dim);
        assert!(difference.abs().max().double_value(&[]) < 1e-4);
        // A flat picture has no deviation to divide by.
        let flat = normalization.apply(&Tensor::full([1, 1, 48, 48], 90, (Kind::Uint8, Device::Cpu)));
        assert!(flat.abs().max().double_value(&[]) < 1e-4);
    }

    #[test]
    fn reverting_gives_the_picture_back() {
        let unit = to_unit(&Tensor::from_slice(&pattern(48, 48)).view([1, 1, 48, 48]));
        let normalization = Normalization::default();
        let difference = normalization.revert(&normalization.apply_to_unit(&unit)) - unit;
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }
}
