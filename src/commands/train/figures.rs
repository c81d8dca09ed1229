//! Figures in a card that are kept when its training resumes.

use std::path::Path;

use crate::bounded;
use crate::net::faces::FacesCard;
use crate::net::{Card, CardError, MOST_CARD_BYTES};

/// Takes figures and calibration from the earlier card beside the weights `model`, if the best weights are still the same. They may have
/// been measured between two runs of the training, and PrivateTest is read only once for the same weights.
pub(super) fn keep_classifier_figures(card: &mut Card, model: &Path) {
    if let Some(before) = card_before(model, Card::from_toml)
        && before.has_weights_of(&card.training)
    {
        card.evaluation = before.evaluation;
        if before.calibration.is_fitted() {
            card.calibration = before.calibration;
        }
    }
}

/// The same for a detector.
pub(super) fn keep_detector_figures(card: &mut FacesCard, model: &Path) {
    if let Some(before) = card_before(model, FacesCard::from_toml)
        && card.training.has_weights_of(&before.training)
    {
        (card.score, card.evaluation) = (before.score, before.evaluation);
    }
}

/// The card beside the weights `model`, if there is one that can be read.
fn card_before<C>(model: &Path, read: fn(&str) -> Result<C, CardError>) -> Option<C> {
    let text = bounded::read_text(&model.with_extension("toml"), MOST_CARD_BYTES).ok()?;
    read(&text).ok()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::net::faces::{FaceNetwork, ScoreCalibration};
    use crate::net::{Calibration, MeanPart, ModelSource, Precision};

    /// The card with the figures of the card in `before`, if `keep` takes them.
    fn kept<C>(mut card: C, before: &str, keep: fn(&mut C, &Path)) -> C {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("mine.safetensors");
        std::fs::write(model.with_extension("toml"), before).unwrap();
        keep(&mut card, &model);
        card
    }

    #[test]
    fn a_classifiers_figures_stay_in_its_card_as_long_as_the_weights_do() {
        let text = ModelSource::default().card().unwrap().to_toml().unwrap();
        let measured = Card::from_toml(&text).unwrap();
        assert!(measured.calibration.is_fitted() && !measured.evaluation.is_empty());
        let plain = Card { calibration: Calibration::default(), evaluation: vec![], ..measured.clone() };
        assert_eq!(kept(plain.clone(), &text, keep_classifier_figures), measured);

        let mut better = plain.clone();
        better.training.best_epoch += 1;
        let mut on_another_backbone = plain.clone();
        on_another_backbone.training.backbone_sha256 = Some("another file".to_owned());
        for other in [better, on_another_backbone] {
            assert_eq!(kept(other.clone(), &text, keep_classifier_figures), other);
        }

        // A mean of several models has the card of the first of them, but not its weights.
        let part = MeanPart { name: "one".to_owned(), sha256: String::new(), counts: 1.0 };
        let mean = Card { mean_of: vec![part], ..measured }.to_toml().unwrap();
        assert_eq!(kept(plain.clone(), &mean, keep_classifier_figures), plain);
    }

    #[test]
    fn a_detectors_figures_stay_in_its_card_as_long_as_the_weights_do() {
        let shipped = FaceNetwork::load(&ModelSource::default_detector(), Device::Cpu, Precision::F32).unwrap();
        let text = shipped.card.to_toml().unwrap();
        let measured = FacesCard::from_toml(&text).unwrap();
        let plain = FacesCard { score: ScoreCalibration::default(), evaluation: vec![], ..measured.clone() };
        assert!(measured.score != plain.score && !measured.evaluation.is_empty());
        assert_eq!(kept(plain.clone(), &text, keep_detector_figures), measured);

        let mut better = plain;
        better.training.best_epoch += 1;
        assert_eq!(kept(better.clone(), &text, keep_detector_figures), better);
    }
}
