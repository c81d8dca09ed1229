//! Loading models of any kind: read, checked against their cards, and filled with their weights.

use tch::{Device, TchError, nn};

use super::checkpoint::{check_shapes, shapes};
use super::macs::Survey;
use super::model::{read, sha256};
use super::{CardError, ModelError, ModelSource, SpecError, load_weights};

/// A kind of model: how to read its card `C`, and how to make the network `N` that a card describes.
pub(super) struct Kind<C, N: ?Sized> {
    /// The names of the shipped models of this kind.
    pub shipped: fn() -> Vec<&'static str>,
    /// Reads and checks a card.
    pub card: fn(&str) -> Result<C, CardError>,
    /// Surveys the network before it is made.
    pub survey: fn(&C) -> Result<Survey, SpecError>,
    /// Makes the surveyed network, with random variables.
    pub make: fn(&C, &nn::Path<'_>) -> Result<Box<N>, SpecError>,
}

/// A network with its weights.
pub(super) struct Loaded<C, N: ?Sized> {
    /// The model's card.
    pub card: C,
    /// The network. Its variables are those of `store`.
    pub network: Box<N>,
    /// SHA-256 of the weights file, in hexadecimal.
    pub sha256: String,
    /// Owns the variables, on the requested device.
    pub store: nn::VarStore,
}

impl<C, N: ?Sized> Kind<C, N> {
    /// Reads and checks a model and loads its weights into a network on `device`. Then `prepare` makes the network ready for use.
    ///
    /// # Errors
    /// When a file is missing, damaged, or doesn't fit its card.
    pub fn load(
        &self,
        source: &ModelSource,
        device: Device,
        prepare: impl FnOnce(&mut N) -> Result<(), TchError>,
    ) -> Result<Loaded<C, N>, ModelError> {
        let (bytes, card) = read(source, self.shipped)?;
        let model = || source.clone();
        let card = (self.card)(&card).map_err(|source| ModelError::Card { model: model(), source })?;
        let spec = |source| ModelError::Spec { model: model(), source };
        // The network that the card describes is compared with what the file holds before anything is created.
        let wanted = (self.survey)(&card).map_err(spec)?.shapes;
        shapes(&bytes)
            .and_then(|given| check_shapes(&wanted, &given))
            .map_err(|source| ModelError::Weights { model: model(), source })?;
        let store = nn::VarStore::new(device);
        let mut network = (self.make)(&card, &store.root()).map_err(spec)?;
        load_weights(&store, &bytes)
            .and_then(|()| Ok(prepare(network.as_mut())?))
            .map_err(|source| ModelError::Weights { model: model(), source })?;
        Ok(Loaded { card, network, sha256: sha256(&bytes), store })
    }
}
