//! One table over all files of a batch (`--together`).

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::manifest::{FileState, Manifest, Output, Results, Work};
use super::products::{Product, Wanted};
use super::run::MANIFEST_ENDING;
use crate::export::{ExportError, SCHEMA_VERSION, join_tables};
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
    let record = TablesRecord::read(folder.join(format!("{TOGETHER_NAME}{MANIFEST_ENDING}")));
    let tables = wanted.iter().filter_map(|product| {
        let path = folder.join(product.table_name(TOGETHER_NAME)?);
        Some((*product, path, product.table_format()?))
    });
    let tables: Vec<_> = tables.collect();
    for (_, path, _) in &tables {
        record.may_replace(path, force)?;
    }
    let join = |made: &mut Vec<Output>| {
        for (product, path, format) in tables {
            let parts: Vec<_> = files.iter().filter_map(|file| part_of(file, product)).collect();
            if !parts.is_empty() {
                made.push(Output::of(product, &join_tables(&parts, &path, format)?)?);
            }
        }
        Ok(())
    };
    record.write_tables(options.clone(), Results { products: wanted.clone(), ..Results::default() }, join)
}

/// What is noted of tables over many files that lie beside each other under one name. The next run replaces them.
pub struct TablesRecord {
    path: PathBuf,
    /// Those of the run before, and the options that it had.
    before: Results,
    options: serde_json::Value,
    /// That run was killed while it gave tables their names: what has one of them is ours.
    is_unfinished: bool,
}

impl TablesRecord {
    /// The one at `path`; empty if there is none.
    pub fn read(path: PathBuf) -> Self {
        let manifest = Manifest::read(&path);
        let is_unfinished = manifest.as_ref().is_some_and(|manifest| manifest.adding || manifest.results.is_none());
        let manifest = manifest.unwrap_or_default();
        Self { path, before: manifest.results.unwrap_or_default(), options: manifest.work.options, is_unfinished }
    }

    /// Refuses to replace a table that isn't Mien's by the results of before, or was worked on since.
    ///
    /// # Errors
    /// When the file is to stay.
    pub fn may_replace(&self, table: &Path, force: bool) -> anyhow::Result<()> {
        let ours = self.before.outputs.iter().find(|output| output.file.path == *table);
        let is_as_written = |output: &Output| FileState::of(table).is_ok_and(|now| now.bytes == output.file.bytes);
        let path = table.display();
        match ours {
            _ if self.is_unfinished || !table.exists() => Ok(()),
            Some(output) if force || is_as_written(output) => Ok(()),
            Some(_) => bail!("{path} was changed since Mien wrote it and was left alone; --force replaces it"),
            None => bail!("{path} isn't Mien's and was left alone; move it away, or name another place with --output"),
        }
    }

    /// Lets `make` write the tables and list them as it does, and notes them as those of `results`, beside the ones of before that
    /// weren't to be made again. Whoever finds the tables after a kill knows by the record whose they are; where one can't be made, the
    /// others stay as the record says.
    ///
    /// # Errors
    /// What `make` gives, or when the record can't be written.
    pub fn write_tables(
        &self,
        options: serde_json::Value,
        results: Results,
        make: impl FnOnce(&mut Vec<Output>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.write(self.options.clone(), self.before.clone(), true)?;
        let mut made = Vec::new();
        if let Err(error) = make(&mut made) {
            let is_kept = |output: &Output| made.iter().all(|new| new.file.path != output.file.path);
            let mut results = self.before.clone();
            results.outputs.retain(is_kept);
            results.products.extend(made.iter().filter_map(|output| output.product));
            results.outputs.append(&mut made);
            self.write(self.options.clone(), results, self.is_unfinished).ok();
            return Err(error);
        }
        Ok(self.write(options, Results { outputs: made, ..results }.added_to(self.before.clone()), false)?)
    }

    fn write(&self, options: serde_json::Value, results: Results, adding: bool) -> Result<(), ExportError> {
        let work = Work { inputs: Vec::new(), options };
        let (schema, versions, results) = (SCHEMA_VERSION, Some(Versions::here()), Some(results));
        Manifest { schema, versions, work, results, adding, ..Manifest::default() }.write(&self.path)
    }
}

/// The table of one file.
fn part_of(file: &Path, product: Product) -> Option<PathBuf> {
    let name = file.file_name()?.to_string_lossy();
    Some(file.with_file_name(product.table_name(&name)?))
}
