//! Export of models as ONNX files, for programs that run networks without Mien. The graph is the deployed network: folded, in 32 bits.

mod format;
mod graph;
#[cfg(test)]
mod tests;

use prost::Message as _;
use tch::TchError;

use self::format::{IR_VERSION, ModelProto, OPSET, OperatorSetIdProto, StringStringEntryProto};
use self::graph::Side::{Fixed, Free};
pub use self::graph::{Attribute, Graph, Value};
use super::faces::{FaceNetwork, OUTPUTS, STRIDES};
use super::normalization::{LEAST_STD, Normalization};
use super::{CardError, Model, ModelError, ModelSource};
use mien_core::crop::{CROP_SIZE, Framing};
use mien_core::prior::{PriorChoice, PriorError};

/// A model can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It can't be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The requested prior can't be assumed.
    #[error(transparent)]
    Prior(#[from] PriorError),
    /// A prior was given for a detector.
    #[error("a prior is for networks that name emotions; {0} finds faces")]
    NoEmotions(ModelSource),
    /// A part of the network has no ONNX export.
    #[error("this network can't be exported yet: Mien doesn't write {0} as ONNX")]
    Part(&'static str),
    /// libtorch fails, for example because memory is full.
    #[error("the network failed: {}", crate::torch::said(.0))]
    Torch(#[from] TchError),
}

/// Returns a model as the bytes of an ONNX file. A classifier has two outputs: `logits`, and calibrated `probabilities` under `prior`,
/// or under the model's default. A detector has one output for each stride. Descriptions and metadata in the file explain its input and
/// outputs.
///
/// # Errors
/// When the model can't be loaded, the prior can't be assumed, or a part of the network has no ONNX export.
pub fn export(source: &ModelSource, prior: Option<&PriorChoice>) -> Result<Vec<u8>, ExportError> {
    match Model::folded(source) {
        Err(ModelError::Card { source: CardError::OtherTask { .. }, .. }) if prior.is_none() => {
            detector(&FaceNetwork::folded(source)?)
        }
        Err(ModelError::Card { source: CardError::OtherTask { .. }, .. }) => {
            Err(ExportError::NoEmotions(source.clone()))
        }
        model => classifier(&model?, prior),
    }
}

fn classifier(model: &Model, prior: Option<&PriorChoice>) -> Result<Vec<u8>, ExportError> {
    let card = &model.card;
    let assumed = card.calibration.assume(prior)?;
    let normalization = card.input.normalization;
    let crop = match card.input.crop {
        Framing::Box => "what is in the detector's box",
        Framing::Upright => "turned and scaled so that eyes, nose and mouth are where FER2013 has them",
    };
    let (faces, side) = (Free("N"), Fixed(CROP_SIZE as i64));
    let (classes, order) = (Fixed(card.labels.len() as i64), card.labels.keys().collect::<Vec<_>>().join(","));
    let added: Vec<f64> = (0..card.labels.len()).map(|class| assumed.adjustment.offset(class)).collect();

    let mut graph = Graph::new(&card.name);
    let about = format!("Gray faces of {CROP_SIZE}×{CROP_SIZE} pixels, {crop}; {}", from_bytes(normalization));
    let input = graph.input("faces", &[faces, Fixed(1), side, side], &about);
    let logits = model.network.draw(&mut graph, &input)?;
    let offsets = graph.constant(&tch::Tensor::from_slice(&added))?;
    let temperature = graph.constant(&tch::Tensor::from_slice(&[assumed.adjustment.temperature]))?;
    let moved = graph.node("Add", &[&logits, &offsets], &[]);
    let divided = graph.node("Div", &[&moved, &temperature], &[]);
    let probabilities = graph.node("Softmax", &[&divided], &[("axis", Attribute::Int(1))]);
    let about = format!("What the network gives, in the order {order}");
    graph.output(&logits, "logits", &[faces, classes], &about);
    let about = format!("Calibrated under the prior “{}”, in the same order", assumed.prior);
    graph.output(&probabilities, "probabilities", &[faces, classes], &about);

    let numbers = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let metadata = [
        ("name", card.name.clone()),
        ("task", if card.labels.are_emotions() { "emotions" } else { "classes" }.to_owned()),
        ("classes", order),
        ("architecture", card.network.architecture.clone()),
        ("crop", crop.to_owned()),
        ("normalization", from_bytes(normalization)),
        ("mean", normalization.mean.to_string()),
        ("std", normalization.std.to_string()),
        ("per_picture", normalization.per_picture.to_string()),
        ("prior", assumed.prior.to_string()),
        ("offsets", numbers(&added)),
        ("temperature", assumed.adjustment.temperature.to_string()),
        ("intended_use", card.intended_use.clone()),
        ("limits", card.limits.clone()),
        ("weights_sha256", model.sha256.clone()),
    ];
    Ok(file(graph, &card.description, metadata))
}

fn detector(model: &FaceNetwork) -> Result<Vec<u8>, ExportError> {
    let card = &model.card;
    let mut graph = Graph::new(&card.name);
    let about = format!(
        "Gray pictures whose sides are multiples of {}; {}",
        STRIDES[STRIDES.len() - 1],
        from_bytes(card.normalization)
    );
    let input = graph.input("pictures", &[Free("N"), Fixed(1), Free("H"), Free("W")], &about);
    let levels = model.network.draw(&mut graph, &input)?;
    for ((level, stride), [height, width]) in
        levels.iter().zip(STRIDES).zip([["H/8", "W/8"], ["H/16", "W/16"], ["H/32", "W/32"]])
    {
        let about = format!(
            "For each cell of {stride}×{stride} pixels: the logit of the score; from the cell's middle to the box's, x and y, in strides; \
             logarithm of the box's width and height in units of {} strides; from the cell's middle to right eye, left eye, nose, right \
             and left corner of the mouth (right and left are the person's), x and y, in strides",
            super::faces::BASE_SIZE
        );
        let sides = [Free("N"), Fixed(OUTPUTS as i64), Free(height), Free(width)];
        graph.output(level, &format!("stride{stride}"), &sides, &about);
    }
    let metadata = [
        ("name", card.name.clone()),
        ("task", "faces".to_owned()),
        ("architecture", card.network.architecture.clone()),
        ("normalization", from_bytes(card.normalization)),
        ("mean", card.normalization.mean.to_string()),
        ("std", card.normalization.std.to_string()),
        ("score", format!("1 / (1 + exp(-({} * logit + {})))", card.score.slope, card.score.shift)),
        ("intended_use", card.intended_use.clone()),
        ("limits", card.limits.clone()),
        ("weights_sha256", model.sha256.clone()),
    ];
    Ok(file(graph, &card.description, metadata))
}

/// Formula that turns bytes into the network's input.
fn from_bytes(normalization: Normalization) -> String {
    let Normalization { mean, std, per_picture } = normalization;
    if per_picture {
        format!("(pixel / 255 - mean of the picture) / (its standard deviation, at least {LEAST_STD})")
    } else {
        format!("(pixel / 255 - {mean}) / {std}")
    }
}

/// Encodes the whole file.
fn file<const N: usize>(graph: Graph, about: &str, metadata: [(&str, String); N]) -> Vec<u8> {
    let entry = |(key, value): (&str, String)| StringStringEntryProto { key: key.to_owned(), value };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "mien".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: about.to_owned(),
        graph: Some(graph.into_proto()),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: metadata.into_iter().map(entry).collect(),
    };
    model.encode_to_vec()
}
