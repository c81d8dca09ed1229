//! Which data and weights were given for a list, and what a recipe lacks.

use std::path::PathBuf;

use anyhow::bail;

use super::super::named::named;
use crate::lab::datasets::without_votes;
use crate::lab::listed;
use crate::lab::recipe::Scheduled;

/// Data sets and weights by name.
pub(super) struct Given {
    data: Vec<(String, PathBuf)>,
    weights: Vec<(String, PathBuf)>,
    votes: bool,
}

impl Given {
    /// Splits each NAME=PATH.
    ///
    /// # Errors
    /// When one has no name, a name that no recipe of the list has or a path that doesn't exist, or is given twice.
    pub fn new(data: &[PathBuf], weights: &[PathBuf], votes: bool, list: &[Scheduled]) -> anyhow::Result<Self> {
        let names = list.iter().flat_map(|entry| entry.recipe.data.names().map(without_votes));
        let data = found("--data", data, names.collect())?;
        let names = list.iter().filter_map(|entry| entry.weights.as_deref());
        Ok(Self { data, weights: found("--backbone", weights, names.collect())?, votes })
    }

    /// The values of `--data` and `--backbone` for a recipe, or what is missing for it.
    pub fn of(&self, entry: &Scheduled) -> Result<(Vec<PathBuf>, Option<PathBuf>), String> {
        let names: Vec<&str> = entry.recipe.data.names().collect();
        if names.is_empty() {
            return Err("its recipe doesn't name what it learns from, such as `data = \"FER2013\"`".to_owned());
        }
        let find = |all: &[(String, PathBuf)], name: &str| {
            all.iter().find(|(known, _)| known == name).map(|(_, path)| path.clone())
        };
        let mut missing = Vec::new();
        let mut data = Vec::new();
        for name in &names {
            match find(&self.data, without_votes(name)) {
                Some(path) if names.len() == 1 => data.push(path),
                Some(path) => data.push(format!("{name}={}", path.display()).into()),
                None => missing.push(without_votes(name).to_owned()),
            }
        }
        if entry.recipe.target.needs_votes() && !self.votes {
            missing.push("FER+ votes".to_owned());
        }
        let weights = entry.weights.as_ref().map(|name| (name, find(&self.weights, name)));
        if let Some((name, None)) = &weights {
            missing.push(format!("weights of {name}"));
        }
        if missing.is_empty() {
            Ok((data, weights.and_then(|(_, path)| path)))
        } else {
            Err(format!("{}: not given", listed(missing.iter().map(String::as_str))))
        }
    }
}

/// Splits each NAME=PATH by the names of the list; the paths have to exist.
fn found(option: &str, given: &[PathBuf], mut names: Vec<&str>) -> anyhow::Result<Vec<(String, PathBuf)>> {
    names.sort_unstable();
    names.dedup();
    let all = named(option, given, &names)?;
    match all.iter().find(|(_, path)| !path.exists()) {
        Some((name, path)) => bail!("{option} {name}: there is no {}", path.display()),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_that_names_no_data_is_told() {
        let entry = |recipe: &str| Scheduled {
            path: "a.toml".into(),
            recipe: toml::from_str(recipe).unwrap(),
            budget: 60.0,
            weights: None,
            note: None,
        };
        let given = Given { data: vec![("FER2013".to_owned(), "a.csv".into())], weights: vec![], votes: false };
        assert!(given.of(&entry("")).unwrap_err().contains("doesn't name what it learns from"));
        assert_eq!(given.of(&entry("data = \"FER2013\"")).unwrap(), (vec!["a.csv".into()], None));
    }
}
