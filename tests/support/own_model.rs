//! A model with custom classes: the shipped network with other names for its outputs.

use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};
use toml::{Table, Value};

/// The outputs of the seven emotions, those that faces show most first.
const OUTPUTS: [i64; 7] = [3, 6, 4, 5, 0, 2, 1];

/// Parameters of one output.
const PARAMETERS: i64 = 209;

/// Writes weights and card of a model with these classes into a folder, and returns the path of the weights. Beyond seven classes, outputs
/// are repeated, weaker each time.
pub fn own_model(folder: &Path, classes: &[&str]) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mien.safetensors");
    let rows: Vec<i64> = (0..classes.len()).map(|class| OUTPUTS[class % OUTPUTS.len()]).collect();
    let weaker: Vec<f32> = (0..classes.len()).map(|class| 1.0 / (1 + class / OUTPUTS.len()) as f32).collect();
    let tensors = Tensor::read_safetensors(&shipped).unwrap().into_iter().map(|(name, tensor)| {
        if !name.starts_with("output.") {
            return (name, tensor);
        }
        let chosen = tensor.to_kind(Kind::Float).index_select(0, &Tensor::from_slice(&rows));
        let factor = Tensor::from_slice(&weaker).view(-1);
        let factor = if chosen.dim() == 2 { factor.unsqueeze(1) } else { factor };
        (name, (chosen * factor).to_kind(tensor.kind()))
    });
    let weights = folder.join("own.safetensors");
    Tensor::write_safetensors(&tensors.collect::<Vec<_>>(), &weights).unwrap();

    let mut card: Table = std::fs::read_to_string(shipped.with_extension("toml")).unwrap().parse().unwrap();
    card.insert("name".into(), "own".into());
    card.insert("labels".into(), classes.to_vec().into());
    let parameters = card["parameters"].as_integer().unwrap() + (classes.len() as i64 - 7) * PARAMETERS;
    card.insert("parameters".into(), parameters.into());
    card.remove("evaluation");
    let prior: Table = classes.iter().map(|class| ((*class).to_owned(), Value::Float(1.0))).collect();
    card["calibration"].as_table_mut().unwrap().insert("training_prior".into(), prior.into());
    std::fs::write(weights.with_extension("toml"), card.to_string()).unwrap();
    weights
}
