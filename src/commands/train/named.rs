//! NAME=PATH on the command line.

use std::path::PathBuf;

use anyhow::bail;

use crate::lab::listed;

/// What `option` was given as NAME=PATH, each with its name, which has to be one of `names`. A path may hold the sign as well.
///
/// # Errors
/// When one has none of these names, or a name that was given before.
pub(super) fn named(option: &str, given: &[PathBuf], names: &[&str]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut all: Vec<(String, PathBuf)> = Vec::with_capacity(given.len());
    for value in given {
        let text = value.to_str().unwrap_or_default();
        let path_of = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        let Some((name, path)) = names.iter().find_map(|name| Some((*name, path_of(name)?))) else {
            bail!("{option} {}: give NAME=PATH; the names are {}", value.display(), listed(names.iter().copied()));
        };
        if all.iter().any(|(known, _)| known == name) {
            bail!("{option}: “{name}” is given twice");
        }
        all.push((name.to_owned(), PathBuf::from(path)));
    }
    Ok(all)
}
