//! Camera-like variations of pictures, to measure how much light, lens and loose boxes cost a network.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::augment::{Augmentation, Grays};
use super::evaluation::BATCH;
use mien_net::torch::TorchError;
use mien_net::{Normalization, to_unit};

/// What varies between camera pictures of one face. It hides nothing of the face, so the right answer stays the same.
fn camera() -> Augmentation {
    Augmentation {
        flip: true,
        rotation_degrees: 10.0,
        zoom: 0.1,
        zoom_out: 0.25,
        shift: 0.08,
        levels: 1.0,
        gamma: 0.5,
        shade: 0.3,
        sharpness: 0.6,
        ..Augmentation::default()
    }
}

/// Makes `times` random variations of each of `pictures`, gray bytes `[N, 1, 48, 48]`. The result `[times · N, 1, 48, 48]`
/// holds one variation of all pictures, then the next. The same pictures always get the same variations.
///
/// # Errors
/// When libtorch fails, for example because memory is full.
pub fn varied(pictures: &Tensor, times: usize) -> Result<Tensor, TorchError> {
    let camera = camera();
    let grays = Grays::of(Normalization { mean: 0.0, std: 1.0, per_picture: false });
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut rounds = Vec::new();
    for _ in 0..times {
        for bytes in pictures.split(BATCH, 0) {
            let lit = camera.relight(&to_unit(&bytes)?, &mut rng);
            rounds.push((camera.apply(&lit, grays, &mut rng) * 255.0).round().clamp(0.0, 255.0).to_kind(Kind::Uint8));
        }
    }
    Ok(Tensor::f_cat(&rounds, 0)?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn each_picture_is_varied_the_same_way_whenever_it_is_asked_for_and_differently_in_each_round() {
        tch::set_num_threads(1);
        let ramp = Tensor::linspace(0.0, 255.0, 48, (Kind::Float, Device::Cpu)).to_kind(Kind::Uint8);
        let pictures = ramp.view([1, 1, 1, 48]).repeat([3, 1, 48, 1]);
        let twice = varied(&pictures, 2).unwrap();
        assert_eq!((twice.size(), twice.kind()), (vec![6, 1, 48, 48], Kind::Uint8));
        assert!(twice.equal(&varied(&pictures, 2).unwrap()));
        assert!(twice.narrow(0, 0, 3).equal(&varied(&pictures, 1).unwrap()));
        assert!(!twice.narrow(0, 0, 3).equal(&twice.narrow(0, 3, 3)));
        assert!(!twice.get(0).equal(&pictures.get(0)));
    }
}
