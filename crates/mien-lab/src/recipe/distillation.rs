//! A recipe's settings for distillation.

use serde::{Deserialize, Serialize};

use super::{DataSpec, Problems, Recipe, is_positive};

/// Learning from other models' answers (Hinton et al. 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillationSpec {
    /// Shipped models by name, others by path; their probabilities are averaged.
    pub teachers: Vec<String>,
    /// The teachers' share of the loss, 0 to 1.
    pub weight: f64,
    /// What the logits are divided by, so that small probabilities count too.
    pub temperature: f64,
    /// When the teachers are asked.
    pub asked: Asked,
    /// The sources about whose pictures the teachers are asked; all of them if none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
}

impl Default for DistillationSpec {
    fn default() -> Self {
        Self { teachers: vec![], weight: 0.5, temperature: 1.0, asked: Asked::EachStep, about: vec![] }
    }
}

/// When teachers are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// At each step, about the varied pictures of that step.
    #[default]
    EachStep,
    /// Once, about the pictures without augmentation. Even large teachers then cost next to nothing, and augmentation doesn't
    /// hide parts of the pictures from them. Their answers are mixed into the targets.
    Once,
}

impl DistillationSpec {
    pub(super) fn check(&self, data: &DataSpec, found: &mut Problems) {
        let are_sources = self.about.iter().all(|name| data.position(name).is_some());
        found.check("distillation.about", are_sources, "has to name sources of `data`");
        found.check("distillation.teachers", !self.teachers.is_empty(), "has to name a model");
        found.check("distillation.weight", (0.0..=1.0).contains(&self.weight), "has to be from 0 to 1");
        found.check("distillation.temperature", is_positive(self.temperature), "has to be greater than 0");
        found.check(
            "distillation.temperature",
            self.asked != Asked::Once || self.temperature == 1.0,
            "has to be 1 where teachers are asked once",
        );
    }
}

impl Recipe {
    /// For each source, whether teachers are asked about its pictures.
    pub(crate) fn asked_about(&self) -> Vec<bool> {
        let about = self.distillation.as_ref().map(|spec| spec.about.as_slice()).unwrap_or_default();
        self.data.names().map(|name| about.is_empty() || about.iter().any(|asked| asked == name)).collect()
    }
}
