//! `--folds`: each picture classified by the network that never saw its person.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tch::Device;

use super::learnt::own_split;
use super::report::augmentation;
use super::{ClassifierArgs, scored};
use crate::console::{print, print_json};
use crate::lab::datasets::{LabelRule, Split, SplitSpec};
use crate::lab::metrics::Confusion;
use crate::lab::{ClassMeasures, KeyFigures, Measures, Scored};
use crate::net::{Adjustment, Model, ModelSource, Precision};

/// Which label counts as correct. No other rule can be chosen: only FER2013 has votes, and its official split means it has no folds.
const RULE: LabelRule = LabelRule::Label;

/// What was measured on all data sets.
#[derive(Debug, Serialize)]
struct FoldsReport {
    folds: usize,
    rule: &'static str,
    prior: String,
    test_time_augmentation: bool,
    precision: Precision,
    sources: Vec<SourceReport>,
}

/// What was measured on one data set.
#[derive(Debug, Serialize)]
struct SourceReport {
    data: String,
    division: String,
    /// Number of people, if known.
    people: Option<usize>,
    n: u64,
    /// Each network's logits were already scaled by its own temperature, so figures from before scaling are left out.
    #[serde(flatten)]
    figures: KeyFigures,
    per_class: Vec<ClassMeasures>,
    confusion: Confusion,
}

impl ClassifierArgs {
    /// Measures the networks in a run's folders fold-1, fold-2 …
    pub(super) fn run_folds(&self, run: &Path, device: Device) -> anyhow::Result<()> {
        if !run.join("fold-1").is_dir() {
            bail!("{} holds no folds: `mien train RECIPE --folds 5` trains them; give its folder", run.display());
        }
        let models = self.fold_models(run, device)?;
        let sources = self.data.iter().map(|path| self.measure_source(path, &models, device));
        let prior = models.first().context("there is no fold")?.card.calibration.assume(self.prior.as_ref())?.prior;
        let report = FoldsReport {
            folds: models.len(),
            rule: RULE.name(),
            prior: prior.to_string(),
            test_time_augmentation: self.flip,
            precision: self.precision,
            sources: sources.collect::<anyhow::Result<_>>()?,
        };
        if self.json { print_json(&report) } else { print(&report.to_string()) }
    }

    /// Loads the networks of all folds, which have to come from the same training.
    fn fold_models(&self, run: &Path, device: Device) -> anyhow::Result<Vec<Model>> {
        let mut models: Vec<Model> = Vec::new();
        loop {
            let number = models.len() + 1;
            let folder = run.join(format!("fold-{number}"));
            let model = self.load(&ModelSource::File(fold_model(&folder)?), device)?;
            let split = own_split(&model.card)?;
            let Some(fold) = split.fold.filter(|fold| fold.number == number) else {
                bail!("{} holds no fold {number}", folder.display());
            };
            if let Some(first) = models.first() {
                let other = own_split(&first.card)?;
                let same_split = SplitSpec { fold: None, ..other } == SplitSpec { fold: None, ..split.clone() };
                let same_input = first.card.input == model.card.input && first.card.labels == model.card.labels;
                if !same_split || !same_input || first.card.training.data_sha256 != model.card.training.data_sha256 {
                    bail!("{} belongs to a different training from fold-1", folder.display());
                }
            }
            models.push(model);
            if number == fold.of {
                return Ok(models);
            }
        }
    }

    fn measure_source(&self, path: &Path, models: &[Model], device: Device) -> anyhow::Result<SourceReport> {
        let first = models.first().context("there is no fold")?;
        let source = self.reading.read_undivided(path, &first.card.labels, first.card.input.crop)?;
        let mut all = Scored::none(&first.card.labels);
        let (mut name, mut pictures, mut people) = (String::new(), 0, None);
        for model in models {
            let data = source.divided(&own_split(&model.card)?)?;
            if !model.card.training.learnt_from_all(&data.sha256) {
                bail!("{} isn't what {} learnt from, so it has no folds", path.display(), model.card.name);
            }
            if data.is_official(Split::Private) {
                bail!("{} has an official split, so no fold of it was kept back from any network", path.display());
            }
            let (faces, answers) = data.private.judged(RULE)?;
            let adjustment = model.card.calibration.assume(self.prior.as_ref())?.adjustment;
            all.extend(&scored(model, &faces, &answers, device)?, &adjustment);
            let whole = data.split(Split::All);
            (name, pictures, people) = (data.name, whole.judged(RULE)?.1.len(), whole.people());
        }
        if all.len() != pictures {
            bail!("the folds contain {} of the {pictures} pictures of {}", all.len(), path.display());
        }
        let division = format!("{} networks, each without the people that it is measured on", models.len());
        let Measures { n, figures, per_class, confusion, .. } = all.measure(&Adjustment::NONE);
        Ok(SourceReport { data: name, division, people, n, figures, per_class, confusion })
    }
}

/// The only model in a folder of a run.
fn fold_model(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let has_card = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|ending| ending == "safetensors") && path.with_extension("toml").exists()
    };
    let mut models = paths.into_iter().filter(has_card);
    match (models.next(), models.next()) {
        (Some(model), None) => Ok(model),
        _ => bail!("{} holds no model, or several", folder.display()),
    }
}

impl fmt::Display for FoldsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folds, rule, prior, test_time_augmentation, .. } = self;
        let flip = augmentation(*test_time_augmentation);
        writeln!(f, "{folds} folds, rule {rule}, prior {prior}, {flip}\n")?;
        for source in &self.sources {
            let figures = &source.figures;
            let [low, high] = figures.accuracy_interval.map(|bound| 100.0 * bound);
            let people = source.people.map_or_else(String::new, |people| format!(", {people} people"));
            writeln!(f, "{}: N {}{people}", source.data, source.n)?;
            writeln!(f, "accuracy          {:.2} % ({low:.1}–{high:.1})", 100.0 * figures.accuracy)?;
            writeln!(f, "macro recall      {:.2} %", 100.0 * figures.balanced_accuracy)?;
            let classes = source.confusion.classes().names().zip(&source.per_class);
            for (name, class) in classes.filter(|(_, class)| class.counts.support > 0) {
                let recall = class.counts.recall.unwrap_or_default();
                writeln!(f, "  {name:14}{:6.1} % of {}", 100.0 * recall, class.counts.support)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
