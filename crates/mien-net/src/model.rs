//! Loading a model: found by name or path, checked, and put on a device.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use tch::{Device, nn};

use super::card::MOST_CARD_BYTES;
use super::loaded::{Kind, Loaded};
use super::mirrored::Mirrored;
use super::{Card, CardError, CheckpointError, Network, Precision, SpecError, load_weights};
use mien_core::bounded;

/// A model that is compiled into the program, so there is no download link that could break.
#[derive(Clone, Copy)]
pub struct ShippedModel {
    name: &'static str,
    weights: &'static [u8],
    card: &'static str,
}

impl ShippedModel {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for ShippedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ShippedModel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ShippedModel {}

/// The classifiers in `models/`, the default first. A `static`, because each use of a `const` could put another copy of the weights
/// into the program.
static SHIPPED: &[ShippedModel] = &[
    ShippedModel {
        name: "mien-joint",
        weights: include_bytes!("../../../models/mien-joint.safetensors"),
        card: include_str!("../../../models/mien-joint.toml"),
    },
    ShippedModel {
        name: "mien",
        weights: include_bytes!("../../../models/mien.safetensors"),
        card: include_str!("../../../models/mien.toml"),
    },
    ShippedModel {
        name: "mien-votes",
        weights: include_bytes!("../../../models/mien-votes.safetensors"),
        card: include_str!("../../../models/mien-votes.toml"),
    },
    ShippedModel {
        name: "mien-labels",
        weights: include_bytes!("../../../models/mien-labels.safetensors"),
        card: include_str!("../../../models/mien-labels.toml"),
    },
    ShippedModel {
        name: "cnn4-ferplus",
        weights: include_bytes!("../../../models/cnn4-ferplus.safetensors"),
        card: include_str!("../../../models/cnn4-ferplus.toml"),
    },
];

/// The detectors in `models/`, the default first.
static DETECTORS: &[ShippedModel] = &[ShippedModel {
    name: "faces",
    weights: include_bytes!("../../../models/faces.safetensors"),
    card: include_str!("../../../models/faces.toml"),
}];

/// Which model to load: the name of a shipped one, or the path of a `.safetensors` file with its card beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// Shipped with the program.
    Shipped(&'static ShippedModel),
    /// A file of weights. The card has the same name with the extension `.toml`.
    File(PathBuf),
}

impl ModelSource {
    /// The shipped classifiers, the default first.
    pub fn shipped() -> impl Iterator<Item = Self> {
        SHIPPED.iter().map(Self::Shipped)
    }

    /// The names of the shipped classifiers, the default first.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(ShippedModel::name)
    }

    /// The names of the shipped detectors, the default first.
    pub fn shipped_detectors() -> impl Iterator<Item = &'static str> {
        DETECTORS.iter().map(ShippedModel::name)
    }

    /// The names of all shipped models, for errors where either kind could be meant.
    fn all_shipped() -> Vec<&'static str> {
        Self::shipped_names().chain(Self::shipped_detectors()).collect()
    }

    /// The default detector.
    #[must_use]
    pub fn default_detector() -> Self {
        Self::Shipped(&DETECTORS[0])
    }

    /// Reads the model's card, but not its weights.
    ///
    /// # Errors
    /// When a file is missing, or the card can't be used.
    pub fn card(&self) -> Result<Card, ModelError> {
        let text = card_text(self, CLASSIFIER.shipped)?;
        Card::from_toml(&text).map_err(|source| ModelError::Card { model: self.clone(), source })
    }

    /// Returns the SHA-256 of the weights file, in hexadecimal.
    ///
    /// # Errors
    /// When the weights or the card can't be read.
    pub fn sha256(&self) -> Result<String, ModelError> {
        Ok(sha256(&read(self, Self::all_shipped)?.0))
    }

    /// Copies the model's weights into all variables of `store`, which must belong to a network of the same architecture. Returns the
    /// SHA-256 of the weights file.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the weights belong to another network.
    pub fn load_into(&self, store: &nn::VarStore) -> Result<String, ModelError> {
        let (bytes, _) = read(self, Self::all_shipped)?;
        load_weights(store, &bytes).map_err(|source| ModelError::Weights { model: self.clone(), source })?;
        Ok(sha256(&bytes))
    }
}

impl Default for ModelSource {
    fn default() -> Self {
        Self::Shipped(&SHIPPED[0])
    }
}

impl FromStr for ModelSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shipped = SHIPPED.iter().chain(DETECTORS).find(|model| model.name == text);
        Ok(shipped.map_or_else(|| Self::File(PathBuf::from(text)), Self::Shipped))
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(model) => f.write_str(model.name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A model can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is neither such a file nor a shipped model of that name.
    #[error("there is no model {path}; give a .safetensors file or one of the shipped models: {shipped}")]
    Missing {
        /// The requested path or name.
        path: PathBuf,
        /// The names of the shipped models of the kind that was asked for.
        shipped: String,
    },
    /// A folder, such as a run's, where a model is needed.
    #[error("{path} is a folder, and a model is a file: give {models}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What to give instead.
        models: String,
    },
    /// The weights can't be read.
    #[error("can't read the model {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No card beside the weights.
    #[error(
        "the model has no card: {path} can't be read ({source}); without it Mien can't know how to use the weights"
    )]
    NoCard {
        /// The card that was expected.
        path: PathBuf,
        /// Why it can't be read.
        source: std::io::Error,
    },
    /// The card can't be used.
    #[error("can't use the model {model}: {source}")]
    Card {
        /// Which model.
        model: ModelSource,
        /// Why.
        source: CardError,
    },
    /// The network that the card describes can't be built.
    #[error("can't use the model {model}: {source}")]
    Spec {
        /// Which model.
        model: ModelSource,
        /// Why.
        source: SpecError,
    },
    /// The weights are damaged or belong to another network.
    #[error("can't use the model {model}: {source}")]
    Weights {
        /// Which model.
        model: ModelSource,
        /// Why.
        source: CheckpointError,
    },
}

/// How classifiers are loaded.
const CLASSIFIER: Kind<Card, dyn Network> = Kind {
    shipped: || ModelSource::shipped_names().collect(),
    card: Card::from_toml,
    survey: |card| card.network.survey(card.labels.len()),
    make: |card, path| card.network.make(path, card.labels.len()),
};

/// A model that is ready to run on a device.
pub struct Model {
    /// The model's card.
    pub card: Card,
    /// The network. Its inputs must be on [`Self::device`].
    pub network: Box<dyn Network>,
    /// Where the weights are.
    pub device: Device,
    /// SHA-256 of the weights file, in hexadecimal.
    pub sha256: String,
    /// Whether each face is evaluated mirrored too (see [`Self::with_flip`]).
    pub flip: bool,
    /// Owns the variables.
    _store: nn::VarStore,
}

impl Model {
    /// Reads, checks and deploys a model, for evaluation only. On x86-64 CPUs, convolutions compute in `precision`.
    ///
    /// # Errors
    /// When a file is missing, damaged, or doesn't fit its card.
    pub fn load(source: &ModelSource, device: Device, precision: Precision) -> Result<Self, ModelError> {
        CLASSIFIER.load(source, device, |network| network.deploy(device, precision)).map(Self::of)
    }

    /// Reads, checks and folds a model on the CPU. Unlike after [`Self::load`], its weights can still be read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn folded(source: &ModelSource) -> Result<Self, ModelError> {
        // For an export, which takes models of either kind.
        let kind = Kind { shipped: ModelSource::all_shipped, ..CLASSIFIER };
        kind.load(source, Device::Cpu, Network::fold).map(Self::of)
    }

    fn of(loaded: Loaded<Card, dyn Network>) -> Self {
        let Loaded { card, network, sha256, store } = loaded;
        Self { card, network, device: store.device(), sha256, flip: false, _store: store }
    }

    /// With `flip`, the network also evaluates each face's mirror image, and the logits are averaged. This takes twice as long.
    #[must_use]
    pub fn with_flip(self, flip: bool) -> Self {
        if flip && !self.flip { Self { network: Box::new(Mirrored(self.network)), flip, ..self } } else { self }
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Reads the weights and the card of a model. If there is none, the error lists the names in `shipped`.
pub(super) fn read(
    source: &ModelSource,
    shipped: fn() -> Vec<&'static str>,
) -> Result<(Cow<'static, [u8]>, Cow<'static, str>), ModelError> {
    let card = card_text(source, shipped)?;
    let weights: Cow<'static, [u8]> = match source {
        ModelSource::Shipped(model) => model.weights.into(),
        ModelSource::File(path) => std::fs::read(path).map_err(|source| unreadable(path, source, shipped))?.into(),
    };
    Ok((weights, card))
}

/// Reads the card of a model. The weights file must exist too.
fn card_text(source: &ModelSource, shipped: fn() -> Vec<&'static str>) -> Result<Cow<'static, str>, ModelError> {
    match source {
        ModelSource::Shipped(model) => Ok(model.card.into()),
        ModelSource::File(path) => {
            if std::fs::metadata(path).map_err(|source| unreadable(path, source, shipped))?.is_dir() {
                return Err(ModelError::Folder { path: path.to_owned(), models: models_in(path) });
            }
            let card = path.with_extension("toml");
            let text = bounded::read_text(&card, MOST_CARD_BYTES);
            Ok(text.map_err(|source| ModelError::NoCard { path: card, source })?.into())
        }
    }
}

/// Most models of a folder to name.
const MOST_NAMED: usize = 3;

/// The models in a folder, for an error that says what to give instead of it.
fn models_in(folder: &Path) -> String {
    let is_model = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "safetensors") && path.with_extension("toml").is_file()
    };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut models: Vec<String> = files.filter(is_model).map(|path| path.display().to_string()).collect();
    models.sort();
    models.truncate(MOST_NAMED);
    if models.is_empty() { "a .safetensors file with its card beside it".to_owned() } else { models.join(" or ") }
}

fn unreadable(path: &Path, source: std::io::Error, shipped: fn() -> Vec<&'static str>) -> ModelError {
    if source.kind() == std::io::ErrorKind::NotFound {
        ModelError::Missing { path: path.to_owned(), shipped: shipped().join(", ") }
    } else {
        ModelError::Read { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::FaceNetwork;
    use crate::{Pass, WeightKind, save_weights};
    use mien_core::emotion;

    fn load(path: &Path) -> Result<Model, ModelError> {
        Model::load(&ModelSource::File(path.to_owned()), Device::Cpu, Precision::F32)
    }

    /// Writes a model with random weights and its card to `folder`. Returns the path of the weights.
    fn model_file(folder: &Path) -> PathBuf {
        let card = super::super::card::tests::example();
        let store = nn::VarStore::new(Device::Cpu);
        card.network.build(&store.root(), card.labels.len()).unwrap();
        let path = folder.join("example.safetensors");
        save_weights(&store, &path, WeightKind::F16).unwrap();
        std::fs::write(folder.join("example.toml"), card.to_toml().unwrap()).unwrap();
        path
    }

    #[test]
    fn shipped_models_load_and_give_a_number_for_each_emotion() {
        for source in ModelSource::shipped() {
            let model = Model::load(&source, Device::Cpu, Precision::F32).unwrap();
            assert_eq!(model.card.name, source.to_string());
            let faces = tch::Tensor::zeros([2, 1, 48, 48], (tch::Kind::Float, Device::Cpu));
            let logits = tch::no_grad(|| model.network.forward(&faces, Pass::EVALUATE)).unwrap();
            assert_eq!(logits.size(), [2, emotion::COUNT as i64]);
        }
    }

    #[test]
    fn shipped_detectors_load_and_look_at_pictures_of_any_shape_that_fits() {
        for name in ModelSource::shipped_detectors() {
            let detector = FaceNetwork::load(&name.parse().unwrap(), Device::Cpu, Precision::F32).unwrap();
            assert_eq!(detector.card.name, name);
            let pictures = tch::Tensor::zeros([2, 1, 96, 160], (tch::Kind::Uint8, Device::Cpu));
            assert_eq!(detector.find(&pictures, 0.5).unwrap(), [vec![], vec![]]);
            let error = detector.find(&pictures.narrow(2, 0, 90), 0.5).unwrap_err().to_string();
            assert!(error.contains("multiples of 32"), "{error}");
            // A classifier's card is refused for a detector, and a detector's for a classifier.
            assert!(matches!(
                FaceNetwork::load(&ModelSource::default(), Device::Cpu, Precision::F32),
                Err(ModelError::Card { .. })
            ));
            assert!(matches!(name.parse::<ModelSource>().unwrap().card(), Err(ModelError::Card { .. })));
        }
    }

    #[test]
    fn a_missing_model_is_answered_with_the_names_of_its_kind() {
        let path = Path::new("no/such/model.safetensors");
        let source = ModelSource::File(path.to_owned());
        let listed = |error: ModelError| {
            assert!(error.to_string().contains("there is no model no/such/model.safetensors"), "{error}");
            let ModelError::Missing { shipped, .. } = &error else { panic!("{error}") };
            shipped.split(", ").map(str::to_owned).collect::<Vec<_>>()
        };
        let classifiers: Vec<_> = ModelSource::shipped_names().collect();
        assert_eq!(listed(load(path).err().unwrap()), classifiers);
        assert_eq!(listed(source.card().unwrap_err()), classifiers);
        let detectors: Vec<_> = ModelSource::shipped_detectors().collect();
        let error = FaceNetwork::load(&source, Device::Cpu, Precision::F32).err().unwrap();
        assert_eq!(listed(error), detectors);
        // Either kind could be meant.
        let all = [classifiers, detectors].concat();
        assert_eq!(listed(source.sha256().unwrap_err()), all);
        assert_eq!(listed(Model::folded(&source).err().unwrap()), all);
    }

    #[test]
    fn a_folder_is_answered_with_the_model_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let told = || {
            let source = ModelSource::File(folder.path().to_owned());
            let [card, weights] = [source.card().unwrap_err(), load(folder.path()).err().unwrap()];
            assert_eq!(card.to_string(), weights.to_string());
            card.to_string()
        };
        assert!(
            told().ends_with("is a folder, and a model is a file: give a .safetensors file with its card beside it")
        );
        let path = model_file(folder.path());
        // A run's checkpoint has no card.
        std::fs::write(folder.path().join("checkpoint.safetensors"), "").unwrap();
        assert!(told().ends_with(&format!("give {}", path.display())), "{}", told());
    }

    #[test]
    fn a_model_without_a_card_and_one_with_a_foreign_card_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = model_file(folder.path());
        assert!(load(&path).is_ok());
        let card = folder.path().join("example.toml");
        std::fs::write(&card, "this is no card").unwrap();
        assert!(matches!(load(&path), Err(ModelError::Card { .. })));
        std::fs::remove_file(&card).unwrap();
        assert!(matches!(load(&path), Err(ModelError::NoCard { .. })));
    }

    #[test]
    fn a_name_that_is_not_shipped_is_a_file_and_never_the_default_model() {
        let Ok(source) = "mien-9".parse::<ModelSource>();
        assert_eq!(source, ModelSource::File("mien-9".into()));
        assert!(matches!(source.card(), Err(ModelError::Missing { .. })));
    }

    #[test]
    fn a_card_that_asks_for_another_network_than_the_weights_are_is_refused_before_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = model_file(folder.path());
        let mut card = super::super::card::tests::example();
        // 134 million parameters: allowed, but not what the file holds.
        card.network = toml::from_str("architecture = \"vgg-face\"\nside = 224\nhidden = [4096, 4096]").unwrap();
        std::fs::write(folder.path().join("example.toml"), card.to_toml().unwrap()).unwrap();
        // Nothing can be created on a device that doesn't exist, so the error must come from the check before.
        let error = Model::load(&ModelSource::File(path), Device::Cuda(99), Precision::F32).err().unwrap();
        assert!(error.to_string().contains("belong to another network: it lacks backbone"), "{error}");
    }

    #[test]
    fn cut_weights_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = model_file(folder.path());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(load(&path), Err(ModelError::Weights { .. })));
    }
}
