//! One table over all files of a batch (`--together`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::inputs::in_short;
use super::products::Product;
use super::record::{Record, Results, Work};
use super::run::RECORD_ENDING;
use super::state::{FileState, Output};
use crate::console::counted;
use crate::export::{ExportError, SCHEMA_VERSION, join_tables};
use crate::version::Versions;

/// Name of these tables, without extension.
pub const TOGETHER_NAME: &str = "together";

/// Writes a table over all of `files` for each table among the products of `sum`, their summed results. `files` are paths of results
/// without extension, and `options` those that they were made with. Replaces tables of an earlier run; if one was edited, only with
/// `force`. Returns notes for the user.
///
/// # Errors
/// When a file of such a name isn't Mien's or was edited, or a table can't be read or written.
pub fn write_together(
    folder: &Path,
    files: &[PathBuf],
    options: &serde_json::Value,
    sum: Results,
    force: bool,
) -> anyhow::Result<Vec<String>> {
    let record = TablesRecord::read(folder.join(format!("{TOGETHER_NAME}{RECORD_ENDING}")));
    let tables = sum.products.iter().filter_map(|product| {
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
    record.write_tables(options.clone(), sum, join)
}

/// A note if the networks computed these files' results with different arithmetic. Each set is the arithmetic of one file; empty sets don't
/// count.
pub fn different_arithmetic(files: &[BTreeSet<&str>]) -> Option<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for &arithmetic in files.iter().flatten() {
        *counts.entry(arithmetic).or_default() += 1;
    }
    if counts.len() < 2 {
        return None;
    }
    let words: Vec<_> = counts
        .iter()
        .map(|(arithmetic, count)| format!("{arithmetic} for {}", counted(*count, "file", "files")))
        .collect();
    Some(format!("made with different arithmetic: {}; figures may differ slightly", words.join(", ")))
}

/// The record of tables over many files that lie beside each other under one name. The next run replaces them.
pub struct TablesRecord {
    path: PathBuf,
    /// The record of the previous run.
    before: Record,
    /// Whether that run was killed while it wrote tables. Files with their names then count as Mien's.
    is_unfinished: bool,
}

impl TablesRecord {
    /// Reads the record at `path`; empty if there is none.
    pub fn read(path: PathBuf) -> Self {
        let found = Record::read(&path).ok();
        let is_unfinished = found.as_ref().is_some_and(|record| record.adding || record.results.is_none());
        Self { path, before: found.unwrap_or_else(|| record_of_now(serde_json::Value::Null)), is_unfinished }
    }

    /// The previous run's tables.
    fn outputs_before(&self) -> &[Output] {
        self.before.results.as_ref().map(|results| results.outputs.as_slice()).unwrap_or_default()
    }

    /// Checks that a table may be replaced. Refuses one that isn't Mien's according to the record, even with `force`, and without `force`
    /// also one that was edited since.
    ///
    /// # Errors
    /// When the file must be kept.
    pub fn may_replace(&self, table: &Path, force: bool) -> anyhow::Result<()> {
        let ours = self.outputs_before().iter().find(|output| output.file.path == *table);
        let is_left = self.before.left.iter().any(|left| left == table);
        let is_as_written = |output: &Output| FileState::of(table).is_ok_and(|now| output.is_as_written(&now));
        let path = table.display();
        match ours {
            _ if self.is_unfinished || is_left || !table.exists() => Ok(()),
            Some(output) if force || is_as_written(output) => Ok(()),
            Some(_) => bail!("{path} was changed since Mien wrote it and was left alone; --force replaces it"),
            None => bail!("{path} isn't Mien's and was left alone; move it away, or name another place with --output"),
        }
    }

    /// Lets `make` write the tables and list each one, and records them with `results`. Earlier tables that were made in the same way, and
    /// weren't made again, stay in the record. After a kill, the record shows that the tables are Mien's. If one can't be made, the record
    /// lists the others. Returns notes for the user.
    ///
    /// # Errors
    /// When `make` fails or the record can't be written.
    pub fn write_tables(
        &self,
        options: serde_json::Value,
        results: Results,
        make: impl FnOnce(&mut Vec<Output>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<String>> {
        self.write(self.before.clone(), true)?;
        let mut made = Vec::new();
        if let Err(error) = make(&mut made) {
            let noted = if made.is_empty() {
                self.before.clone()
            } else {
                let products = made.iter().filter_map(|output| output.product).collect();
                self.with(options, Results { outputs: made, products, ..results })
            };
            self.write(noted, self.is_unfinished).ok();
            return Err(error);
        }
        let mut said = results.notes.clone();
        let noted = self.with(options, Results { outputs: made, ..results });
        said.extend(left_in_words(&noted.left));
        self.write(noted, false)?;
        Ok(said)
    }

    /// The record of these results. Earlier tables that weren't made again are included if they were made in the same way. Otherwise the
    /// record would be wrong about them, and they are listed as `left`.
    fn with(&self, options: serde_json::Value, results: Results) -> Record {
        let mut before = self.before.results.clone().unwrap_or_default();
        if self.is_unfinished {
            // The killed run may have replaced some of them.
            before.outputs.retain(Output::is_as_noted);
        }
        let Record { schema, work, left, .. } = &self.before;
        let is_same = *schema == SCHEMA_VERSION && work.options == options && before.classes == results.classes;
        let results = if is_same { results.added_to(before) } else { results };
        let is_listed = |path: &Path| results.outputs.iter().any(|output| output.file.path == path);
        let earlier = self.outputs_before().iter().map(|output| &output.file.path).chain(left);
        let left = earlier.filter(|path| path.exists() && !is_listed(path)).cloned().collect();
        Record { results: Some(results), left, ..record_of_now(options) }
    }

    fn write(&self, noted: Record, adding: bool) -> Result<(), ExportError> {
        let results = Some(noted.results.unwrap_or_default());
        Record { results, adding, ..noted }.write(&self.path)
    }
}

/// An empty record of tables that are made now.
fn record_of_now(options: serde_json::Value) -> Record {
    let work = Work { inputs: Vec::new(), options };
    Record { schema: SCHEMA_VERSION, versions: Some(Versions::here()), work, ..Record::default() }
}

/// A note on results of earlier runs that stay beside new ones, if there are any.
pub fn left_in_words(left: &[PathBuf]) -> Option<String> {
    let (are, stay) = if left.len() == 1 { ("is", "stays") } else { ("are", "stay") };
    in_short(left).map(|names| format!("{names} {are} of an earlier run and {stay} as before"))
}

/// The table of one file.
fn part_of(file: &Path, product: Product) -> Option<PathBuf> {
    let name = file.file_name()?.to_string_lossy();
    Some(file.with_file_name(product.table_name(&name)?))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::UNIX_EPOCH;

    use serde_json::{Value, json};

    use super::*;
    use crate::export::TableFormat;

    const CSV: Product = Product::Faces(TableFormat::Csv);
    const JSONL: Product = Product::Faces(TableFormat::Jsonl);

    /// Makes tables that contain the options, and returns the notes.
    fn make(folder: &Path, options: &Value, products: &[Product]) -> Vec<String> {
        let record = TablesRecord::read(folder.join("all.mien.json"));
        let results = Results { products: products.iter().copied().collect(), ..Results::default() };
        let write = |made: &mut Vec<Output>| -> anyhow::Result<()> {
            for product in products {
                let path = folder.join(product.table_name("all").unwrap());
                record.may_replace(&path, false)?;
                std::fs::write(&path, options.to_string())?;
                made.push(Output::of(*product, &path)?);
            }
            Ok(())
        };
        record.write_tables(options.clone(), results, write).unwrap()
    }

    /// The recorded products and options, and how many tables are left beside them.
    fn noted(folder: &Path) -> (Vec<Product>, Value, usize) {
        let record = Record::read(&folder.join("all.mien.json")).unwrap();
        let outputs = record.results.unwrap().outputs;
        (outputs.iter().filter_map(|output| output.product).collect(), record.work.options, record.left.len())
    }

    #[test]
    fn tables_of_other_options_are_left_and_not_claimed() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let (one, two) = (json!({ "model": "a" }), json!({ "model": "b" }));
        assert!(make(home, &one, &[CSV]).is_empty());
        assert!(make(home, &one, &[JSONL]).is_empty());
        assert_eq!(noted(home), (vec![CSV, JSONL], one, 0));
        let said = make(home, &two, &[CSV]);
        assert!(said.len() == 1 && said[0].contains("all.jsonl is of an earlier run"), "{said:?}");
        assert_eq!(noted(home), (vec![CSV], two.clone(), 1));
        // The table is still Mien's.
        assert!(make(home, &two, &[JSONL]).is_empty());
        assert_eq!(noted(home), (vec![CSV, JSONL], two, 0));
    }

    #[test]
    fn an_edited_table_is_kept_even_if_its_length_is_the_same() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        make(home, &json!({ "model": "a" }), &[CSV]);
        let table = home.join("all.csv");
        let copied = || File::options().append(true).open(&table)?.set_modified(UNIX_EPOCH);
        let may_replace = |force| TablesRecord::read(home.join("all.mien.json")).may_replace(&table, force).is_ok();
        copied().unwrap();
        assert!(may_replace(false));
        let text = std::fs::read_to_string(&table).unwrap();
        std::fs::write(&table, text.replace('a', "b")).unwrap();
        copied().unwrap();
        assert!(!may_replace(false) && may_replace(true));
    }

    #[test]
    fn tables_of_a_run_that_failed_are_noted_as_its_own() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let (one, two) = (json!({ "model": "a" }), json!({ "model": "b" }));
        make(home, &one, &[CSV, JSONL]);
        let record = TablesRecord::read(home.join("all.mien.json"));
        let fail = |made: &mut Vec<Output>| -> anyhow::Result<()> {
            made.push(Output::of(CSV, &home.join("all.csv"))?);
            bail!("the disk is full")
        };
        let results = Results { products: [CSV, JSONL].into(), ..Results::default() };
        assert!(record.write_tables(two.clone(), results, fail).is_err());
        assert_eq!(noted(home), (vec![CSV], two, 1));
    }

    #[test]
    fn files_that_were_computed_differently_are_counted() {
        let (bf16, f32) = (BTreeSet::from(["cpu bf16"]), BTreeSet::from(["cpu f32"]));
        let unknown = BTreeSet::new();
        assert_eq!(different_arithmetic(&[bf16.clone(), bf16.clone(), unknown.clone()]), None);
        let said = different_arithmetic(&[bf16.clone(), f32, unknown, bf16]).unwrap();
        assert!(said.contains("arithmetic: cpu bf16 for 2 files, cpu f32 for 1 file;"), "{said}");
    }
}
