//! Each backbone must compute what its namesake in `tch::vision` computes.

use tch::nn::ModuleT;
use tch::{Device, Kind, Tensor, nn, vision};

use super::*;
use crate::tests::one_thread;
use crate::{NetworkSpec, assign, variables};

/// Compares our network with `tch::vision`'s on the same pictures and weights: after the reference's classifier if its name is given,
/// otherwise on the features. With `sums`, the reference sums pixels where it should take their mean.
fn assert_same<M: ModuleT>(
    ours: BuildBackbone,
    theirs: impl FnOnce(&nn::Path<'_>) -> M,
    classifier: Option<&str>,
    side: i64,
    sums: bool,
) {
    one_thread();
    let (our_store, their_store) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
    let (ours, theirs) = (ours(&our_store.root()).unwrap(), theirs(&their_store.root()));
    let pictures = Tensor::randn([2, CHANNELS, side, side], (Kind::Float, Device::Cpu));
    let reference = variables(&their_store);
    tch::no_grad(|| {
        // A pass in training mode gives the batch norms statistics other than the initial ones.
        let _ = ours.forward(&pictures, Pass { train: true, precision: Precision::F32 }).unwrap();
        for (name, tensor) in variables(&our_store) {
            reference.get(&name).unwrap_or_else(|| panic!("{name}")).shallow_clone().copy_(&tensor);
        }
        for (name, tensor) in &reference {
            if sums && name.contains(".transition") && name.ends_with("conv.weight") {
                let _ = tensor.shallow_clone().g_div_scalar_(4.0);
            }
        }
        let features = ours.forward(&pictures, Pass::EVALUATE).unwrap();
        let features = features.mean_dim([2, 3].as_slice(), false, Kind::Float) * if sums { 49.0 } else { 1.0 };
        let ours = match classifier {
            Some(name) => {
                features.linear(&reference[&format!("{name}.weight")], Some(&reference[&format!("{name}.bias")]))
            }
            None => features,
        };
        let theirs = theirs.forward_t(&pictures, false);
        let difference = (&ours - &theirs).abs().max().double_value(&[]);
        let largest = theirs.abs().max().double_value(&[]);
        assert!(difference < 1e-4 * largest && largest > 0.0, "{difference} of {largest}");
    });
}

#[test]
fn resnet50_is_that_of_tch_vision() {
    assert_same(resnet::resnet50, vision::resnet::resnet50_no_final_layer, None, 48, false);
}

#[test]
fn mobilenet2_is_that_of_tch_vision() {
    assert_same(mobilenet::v2, |path| vision::mobilenet::v2(path, 7), Some("classifier.1"), 96, false);
}

#[test]
fn efficientnet_b2_is_that_of_tch_vision_with_its_edges_and_norms() {
    assert_same(efficientnet::b2_tensorflow, |path| vision::efficientnet::b2(path, 7), Some("classifier.1"), 96, false);
}

#[test]
fn inception3_is_that_of_tch_vision() {
    assert_same(inception::v3, |path| vision::inception::v3(path, 7), Some("fc"), 75, false);
}

#[test]
fn densenet121_is_that_of_tch_vision() {
    // The reference's pooling fits only this picture size, and sums 7×7 pixels at the end and 2×2 between the blocks.
    assert_same(densenet::densenet121, |path| vision::densenet::densenet121(path, 7), Some("classifier"), 224, true);
}

fn build(text: &str) -> Result<(nn::VarStore, Box<dyn Network>), String> {
    one_thread();
    let store = nn::VarStore::new(Device::Cpu);
    let spec: NetworkSpec = toml::from_str(text).map_err(|e| e.to_string())?;
    let network = spec.build(&store.root(), 7).map_err(|e| e.to_string())?;
    Ok((store, network))
}

#[test]
fn mobilefacenet_takes_the_faces_of_fer2013_as_it_was_made_for() {
    let (store, _network) = build("architecture = \"mobilefacenet\"").unwrap();
    let features = variables(&store)["backbone.gdconv.depthwise.weight"].size();
    assert_eq!(features, [mobile_face::FEATURES, 1, 7, 7]);
    // At that scale, its last map has seven positions per side, and the weighted mean leaves one.
    let net = mobile_face::net(&nn::VarStore::new(Device::Cpu).root()).unwrap();
    let pictures = Tensor::rand([2, CHANNELS, mobile_face::SIDE, mobile_face::SIDE], (Kind::Float, Device::Cpu));
    let features = tch::no_grad(|| net.forward(&pictures, Pass::EVALUATE)).unwrap();
    assert_eq!(features.size(), [2, mobile_face::FEATURES, 1, 1]);
}

#[test]
fn a_frozen_backbone_learns_nothing_and_keeps_its_statistics() {
    let (store, network) = build("architecture = \"mobilenet2\"\nside = 32\nfrozen_backbone = true").unwrap();
    let before: Vec<_> = variables(&store).into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
    let faces = Tensor::randn([2, 1, 48, 48], (Kind::Float, Device::Cpu));
    network.forward(&faces, Pass { train: true, precision: Precision::F32 }).unwrap().sum(Kind::Float).backward();
    for (name, tensor) in before {
        let now = variables(&store)[&name].shallow_clone();
        assert!(now.equal(&tensor), "{name}");
        assert_eq!(now.requires_grad(), name.starts_with("head."), "{name}");
        assert_eq!(now.grad().defined(), name.starts_with("head."), "{name}");
    }
}

#[test]
fn the_first_blocks_of_a_backbone_can_stay_as_they_are() {
    let (store, network) = build("architecture = \"mobilefacenet\"\nfrozen_blocks = 2").unwrap();
    let faces = Tensor::randn([2, 1, 48, 48], (Kind::Float, Device::Cpu));
    let name = "backbone.features.0.conv.0.1.running_mean";
    let before = variables(&store)[name].copy();
    network.forward(&faces, Pass { train: true, precision: Precision::F32 }).unwrap().sum(Kind::Float).backward();
    let learns = |name: &str| variables(&store)[name].grad().defined();
    assert!(!learns("backbone.conv1.0.weight") && !learns("backbone.features.1.conv.2.weight"));
    assert!(learns("backbone.features.2.conv.0.0.weight") && learns("head.output.weight"));
    assert!(variables(&store)[name].equal(&before));
}

#[test]
fn a_fine_tuned_backbone_learns_and_follows_its_batches() {
    let (store, network) = build("architecture = \"mobilenet2\"\nside = 32").unwrap();
    let name = "backbone.features.0.1.running_mean";
    let before = variables(&store)[name].copy();
    let faces = Tensor::randn([2, 1, 48, 48], (Kind::Float, Device::Cpu)) + 1.0;
    network.forward(&faces, Pass { train: true, precision: Precision::F32 }).unwrap().sum(Kind::Float).backward();
    assert!(variables(&store)["backbone.features.0.0.weight"].grad().defined());
    assert!(!variables(&store)[name].equal(&before));
}

#[test]
fn channels_are_scaled_by_the_constants_of_the_recipe() {
    let text = "architecture = \"mobilenet2\"\nside = 32";
    let scaled = format!("{text}\nchannel_mean = [0.5, 0.5, 0.5]\nchannel_std = [0.25, 0.25, 0.25]");
    let (plain_store, plain) = build(text).unwrap();
    let (scaled_store, scaled) = build(&scaled).unwrap();
    assign(&variables(&scaled_store), &variables(&plain_store)).unwrap();
    let faces = Tensor::rand([1, 1, 48, 48], (Kind::Float, Device::Cpu));
    tch::no_grad(|| {
        let by_hand = plain.forward(&((&faces - 0.5) / 0.25), Pass::EVALUATE).unwrap();
        assert!(scaled.forward(&faces, Pass::EVALUATE).unwrap().allclose(&by_hand, 1e-4, 1e-5, false));
        assert!(!plain.forward(&faces, Pass::EVALUATE).unwrap().allclose(&by_hand, 1e-4, 1e-5, false));
    });
}

#[test]
fn parameters_that_libtorch_would_not_survive_are_refused() {
    for (text, word) in [
        ("architecture = \"inception3\"\nside = 48", "75"),
        ("architecture = \"vgg16\"\nside = 100000", "side"),
        ("architecture = \"vgg16\"\nhidden = [0]", "hidden"),
        ("architecture = \"vgg16\"\nfrozen_blocks = 1", "frozen_blocks"),
        ("architecture = \"mobilefacenet\"\nfrozen_blocks = 16", "frozen_blocks"),
        ("architecture = \"vgg16\"\ndropout = 1.0", "dropout"),
        ("architecture = \"vgg16\"\nchannel_std = [1.0, 0.0, 1.0]", "channel_std"),
    ] {
        let error = build(text).err().unwrap();
        assert!(error.contains(word), "{error}");
    }
}
