//! Joins tables with the same columns.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;

use super::{Existing, ExportError, PartialFile, TableFormat, TableRows};

/// Writes the rows of `tables`, one table after another, to `path`, replacing an existing file. The tables must have the same columns. They
/// are copied as they are, in constant memory. Returns `path`.
///
/// # Errors
/// When a table can't be read or has other columns than the first, the disk is full, or there is no table to join as Parquet.
pub fn join_tables(tables: &[PathBuf], path: &Path, format: TableFormat) -> Result<PathBuf, ExportError> {
    have_same_columns(tables, format)?;
    let (partial, file) = PartialFile::begin(path, Existing::Replace)?;
    let joined = match format {
        TableFormat::Csv => join_lines(tables, file, true),
        TableFormat::Jsonl => join_lines(tables, file, false),
        TableFormat::Parquet => join_parquet(tables, file),
    };
    match joined {
        Ok(_closed) => partial.finish(),
        Err(reason) => Err(ExportError::Write { path: path.to_owned(), reason }),
    }
}

/// Refuses tables that can't be read or whose columns differ. A table of JSON lines without a row has no columns and fits any other.
fn have_same_columns(tables: &[PathBuf], format: TableFormat) -> Result<(), ExportError> {
    let mut first: Option<(&PathBuf, Vec<String>)> = None;
    for table in tables {
        let rows =
            TableRows::open(table, format).map_err(|reason| ExportError::Read { path: table.clone(), reason })?;
        let columns = rows.columns();
        match &first {
            Some((one, wanted)) if !columns.is_empty() && columns != wanted => {
                return Err(ExportError::OtherColumns { one: (*one).clone(), other: table.clone() });
            }
            None if !columns.is_empty() => first = Some((table, columns.to_vec())),
            _ => {}
        }
    }
    Ok(())
}

/// Copies text. If tables have headers, only the first one is kept. Headers contain no line breaks.
fn join_lines(tables: &[PathBuf], mut to: File, have_header: bool) -> io::Result<File> {
    for (number, table) in tables.iter().enumerate() {
        let mut from = BufReader::new(File::open(table)?);
        if have_header {
            let mut header = String::new();
            from.read_line(&mut header)?;
            if number == 0 {
                to.write_all(header.as_bytes())?;
            }
        }
        io::copy(&mut from, &mut to)?;
    }
    Ok(to)
}

/// Copies row groups without decoding them.
fn join_parquet(tables: &[PathBuf], to: File) -> io::Result<File> {
    let open = |table: &PathBuf| -> io::Result<(File, ParquetMetaData)> {
        let file = File::open(table)?;
        let metadata = SerializedFileReader::new(file.try_clone()?)?.metadata().clone();
        Ok((file, metadata))
    };
    let first = tables.first().ok_or_else(|| io::Error::other("there are no tables to join"))?;
    let (_, first) = open(first)?;
    let properties = WriterProperties::builder()
        .set_key_value_metadata(first.file_metadata().key_value_metadata().map(|notes| {
            // Mien's own note only. Arrow's copy of the schema isn't needed.
            notes.iter().filter(|note| note.key == super::SCHEMA_KEY).cloned().collect()
        }))
        .build();
    let schema = first.file_metadata().schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(to, schema, Arc::new(properties))?;
    for table in tables {
        let (file, metadata) = open(table)?;
        for group in metadata.row_groups() {
            let mut copy = writer.next_row_group()?;
            for column in group.columns() {
                let closed = ColumnCloseResult {
                    bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                    rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                copy.append_column(&file, closed)?;
            }
            copy.close()?;
        }
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use parquet::record::Field;

    use super::*;
    use crate::classes::Classes;
    use crate::emotion::Emotion;
    use crate::export::FaceTable;
    use crate::export::testing::scene;
    use crate::probabilities::Probabilities;

    #[test]
    fn the_rows_of_all_tables_follow_each_other_in_each_format() {
        let home = tempfile::tempdir().unwrap();
        for format in [TableFormat::Csv, TableFormat::Jsonl, TableFormat::Parquet] {
            let ending = format.ending();
            // The second one is empty.
            let tables: Vec<PathBuf> = [("a.mp4", 3), ("b.mp4", 0), ("c.mp4", 2)]
                .map(|(name, frames)| {
                    let path = home.path().join(format!("{name}{ending}"));
                    let mut table = FaceTable::create(&path, format, &Classes::emotions()).unwrap();
                    (0..frames).for_each(|frame| table.push(name, &scene(frame, Emotion::Sad)).unwrap());
                    table.finish().unwrap()
                })
                .into();
            let path = home.path().join(format!("all{ending}"));
            std::fs::write(&path, "an older one").unwrap();
            join_tables(&tables, &path, format).unwrap();
            let seen: Vec<(String, i64)> = match format {
                TableFormat::Csv => csv::Reader::from_path(&path)
                    .unwrap()
                    .into_records()
                    .map(|row| row.unwrap())
                    .map(|row| (row[0].to_owned(), row[1].parse().unwrap()))
                    .collect(),
                TableFormat::Jsonl => std::fs::read_to_string(&path)
                    .unwrap()
                    .lines()
                    .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                    .map(|row| (row["file"].as_str().unwrap().to_owned(), row["frame"].as_i64().unwrap()))
                    .collect(),
                TableFormat::Parquet => SerializedFileReader::new(File::open(&path).unwrap())
                    .unwrap()
                    .get_row_iter(None)
                    .unwrap()
                    .map(|row| {
                        let row = row.unwrap();
                        let mut values = row.get_column_iter().map(|(_, value)| value);
                        match (values.next(), values.next()) {
                            (Some(Field::Str(file)), Some(Field::Long(frame))) => (file.clone(), *frame),
                            other => panic!("{other:?}"),
                        }
                    })
                    .collect(),
            };
            let wanted = [("a.mp4", 0), ("a.mp4", 1), ("a.mp4", 2), ("c.mp4", 0), ("c.mp4", 1)];
            assert_eq!(seen, wanted.map(|(file, frame)| (file.to_owned(), frame)), "{ending}");
        }
    }

    #[test]
    fn tables_of_other_classes_do_not_become_one() {
        let home = tempfile::tempdir().unwrap();
        let own = Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
        for format in [TableFormat::Csv, TableFormat::Jsonl, TableFormat::Parquet] {
            let ending = format.ending();
            let mut emotions =
                FaceTable::create(&home.path().join(format!("a{ending}")), format, &Classes::emotions()).unwrap();
            emotions.push("a.mp4", &scene(0, Emotion::Sad)).unwrap();
            let mut others = FaceTable::create(&home.path().join(format!("b{ending}")), format, &own).unwrap();
            let mut scene = scene(0, Emotion::Sad);
            let half = Probabilities::uniform(2);
            (scene.faces[0].raw, scene.faces[0].smoothed, scene.classes) = (half, half, own.clone());
            others.push("b.mp4", &scene).unwrap();
            let tables = [emotions.finish().unwrap(), others.finish().unwrap()];
            let path = home.path().join(format!("all{ending}"));
            let error = join_tables(&tables, &path, format).unwrap_err();
            assert!(matches!(error, ExportError::OtherColumns { .. }), "{error}");
            assert!(!path.exists());
        }
    }
}
