//! A recipe: everything that determines the result of a training, as TOML. Every field has a default.

mod backbone;
mod data;
mod difference;
mod distillation;
mod fields;
mod list;
mod mistakes;
mod published;
mod reading;

use serde::{Deserialize, Deserializer, Serialize};

use super::augment::Augmentation;
use super::balance::BalanceSpec;
use super::datasets::{SplitSpec, Target};
use super::loss::LossSpec;
use super::optimizer::OptimizerSpec;
use super::schedule::ScheduleSpec;
use super::task::{Plan, Planned, plan_of};
use mien_core::classes::Classes;
use mien_core::crop::Framing;
use mien_net::{ModelSource, NetworkSpec, Normalization, Precision};

pub(crate) use backbone::FROZEN;
pub use backbone::{BackboneSpec, WithoutWeights};
pub use data::{DataSpec, EvenOver, SourceSpec};
pub use difference::Difference;
pub(super) use difference::differences;
pub use distillation::{Asked, DistillationSpec};
pub use list::{RecipeList, RecipeListError, Scheduled};
pub use mistakes::{Mistake, Problem, Problems};
pub use published::{Published, PublishedSplit};
pub use reading::{RecipeError, TEMPLATE};
pub(super) use reading::{read_text, read_whole};

/// All settings of a training, from the architecture to the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// The model's name; by default the recipe's file name.
    pub name: String,
    /// A sentence about the model, for its card. By default it names the architecture and the recipe.
    pub description: String,
    /// The data sets.
    pub data: DataSpec,
    /// The classes of the network: the seven emotions, unless the recipe names its own.
    #[serde(skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// What the network is taught.
    pub target: Target,
    /// A model of the same architecture whose weights the training starts from instead of random ones: the name of a shipped
    /// model, or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_from: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Pictures per step.
    pub batch_size: usize,
    /// Number format of the convolutions during training.
    pub precision: Precision,
    /// Decay of the moving average of the weights: the share that it keeps at each step. 0 for no average. The average is what
    /// is evaluated and saved.
    pub average: f64,
    /// The measure on PublicTest by which the best epoch is chosen.
    pub select_by: Selection,
    /// The number of epochs without a better figure on PublicTest after which training ends.
    pub patience: usize,
    /// How faces are cropped.
    #[serde(skip_serializing_if = "Framing::is_default")]
    pub crop: Framing,
    /// How data sets without an official split are split.
    #[serde(skip_serializing_if = "is_default_split")]
    pub split: SplitSpec,
    /// The published experiment that this recipe reproduces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The architecture and its parameters.
    pub network: NetworkSpec,
    /// Where a transfer network's backbone comes from and how it is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneSpec>,
    /// How pixel values are normalised.
    #[serde(deserialize_with = "partial_normalization")]
    pub normalization: Normalization,
    /// How class imbalance is handled.
    pub balance: BalanceSpec,
    /// The loss function.
    pub loss: LossSpec,
    /// Teacher models whose answers are learnt too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distillation: Option<DistillationSpec>,
    /// The optimiser and its settings.
    pub optimizer: OptimizerSpec,
    /// The schedule of the learning rate.
    pub schedule: ScheduleSpec,
    /// How training pictures are varied.
    pub augmentation: Augmentation,
}

impl Default for Recipe {
    /// The recipe of an empty file: Adam with a learning rate of 1e-3 that is lowered when the loss on PublicTest stops
    /// falling, and no augmentation.
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            data: DataSpec::default(),
            classes: Classes::emotions(),
            target: Target::Label,
            start_from: None,
            seed: 1,
            epochs: 50,
            batch_size: 64,
            precision: Precision::F32,
            average: 0.0,
            select_by: Selection::Accuracy,
            patience: 12,
            crop: Framing::default(),
            split: SplitSpec::default(),
            published: None,
            network: NetworkSpec { architecture: "mien".to_owned(), parameters: toml::Table::new() },
            backbone: None,
            normalization: Normalization::default(),
            balance: BalanceSpec::None {},
            loss: LossSpec::default(),
            distillation: None,
            optimizer: OptimizerSpec::default(),
            schedule: ScheduleSpec::default(),
            augmentation: Augmentation::default(),
        }
    }
}

/// Deserialises a [`Normalization`] whose missing fields get defaults: a card has to state all of them, a recipe doesn't.
fn partial_normalization<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Normalization, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Partial {
        mean: f64,
        std: f64,
        per_picture: bool,
    }

    impl Default for Partial {
        fn default() -> Self {
            let Normalization { mean, std, per_picture } = Normalization::default();
            Self { mean, std, per_picture }
        }
    }

    let Partial { mean, std, per_picture } = Partial::deserialize(deserializer)?;
    Ok(Normalization { mean, std, per_picture })
}

/// A measure on PublicTest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Share of pictures classified correctly.
    #[default]
    Accuracy,
    /// Mean recall over the classes.
    BalancedAccuracy,
    /// Cross-entropy with the target probabilities; lower is better. Unlike the other two, it doesn't jump when the answer for
    /// a single picture of a rare class changes.
    Loss,
}

fn is_default_split(split: &SplitSpec) -> bool {
    *split == SplitSpec::default()
}

impl Recipe {
    /// All problems with values that have the right type but can't be used.
    fn problems(&self) -> Problems {
        let mut found = Problems::default();
        self.plan().check(&mut found);
        let Normalization { mean, std, .. } = self.normalization;
        // Grays run from 0 to 1: 127.5 would make all faces alike.
        found.check(
            "normalization.mean",
            (0.0..=1.0).contains(&mean),
            "has to be from 0 to 1 (black is 0, white is 1)",
        );
        found.check(
            "normalization.std",
            is_positive(std) && std <= 1.0,
            "has to be greater than 0 and at most 1 (black is 0, white is 1)",
        );
        if let Some(backbone) = &self.backbone {
            if !self.has_backbone() {
                // Told where the network is named, so that a name which is unknown is one mistake and not two.
                let architecture = &self.network.architecture;
                let wanted = format!(
                    "is {architecture}, which has no backbone: leave out `backbone`, or choose another network"
                );
                found.add("network.architecture", wanted);
            }
            let factor = backbone.learning_rate_factor;
            found.check("backbone.learning_rate_factor", factor.is_finite() && factor >= 0.0, "has to be at least 0");
        }
        if let Some(published) = &self.published {
            published.check(&mut found);
        }
        if let Some(problem) = self.split.problem() {
            found.add("split", problem);
        }
        self.data.check(&self.balance, &mut found);
        self.balance.check(&self.classes, &mut found);
        self.loss.check(&mut found);
        self.augmentation.check(&mut found);
        let tells_sources_apart = self.data.prior_of.is_some() || self.asked_about().contains(&false);
        found.check(
            "augmentation.mixup",
            !(tells_sources_apart && self.augmentation.mixup > 0.0),
            "can't mix pictures where the sources are treated differently (`data.prior_of`, `distillation.about`)",
        );
        if let Some(distillation) = &self.distillation {
            distillation.check(&self.data, &mut found);
        }
        self.check_models(&mut found);
        if !self.classes.are_emotions() {
            self.check_own_classes(&mut found);
        }
        found
    }
}

impl Recipe {
    /// Adds problems with the names of other models. Models in files are checked when the training starts.
    fn check_models(&self, found: &mut Problems) {
        let teachers = self.distillation.iter().flat_map(|distillation| &distillation.teachers);
        let teachers = teachers.map(|teacher| ("distillation.teachers", teacher));
        for (field, model) in self.start_from.iter().map(|start| ("start_from", start)).chain(teachers) {
            let Ok(source) = model.parse::<ModelSource>();
            if let ModelSource::File(path) = &source {
                if path.extension().is_none_or(|ending| ending != "safetensors") {
                    let shipped = ModelSource::shipped_names().collect::<Vec<_>>().join(", ");
                    found.add(field, format!("names {model}, which is no .safetensors file and none of {shipped}"));
                }
                continue;
            }
            match source.card() {
                Err(error) => found.add(field, format!("names a model that doesn't fit: {error}")),
                Ok(card) if field == "start_from" && card.network.architecture != self.network.architecture => {
                    let (its, own) = (card.network.architecture, &self.network.architecture);
                    // Told where the network is named, so that a name which is unknown is one mistake and not two.
                    found.add(
                        "network.architecture",
                        format!("is {own}, and `start_from` names {model}, whose network is {its}"),
                    );
                }
                Ok(_) => {}
            }
        }
    }
}

impl Recipe {
    /// Adds problems with settings that work only for the seven emotions. Models in files are checked when the training starts.
    fn check_own_classes(&self, found: &mut Problems) {
        let is_shipped = |model: &str| ModelSource::shipped_names().any(|name| name == model);
        found.check(
            "target",
            !self.target.needs_votes(),
            "has to be \"label\" in a recipe with `classes`: FER+ votes are for the seven emotions",
        );
        let teachers = self.distillation.iter().flat_map(|distillation| &distillation.teachers);
        for teacher in teachers.filter(|teacher| is_shipped(teacher)) {
            found.add(
                "distillation.teachers",
                format!("names {teacher}, which tells the seven emotions apart and not `classes`"),
            );
        }
        if let Some(start) = self.start_from.as_ref().filter(|start| is_shipped(start)) {
            found.add("start_from", format!("is {start}, which tells the seven emotions apart and not `classes`"));
        }
    }
}

impl Recipe {
    /// Whether the recipe in a card is this recipe. Descriptive fields and the path of the backbone's weights may differ.
    pub fn is_in(&self, card: &toml::Table) -> bool {
        let differences = self.to_table().map(|table| differences(table, card.clone()));
        differences.is_ok_and(|found| found.iter().all(|difference| difference.field == "backbone.weights"))
    }
}

impl Planned for Recipe {
    fn plan(&self) -> Plan<'_> {
        plan_of!(self, backbone_rate: self.backbone_rate().unwrap_or(1.0))
    }
}

/// Whether a number is finite and greater than 0.
pub(crate) fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;
    use crate::detection::FacesRecipe;

    /// A recipe small enough for tests.
    pub(crate) fn small() -> Recipe {
        toml::from_str(
            r#"
            name = "small"
            description = "For tests."
            target = "label"
            seed = 7
            epochs = 2
            batch_size = 8
            average = 0.9
            patience = 5
            network = { architecture = "cnn4", dropout_conv = 0.1 }
            optimizer = { kind = "adam", learning_rate = 0.001 }
            schedule = { kind = "plateau", factor = 0.5, patience = 1, min_learning_rate = 1e-6 }
            augmentation = { flip = true, rotation_degrees = 10.0, shift = 0.1 }
            "#,
        )
        .unwrap()
    }

    #[test]
    fn shipped_recipes_are_complete() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/recipes");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if RecipeList::is_at(&path) {
                continue;
            }
            let is_detector = FacesRecipe::is_at(&path);
            let name =
                if is_detector { FacesRecipe::read(&path).unwrap().name } else { Recipe::read(&path).unwrap().name };
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), name);
            count += 1;
        }
        assert!(count > 0);
    }

    #[test]
    fn vgg_face_sees_pictures_in_the_scale_of_its_weights() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/recipes/vgg-face-kdef.toml");
        let recipe: Recipe = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(recipe.normalization, Normalization { mean: 0.0, std: 1.0, per_picture: false });
        let of = |field: &str| -> Vec<f64> {
            let channels = recipe.network.parameters[field].as_array().unwrap();
            channels.iter().map(|channel| channel.as_float().unwrap()).collect()
        };
        // The weights expect blue, green and red from 0 to 255, minus the channel means of their own training data.
        let (means, deviations) = (of("channel_mean"), of("channel_std"));
        for ((mean, std), known) in means.iter().zip(deviations).zip([93.5940, 104.7624, 129.1863]) {
            let [black, white] = [0.0, 1.0].map(|gray| (gray - mean) / std);
            assert!((black + known).abs() < 0.01 && (white - black - 255.0).abs() < 0.01, "{black} to {white}");
        }
    }

    #[test]
    fn fields_that_differ_are_named_with_both_values() {
        let one = small();
        let mut other = one.clone();
        other.optimizer.learning_rate = 0.5;
        other.start_from = Some("mien".to_owned());
        other.description = "Other words, the same training.".to_owned();
        let told: Vec<String> = one.differences(&other).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["`optimizer.learning_rate` is 0.001 there and 0.5 here", "`start_from` is absent there and \"mien\" here"]
        );
        assert!(one.differences(&one).unwrap().is_empty());
    }

    #[test]
    fn a_recipe_that_a_card_can_not_hold_is_an_error() {
        let recipe = Recipe { seed: u64::MAX, ..small() };
        assert!(recipe.to_table().is_err());
        assert!(recipe.problems().iter().any(|problem| problem.field == "seed"));
    }
}
