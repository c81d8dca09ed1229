//! Which data set is which of a recipe's sources.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::lab::listed;
use crate::lab::recipe::DataSpec;

/// The path of each of the recipe's sources, with the name that it has there. A recipe for one data set takes whatever is given.
pub(super) fn sources(data: &DataSpec, given: &[PathBuf]) -> anyhow::Result<Vec<(Option<String>, PathBuf)>> {
    let names: Vec<&str> = data.names().collect();
    if names.len() <= 1 {
        return match given {
            [path] => Ok(vec![(names.first().map(|name| (*name).to_owned()), path.clone())]),
            _ => bail!("the recipe learns from one data set: give one with --data"),
        };
    }
    let wanted = || {
        let each = names.iter().map(|name| format!("--data {name}=DATA"));
        each.collect::<Vec<_>>().join(" ")
    };
    let mut paths: Vec<Option<PathBuf>> = vec![None; names.len()];
    for path in given {
        let text = path.to_string_lossy();
        let named = names.iter().position(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        let Some(index) = named else {
            bail!("the recipe learns from {}: give each with its name, {}", listed(names.clone()), wanted());
        };
        let Some(place) = paths.get_mut(index).filter(|place| place.is_none()) else {
            bail!("“{}” is given twice", names[index]);
        };
        // A name holds no byte that isn't text, so the rest is the path as it was given.
        *place = path.to_str().map(|text| PathBuf::from(&text[names[index].len() + 1..]));
        if place.is_none() {
            bail!("{} has a name that isn't Unicode: move it", path.display());
        }
    }
    let named = names.iter().zip(paths).map(|(name, path)| Some((Some((*name).to_owned()), path?)));
    named.collect::<Option<_>>().with_context(|| format!("the recipe learns from several data sets: give {}", wanted()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(names: &[&str]) -> DataSpec {
        let sources: Vec<String> = names.iter().map(|name| format!("{{ name = \"{name}\" }}")).collect();
        toml::from_str(&format!("sources = [{}]", sources.join(", "))).unwrap()
    }

    fn told(names: &[&str], given: &[&str]) -> Result<Vec<String>, String> {
        let given: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
        let sources = sources(&spec(names), &given).map_err(|error| error.to_string())?;
        Ok(sources
            .into_iter()
            .map(|(name, path)| format!("{}: {}", name.unwrap_or_default(), path.display()))
            .collect())
    }

    #[test]
    fn data_sets_are_given_in_any_order_by_the_sources_names() {
        let both = ["CK+48", "JAFFE"];
        assert_eq!(told(&both, &["JAFFE=a=b", "CK+48=c"]).unwrap(), ["CK+48: c", "JAFFE: a=b"]);
        assert_eq!(told(&["FER2013"], &["a=b"]).unwrap(), ["FER2013: a=b"], "a path may hold the sign");
        assert_eq!(told(&[], &["c"]).unwrap(), [": c"]);
    }

    #[test]
    fn data_sets_that_are_missing_unnamed_or_given_twice_are_told() {
        let both = ["CK+48", "JAFFE"];
        assert!(told(&both, &["JAFFE=a"]).unwrap_err().contains("--data CK+48=DATA --data JAFFE=DATA"));
        assert!(told(&both, &["a", "b"]).unwrap_err().contains("CK+48 and JAFFE"));
        assert!(told(&both, &["JAFFE=a", "JAFFE=b"]).unwrap_err().contains("twice"));
        assert!(told(&["FER2013"], &["a", "b"]).unwrap_err().contains("one data set"));
    }
}
