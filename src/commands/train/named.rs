//! NAME=PATH on the command line.

use std::path::PathBuf;

use anyhow::bail;

use crate::lab::listed;

/// Splits the NAME=PATH values of `option`. Each name has to be one of `names`; a path may also contain the equals sign.
///
/// # Errors
/// When a value has none of these names, or a name is given twice.
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
