//! Augmentation of training faces: whole batches on the device, with all random choices from the recipe's generator.

use rand::Rng;
use rand::seq::SliceRandom as _;
use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::recipe::Problems;
use mien_net::Normalization;

/// How pictures are varied. Zero and `false` turn a variation off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Mirror half of the pictures.
    pub flip: bool,
    /// Rotate by up to this many degrees to either side.
    pub rotation_degrees: f64,
    /// Zoom in or out by up to this share.
    pub zoom: f64,
    /// Zoom out further by up to this share, as if cropped by the loose boxes of some detectors.
    pub zoom_out: f64,
    /// Shift along both axes by up to this share of the side.
    pub shift: f64,
    /// Crop a square that is smaller by up to this share of the side, at a random place, and enlarge it.
    pub crop: f64,
    /// Shear by up to this many degrees to either side.
    pub shear_degrees: f64,
    /// Change the contrast by up to this share.
    pub contrast: f64,
    /// Brighten or darken by up to this many standard deviations of the data.
    pub brightness: f64,
    /// Stretch or compress the tones about a random gray by up to this many stops. What leaves the range becomes black or
    /// white, as in a badly exposed picture.
    pub levels: f64,
    /// Raise the tones to a power between 2^−`gamma` and 2^`gamma`, which brightens or darkens the midtones.
    pub gamma: f64,
    /// Light from a random side: up to this share brighter there, and darker by the same share on the opposite side.
    pub shade: f64,
    /// Sharpen or blur: add or subtract up to this share of the detail that a 3×3 binomial filter removes.
    pub sharpness: f64,
    /// Share of pictures in which a random rectangle is erased (Zhong et al. 2017).
    pub erase: f64,
    /// Mix pairs of pictures and their targets, by shares drawn from Beta(`mixup`, `mixup`) (Zhang et al. 2018).
    pub mixup: f64,
}

/// Upper limit for settings without a natural one: far beyond any useful value, but safe from overflow.
const MOST: f64 = 100.0;

/// Most stops of tones, and most doublings of their power: factors and powers of 16, which leave little more than black and white.
const MOST_STOPS: f64 = 4.0;

/// Side of an erased rectangle as a share of the picture's side: from a tenth to two fifths.
const ERASED_SIDE: std::ops::Range<f64> = 0.1..0.4;

/// Distribution of the grays of faces in normalised pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grays {
    /// Their mean.
    mean: f64,
    /// Their standard deviation.
    deviation: f64,
}

impl Grays {
    /// The distribution in pictures normalised by the faces' own mean and deviation.
    const NORMALISED: Self = Self { mean: 0.0, deviation: 1.0 };

    /// The distribution after a recipe's normalisation. Recipes for networks that expect another scale, such as those
    /// pretrained on ImageNet, may put black at 0.
    pub fn of(normalization: Normalization) -> Self {
        if normalization.per_picture {
            return Self::NORMALISED;
        }
        let faces = Normalization::default();
        Self { mean: (faces.mean - normalization.mean) / normalization.std, deviation: faces.std / normalization.std }
    }
}

impl Augmentation {
    /// Varies light and lens of pictures `[N, 1, S, S]` from 0 to 1, before they are normalised. Returns the same shape and range.
    pub fn relight(&self, pictures: &Tensor, rng: &mut impl Rng) -> Tensor {
        let mut x = pictures.shallow_clone();
        if self.sharpness > 0.0 {
            let details = &x - blurred(&x);
            x = (x + details * per_picture(pictures, || symmetric(rng, self.sharpness))).clamp(0.0, 1.0);
        }
        if self.gamma > 0.0 {
            x = x.pow(&per_picture(pictures, || symmetric(rng, self.gamma).exp2()));
        }
        if self.shade > 0.0 {
            x = (x * self.shades(pictures, rng)).clamp(0.0, 1.0);
        }
        if self.levels > 0.0 {
            let pivot = per_picture(pictures, || rng.random());
            let gain = per_picture(pictures, || symmetric(rng, self.levels).exp2());
            x = ((x - &pivot) * gain + pivot).clamp(0.0, 1.0);
        }
        x
    }

    /// Varies normalised pictures `[N, 1, S, S]` whose grays are distributed as in `grays`. Returns a tensor of the same shape
    /// on the same device.
    pub fn apply(&self, pictures: &Tensor, grays: Grays, rng: &mut impl Rng) -> Tensor {
        let moved = if self.moves() { self.move_pixels(pictures, rng) } else { pictures.shallow_clone() };
        let toned = if self.contrast > 0.0 || self.brightness > 0.0 { self.tone(&moved, grays, rng) } else { moved };
        if self.erase > 0.0 { self.erase_patches(&toned, grays, rng) } else { toned }
    }

    /// Mixes pairs of varied pictures `[N, 1, S, S]` and their target probabilities `[N, classes]`, with one share for the batch.
    pub fn mix(&self, pictures: Tensor, targets: Tensor, rng: &mut impl Rng) -> (Tensor, Tensor) {
        let Ok(beta) = Beta::new(self.mixup, self.mixup) else { return (pictures, targets) };
        let share: f64 = beta.sample(rng);
        let mut partners: Vec<i64> = (0..pictures.size()[0]).collect();
        partners.shuffle(rng);
        let partners = Tensor::from_slice(&partners).to_device(pictures.device());
        let mix = |rows: &Tensor| rows * share + rows.index_select(0, &partners) * (1.0 - share);
        (mix(&pictures), mix(&targets))
    }

    /// Adds problems with the settings to `found`.
    pub fn check(&self, found: &mut Problems) {
        let below_one = [("augmentation.zoom", self.zoom), ("augmentation.crop", self.crop)];
        for (field, share) in below_one {
            found.check(field, (0.0..1.0).contains(&share), "has to be at least 0 and less than 1");
        }
        // With more than all of its contrast or detail taken away, a picture would be inverted.
        let shares = [
            ("augmentation.erase", self.erase),
            ("augmentation.shade", self.shade),
            ("augmentation.contrast", self.contrast),
            ("augmentation.sharpness", self.sharpness),
        ];
        for (field, share) in shares {
            found.check(field, (0.0..=1.0).contains(&share), "has to be from 0 to 1");
        }
        let is_angle = (0.0..=180.0).contains(&self.rotation_degrees);
        found.check("augmentation.rotation_degrees", is_angle, "has to be from 0 to 180");
        for (field, stops) in [("augmentation.levels", self.levels), ("augmentation.gamma", self.gamma)] {
            found.check(field, (0.0..=MOST_STOPS).contains(&stops), "has to be from 0 to 4");
        }
        let amounts = [
            ("augmentation.zoom_out", self.zoom_out),
            ("augmentation.shift", self.shift),
            ("augmentation.brightness", self.brightness),
            ("augmentation.mixup", self.mixup),
        ];
        for (field, amount) in amounts {
            found.check(field, (0.0..=MOST).contains(&amount), "has to be from 0 to 100");
        }
        let is_slant = (0.0..90.0).contains(&self.shear_degrees);
        found.check("augmentation.shear_degrees", is_slant, "has to be at least 0 and less than 90");
    }

    fn moves(&self) -> bool {
        let amounts = [self.rotation_degrees, self.zoom, self.zoom_out, self.shift, self.crop, self.shear_degrees];
        self.flip || amounts.iter().any(|amount| *amount > 0.0)
    }

    /// Applies flip, rotation, zoom, shear, shift and crop in one resampling. Areas beyond the picture are filled by reflection.
    fn move_pixels(&self, pictures: &Tensor, rng: &mut impl Rng) -> Tensor {
        let batch = pictures.size()[0];
        let matrices: Vec<f32> = (0..batch)
            .flat_map(|_| {
                let (sin, cos) = symmetric(rng, self.rotation_degrees).to_radians().sin_cos();
                let slant = symmetric(rng, self.shear_degrees).to_radians().tan();
                let mirror = if self.flip && rng.random::<bool>() { -1.0 } else { 1.0 };
                let cropped = if self.crop > 0.0 { rng.random_range(0.0..=self.crop) } else { 0.0 };
                let loose = if self.zoom_out > 0.0 { rng.random_range(0.0..=self.zoom_out) } else { 0.0 };
                let scale = (1.0 + symmetric(rng, self.zoom)) * (1.0 + loose) * (1.0 - cropped);
                // grid_sample's coordinates run from −1 to 1, so shares of the side are doubled.
                let mut offset = || 2.0 * symmetric(rng, self.shift) + symmetric(rng, cropped);
                let (dx, dy) = (offset(), offset());
                [
                    mirror * cos * scale,
                    (slant * cos - sin) * scale,
                    dx,
                    mirror * sin * scale,
                    (slant * sin + cos) * scale,
                    dy,
                ]
                .map(|v| v as f32)
            })
            .collect();
        let theta = Tensor::from_slice(&matrices).view([batch, 2, 3]).to_device(pictures.device());
        let grid = Tensor::affine_grid_generator(&theta, pictures.size(), false);
        const BILINEAR: i64 = 0;
        const REFLECTION: i64 = 2;
        pictures.grid_sampler(&grid, BILINEAR, REFLECTION, false)
    }

    /// Changes the contrast about the mean gray, and the brightness.
    fn tone(&self, pictures: &Tensor, grays: Grays, rng: &mut impl Rng) -> Tensor {
        let gain = per_picture(pictures, || 1.0 + symmetric(rng, self.contrast));
        let offset = per_picture(pictures, || symmetric(rng, self.brightness));
        // The usual case has its own formula, which keeps its rounding: trainings have to be reproducible bit for bit.
        if grays == Grays::NORMALISED {
            return pictures * gain + offset;
        }
        (pictures - grays.mean) * gain + (offset * grays.deviation + grays.mean)
    }

    /// The factors on pixels for light from a random side, `[N, 1, S, S]`: a plane that is 1 in the middle.
    fn shades(&self, pictures: &Tensor, rng: &mut impl Rng) -> Tensor {
        let side = pictures.size()[3];
        let position = Tensor::linspace(-1.0, 1.0, side, (Kind::Float, pictures.device()));
        let direction = per_picture(pictures, || rng.random_range(0.0..std::f64::consts::TAU));
        let reach = per_picture(pictures, || rng.random_range(0.0..=self.shade));
        let (across, down) = (position.view([1, 1, 1, side]), position.view([1, 1, side, 1]));
        (direction.cos() * across + direction.sin() * down) * reach + 1.0
    }

    /// Fills random rectangles with the mean gray.
    fn erase_patches(&self, pictures: &Tensor, grays: Grays, rng: &mut impl Rng) -> Tensor {
        let size = pictures.size();
        let (batch, side) = (size[0], size[3]);
        let (mut lefts, mut tops, mut widths, mut heights) = (vec![], vec![], vec![], vec![]);
        for _ in 0..batch {
            let erased = rng.random::<f64>() < self.erase;
            let mut stretch = || (rng.random_range(ERASED_SIDE) * side as f64).round() as i64;
            let (width, height) = (stretch(), stretch());
            lefts.push(rng.random_range(0..=side - width));
            tops.push(rng.random_range(0..=side - height));
            widths.push(if erased { width } else { 0 });
            heights.push(height);
        }
        let column =
            |values: &[i64], shape: [i64; 4]| Tensor::from_slice(values).view(shape).to_device(pictures.device());
        let steps = Tensor::arange(side, (Kind::Int64, pictures.device()));
        let inside = |starts: &[i64], lengths: &[i64], positions: Tensor| {
            let start = column(starts, [batch, 1, 1, 1]);
            let end = &start + column(lengths, [batch, 1, 1, 1]);
            positions.ge_tensor(&start).logical_and(&positions.lt_tensor(&end))
        };
        let columns = inside(&lefts, &widths, steps.view([1, 1, 1, side]));
        let rows = inside(&tops, &heights, steps.view([1, 1, side, 1]));
        pictures.masked_fill(&columns.logical_and(&rows), grays.mean)
    }
}

/// One value for each of `pictures`, `[N, 1, 1, 1]`.
fn per_picture(pictures: &Tensor, mut value: impl FnMut() -> f64) -> Tensor {
    let values: Vec<f32> = (0..pictures.size()[0]).map(|_| value() as f32).collect();
    Tensor::from_slice(&values).view([-1, 1, 1, 1]).to_device(pictures.device())
}

/// Filters pictures `[N, 1, S, S]` with a 3×3 binomial filter. Beyond the edge the picture is reflected.
fn blurred(pictures: &Tensor) -> Tensor {
    let filter = Tensor::from_slice(&[1_f32, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]) / 16.0;
    let filter = filter.view([1, 1, 3, 3]).to_device(pictures.device());
    pictures.reflection_pad2d([1, 1, 1, 1]).conv2d::<Tensor>(&filter, None, 1, 0, 1, 1)
}

/// A uniform random value in `-reach..=reach`.
fn symmetric(rng: &mut impl Rng, reach: f64) -> f64 {
    if reach > 0.0 { rng.random_range(-reach..=reach) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;

    fn faces() -> Tensor {
        Tensor::arange(2 * 48 * 48, (Kind::Float, Device::Cpu)).view([2, 1, 48, 48]) / 1000.0
    }

    fn strong() -> Augmentation {
        Augmentation {
            flip: true,
            rotation_degrees: 15.0,
            zoom: 0.1,
            zoom_out: 0.2,
            shift: 0.1,
            contrast: 0.3,
            brightness: 0.2,
            levels: 1.0,
            gamma: 0.5,
            shade: 0.3,
            sharpness: 0.5,
            crop: 0.1,
            shear_degrees: 10.0,
            erase: 0.5,
            mixup: 0.0,
        }
    }

    #[test]
    fn no_augmentation_changes_nothing() {
        let varied = Augmentation::default().apply(&faces(), Grays::NORMALISED, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(varied.equal(&faces()));
    }

    #[test]
    fn the_same_seed_gives_the_same_pictures_and_another_seed_others() {
        let of = |seed| strong().apply(&faces(), Grays::NORMALISED, &mut ChaCha8Rng::seed_from_u64(seed));
        assert!(of(1).equal(&of(1)));
        assert!(!of(1).equal(&of(2)));
        assert_eq!(of(1).size(), [2, 1, 48, 48]);
    }

    #[test]
    fn a_flip_alone_mirrors_exactly() {
        let flip = Augmentation { flip: true, ..Augmentation::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut mirrored, mut kept) = (0, 0);
        for _ in 0..20 {
            let varied = flip.apply(&faces(), Grays::NORMALISED, &mut rng);
            for i in 0..2 {
                let (before, after) = (faces().get(i), varied.get(i));
                if after.allclose(&before.flip([2]), 1e-4, 1e-4, false) {
                    mirrored += 1;
                } else if after.allclose(&before, 1e-4, 1e-4, false) {
                    kept += 1;
                }
            }
        }
        assert_eq!(mirrored + kept, 40);
        assert!(mirrored > 8 && kept > 8, "{mirrored} mirrored, {kept} kept");
    }

    #[test]
    fn zooming_out_makes_faces_smaller_and_never_larger() {
        let loose = Augmentation { zoom_out: 0.5, ..Augmentation::default() };
        // A white square in the middle of black.
        let faces = Tensor::zeros([40, 1, 48, 48], (Kind::Float, Device::Cpu));
        let _ = faces.narrow(2, 18, 12).narrow(3, 18, 12).fill_(1.0);
        let area = |faces: &Tensor| faces.sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Float);
        let areas = area(&loose.apply(&faces, Grays::NORMALISED, &mut ChaCha8Rng::seed_from_u64(5)));
        let (least, most) = (areas.min().double_value(&[]), areas.max().double_value(&[]));
        // Zooming out by a factor of 1.5 shrinks the area to 144 / 2.25.
        assert!(least > 60.0 && least < 80.0 && most <= 144.1 && most > 130.0, "{least} to {most}");
    }

    /// Faces as `relight` takes them, from 0 to 1.
    fn unit() -> Tensor {
        let faces = faces();
        &faces / faces.max()
    }

    #[test]
    fn no_change_of_light_leaves_pictures_as_they_are() {
        let lit = Augmentation::default().relight(&unit(), &mut ChaCha8Rng::seed_from_u64(1));
        assert!(lit.equal(&unit()));
    }

    #[test]
    fn light_and_lens_keep_pixels_in_range_and_follow_the_seed() {
        let of = |seed| strong().relight(&unit(), &mut ChaCha8Rng::seed_from_u64(seed));
        for seed in 0..20 {
            let lit = of(seed);
            assert_eq!(lit.size(), [2, 1, 48, 48]);
            assert!(lit.min().double_value(&[]) >= 0.0 && lit.max().double_value(&[]) <= 1.0);
            assert!(lit.equal(&of(seed)) && !lit.equal(&unit()));
        }
    }

    #[test]
    fn each_change_of_light_does_what_its_name_says() {
        let none = Augmentation::default;
        let gray = Tensor::full([40, 1, 48, 48], 0.5, (Kind::Float, Device::Cpu));
        let of = |augmentation: Augmentation, pictures: &Tensor| {
            augmentation.relight(pictures, &mut ChaCha8Rng::seed_from_u64(8))
        };
        // A flat picture has no details to sharpen; shade tilts it about its middle; the others keep it flat.
        let spread = |pictures: &Tensor| pictures.std_dim([1, 2, 3].as_slice(), false, false);
        assert!(of(Augmentation { sharpness: 1.0, ..none() }, &gray).allclose(&gray, 1e-5, 1e-6, false));
        let shaded = of(Augmentation { shade: 0.4, ..none() }, &gray);
        assert!(spread(&shaded).mean(Kind::Float).double_value(&[]) > 0.03);
        let means = shaded.mean_dim([1, 2, 3].as_slice(), false, Kind::Float);
        assert!(means.allclose(&Tensor::full([40], 0.5, (Kind::Float, Device::Cpu)), 1e-4, 1e-5, false));
        let powers = of(Augmentation { gamma: 1.0, ..none() }, &gray);
        assert!(spread(&powers).max().double_value(&[]) < 1e-6);
        assert!(
            powers.min().double_value(&[]) >= 0.25 - 1e-6 && powers.max().double_value(&[]) <= 0.5_f64.sqrt() + 1e-6
        );
        // Some of the ramps run into black or white.
        let ramp =
            Tensor::linspace(0.0, 1.0, 48, (Kind::Float, Device::Cpu)).view([1, 1, 1, 48]).repeat([40, 1, 48, 1]);
        let stretched = of(Augmentation { levels: 1.0, ..none() }, &ramp);
        let white = stretched.ge(1.0).mean_dim([1, 2, 3].as_slice(), false, Kind::Float);
        assert!(white.max().double_value(&[]) > 0.2 && white.min().double_value(&[]) < 0.03);
    }

    #[test]
    fn erasing_leaves_most_of_a_picture() {
        let erase = Augmentation { erase: 1.0, ..Augmentation::default() };
        let ones = Tensor::ones([50, 1, 48, 48], (Kind::Float, Device::Cpu));
        let erased = erase.apply(&ones, Grays::NORMALISED, &mut ChaCha8Rng::seed_from_u64(4));
        let kept = erased.mean_dim([1, 2, 3].as_slice(), false, Kind::Float);
        assert!(kept.max().double_value(&[]) < 1.0 && kept.min().double_value(&[]) > 0.8);
    }

    #[test]
    fn tones_and_patches_are_the_same_in_every_normalisation() {
        let varying = Augmentation { contrast: 0.3, brightness: 0.5, erase: 1.0, ..Augmentation::default() };
        let plain = Normalization { mean: 0.0, std: 1.0, per_picture: false };
        let of = |normalization: Normalization| {
            let pictures = normalization.apply_to_unit(&unit()).unwrap();
            let varied = varying.apply(&pictures, Grays::of(normalization), &mut ChaCha8Rng::seed_from_u64(6));
            normalization.revert(&varied).unwrap()
        };
        assert!(of(Normalization::default()).allclose(&of(plain), 1e-4, 1e-5, false));
        assert_eq!(Grays::of(plain), Grays { mean: 0.508, deviation: 0.255 });
        // Existing recipes are varied as before.
        assert_eq!(Grays::of(Normalization::default()), Grays::NORMALISED);
        assert_eq!(Grays::of(Normalization { per_picture: true, ..plain }), Grays::NORMALISED);
    }

    #[test]
    fn mixing_keeps_wanted_probabilities_summing_to_one_and_mixes_both_alike() {
        let mixing = Augmentation { mixup: 0.4, ..Augmentation::default() };
        let targets = Tensor::eye(2, (Kind::Float, Device::Cpu));
        // Pictures that encode their own target: the first all ones, the second all zeros.
        let pictures = targets.select(1, 0).view([2, 1, 1, 1]) * Tensor::ones([2, 1, 4, 4], (Kind::Float, Device::Cpu));
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (pictures, targets) = mixing.mix(pictures.shallow_clone(), targets.shallow_clone(), &mut rng);
            let sums = targets.sum_dim_intlist(1, false, Kind::Float);
            assert!(sums.allclose(&Tensor::ones([2], (Kind::Float, Device::Cpu)), 1e-5, 1e-6, false));
            assert!(pictures.select(2, 0).select(2, 0).squeeze().allclose(&targets.select(1, 0), 1e-5, 1e-6, false));
        }
    }

    #[test]
    fn settings_that_make_no_picture_are_refused() {
        let fields = |augmentation: Augmentation| {
            let mut found = Problems::default();
            augmentation.check(&mut found);
            found.iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        assert!(fields(strong()).is_empty());
        assert_eq!(fields(Augmentation { crop: 1.0, ..strong() }), ["augmentation.crop"]);
        assert_eq!(fields(Augmentation { shade: 1.5, ..strong() }), ["augmentation.shade"]);
        assert_eq!(fields(Augmentation { zoom_out: -0.1, ..strong() }), ["augmentation.zoom_out"]);
        let both = Augmentation { levels: -1.0, rotation_degrees: f64::NAN, ..strong() };
        assert_eq!(fields(both), ["augmentation.rotation_degrees", "augmentation.levels"]);
        assert_eq!(fields(Augmentation { shear_degrees: 90.0, ..strong() }), ["augmentation.shear_degrees"]);
        assert_eq!(fields(Augmentation { rotation_degrees: 1e308, ..strong() }), ["augmentation.rotation_degrees"]);
        assert_eq!(fields(Augmentation { shift: 1e308, ..strong() }), ["augmentation.shift"]);
    }

    #[test]
    fn the_largest_amounts_that_are_taken_make_pictures_of_numbers() {
        let most = Augmentation {
            rotation_degrees: 180.0,
            zoom_out: MOST,
            shift: MOST,
            contrast: 1.0,
            brightness: MOST,
            levels: MOST_STOPS,
            gamma: MOST_STOPS,
            sharpness: 1.0,
            mixup: MOST,
            ..strong()
        };
        let mut found = Problems::default();
        most.check(&mut found);
        assert_eq!(found.iter().count(), 0);
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let varied = most.apply(&most.relight(&unit(), &mut rng), Grays::NORMALISED, &mut rng);
            let (mixed, _) = most.mix(varied, Tensor::eye(2, (Kind::Float, Device::Cpu)), &mut rng);
            assert!(mixed.sum(Kind::Double).double_value(&[]).is_finite(), "{seed}");
        }
    }
}
