//! Compares the results of runs, from the cards and histories that they left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::datasets::{LabelRule, Split, Target, without_votes};
use crate::recipe::{Published, Scheduled};
use crate::statement::{data_names, listed};
use mien_core::bounded;
use mien_core::classes::Classes;
use mien_net::faces::FacesCard;
use mien_net::{Card, CardError, Ending, Evaluation, MOST_CARD_BYTES, ModelError, ModelSource};

/// Size limit of a history in bytes: some hundred thousand epochs.
const MOST_HISTORY_BYTES: u64 = 16 << 20;

/// The note for a run whose recipe differs from the list's.
const OTHER_RECIPE: &str = "Trained by another recipe than the one that is here now.";

/// What a comparison shows of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRun {
    /// The model's name, which is the recipe's.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Trainable parameters.
    pub parameters: usize,
    /// Its classes; omitted from JSON for the seven emotions.
    #[serde(skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// The data that it learnt from, and the split that its epoch was chosen on.
    pub data: String,
    /// What it was taught.
    pub target: String,
    /// Epochs run.
    pub epochs: usize,
    /// Epochs of the recipe's full schedule.
    pub epochs_planned: Option<usize>,
    /// Why the training ended, if the card says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Whether the training has just failed. A card doesn't tell.
    #[serde(skip)]
    pub failed: bool,
    /// Time spent on training, in seconds.
    pub wall_seconds: f64,
    /// The machine that it was trained on.
    pub machine: String,
    /// The figure on PublicTest, on which epoch and settings were chosen.
    pub public: Option<Figure>,
    /// The figure on PrivateTest, which is used once, at the end.
    pub private: Option<Figure>,
    /// The published figure that the recipe aims to reproduce.
    pub published: Option<Published>,
    /// A remark about the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// All evaluations in the card.
    pub evaluations: Vec<Evaluation>,
}

/// An accuracy, and what it was measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Share of pictures classified correctly.
    pub accuracy: f64,
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean F1 over them, if recorded.
    pub macro_f1: Option<f64>,
    /// Which label counts as correct. `None` for figures from a history, which use the rule that the epoch was chosen by.
    pub rule: Option<String>,
    /// The prior that was assumed.
    pub prior: String,
    /// Number of pictures, if recorded.
    pub n: Option<usize>,
}

/// A run can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file or folder can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No such file or folder, and no shipped model of that name.
    #[error("there is no run or model {path}; the shipped models are {shipped}")]
    Missing {
        /// The path that was given.
        path: PathBuf,
        /// The names of the shipped models.
        shipped: String,
    },
    /// The folder holds no model.
    #[error(
        "{path} holds no model with its card (a training has one after its first epoch); name the folder of a run (such as \
         runs/NAME), a model or a card"
    )]
    NoModel {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder holds the folds of a training.
    #[error(
        "{path} holds the folds of a training: `mien evaluate --folds {path} DATA` measures them together, and \
         `mien compare {path}/fold-*` shows each"
    )]
    Folds {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder holds only detectors.
    #[error("{path} holds a detector, which has no accuracy to compare; `mien evaluate faces` measures it")]
    Detector {
        /// Which folder.
        path: PathBuf,
    },
    /// The card can't be used.
    #[error("can't use {path}: {source}")]
    Card {
        /// Which card.
        path: PathBuf,
        /// Why.
        source: CardError,
    },
    /// A shipped model's card can't be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The history is damaged.
    #[error("can't use {path}: {source}")]
    History {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: csv::Error,
    },
    /// The recipe in the card names a published figure that can't be read.
    #[error("can't use {path}: the published figure in its recipe can't be used: {source}")]
    Published {
        /// Which card.
        path: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
}

impl CompareError {
    /// Whether it is about a folder without anything to compare, among others that may have something.
    pub fn is_of_empty_folder(&self) -> bool {
        matches!(self, Self::NoModel { .. } | Self::Folds { .. } | Self::Detector { .. })
    }
}

/// Reads the runs that `source` names: a shipped model, the folder of a run, a folder of several models, a model's weights or its
/// card.
///
/// # Errors
/// When there is none, or a card or history can't be read.
pub fn read_runs(source: &ModelSource) -> Result<Vec<ComparedRun>, CompareError> {
    let path = match source {
        ModelSource::Shipped(model) => return Ok(vec![compared(source.card()?, Path::new(model.name()))?]),
        ModelSource::File(path) => path,
    };
    if !path.exists() && !path.with_extension("toml").exists() {
        return Err(CompareError::Missing { path: path.to_owned(), shipped: shipped_names() });
    }
    if !path.is_dir() {
        return Ok(vec![read_run(&path.with_extension("toml"))?]);
    }
    let unreadable = |source| CompareError::Read { path: path.to_owned(), source };
    let (mut cards, mut has_detector) = (Vec::new(), false);
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        // A recipe is TOML too; a card has weights beside it.
        if file.extension().is_some_and(|ending| ending == "toml") && file.with_extension("safetensors").is_file() {
            // A detector has no accuracy to compare.
            if bounded::read_text(&file, MOST_CARD_BYTES).is_ok_and(|text| FacesCard::is_in(&text)) {
                has_detector = true;
            } else {
                cards.push(file);
            }
        }
    }
    if cards.is_empty() {
        let path = path.to_owned();
        return Err(if path.join("fold-1").is_dir() {
            CompareError::Folds { path }
        } else if has_detector {
            CompareError::Detector { path }
        } else {
            CompareError::NoModel { path }
        });
    }
    cards.sort();
    cards.iter().map(|card| read_run(card)).collect()
}

/// Reads the run of each recipe in a list, from the folder of its runs. A run that hasn't started has no epochs. Published
/// figures come from the recipe rather than from the card, which may be older. The note says if a run used another recipe, for
/// example because the list's has changed since.
///
/// # Errors
/// When a card or history can't be read.
pub fn read_list(list: &[Scheduled], runs: &Path) -> Result<Vec<ComparedRun>, CompareError> {
    let read = |entry: &Scheduled| {
        let path = runs.join(&entry.recipe.name).join(format!("{}.toml", entry.recipe.name));
        let (published, note) = (entry.recipe.published.clone(), entry.note.clone());
        if !path.is_file() {
            return Ok(ComparedRun { published, note, ..not_begun(entry) });
        }
        let card = read_card(&path)?;
        let other = (!entry.is_in(&card.training.recipe)).then(|| OTHER_RECIPE.to_owned());
        let note = note.into_iter().chain(other).reduce(|note, other| format!("{note} {other}"));
        Ok(ComparedRun { published, note, ..compared(card, &path)? })
    };
    list.iter().map(read).collect()
}

fn not_begun(entry: &Scheduled) -> ComparedRun {
    let recipe = &entry.recipe;
    ComparedRun {
        name: recipe.name.clone(),
        architecture: recipe.network.architecture.clone(),
        parameters: recipe.network.cost(recipe.classes.len()).map_or(0, |cost| cost.parameters),
        classes: recipe.classes.clone(),
        data: listed(recipe.data.names()),
        target: recipe.target.name().to_owned(),
        epochs: 0,
        epochs_planned: Some(recipe.epochs),
        ending: None,
        failed: false,
        wall_seconds: 0.0,
        machine: String::new(),
        public: None,
        private: None,
        published: None,
        note: None,
        evaluations: vec![],
    }
}

fn shipped_names() -> String {
    listed(ModelSource::shipped_names())
}

fn read_run(path: &Path) -> Result<ComparedRun, CompareError> {
    compared(read_card(path)?, path)
}

fn read_card(path: &Path) -> Result<Card, CompareError> {
    let text = bounded::read_text(path, MOST_CARD_BYTES)
        .map_err(|source| CompareError::Read { path: path.to_owned(), source })?;
    Card::from_toml(&text).map_err(|source| CompareError::Card { path: path.to_owned(), source })
}

/// What a card says about its run. `path` is the card's, perhaps with a history beside it, or just the name of a shipped model.
fn compared(card: Card, path: &Path) -> Result<ComparedRun, CompareError> {
    let recipe = &card.training.recipe;
    let published = recipe.get("published").cloned().map(toml::Value::try_into).transpose();
    let published =
        published.map_err(|source| CompareError::Published { path: path.to_owned(), source: Box::new(source) })?;
    let public = match figure(&card, Split::Public) {
        Some(recorded) => Some(recorded),
        // A shipped model has no folder and therefore no history.
        None if path.extension().is_none() => None,
        None => from_history(&path.with_file_name("history.csv"), card.training.best_epoch)?,
    };
    Ok(ComparedRun {
        epochs_planned: recipe.get("epochs").and_then(toml::Value::as_integer).and_then(|n| n.try_into().ok()),
        public,
        private: figure(&card, Split::Private),
        published,
        name: card.name,
        architecture: card.network.architecture,
        parameters: card.parameters,
        classes: card.labels,
        data: card.training.data,
        target: card.training.target,
        epochs: card.training.epochs,
        ending: card.training.ending,
        failed: false,
        wall_seconds: card.training.wall_seconds,
        machine: card.training.machine,
        note: None,
        evaluations: card.evaluation,
    })
}

/// The recorded figure that represents the model on a split: on data that it learnt from, with the pictures as they are and
/// without test-time augmentation. Prefers figures on all of that data, then by the usual rule for its target, then under its
/// default prior.
fn figure(card: &Card, split: Split) -> Option<Figure> {
    let usual_rule = LabelRule::usual(card.training.target != Target::Label.name()).name();
    let preference = |entry: &&Evaluation| {
        let is_of_all = is_same_data(&entry.data, &card.training.data);
        (is_of_all, entry.rule == usual_rule, entry.prior == card.calibration.default_prior.name())
    };
    let is_plain = |entry: &&Evaluation| entry.is_of_pictures_as_they_are() && !entry.test_time_augmentation;
    let recorded = card.evaluation.iter().filter(|entry| entry.split == split.usage()).filter(is_plain);
    recorded.filter(|entry| is_own(card, entry)).max_by_key(preference).map(|entry| Figure {
        accuracy: entry.accuracy,
        balanced_accuracy: entry.balanced_accuracy,
        macro_f1: Some(entry.macro_f1),
        rule: Some(entry.rule.clone()),
        prior: entry.prior.clone(),
        n: Some(entry.n),
    })
}

/// Whether an evaluation in a card is on data that the model learnt from, all or part of it.
pub fn is_own(card: &Card, entry: &Evaluation) -> bool {
    is_learnt_by_name(card, &entry.data)
}

/// Whether all data sets named in `data`, as reports write it, are among those that a card's model learnt from. Only names are compared.
pub fn is_learnt_by_name(card: &Card, data: &str) -> bool {
    data_sets(data).is_subset(&data_sets(&card.training.data))
}

/// Whether two names in reports mean the same data, however faces were found in them and whether or not votes were read.
pub fn is_same_data(one: &str, other: &str) -> bool {
    data_sets(one) == data_sets(other)
}

/// The data sets named in a card's sentence or a report, with or without votes.
fn data_sets(told: &str) -> BTreeSet<String> {
    data_names(told).iter().map(|name| without_votes(name).to_owned()).collect()
}

/// The figure of an epoch in the history; `None` if there is no history or no such epoch.
fn from_history(path: &Path, epoch: usize) -> Result<Option<Figure>, CompareError> {
    #[derive(Deserialize)]
    struct Epoch {
        epoch: usize,
        public_accuracy: f64,
        public_balanced_accuracy: f64,
    }
    if !path.is_file() {
        return Ok(None);
    }
    let damaged = |source| CompareError::History { path: path.to_owned(), source };
    let text = bounded::read(path, MOST_HISTORY_BYTES)
        .map_err(|source| CompareError::Read { path: path.to_owned(), source })?;
    for record in csv::Reader::from_reader(text.as_slice()).deserialize::<Epoch>() {
        let record = record.map_err(damaged)?;
        if record.epoch == epoch {
            return Ok(Some(Figure {
                accuracy: record.public_accuracy,
                balanced_accuracy: record.public_balanced_accuracy,
                macro_f1: None,
                rule: None,
                prior: "training".to_owned(),
                n: None,
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn read(path: &Path) -> Result<Vec<ComparedRun>, CompareError> {
        read_runs(&ModelSource::File(path.to_owned()))
    }

    #[test]
    fn a_shipped_model_is_compared_by_its_name() {
        let Ok(source) = "mien".parse();
        let run = read_runs(&source).unwrap().remove(0);
        assert_eq!((run.name.as_str(), run.architecture.as_str()), ("mien", "mien"));
        assert!(run.public.is_some() && run.private.is_some(), "{run:?}");
    }

    fn evaluation(rule: &str, prior: &str, accuracy: f64) -> Evaluation {
        Evaluation {
            data: "FER2013".into(),
            split: "PublicTest".into(),
            rule: rule.into(),
            n: 100,
            test_time_augmentation: false,
            varied: false,
            prior: prior.into(),
            found: None,
            accuracy,
            macro_f1: 0.5,
            balanced_accuracy: 0.5,
            ece: None,
            ece_scaled: None,
        }
    }

    /// A run's folder with a card, empty weights and a recipe, which isn't a card.
    fn run_folder(change: impl FnOnce(&mut Card)) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut card = ModelSource::default().card().unwrap();
        card.name = "example".into();
        card.evaluation.clear();
        card.calibration = mien_net::Calibration::default();
        card.training.recipe = toml::Table::new();
        card.training.target = "label".into();
        card.calibration.default_prior = mien_core::prior::StandardPrior::Training;
        card.training.best_epoch = 2;
        change(&mut card);
        std::fs::write(folder.path().join("example.toml"), card.to_toml().unwrap()).unwrap();
        std::fs::write(folder.path().join("example.safetensors"), "").unwrap();
        std::fs::write(folder.path().join("recipe.toml"), "name = \"example\"").unwrap();
        let history = "epoch,learning_rate,public_accuracy,public_balanced_accuracy\n1,0.1,0.3,0.2\n2,0.1,0.5,0.4\n";
        std::fs::write(folder.path().join("history.csv"), history).unwrap();
        folder
    }

    #[test]
    fn a_run_that_was_not_measured_shows_its_best_epoch() {
        let folder = run_folder(|_| {});
        let runs = read(folder.path()).unwrap();
        assert_eq!(runs.len(), 1, "the recipe is no run");
        let public = runs[0].public.as_ref().unwrap();
        assert_eq!((public.accuracy, public.n), (0.5, None));
        assert_eq!(read(&folder.path().join("example.safetensors")).unwrap(), runs);
    }

    #[test]
    fn the_recorded_figure_under_the_models_own_rule_and_prior_stands_for_it() {
        let folder = run_folder(|card| {
            card.evaluation = vec![
                evaluation("majority", "training", 0.9),
                evaluation("label", "training", 0.7),
                evaluation("label", "uniform", 0.6),
            ];
        });
        let public = read(folder.path()).unwrap().remove(0).public.unwrap();
        assert_eq!((public.accuracy, public.n), (0.7, Some(100)));
    }

    #[test]
    fn figures_of_other_data_and_of_mirrored_pictures_do_not_stand_for_it() {
        let folder = run_folder(|card| {
            let foreign = Evaluation { data: "CK+48".into(), ..evaluation("label", "training", 0.9) };
            let mirrored = Evaluation { test_time_augmentation: true, ..evaluation("label", "training", 0.8) };
            let voted = Evaluation { data: "FER2013 with FER+ votes".into(), ..evaluation("label", "training", 0.7) };
            card.training.data = "FER2013 (3 faces turned upright, 2 whole pictures): Training to learn from".into();
            card.evaluation = vec![voted, mirrored, foreign];
        });
        assert_eq!(read(folder.path()).unwrap().remove(0).public.unwrap().accuracy, 0.7);
        let joined = data_sets("FER2013 with FER+ votes (3 faces turned upright, 2 whole pictures), CK+48 and JAFFE");
        assert_eq!(joined, ["FER2013", "CK+48", "JAFFE"].map(str::to_owned).into());
    }

    #[test]
    fn figures_of_all_that_was_learnt_from_stand_for_it_before_those_of_a_part() {
        let folder = run_folder(|card| {
            let part = Evaluation { data: "CK+48".into(), ..evaluation("label", "training", 0.9) };
            let whole = Evaluation { data: "FER2013 and CK+48".into(), ..evaluation("label", "training", 0.7) };
            card.training.data = "FER2013 and CK+48: Training to learn from".into();
            card.evaluation = vec![part.clone(), whole, part];
        });
        assert_eq!(read(folder.path()).unwrap().remove(0).public.unwrap().accuracy, 0.7);
    }

    #[test]
    fn figures_of_all_that_was_learnt_from_are_told_from_those_of_a_part_and_of_other_data() {
        let mut card = ModelSource::default().card().unwrap();
        card.training.data = "FER2013 with FER+ votes and CK+48 (927 whole pictures): Training to learn from".into();
        let told = |data: &str| {
            let entry = Evaluation { data: data.into(), ..evaluation("label", "training", 0.7) };
            (is_own(&card, &entry), is_same_data(data, "FER2013 with FER+ votes and CK+48"))
        };
        assert_eq!(told("CK+48 (927 faces turned upright) and FER2013"), (true, true));
        assert_eq!(told("CK+48"), (true, false));
        assert_eq!(told("JAFFE"), (false, false));
        assert_eq!(told("CK+48 and JAFFE"), (false, false));
    }

    #[test]
    fn a_run_by_another_recipe_is_told_from_one_by_the_lists() {
        let runs = tempfile::tempdir().unwrap();
        let recipe = crate::recipe::tests::small();
        let folder = run_folder(|card| card.training.recipe = crate::task::Planned::to_table(&recipe).unwrap());
        std::fs::create_dir(runs.path().join("small")).unwrap();
        std::fs::copy(folder.path().join("example.toml"), runs.path().join("small/small.toml")).unwrap();
        let note = |recipe: Recipe| {
            let entry = Scheduled {
                path: "small.toml".into(),
                recipe,
                budget: 60.0,
                weights: None,
                note: Some("It is small.".into()),
            };
            read_list(&[entry], runs.path()).unwrap().remove(0).note.unwrap()
        };
        assert_eq!(note(recipe.clone()), "It is small.");
        let reworded = Recipe { description: "For other tests.".into(), ..recipe.clone() };
        assert_eq!(note(reworded), "It is small.");
        assert_eq!(note(Recipe { seed: 8, ..recipe }), format!("It is small. {OTHER_RECIPE}"));
    }

    #[test]
    fn the_published_figure_comes_from_the_recipe_and_a_wrong_one_is_named() {
        let publish = |text: &str| {
            let table: toml::Table = text.parse().unwrap();
            run_folder(move |card| {
                card.training.recipe.insert("published".into(), table.into());
            })
        };
        let good = publish("figure = \"56 % val\"\nvalue = 0.56\nsource = \"a page\"");
        let published = read(good.path()).unwrap().remove(0).published.unwrap();
        assert_eq!((published.value, published.note), (0.56, None));
        let bad = publish("figure = \"56 %\"\nvalue = \"much\"\nsource = \"a page\"");
        let error = read(bad.path()).unwrap_err().to_string();
        assert!(error.contains("example.toml") && error.contains("published"), "{error}");
    }

    #[test]
    fn folders_without_a_model_and_damaged_histories_are_named() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read(empty.path()), Err(CompareError::NoModel { .. })));
        std::fs::create_dir(empty.path().join("fold-1")).unwrap();
        let folds = read(empty.path()).unwrap_err();
        assert!(folds.is_of_empty_folder() && folds.to_string().contains("mien evaluate --folds"), "{folds}");
        let detector = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/faces.toml");
        std::fs::copy(shipped, detector.path().join("faces.toml")).unwrap();
        std::fs::write(detector.path().join("faces.safetensors"), "").unwrap();
        assert!(matches!(read(detector.path()), Err(CompareError::Detector { .. })));
        assert!(matches!(read(&empty.path().join("absent")), Err(CompareError::Missing { .. })));
        let folder = run_folder(|_| {});
        std::fs::write(folder.path().join("history.csv"), "epoch,public_accuracy\n2,high\n").unwrap();
        assert!(matches!(read(folder.path()), Err(CompareError::History { .. })));
    }
}
