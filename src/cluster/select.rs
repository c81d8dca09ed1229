//! Selects the results to merge: one for each file, of the file as it was planned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::found::FoundRecord;
use super::line::{Kind, ManifestLine};
use super::manifest::Manifest;
use crate::batch::{FileState, Output, Part, Product};
use crate::lab::provenance::sha256;

/// Parts are consecutive if one ends this close to where the next begins, in seconds. Frames are further apart.
const SAME_CUT_S: f64 = 1e-3;

/// Removes the records of files that aren't planned, such as those of a participant who has withdrawn, and returns their names.
pub fn remove_unplanned(manifest: &Manifest, records: &mut BTreeMap<PathBuf, Vec<FoundRecord>>) -> Vec<PathBuf> {
    let planned: BTreeSet<PathBuf> = manifest.0.iter().map(ManifestLine::table_name).collect();
    records.extract_if(.., |unit, _| !planned.contains(unit)).map(|(unit, _)| unit).collect()
}

/// Removes the records of files that were replaced before they were planned, and returns the names of those without another record. The
/// table of all pictures is removed if one of them was replaced, or isn't planned any more, because its rows can't be separated.
pub fn remove_replaced(manifest: &Manifest, records: &mut BTreeMap<PathBuf, Vec<FoundRecord>>) -> BTreeSet<PathBuf> {
    let of_kind = |kind: Kind| manifest.0.iter().filter(move |line| line.kind == kind);
    let videos: BTreeMap<PathBuf, &ManifestLine> =
        of_kind(Kind::Video).filter(|line| line.problem.is_none()).map(|line| (line.unit_name(), line)).collect();
    let pictures: BTreeMap<&Path, &ManifestLine> =
        of_kind(Kind::Picture).map(|line| (line.path.as_path(), line)).collect();
    let is_current = |unit: &Path, record: &FoundRecord| {
        let inputs = record.inputs();
        if record.is_of_pictures() && !pictures.is_empty() {
            let is_planned =
                |line: &&ManifestLine, input: &FileState| line.problem.is_some() || line.is_as_planned(input);
            return inputs.iter().all(|it| pictures.get(it.path.as_path()).is_some_and(|line| is_planned(line, it)));
        }
        videos.get(unit).zip(inputs.first()).is_none_or(|(line, input)| line.is_as_planned(input))
    };
    let mut replaced = BTreeSet::new();
    records.retain(|unit, of_unit| {
        of_unit.retain(|record| is_current(unit, record));
        if of_unit.is_empty() {
            replaced.insert(unit.clone());
        }
        !of_unit.is_empty()
    });
    replaced
}

/// Returns one record for each file, and the names of files that had several. Several records with the same tables count as one.
///
/// # Errors
/// When two records of a name have different tables, or a table without a recorded checksum can't be read.
pub fn without_doubles(
    records: BTreeMap<PathBuf, Vec<FoundRecord>>,
) -> anyhow::Result<(BTreeMap<PathBuf, FoundRecord>, Vec<PathBuf>)> {
    let (mut once, mut doubled) = (BTreeMap::new(), Vec::new());
    for (name, mut records) in records {
        // Unfinished results count only if there are no finished ones.
        if records.iter().any(|record| record.results().is_some()) {
            records.retain(|record| record.results().is_some());
        }
        let mut records = records.into_iter();
        let Some(first) = records.next() else { continue };
        for other in records {
            if sums_of(&other)? != sums_of(&first)? {
                let (name, one, two) = (name.display(), first.path.display(), other.path.display());
                if inputs_of(&other) != inputs_of(&first) {
                    bail!(
                        "{one} and {two} are both called {name} but are of different files; make one manifest of all \
                         files with `mien plan`, and analyse them with it"
                    );
                }
                bail!("{name} has two different results, {one} and {two}; remove one of them");
            }
            doubled.push(name.clone());
        }
        once.insert(name, first);
    }
    Ok((once, doubled))
}

/// The checksums of a record's tables.
fn sums_of(record: &FoundRecord) -> anyhow::Result<BTreeMap<Option<Product>, String>> {
    let outputs = record.results().map(|results| results.outputs.as_slice()).unwrap_or_default();
    let is_table = |output: &&Output| matches!(output.product, Some(Product::Faces(_) | Product::Frames(_)));
    let sum = |output: &Output| -> anyhow::Result<_> {
        if let Some(sum) = &output.sha256 {
            return Ok((output.product, sum.clone()));
        }
        // Older versions recorded none.
        let path = &output.file.path;
        let sum = sha256(path).with_context(|| format!("can't read {}", path.display()))?;
        Ok((output.product, sum))
    };
    outputs.iter().filter(is_table).map(sum).collect()
}

/// Refuses records, in order of their parts, that can't be joined to one table of a file: rows would be there twice, or be missing.
///
/// # Errors
/// When there are two of the whole file, one of the whole and one of a part, parts of two different splits, or two of the same part.
pub fn belong_together(records: &[FoundRecord]) -> anyhow::Result<()> {
    let reason = |one: Option<Part>, other: Option<Part>| match (one, other) {
        (None, None) => Some("are both results of"),
        (None, Some(_)) | (Some(_), None) => Some("are of the whole and of a part of"),
        (Some(one), Some(other)) => {
            let is_next = one.number.checked_add(1) == Some(other.number);
            let meet = one.to_s.is_some_and(|end| (end - other.from_s).abs() < SAME_CUT_S);
            if one.of != other.of || (is_next && !meet) {
                Some("are parts of two different splits of")
            } else {
                (one.number == other.number).then_some("are the same part of")
            }
        }
    };
    for (one, other) in records.iter().zip(records.iter().skip(1)) {
        if let Some(reason) = reason(one.part(), other.part()) {
            let file = one.inputs().first().map_or(Path::new(""), |input| input.path.as_path());
            let (first, second, file) = (one.path.display(), other.path.display(), file.display());
            bail!(
                "{first} and {second} {reason} {file}; remove the results that you don't want, or leave out their folder"
            );
        }
    }
    Ok(())
}

/// The files that a record is about, whatever state they were in.
fn inputs_of(record: &FoundRecord) -> BTreeSet<&Path> {
    record.inputs().iter().map(|input| input.path.as_path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Record, Results};
    use crate::export::TableFormat;

    fn part(number: u32, of: u32, from_s: f64, to_s: Option<f64>) -> Option<Part> {
        Some(Part { number, of, from_s, to_s, overlap_s: 15.0 })
    }

    fn of_part(name: &str, part: Option<Part>) -> FoundRecord {
        FoundRecord { path: name.into(), record: Record { part, ..Record::default() } }
    }

    #[test]
    fn only_one_whole_or_the_parts_of_one_division_are_a_file() {
        let judge = |parts: &[Option<Part>]| {
            let records: Vec<_> = parts.iter().zip(["one", "two"]).map(|(part, name)| of_part(name, *part)).collect();
            belong_together(&records).map_err(|error| error.to_string())
        };
        let (first, second) = (part(1, 3, 0.0, Some(20.0)), part(2, 3, 20.0, Some(40.0)));
        for good in [&[None][..], &[second], &[first, second], &[first, part(3, 3, 40.0, None)]] {
            assert_eq!(judge(good), Ok(()));
        }
        for (bad, words) in [
            ([None, None], "one and two are both results of"),
            ([None, first], "of the whole and of a part"),
            ([first, part(1, 4, 0.0, Some(15.0))], "two different splits"),
            ([first, part(2, 4, 15.0, Some(30.0))], "two different splits"),
            ([first, part(2, 3, 21.0, Some(42.0))], "two different splits"),
            ([second, second], "the same part"),
        ] {
            let error = judge(&bad).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    /// The record of a table without a checksum, in its own folder.
    fn without_a_sum(home: &Path, folder: &str, table: &str) -> FoundRecord {
        let folder = home.join(folder);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("a.mp4.csv");
        std::fs::write(&path, table).unwrap();
        let output = Output { sha256: None, ..Output::of(Product::Faces(TableFormat::Csv), &path).unwrap() };
        let results = Results { outputs: vec![output], ..Results::default() };
        FoundRecord {
            path: folder.join("a.mp4.mien.json"),
            record: Record { results: Some(results), ..Record::default() },
        }
    }

    #[test]
    fn tables_whose_sums_were_not_noted_are_compared_by_their_contents() {
        let home = tempfile::tempdir().unwrap();
        let both = |one: (&str, &str), other: (&str, &str)| {
            let records = [one, other].map(|(folder, table)| without_a_sum(home.path(), folder, table));
            without_doubles(BTreeMap::from([("a.mp4".into(), Vec::from(records))]))
        };
        let (once, doubled) = both(("1", "same"), ("2", "same")).unwrap();
        assert_eq!((once.len(), doubled.len()), (1, 1));
        let error = both(("3", "same"), ("4", "else")).map(drop).unwrap_err().to_string();
        assert!(error.contains("two different results"), "{error}");
    }
}
