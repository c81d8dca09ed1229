//! The published experiment that a recipe aims to reproduce.

use serde::{Deserialize, Serialize};

use super::Problems;

/// An experiment that others published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Published {
    /// The figure as published, with what it was measured on.
    pub figure: String,
    /// The figure as a share, for comparison.
    pub value: f64,
    /// The split that it was measured on.
    pub split: PublishedSplit,
    /// A second figure, on a test split, where one was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// Mean F1 over the emotions, if published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
    /// What its authors call the system.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Where it was published.
    pub source: String,
    /// What to keep in mind when comparing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a published figure was measured on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishedSplit {
    /// What the epoch was chosen on.
    #[default]
    Validation,
    /// Pictures that nothing was chosen on.
    Test,
}

impl Published {
    pub(super) fn check(&self, found: &mut Problems) {
        found.check("published.figure", !self.figure.is_empty(), "has to give the figure as it was published");
        found.check("published.value", (0.0..=1.0).contains(&self.value), "has to be a share from 0 to 1");
        let is_share = |share: Option<f64>| share.is_none_or(|share| (0.0..=1.0).contains(&share));
        found.check("published.test", is_share(self.test), "has to be a share from 0 to 1");
        found.check("published.macro_f1", is_share(self.macro_f1), "has to be a share from 0 to 1");
        found.check("published.source", !self.source.is_empty(), "has to say where the figure was published");
    }
}
