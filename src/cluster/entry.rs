//! What a merge takes of one file: the table that a run wrote, or one that is joined from the tables of the file's parts.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::films::{PartTable, frame_shifts, join_parts};
use super::found::FoundRecord;
use crate::batch::{FileState, Part, Product};
use crate::export::{Staging, TableFormat};

/// The results of a file that go into the merged table: its own, or those of its parts.
pub struct Entry {
    /// The file's name in tables.
    pub name: PathBuf,
    /// The records of these results, in order of the parts.
    pub records: Vec<FoundRecord>,
}

impl Entry {
    /// Whether all its results include this product.
    pub fn has(&self, product: Product) -> bool {
        self.records.iter().all(|record| record.results().is_some_and(|results| results.products.contains(&product)))
    }

    /// Parts without results.
    pub fn missing_parts(&self) -> Vec<PathBuf> {
        let parts: Vec<_> = self.records.iter().filter_map(FoundRecord::part).collect();
        let Some(any) = parts.first() else { return Vec::new() };
        let is_there = |number: &u32| parts.iter().any(|part| part.number == *number);
        let absent = (1..=any.of).filter(|number| !is_there(number));
        absent.map(|number| Part { number, ..*any }.name(&self.name)).collect()
    }

    /// Its table. Tables of parts are joined into one in `staging`, whose name has this `number`.
    ///
    /// # Errors
    /// When a table was changed, or can't be read or written.
    pub fn table(
        &self,
        product: Product,
        format: TableFormat,
        staging: &Staging,
        number: usize,
    ) -> anyhow::Result<PathBuf> {
        if let Some(record) = self.records.iter().find(|record| record.part().is_none()) {
            return table_of(record, product, format);
        }
        let parts = self.part_tables(product, format)?;
        // All tables of a film must give a frame the same number, even if no face was seen at a cut.
        let frames = Product::Frames(format);
        let shifts =
            if self.has(frames) { Some(frame_shifts(&self.part_tables(frames, format)?, format)?) } else { None };
        let path = staging.path().join(format!("film-{number}{}", format.ending()));
        join_parts(&parts, shifts.as_deref(), &path, format)
    }

    /// The tables of its parts.
    fn part_tables(&self, product: Product, format: TableFormat) -> anyhow::Result<Vec<PartTable>> {
        let parts = self.records.iter().filter_map(|record| Some((record.part()?, record)));
        parts.map(|(part, record)| Ok(PartTable { part, path: table_of(record, product, format)? })).collect()
    }
}

/// The path of a table. Refuses one that has changed since it was written.
fn table_of(record: &FoundRecord, product: Product, format: TableFormat) -> anyhow::Result<PathBuf> {
    let ending = format.ending();
    let mut outputs = record.outputs(product);
    let output = outputs.find(|output| output.file.path.to_string_lossy().ends_with(ending));
    let output = output.with_context(|| format!("{} lists no table {ending}", record.path.display()))?;
    let path = &output.file.path;
    let now = FileState::of(path).with_context(|| format!("can't read {}", path.display()))?;
    if !output.is_as_written(&now) {
        bail!("{} has changed since Mien wrote it; analyse its file again with --force", path.display());
    }
    Ok(path.clone())
}
