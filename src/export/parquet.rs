//! The table of faces in Apache Parquet: typed columns, compressed, in row groups.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::SCHEMA_VERSION;
use super::rows::{Cell, Kind};

/// Rows that are held in memory and written as one row group: 37 columns of 8 bytes take 19 MB; custom classes can add 26 columns. Readers
/// skip and decode whole groups, so much smaller ones would cost them time.
const GROUP_ROWS: usize = 1 << 16;

/// Key of the schema version in the file's metadata.
pub const SCHEMA_KEY: &str = "mien.schema";

/// A table being written.
pub(super) struct ParquetTable {
    writer: SerializedFileWriter<File>,
    columns: Vec<Values>,
    rows: usize,
    group_rows: usize,
}

/// Values of a column that wait to be written.
enum Values {
    Texts(Vec<ByteArray>),
    Counts(Vec<i64>),
    Decimals(Vec<f64>),
    /// The known values, and for each row 1 if it has one, otherwise 0.
    MaybeDecimals(Vec<f64>, Vec<i16>),
}

impl ParquetTable {
    /// Begins the file.
    pub(super) fn new(file: File, columns: &[(String, Kind)]) -> io::Result<Self> {
        Self::with_groups_of(GROUP_ROWS, file, columns)
    }

    fn with_groups_of(group_rows: usize, file: File, columns: &[(String, Kind)]) -> io::Result<Self> {
        let schema = KeyValue::new(SCHEMA_KEY.to_owned(), SCHEMA_VERSION.to_string());
        // Snappy is pure Rust, and every reader supports it. Dictionaries, which are on by default, save most: probabilities of four digits
        // have few distinct values.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![schema]))
            .build();
        let fields = columns.iter().map(|(name, kind)| field(name, *kind)).collect::<Result<_, _>>()?;
        let table = Type::group_type_builder("rows").with_fields(fields).build()?;
        let writer = SerializedFileWriter::new(file, Arc::new(table), Arc::new(properties))?;
        let columns = columns.iter().map(|(_, kind)| Values::of(*kind)).collect();
        Ok(Self { writer, columns, rows: 0, group_rows })
    }

    /// Adds a row, in the order of the columns.
    pub(super) fn write(&mut self, row: &[Cell<'_>]) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            column.push(cell)?;
        }
        self.rows += 1;
        if self.rows >= self.group_rows { self.write_group() } else { Ok(()) }
    }

    /// Writes the remaining rows and the end of the file, and returns the file.
    pub(super) fn into_inner(mut self) -> io::Result<File> {
        self.write_group()?;
        Ok(self.writer.into_inner()?)
    }

    fn write_group(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            column.write(&mut writer)?;
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Texts(Vec::new()),
            Kind::Count => Self::Counts(Vec::new()),
            Kind::Decimal => Self::Decimals(Vec::new()),
            Kind::MaybeDecimal => Self::MaybeDecimals(Vec::new(), Vec::new()),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) -> io::Result<()> {
        match (self, cell) {
            (Self::Texts(texts), Cell::Text(text)) => texts.push(text.as_bytes().to_vec().into()),
            (Self::Counts(counts), Cell::Count(count)) => counts.push(i64::try_from(*count).unwrap_or(i64::MAX)),
            (Self::Decimals(decimals), Cell::Decimal(..)) => decimals.push(cell.rounded()),
            (Self::MaybeDecimals(decimals, there), Cell::Decimal(..)) => {
                decimals.push(cell.rounded());
                there.push(1);
            }
            (Self::MaybeDecimals(_, there), Cell::Unknown) => there.push(0),
            _ => return Err(io::Error::other(format!("{cell} is not of its column's kind; please report this"))),
        }
        Ok(())
    }

    /// Writes the waiting values.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Texts(texts) => {
                writer.typed::<ByteArrayType>().write_batch(texts, None, None)?;
                texts.clear();
            }
            Self::Counts(counts) => {
                writer.typed::<Int64Type>().write_batch(counts, None, None)?;
                counts.clear();
            }
            Self::Decimals(decimals) => {
                writer.typed::<DoubleType>().write_batch(decimals, None, None)?;
                decimals.clear();
            }
            Self::MaybeDecimals(decimals, there) => {
                writer.typed::<DoubleType>().write_batch(decimals, Some(there), None)?;
                decimals.clear();
                there.clear();
            }
        }
        Ok(())
    }
}

/// The schema of a column.
fn field(name: &str, kind: Kind) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Count => (PhysicalType::INT64, None),
        Kind::Decimal | Kind::MaybeDecimal => (PhysicalType::DOUBLE, None),
    };
    let repetition = if kind == Kind::MaybeDecimal { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    field.with_logical_type(logical).build().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use parquet::file::metadata::RowGroupMetaData;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;
    use crate::classes::Classes;
    use crate::emotion::Emotion;
    use crate::export::rows;
    use crate::export::testing::scene;

    #[test]
    fn rows_are_written_in_groups_of_bounded_size() {
        let mut table =
            ParquetTable::with_groups_of(4, tempfile::tempfile().unwrap(), &rows::columns(&Classes::emotions()))
                .unwrap();
        for index in 0..10 {
            let scene = scene(index, Emotion::Happy);
            let (frame, time) = (scene.frame.index, scene.frame.media_time);
            table.write(&rows::row("a.mp4", frame, time, &scene.faces[0], &scene.classes)).unwrap();
            assert!(table.rows < 4);
        }
        let reader = SerializedFileReader::new(table.into_inner().unwrap()).unwrap();
        let groups: Vec<_> = reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(groups, [4, 4, 2]);
        let text = reader.metadata().row_group(0).column(0);
        assert!(text.dictionary_page_offset().is_some() && text.compression() == Compression::SNAPPY);
    }

    #[test]
    fn a_table_without_a_face_has_its_columns_and_the_number_of_the_schema() {
        let columns = rows::columns(&Classes::emotions());
        let table = ParquetTable::new(tempfile::tempfile().unwrap(), &columns).unwrap();
        let reader = SerializedFileReader::new(table.into_inner().unwrap()).unwrap();
        let metadata = reader.metadata().file_metadata();
        assert_eq!((metadata.num_rows(), metadata.schema_descr().num_columns()), (0, columns.len()));
        let note = metadata.key_value_metadata().unwrap().iter().find(|note| note.key == SCHEMA_KEY).unwrap();
        assert_eq!(note.value, Some(SCHEMA_VERSION.to_string()));
    }
}
