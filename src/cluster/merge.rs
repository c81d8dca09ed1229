//! Merges the results of many runs into one table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::entry::Entry;
use super::found::{Found, FoundRecord};
use super::line::Kind;
use super::manifest::Manifest;
use super::select::{belong_together, remove_replaced, remove_unplanned, without_doubles};
use crate::batch::{
    Output, PICTURES_NAME, Product, RECORD_ENDING, Record, RecordError, Results, TablesRecord, different_arithmetic,
    write_index,
};
use crate::console::{counted, describe, shown, tell, visible};
use crate::exit::TryAgain;
use crate::export::{Existing, Staging, TableFormat, join_tables};

/// Options that may differ between files: the part, and one that only pictures have.
const OWN_OPTIONS: [&str; 2] = ["part", "max_megapixels"];

/// Most files that an error names; the rest is counted.
const NAMED: usize = 5;

/// What to merge, and into what.
pub struct Merge {
    /// Where results are.
    pub folders: Vec<PathBuf>,
    /// The files that should have results, if known.
    pub manifest: Option<Manifest>,
    /// The table of faces to write; its extension determines the format.
    pub output: PathBuf,
    /// What to accept.
    pub allowed: Allowed,
}

/// Irregularities in spite of which tables are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// Results of different models, priors or options.
    pub mixed: bool,
    /// Files without results that may get some.
    pub missing: bool,
    /// An existing table of that name that was edited.
    pub force: bool,
}

/// What was written, and what is irregular about it.
#[derive(Debug, Default)]
pub struct Merged {
    /// The tables.
    pub tables: Vec<PathBuf>,
    /// Films and picture tables in them.
    pub files: usize,
    /// Files whose results are missing, which was allowed.
    pub missing: Vec<PathBuf>,
    /// Files that will have no results, and why.
    pub bad: Vec<String>,
    /// Complaints in the files' own records.
    pub complaints: Vec<String>,
    /// Files with several identical results.
    pub doubled: Vec<PathBuf>,
    /// Files with results that aren't in the manifest, and so not in the tables either.
    pub unplanned: Vec<PathBuf>,
    /// Why the index of the folder couldn't be renewed, if it should have been.
    pub no_index: Option<String>,
}

impl Merge {
    /// Writes the table of faces, and those of frames and summaries if each file has them.
    ///
    /// # Errors
    /// When results are missing ([`TryAgain`]) or differ in how they were made, unless that is allowed; when a file has two different
    /// results; when a table can't be read or written.
    pub fn run(self) -> anyhow::Result<Merged> {
        let format = self.format()?;
        let mut found = Found::search(&self.folders)?;
        if let Some((path, error)) = found.unreadable.first() {
            bail!("{} {error}{}", shown(path), advice_on(path, error));
        }
        let mut records = std::mem::take(&mut found.records);
        let manifest = self.manifest.as_ref();
        let unplanned = manifest.map(|manifest| remove_unplanned(manifest, &mut records)).unwrap_or_default();
        let replaced = manifest.map(|manifest| remove_replaced(manifest, &mut records)).unwrap_or_default();
        let (records, doubled) = without_doubles(records)?;
        let mut merged = Merged { doubled, unplanned, ..Merged::default() };
        let entries = self.entries(records, &found, &replaced, &mut merged)?;
        if entries.is_empty() {
            bail!("there are no results of files to merge in {}", folders_in_words(&self.folders));
        }
        if !self.allowed.mixed {
            same_work(&entries)?;
        }
        merged.files = entries.len();
        self.write(&entries, format, &mut merged)?;
        if let [folder] = self.folders.as_slice()
            && entries.iter().all(|entry| entry.has(Product::Summary))
        {
            // The tables are written: a folder that can only be read is no reason to keep silent about them.
            if let Err(error) = write_index(folder) {
                let reason = describe(&error);
                merged.no_index = Some(format!("the index of {} couldn't be renewed: {reason}", shown(folder)));
            }
        }
        Ok(merged)
    }

    fn format(&self) -> anyhow::Result<TableFormat> {
        let ending = self.output.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
        let format = TableFormat::ALL.into_iter().find(|format| ending.as_deref() == Some(format.ending()));
        format.with_context(|| {
            format!(
                "{} has no extension that tells the format; name it .parquet, .csv or .jsonl",
                self.output.display()
            )
        })
    }

    /// The files to merge: videos first, then pictures, each in order of their paths, as in a single run.
    fn entries(
        &self,
        records: BTreeMap<PathBuf, FoundRecord>,
        found: &Found,
        replaced: &BTreeSet<PathBuf>,
        merged: &mut Merged,
    ) -> anyhow::Result<Vec<Entry>> {
        let problems = &found.problems;
        let mut missing = BTreeSet::new();
        let mut bad = BTreeMap::new();
        let pictures = pictures_in(&records);
        for line in self.manifest.iter().flat_map(|manifest| &manifest.0) {
            let unit = line.table_name();
            let reason =
                line.problem.as_ref().or_else(|| problems.get(&unit)).or_else(|| problems.get(&line.unit_name()));
            let has_table = records.contains_key(&unit);
            // The table of all pictures lacks those that can't be read, and those that were added later.
            let is_in = has_table && (line.kind == Kind::Video || pictures.contains(line.path.as_path()));
            match (is_in, reason) {
                (true, _) => {}
                (false, Some(reason)) => drop(bad.insert(line.unit_name(), reason.clone())),
                (false, None) => drop(missing.insert(if has_table { line.unit_name() } else { unit })),
            }
        }
        let mut films: BTreeMap<(bool, PathBuf), Entry> = BTreeMap::new();
        for (unit, record) in records {
            if record.results().is_none() {
                missing.insert(unit);
                continue;
            }
            let path = record.inputs().first().map(|input| input.path.clone()).unwrap_or_default();
            let name = record.file().unwrap_or(&unit).to_owned();
            let key = (record.is_of_pictures(), path);
            films.entry(key).or_insert_with(|| Entry { name, records: Vec::new() }).records.push(record);
        }
        if self.manifest.is_none() {
            bad.extend(problems.iter().map(|(name, reason)| (name.clone(), reason.clone())));
            missing.extend(found.unfinished.iter().cloned());
        }
        for entry in films.values_mut() {
            entry.records.sort_by_key(|record| record.part().map_or(0, |part| part.number));
            belong_together(&entry.records)?;
            missing.extend(entry.missing_parts().into_iter().filter(|part| !bad.contains_key(part)));
        }
        if !missing.is_empty() && !self.allowed.missing {
            let names = in_words(missing.iter().map(|name| shown(name)));
            let count = counted(missing.len() as u64, "of the files has", "of the files have");
            bail!(TryAgain(format!(
                "{count} no results yet: {names}{}{}; analyse them, or leave them out with --allow-missing",
                replaced_in_words(replaced),
                unplanned_in_words(&merged.unplanned)
            )));
        }
        merged.bad = bad.iter().map(|(name, reason)| format!("{}: {}", shown(name), visible(reason))).collect();
        merged.missing = missing.into_iter().collect();
        Ok(films.into_values().collect())
    }

    fn write(&self, entries: &[Entry], format: TableFormat, merged: &mut Merged) -> anyhow::Result<()> {
        let folder = crate::whole::folder_of(&self.output);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot write to the folder {}", folder.display()))?;
        let output = std::path::absolute(&self.output).context("the current folder is gone")?;
        // One record for all tables beside each other under this name, in whatever format.
        let record = TablesRecord::read(output.with_extension(&RECORD_ENDING[1..]));
        let mut results = sum_of(entries);
        merged.complaints = results.complaints.clone();
        results.complaints.extend(merged.bad.iter().cloned());
        let mut tables = Vec::new();
        for product in [Product::Faces(format), Product::Frames(format), Product::Summary] {
            let is_wanted = entries.iter().all(|entry| entry.has(product));
            if !is_wanted && product == Product::Faces(format) {
                let lacking = entries.iter().filter(|entry| !entry.has(product));
                let names = in_words(lacking.map(|entry| shown(&entry.name)));
                let ending = format.ending();
                bail!(
                    "there are no {ending} tables of {names}; analyse with --{}, or name another extension",
                    &ending[1..]
                );
            }
            let stem = output.with_extension("");
            let name = stem.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(table) = product.table_name(&name).filter(|_| is_wanted) else { continue };
            let path = output.with_file_name(table);
            record.may_replace(&path, self.allowed.force)?;
            tables.push((product, path));
        }
        results.products.extend(tables.iter().map(|(product, _)| *product));
        let options = entries.first().and_then(|entry| entry.records.first()).map(|it| options_of(&it.record));
        let said = record.write_tables(options.unwrap_or_default(), results, |made| {
            for (product, path) in tables {
                write_table(entries, product, format, &path)?;
                made.push(Output::of(product, &path)?);
                merged.tables.push(path);
            }
            Ok(())
        })?;
        said.iter().for_each(|note| tell(note));
        Ok(())
    }
}

/// The summed results of all files, with a note if their arithmetic differs.
fn sum_of(entries: &[Entry]) -> Results {
    let mut sum = Results::default();
    let mut arithmetic: Vec<BTreeSet<&str>> = Vec::new();
    for entry in entries {
        let results = || entry.records.iter().filter_map(FoundRecord::results);
        results().for_each(|file| sum.take_in(&entry.name, file));
        arithmetic.push(results().flat_map(|file| &file.arithmetic).map(String::as_str).collect());
    }
    sum.notes.extend(different_arithmetic(&arithmetic));
    sum
}

/// Writes one table over all files to `path`.
fn write_table(entries: &[Entry], product: Product, format: TableFormat, path: &Path) -> anyhow::Result<()> {
    let staging = Staging::create(crate::whole::folder_of(path))?;
    let format = product.table_format().unwrap_or(format);
    let tables = entries.iter().enumerate().map(|(number, entry)| entry.table(product, format, &staging, number));
    let tables = tables.collect::<anyhow::Result<Vec<_>>>()?;
    let joined = staging.path().join(path.file_name().unwrap_or_default());
    join_tables(&tables, &joined, format)?;
    for part in tables.iter().filter(|table| table.starts_with(staging.path())) {
        std::fs::remove_file(part).ok();
    }
    Ok(staging.publish(Existing::Replace)?)
}

/// The pictures that the table of all pictures is about.
fn pictures_in(records: &BTreeMap<PathBuf, FoundRecord>) -> BTreeSet<PathBuf> {
    let record = records.get(Path::new(PICTURES_NAME));
    record.into_iter().flat_map(FoundRecord::inputs).map(|input| input.path.clone()).collect()
}

/// What to do about a record that can't be read, to follow the reason. One that is only out of reach must stay.
fn advice_on(path: &Path, error: &RecordError) -> String {
    if matches!(error, RecordError::Unreadable(_)) {
        return String::new();
    }
    let text = path.to_string_lossy();
    let results = shown(Path::new(text.trim_end_matches(RECORD_ENDING)));
    format!("; remove it and the results beside it ({results}.*), and analyse its file again")
}

/// Advice about outdated results, to follow a list of missing ones.
fn replaced_in_words(replaced: &BTreeSet<PathBuf>) -> String {
    if replaced.is_empty() {
        return String::new();
    }
    let names = in_words(replaced.iter().map(|name| shown(name)));
    format!(
        " (the results of {names} are of different files from those in the manifest; `mien analyze --force` replaces them)"
    )
}

/// Results that aren't in the manifest, to follow a list of missing ones: a file may have had another name when the manifest was made.
fn unplanned_in_words(unplanned: &[PathBuf]) -> String {
    if unplanned.is_empty() {
        return String::new();
    }
    let names = in_words(unplanned.iter().map(|name| shown(name)));
    format!(" (there are results of {names}, which the manifest doesn't have)")
}

/// Refuses results that were made differently.
fn same_work(entries: &[Entry]) -> anyhow::Result<()> {
    let mut records = entries.iter().flat_map(|entry| entry.records.iter().map(move |record| (entry, record)));
    let Some((first, one)) = records.next() else { return Ok(()) };
    let (schema, options) = (one.record.schema, options_of(&one.record));
    for (entry, record) in records {
        let (other_schema, other) = (record.record.schema, options_of(&record.record));
        let (one, two) = (first.name.display(), entry.name.display());
        if schema != other_schema {
            bail!("{one} and {two} have tables of schema {schema} and {other_schema}; analyse the older one again");
        }
        if let Some(difference) = difference(&options, &other) {
            bail!("{one} and {two} were analysed differently: {difference}; --allow-mixed merges them anyway");
        }
    }
    Ok(())
}

/// The first option that differs, in words.
fn difference(one: &Value, two: &Value) -> Option<String> {
    let (Value::Object(first), Value::Object(second)) = (one, two) else {
        return (one != two).then(|| "their options".to_owned());
    };
    let names: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    names.into_iter().find(|name| first.get(*name) != second.get(*name)).map(|name| {
        let value = |options: &serde_json::Map<String, Value>| options.get(name).cloned().unwrap_or_default();
        format!("{name} is {} and {}", value(first), value(second))
    })
}

fn options_of(record: &Record) -> Value {
    let mut options = record.work.options.clone();
    if let Value::Object(options) = &mut options {
        options.retain(|name, _| !OWN_OPTIONS.contains(&name.as_str()));
    }
    options
}

fn in_words(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    let mut words = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        write!(words, " and {} more", names.len() - NAMED).ok();
    }
    words
}

/// Folders in the words of a message.
pub fn folders_in_words(folders: &[PathBuf]) -> String {
    in_words(folders.iter().map(|folder| shown(folder)))
}
