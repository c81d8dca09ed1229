//! Exported models are run in another program, tract, which must give the same numbers.

use tch::{Device, Kind, Tensor, nn};
use tract_onnx::prelude::{
    self as tract, DatumExt as _, Framework as _, InferenceModelExt as _, IntoRunnable as _, IntoTValue as _, tvec,
};

use super::*;
use crate::{ARCHITECTURES, NetworkSpec, Pass, Precision};

/// How far the two programs' numbers may differ, relative to the largest one (at least 1).
const TOLERANCE: f64 = 1e-4;

fn random(size: &[i64]) -> Tensor {
    tch::set_num_threads(1);
    tch::manual_seed(4);
    Tensor::randn(size, (Kind::Float, Device::Cpu))
}

/// Runs an ONNX file in tract and returns all its outputs.
fn by_tract(file: &[u8], input: &Tensor) -> Vec<Tensor> {
    let shape: Vec<usize> = input.size().iter().map(|side| *side as usize).collect();
    let numbers: Vec<f32> = input.flatten(0, -1).try_into().unwrap();
    let model = tract_onnx::onnx().model_for_read(&mut &file[..]).unwrap();
    let model = model.with_input_fact(0, f32::fact(&shape[..]).into()).unwrap();
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    let given = tract::Tensor::from_shape(&shape, &numbers).unwrap();
    let outputs = plan.run(tvec!(given.into_tvalue())).unwrap();
    let tensor = |output: &tract::TValue| {
        let sides: Vec<i64> = output.shape().iter().map(|side| *side as i64).collect();
        let numbers: Vec<f32> = output.to_plain_array_view::<f32>().unwrap().iter().copied().collect();
        Tensor::from_slice(&numbers).view(sides.as_slice())
    };
    outputs.iter().map(tensor).collect()
}

fn assert_same(ours: &Tensor, theirs: &Tensor, what: &str) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let apart = (ours - theirs).abs().max().double_value(&[]);
    let scale = ours.abs().max().double_value(&[]).max(1.0);
    assert!(apart < TOLERANCE * scale, "{what}: {apart}");
}

#[test]
fn shipped_classifiers_give_the_same_logits_and_probabilities_elsewhere() {
    let faces = random(&[2, 1, 48, 48]);
    for source in ModelSource::shipped() {
        for prior in ["training", "uniform"] {
            let prior: PriorChoice = prior.parse().unwrap();
            let model = Model::load(&source, Device::Cpu, Precision::F32).unwrap();
            let logits = tch::no_grad(|| model.network.forward(&faces, Pass::EVALUATE)).unwrap();
            let adjustment = model.card.calibration.assume(Some(&prior)).unwrap().adjustment;
            let probabilities = adjustment.apply(&logits).unwrap().softmax(1, Kind::Float);
            let outputs = by_tract(&export(&source, Some(&prior)).unwrap(), &faces);
            assert_same(&logits, &outputs[0], &format!("logits of {source}"));
            assert_same(&probabilities, &outputs[1], &format!("probabilities of {source} under {prior}"));
        }
    }
}

#[test]
fn the_shipped_detectors_give_the_same_levels_elsewhere() {
    let pictures = random(&[2, 1, 96, 160]);
    for name in ModelSource::shipped_detectors() {
        let source: ModelSource = name.parse().unwrap();
        let model = FaceNetwork::folded(&source).unwrap();
        let levels = tch::no_grad(|| model.network.forward(&pictures, Pass::EVALUATE)).unwrap();
        for (level, theirs) in levels.iter().zip(by_tract(&export(&source, None).unwrap(), &pictures)) {
            assert_same(level, &theirs, name);
        }
        let prior = "uniform".parse().unwrap();
        assert!(matches!(export(&source, Some(&prior)), Err(ExportError::NoEmotions(_))));
    }
}

#[test]
fn every_architecture_is_written_or_says_what_it_lacks() {
    let faces = random(&[2, 1, 48, 48]);
    // All backbones are refused by the same line, so one of them is enough.
    let small = ARCHITECTURES.iter().filter(|a| a.backbone_weights.is_none() || a.name == "mobilenet2");
    for architecture in small {
        let store = nn::VarStore::new(Device::Cpu);
        let spec: NetworkSpec = toml::from_str(&format!("architecture = \"{}\"", architecture.name)).unwrap();
        let mut network = spec.build(&store.root(), 7).unwrap();
        // A pass in training mode gives the batch norms statistics other than the initial ones.
        let training = Pass { train: true, precision: Precision::F32 };
        let _ = tch::no_grad(|| network.forward(&faces, training)).unwrap();
        network.fold().unwrap();
        let mut graph = Graph::new(architecture.name);
        let sides = [Free("N"), Fixed(1), Fixed(48), Fixed(48)];
        let input = graph.input("faces", &sides, "");
        match network.draw(&mut graph, &input) {
            Ok(logits) => {
                graph.output(&logits, "logits", &[Free("N"), Fixed(7)], "");
                let ours = tch::no_grad(|| network.forward(&faces, Pass::EVALUATE)).unwrap();
                assert_same(&ours, &by_tract(&file(graph, "", []), &faces)[0], architecture.name);
            }
            Err(ExportError::Part(part)) => {
                let is_known = architecture.backbone_weights.is_some() || architecture.name.starts_with("sequential");
                assert!(is_known, "{}: {part}", architecture.name);
            }
            Err(error) => panic!("{}: {error}", architecture.name),
        }
    }
}

#[test]
fn a_layer_that_is_not_folded_is_not_taken_for_group_norm() {
    let store = nn::VarStore::new(Device::Cpu);
    let spec: NetworkSpec = toml::from_str("architecture = \"repvgg\"").unwrap();
    let network = spec.build(&store.root(), 7).unwrap();
    let mut graph = Graph::new("unfolded");
    let input = graph.input("faces", &[Free("N"), Fixed(1), Fixed(48), Fixed(48)], "");
    let error = network.draw(&mut graph, &input).err().unwrap().to_string();
    assert!(error.contains("isn't folded"), "{error}");
}

#[test]
fn the_file_says_how_it_is_meant() {
    let source = ModelSource::default();
    let card = source.card().unwrap();
    let model = ModelProto::decode(&export(&source, None).unwrap()[..]).unwrap();
    let said = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key).unwrap().value.clone();
    assert_eq!(said("classes"), "angry,disgust,fear,happy,sad,surprise,neutral");
    assert_eq!(said("weights_sha256"), source.sha256().unwrap());
    assert_eq!((said("name"), said("limits")), (card.name, card.limits));
    assert_eq!(said("prior"), card.calibration.default_prior.name());
    assert_eq!(said("mean").parse(), Ok(card.input.normalization.mean));
    let graph = model.graph.unwrap();
    assert_eq!(graph.input[0].name, "faces");
    assert!(graph.input[0].doc_string.contains("48×48"), "{}", graph.input[0].doc_string);
    let outputs: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["logits", "probabilities"]);
}
