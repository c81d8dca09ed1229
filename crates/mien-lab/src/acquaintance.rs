//! Models that a training starts from or uses as teachers, and that may have learnt from what it holds out.

use super::datasets::{Dataset, SourceInfo, Split, SplitSpec};
use super::recipe::Recipe;
use mien_net::{Card, ModelError, ModelSource};

/// A model that a training starts from or uses as a teacher, and a source of which it may have learnt what the training holds out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// The model, as the recipe names it.
    pub model: String,
    /// The source, as the recipe names it.
    pub source: String,
}

impl Acquaintance {
    /// Finds all such pairs for a recipe and its data, from the models' cards. What those models' own starting models learnt
    /// from isn't known.
    ///
    /// # Errors
    /// When a card can't be read.
    pub fn of(recipe: &Recipe, data: &Dataset) -> Result<Vec<Self>, ModelError> {
        let teachers = recipe.distillation.iter().flat_map(|distillation| &distillation.teachers);
        let mut found = Vec::new();
        for model in recipe.start_from.iter().chain(teachers) {
            let Ok(named) = model.parse::<ModelSource>();
            let card = named.card()?;
            for source in data.sources.iter().filter(|source| may_know(&card, source, &recipe.split)) {
                let new = Self { model: model.clone(), source: source.name.clone() };
                if !found.contains(&new) {
                    found.push(new);
                }
            }
        }
        Ok(found)
    }

    /// The warning shown before the training starts.
    pub fn warning(&self) -> String {
        let Self { model, source } = self;
        format!(
            "{model} also learnt from {source}, with a different split as far as its card tells (`split` in its recipe, or in a list): it may know \
             pictures and people that this training keeps back, and figures on those may be too high"
        )
    }

    /// The sentence about it in the card of the trained model.
    pub fn in_card(&self) -> String {
        let Self { model, source } = self;
        format!(
            "{model}, which it learnt from, may know what was kept back of {source}: figures on PublicTest and PrivateTest of {source} may \
             be too high."
        )
    }
}

/// Whether a card's model may have learnt from what a training holds out of `source`, which it splits by `split`.
fn may_know(card: &Card, source: &SourceInfo, split: &SplitSpec) -> bool {
    let training = &card.training;
    // The card of an averaged model has only the first model's split. A split that can't be read may be a different one.
    let is_divided_alike = card.mean_of.is_empty()
        && training.learnt_from_all(&source.sha256)
        && SplitSpec::of_recipe(&training.recipe).is_ok_and(|known| known == *split);
    let is_kept_back = source.is_kept_back(Split::Public, &training.data_sha256);
    training.learnt_from_any(&source.sha256) && !is_kept_back && !is_divided_alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{Origin, tests::Folder};

    /// A source whose last file defines the official split, if there is one.
    fn source(division: &str, sha256: &[&str]) -> SourceInfo {
        SourceInfo {
            name: "faces".to_owned(),
            origin: Origin::Unknown,
            division: division.to_owned(),
            divided_by: sha256.last().copied().unwrap_or_default().to_owned(),
            sha256: sha256.iter().map(|sum| (*sum).to_owned()).collect(),
            finding: String::new(),
        }
    }

    #[test]
    fn a_model_that_learnt_from_the_same_data_knows_what_is_kept_back_unless_they_were_divided_alike() {
        let mut card = ModelSource::default().card().unwrap();
        card.training.data_sha256 = vec!["pictures".to_owned(), "list".to_owned()];
        card.training.recipe = "[split]\nseed = 4".parse().unwrap();
        card.mean_of.clear();
        let alike = SplitSpec { seed: 4, ..SplitSpec::default() };
        let faces = source("by person", &["pictures", "list"]);
        assert!(!may_know(&card, &faces, &alike));
        assert!(may_know(&card, &faces, &SplitSpec::default()));
        assert!(may_know(&card, &source("by person", &["pictures", "another list"]), &alike));
        let mut newer = card.clone();
        newer.training.recipe = "[split]\nunknown = 4".parse().unwrap();
        assert!(may_know(&newer, &faces, &SplitSpec::default()), "a split that can't be read isn't the default");
        assert!(!may_know(&card, &source("by person", &["others"]), &SplitSpec::default()));
        let official = |sha256: &[&str]| source("official", sha256);
        assert!(!may_know(&card, &official(&["pictures"]), &SplitSpec::default()));
        assert!(!may_know(&card, &official(&["pictures", "list"]), &SplitSpec::default()));
        assert!(may_know(&card, &official(&["pictures", "another list"]), &SplitSpec::default()));
        let other_form = SourceInfo { divided_by: "other form".to_owned(), ..official(&["other form", "list"]) };
        assert!(!may_know(&card, &other_form, &SplitSpec::default()), "FER2013 in another form, by the same votes");
        card.mean_of.push(mien_net::MeanPart { name: "one".to_owned(), sha256: String::new(), counts: 1.0 });
        assert!(may_know(&card, &faces, &alike), "how the others of a mean were divided isn't known");
    }

    #[test]
    fn each_model_is_named_once_with_each_source_that_it_may_know() {
        let folder = Folder::new();
        (0..10).for_each(|i| folder.picture(&format!("happy/{i}.png"), i));
        let data = folder.read().unwrap();
        let models = tempfile::tempdir().unwrap();
        let Ok(shipped) = "mien".parse::<ModelSource>();
        let mut card = shipped.card().unwrap();
        card.training.data_sha256.clone_from(&data.sha256);
        card.training.recipe = "[split]\nseed = 4".parse().unwrap();
        let path = models.path().join("before.safetensors");
        std::fs::write(&path, "").unwrap();
        std::fs::write(path.with_extension("toml"), card.to_toml().unwrap()).unwrap();
        let before = path.to_str().unwrap();
        let of = |split: &str| {
            let text = format!(
                "start_from = \"{before}\"\nsplit = {{ {split} }}\ndistillation = {{ teachers = [\"mien\", \"{before}\"] }}"
            );
            Acquaintance::of(&toml::from_str(&text).unwrap(), &data).unwrap()
        };
        let [known]: [Acquaintance; 1] = of("").try_into().unwrap();
        assert_eq!((known.model.as_str(), known.source.as_str()), (before, data.sources[0].name.as_str()));
        assert!(known.warning().contains("a different split") && known.in_card().contains("may know"));
        assert!(of("seed = 4").is_empty());
    }
}
