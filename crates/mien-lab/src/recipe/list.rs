//! A list of recipes that are trained one after the other or side by side, each within a time budget.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Recipe, RecipeError, is_positive};
use mien_core::bounded;

/// Size limit of a list in bytes: some thousand recipes.
const MOST_BYTES: u64 = 1 << 20;

/// The time budget of a recipe if neither the list nor the recipe's entry sets one.
const USUAL_MINUTES: f64 = 240.0;

/// Recipes in the order in which they start.
#[derive(Clone, Debug)]
pub struct RecipeList {
    /// The recipes, all with different names.
    pub recipes: Vec<Scheduled>,
}

/// A recipe in a list.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Its file.
    pub path: PathBuf,
    /// The recipe.
    pub recipe: Recipe,
    /// Its time budget in seconds, over all sessions.
    pub budget: f64,
    /// The NAME in `--backbone NAME=FILE` of the weights that its backbone starts with, if it needs any.
    pub weights: Option<String>,
    /// A remark for its row in a comparison.
    pub note: Option<String>,
}

impl Scheduled {
    /// Whether the recipe in a card is this one, with weights for the backbone if and only if this one needs them.
    pub fn is_in(&self, card: &toml::Table) -> bool {
        let has_weights = card.get("backbone").is_some_and(|backbone| backbone.get("weights").is_some());
        let own = self.recipe.backbone.as_ref().is_some_and(|backbone| backbone.weights.is_some());
        self.recipe.is_in(card) && has_weights == (own || self.weights.is_some())
    }
}

/// A list of recipes can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeListError {
    /// The file can't be read.
    #[error("can't read the list {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not a list of recipes.
    #[error("can't use the list {path}: {source}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// TOML without recipes, such as a recipe itself.
    #[error("{0} has no `[[recipes]]`, so it is no list; if it is a recipe, leave out --all")]
    NoList(
        /// Which file.
        PathBuf,
    ),
    /// It can be parsed, but its contents can't be used.
    #[error("can't use the list {path}: {problem}")]
    Problem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// One of its recipes can't be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    minutes: Option<f64>,
    recipes: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    recipe: PathBuf,
    minutes: Option<f64>,
    weights: Option<String>,
    note: Option<String>,
}

impl RecipeList {
    /// Whether the file is a list and not a recipe.
    pub fn is_at(path: &Path) -> bool {
        let text = bounded::read_text(path, MOST_BYTES).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| table.get("recipes").is_some_and(toml::Value::is_array))
    }

    /// Reads a list and all its recipes. Their paths are relative to the list's folder.
    ///
    /// # Errors
    /// When the list or one of its recipes can't be read or holds mistakes.
    pub fn read(path: &Path) -> Result<Self, RecipeListError> {
        let text = bounded::read_text(path, MOST_BYTES)
            .map_err(|source| RecipeListError::Read { path: path.to_owned(), source })?;
        if text.parse::<toml::Table>().is_ok_and(|table| !table.contains_key("recipes")) {
            return Err(RecipeListError::NoList(path.to_owned()));
        }
        let written: Written = toml::from_str(&text)
            .map_err(|source| RecipeListError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let problem = |problem: String| Err(RecipeListError::Problem { path: path.to_owned(), problem });
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut recipes: Vec<Scheduled> = Vec::with_capacity(written.recipes.len());
        for entry in written.recipes {
            let file = folder.join(&entry.recipe);
            let minutes = entry.minutes.or(written.minutes).unwrap_or(USUAL_MINUTES);
            if !is_positive(minutes) {
                return problem(format!("{}: `minutes` has to be greater than 0", entry.recipe.display()));
            }
            let recipe = Recipe::read(&file)?;
            if recipes.iter().any(|other| other.recipe.name == recipe.name) {
                return problem(format!("“{}” is in it twice", recipe.name));
            }
            if entry.weights.is_some() && recipe.backbone.is_none() {
                return problem(format!("“{}” has no backbone to use `weights` for", recipe.name));
            }
            let Entry { weights, note, .. } = entry;
            recipes.push(Scheduled { path: file, recipe, budget: 60.0 * minutes, weights, note });
        }
        if recipes.is_empty() { problem("it names no recipe".to_owned()) } else { Ok(Self { recipes }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Planned as _;

    fn read(list: &str) -> Result<RecipeList, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.toml"), "epochs = 3").unwrap();
        std::fs::write(folder.path().join("two.toml"), "[backbone]\n[network]\narchitecture = \"mobilenet2\"").unwrap();
        let path = folder.path().join("list.toml");
        std::fs::write(&path, list).unwrap();
        assert!(!RecipeList::is_at(&folder.path().join("one.toml")));
        RecipeList::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_gives_each_recipe_its_budget_and_keeps_their_order() {
        let text = "minutes = 10\n[[recipes]]\nrecipe = \"two.toml\"\nweights = \"imagenet\"\n\
                    [[recipes]]\nrecipe = \"one.toml\"\nminutes = 1.5\nnote = \"short\"";
        let list = read(text).unwrap().recipes;
        let facts: Vec<_> = list.iter().map(|entry| (entry.recipe.name.as_str(), entry.budget)).collect();
        assert_eq!(facts, [("two", 600.0), ("one", 90.0)]);
        assert_eq!((list[0].weights.as_deref(), list[1].note.as_deref()), (Some("imagenet"), Some("short")));
    }

    #[test]
    fn a_training_without_the_weights_that_a_list_asks_for_is_another_one() {
        let entry = |weights: &str| {
            let list = read(&format!("[[recipes]]\nrecipe = \"two.toml\"\n{weights}")).unwrap();
            list.recipes.into_iter().next().unwrap()
        };
        let (plain, pretrained) = (entry(""), entry("weights = \"imagenet\""));
        let card = |weights: Option<&str>| {
            let mut recipe = plain.recipe.clone();
            recipe.backbone.as_mut().unwrap().weights = weights.map(PathBuf::from);
            recipe.to_table().unwrap()
        };
        let [without, with, elsewhere] = [None, Some("a.safetensors"), Some("b.safetensors")].map(card);
        assert!(plain.is_in(&without) && !plain.is_in(&with));
        assert!(!pretrained.is_in(&without) && pretrained.is_in(&with) && pretrained.is_in(&elsewhere));
    }

    #[test]
    fn what_a_list_can_not_mean_is_told() {
        let entry = |more: &str| format!("[[recipes]]\nrecipe = \"one.toml\"\n{more}\n");
        for (text, word) in [
            ("recipes = []".to_owned(), "names no recipe"),
            ("epochs = 3".to_owned(), "list.toml has no `[[recipes]]`, so it is no list"),
            (entry("") + &entry(""), "“one” is in it twice"),
            (entry("minutes = 0"), "`minutes`"),
            (entry("minute = 3"), "unknown field `minute`"),
            (entry("weights = \"imagenet\""), "no backbone"),
            (entry("").replace("one.toml", "three.toml"), "three.toml"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(word), "{word}: {told}");
        }
    }

    #[test]
    fn the_shipped_list_names_recipes_that_fit() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/recipes/progression.toml");
        assert!(RecipeList::is_at(&path));
        let list = RecipeList::read(&path).unwrap();
        for entry in &list.recipes {
            let published = entry.recipe.published.as_ref();
            let is_named = published.is_none_or(|it| !it.system.is_empty() && !it.source.is_empty());
            assert!(is_named, "{} doesn't say which system it retraces", entry.recipe.name);
        }
    }
}
