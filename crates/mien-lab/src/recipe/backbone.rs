//! A recipe's settings for the backbone of a transfer network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Recipe;
use mien_net::ARCHITECTURES;

/// The parameter of transfer networks that freezes the backbone, whether or not it has pretrained weights.
pub(crate) const FROZEN: &str = "frozen_backbone";

/// A transfer network's backbone: the variables whose names begin with [`mien_net::BACKBONE`]. `frozen` and `learning_rate_factor` apply
/// only to a backbone that starts with weights, from here or from [`Recipe::start_from`]: a random one has to learn like the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackboneSpec {
    /// A safetensors file with its weights. Without one, and without a model to start from, the network learns from scratch, and its
    /// card says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Whether its weights stay as they are.
    pub frozen: bool,
    /// Factor on its learning rate if it isn't frozen.
    pub learning_rate_factor: f64,
}

impl Default for BackboneSpec {
    fn default() -> Self {
        Self { weights: None, frozen: false, learning_rate_factor: 1.0 }
    }
}

/// What happens to a backbone that starts without weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutWeights {
    /// It learns like the rest.
    Learns,
    /// It learns although the recipe sets `backbone.frozen`, which applies only to given weights.
    LearnsThoughFrozen,
    /// `network.frozen_backbone` keeps its random weights.
    StaysRandom,
}

impl WithoutWeights {
    /// The warning shown before the training starts.
    pub fn warning(self) -> &'static str {
        match self {
            Self::Learns => "the backbone begins without weights and learns from scratch; --backbone gives it some",
            Self::LearnsThoughFrozen => {
                "the backbone begins without weights, so it isn't frozen: it learns from scratch, which is a different experiment \
                 from the recipe's with its weights; --backbone gives it some"
            }
            Self::StaysRandom => {
                "the backbone begins without weights and stays so: only the head learns, from random features"
            }
        }
    }

    /// The sentence about it in the card of the trained model.
    pub fn in_card(self) -> &'static str {
        match self {
            Self::Learns => "The backbone had no weights to begin with and learnt from scratch.",
            Self::LearnsThoughFrozen => {
                "The backbone had no weights to begin with, so it wasn't frozen, as the recipe has it, but learnt from scratch."
            }
            Self::StaysRandom => {
                "The backbone had no weights to begin with and never learnt: the head learnt from random features."
            }
        }
    }
}

impl Recipe {
    /// Whether the backbone starts with weights: from its own file, or from the model that the training starts from.
    fn has_backbone_weights(&self) -> bool {
        self.start_from.is_some() || self.backbone.as_ref().is_some_and(|backbone| backbone.weights.is_some())
    }

    /// Factor on the backbone's learning rate; `None` if its weights stay as they are.
    pub fn backbone_rate(&self) -> Option<f64> {
        match self.backbone.as_ref().filter(|_| self.has_backbone_weights()) {
            None => Some(1.0),
            Some(backbone) => (!backbone.frozen).then_some(backbone.learning_rate_factor),
        }
    }

    /// Whether its network has a backbone.
    pub(super) fn has_backbone(&self) -> bool {
        let name = &self.network.architecture;
        ARCHITECTURES.iter().any(|known| known.name == name && known.backbone_weights.is_some())
    }

    /// What happens to the backbone; `None` if there is none, or if it starts with weights.
    pub fn without_weights(&self) -> Option<WithoutWeights> {
        if self.has_backbone_weights() || !self.has_backbone() {
            return None;
        }
        let stays = self.network.parameters.get(FROZEN).and_then(toml::Value::as_bool).unwrap_or_default();
        let asked = self.backbone.as_ref().is_some_and(|backbone| backbone.frozen);
        Some(match (stays, asked) {
            (true, _) => WithoutWeights::StaysRandom,
            (false, true) => WithoutWeights::LearnsThoughFrozen,
            (false, false) => WithoutWeights::Learns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backbone_without_weights_is_told_by_what_becomes_of_it() {
        let without = |text: &str| toml::from_str::<Recipe>(text).unwrap().without_weights();
        let vgg = "network = { architecture = \"vgg19\" }\n";
        assert_eq!(without(vgg), Some(WithoutWeights::Learns));
        assert_eq!(without(&format!("{vgg}[backbone]\nfrozen = true")), Some(WithoutWeights::LearnsThoughFrozen));
        let random = "network = { architecture = \"vgg19\", frozen_backbone = true }\n";
        assert_eq!(without(random), Some(WithoutWeights::StaysRandom));
        for with_weights in [
            format!("{vgg}[backbone]\nfrozen = true\nweights = \"vgg19.safetensors\""),
            format!("start_from = \"mine.safetensors\"\n{vgg}"),
            "network = { architecture = \"cnn4\" }".to_owned(),
        ] {
            assert_eq!(without(&with_weights), None, "{with_weights}");
        }
    }

    #[test]
    fn a_backbone_with_weights_moves_as_it_is_told_wherever_they_come_from() {
        let rate = |text: &str| toml::from_str::<Recipe>(text).unwrap().backbone_rate();
        let of = |start: &str, backbone: &str| {
            rate(&format!("{start}network = {{ architecture = \"vgg19\" }}\n[backbone]\n{backbone}"))
        };
        let (own, whole) = ("weights = \"vgg19.safetensors\"\n", "start_from = \"mine.safetensors\"\n");
        for (start, weights) in [("", own), (whole, ""), (whole, own)] {
            assert_eq!(of(start, &format!("{weights}frozen = true")), None, "{start}{weights}");
            assert_eq!(of(start, &format!("{weights}learning_rate_factor = 0.1")), Some(0.1), "{start}{weights}");
            assert_eq!(of(start, weights), Some(1.0), "{start}{weights}");
        }
        assert_eq!(of("", "frozen = true\nlearning_rate_factor = 0.1"), Some(1.0), "a random one learns like the rest");
        assert_eq!(rate(whole), Some(1.0));
    }
}
