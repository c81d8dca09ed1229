//! One table over all files of a batch (`--together`).

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::manifest::{FileState, Manifest, Output, Results, Work};
use super::products::{Product, Wanted};
use super::run::MANIFEST_ENDING;
use crate::export::{SCHEMA_VERSION, join_tables};
use crate::version::Versions;

/// What these tables are called, without ending.
pub const TOGETHER_NAME: &str = "together";

/// Writes a table over all of `files` for each table that is wanted of one. `files` are the paths of results without ending, and
/// `options` those that they were made with. Tables of an earlier run are replaced, unless somebody has worked on them and `force`
/// isn't given.
///
/// # Errors
/// When a file of such a name isn't Mien's, or was worked on, or a table can't be read or written.
pub fn write_together(
    folder: &Path,
    files: &[PathBuf],
    wanted: &Wanted,
    options: &serde_json::Value,
    force: bool,
) -> anyhow::Result<()> {
    let manifest_path = folder.join(format!("{TOGETHER_NAME}{MANIFEST_ENDING}"));
    let tables = wanted.iter().filter_map(|product| {
        let path = folder.join(product.table_name(TOGETHER_NAME)?);
        Some((*product, path, product.table_format()?))
    });
    let tables: Vec<_> = tables.collect();
    let before = Manifest::read(&manifest_path).and_then(|manifest| manifest.results).unwrap_or_default();
    for (_, path, _) in &tables {
        may_replace(path, &before, force)?;
    }
    let mut results = Results { products: wanted.clone(), ..Results::default() };
    for (product, path, format) in tables {
        let parts: Vec<_> = files.iter().filter_map(|file| part_of(file, product)).collect();
        if parts.is_empty() {
            continue;
        }
        let path = join_tables(&parts, &path, format)?;
        results.outputs.push(Output::of(product, &path)?);
    }
    let work = Work { inputs: Vec::new(), options: options.clone() };
    let results = Some(results.added_to(before));
    let (schema, versions) = (SCHEMA_VERSION, Some(Versions::here()));
    Manifest { schema, versions, work, results, ..Manifest::default() }.write(&manifest_path)?;
    Ok(())
}

/// Refuses to replace what isn't Mien's by the results of before, or was worked on since.
///
/// # Errors
/// When the file is to stay.
pub fn may_replace(path: &Path, before: &Results, force: bool) -> anyhow::Result<()> {
    let ours = before.outputs.iter().find(|output| output.file.path == *path);
    let is_as_written = |output: &Output| FileState::of(path).is_ok_and(|now| now.bytes == output.file.bytes);
    match ours {
        _ if !path.exists() => Ok(()),
        Some(output) if force || is_as_written(output) => Ok(()),
        Some(_) => bail!("{} was changed since Mien wrote it and was left alone; --force replaces it", path.display()),
        None => bail!("{} exists already and was left alone; give another name with --output", path.display()),
    }
}

/// The table of one file.
fn part_of(file: &Path, product: Product) -> Option<PathBuf> {
    let name = file.file_name()?.to_string_lossy();
    Some(file.with_file_name(product.table_name(&name)?))
}
