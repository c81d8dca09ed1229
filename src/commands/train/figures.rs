//! Figures in a card that outlast a sitting of its training.

use std::path::Path;

use crate::bounded;
use crate::net::faces::FacesCard;
use crate::net::{Card, CardError, MOST_CARD_BYTES, Training};

/// A card of any kind of model, as far as its figures go.
pub(super) trait Figures: Sized {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// When the text is no card of this kind.
    fn read(text: &str) -> Result<Self, CardError>;

    /// Where the weights come from.
    fn training(&self) -> &Training;

    /// Puts what was measured and fitted in the place of its own.
    fn take(&mut self, before: Self);
}

impl Figures for Card {
    fn read(text: &str) -> Result<Self, CardError> {
        Self::from_toml(text)
    }

    fn training(&self) -> &Training {
        &self.training
    }

    fn take(&mut self, before: Self) {
        self.evaluation = before.evaluation;
        if before.calibration.is_fitted() {
            self.calibration = before.calibration;
        }
    }
}

impl Figures for FacesCard {
    fn read(text: &str) -> Result<Self, CardError> {
        Self::from_toml(text)
    }

    fn training(&self) -> &Training {
        &self.training
    }

    fn take(&mut self, before: Self) {
        (self.score, self.evaluation) = (before.score, before.evaluation);
    }
}

/// Takes over from the card that lies beside the weights `model` what was measured and fitted between two sittings, as long as the best
/// weights are those that it was done with: PrivateTest is read once for them.
pub(super) fn keep_figures<C: Figures>(card: &mut C, model: &Path) {
    let Ok(text) = bounded::read_text(&model.with_extension("toml"), MOST_CARD_BYTES) else { return };
    if let Ok(before) = C::read(&text)
        && card.training().has_weights_of(before.training())
    {
        card.take(before);
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::net::faces::{FaceNetwork, ScoreCalibration};
    use crate::net::{Calibration, ModelSource, Precision};

    /// The card with the figures of the card in `before`, if it keeps them.
    fn kept<C: Figures>(mut card: C, before: &str) -> C {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("mine.safetensors");
        std::fs::write(model.with_extension("toml"), before).unwrap();
        keep_figures(&mut card, &model);
        card
    }

    #[test]
    fn a_classifiers_figures_stay_in_its_card_as_long_as_the_weights_do() {
        let text = ModelSource::default().card().unwrap().to_toml().unwrap();
        let measured = Card::read(&text).unwrap();
        assert!(measured.calibration.is_fitted() && !measured.evaluation.is_empty());
        let plain = Card { calibration: Calibration::default(), evaluation: vec![], ..measured.clone() };
        assert_eq!(kept(plain.clone(), &text), measured);

        let mut better = plain;
        better.training.best_epoch += 1;
        assert_eq!(kept(better.clone(), &text), better);
    }

    #[test]
    fn a_detectors_figures_stay_in_its_card_as_long_as_the_weights_do() {
        let shipped = FaceNetwork::load(&ModelSource::default_detector(), Device::Cpu, Precision::F32).unwrap();
        let text = shipped.card.to_toml().unwrap();
        let measured = FacesCard::read(&text).unwrap();
        let plain = FacesCard { score: ScoreCalibration::default(), evaluation: vec![], ..measured.clone() };
        assert!(measured.score != plain.score && !measured.evaluation.is_empty());
        assert_eq!(kept(plain.clone(), &text), measured);

        let mut better = plain;
        better.training.best_epoch += 1;
        assert_eq!(kept(better.clone(), &text), better);
    }
}
