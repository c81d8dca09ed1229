//! Matches the given data sets to a recipe's sources.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::named::named;
use crate::lab::recipe::DataSpec;

/// The path of each of the recipe's sources, with its name there. A recipe for one data set accepts any path, with or without its name.
pub(super) fn sources(data: &DataSpec, given: &[PathBuf]) -> anyhow::Result<Vec<(Option<String>, PathBuf)>> {
    let names: Vec<&str> = data.names().collect();
    if names.len() <= 1 {
        let [path] = given else { bail!("the recipe learns from one data set: give one with --data") };
        return Ok(match named("--data", given, &names) {
            Ok(source) => source.into_iter().map(|(name, path)| (Some(name), path)).collect(),
            Err(_) => vec![(names.first().map(|name| (*name).to_owned()), path.clone())],
        });
    }
    let mut paths = named("--data", given, &names)?;
    let sources = names.iter().map(|name| {
        let place = paths.iter().position(|(given, _)| given == name)?;
        let (name, path) = paths.swap_remove(place);
        Some((Some(name), path))
    });
    sources.collect::<Option<_>>().with_context(|| {
        let each: Vec<String> = names.iter().map(|name| format!("--data {name}=DATA")).collect();
        format!("the recipe learns from several data sets: give {}", each.join(" "))
    })
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
        assert_eq!(told(&["FER2013"], &["FER2013=a"]).unwrap(), ["FER2013: a"]);
        assert_eq!(told(&["FER2013"], &["a=b"]).unwrap(), ["FER2013: a=b"], "a path may hold the sign");
        assert_eq!(told(&[], &["c"]).unwrap(), [": c"]);
    }

    #[test]
    fn data_sets_that_are_missing_unnamed_or_given_twice_are_told() {
        let both = ["CK+48", "JAFFE"];
        assert!(told(&both, &["JAFFE=a"]).unwrap_err().contains("--data CK+48=DATA --data JAFFE=DATA"));
        assert!(told(&both, &["a", "b"]).unwrap_err().contains("NAME=PATH; the names are CK+48 and JAFFE"));
        assert!(told(&both, &["JAFFE=a", "JAFFE=b"]).unwrap_err().contains("twice"));
        assert!(told(&["FER2013"], &["a", "b"]).unwrap_err().contains("one data set"));
    }
}
