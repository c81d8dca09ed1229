//! FER2013 in its official form: `fer2013.csv` with the columns `emotion`, `pixels`, `Usage` (Goodfellow et al. 2013).

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use tch::Tensor;

use super::{DataError, Dataset, Pictures, Split, Votes, read_ferplus};
use crate::emotion::Emotion;
use crate::preprocess::{CROP_PIXELS, CROP_SIZE};

/// Columns of the official file. `icml_face_data.csv` has the same with other spacing and order.
const COLUMNS: &str = "emotion, pixels, Usage";
/// Bytes read at a time: rows are about 8 kB.
const BUFFER_BYTES: usize = 1 << 20;

/// The rows of one split while they are gathered.
#[derive(Default)]
struct Gathered {
    pixels: Vec<u8>,
    labels: Vec<Emotion>,
    votes: Vec<Votes>,
}

/// Reads `fer2013.csv` and, if given, the FER+ votes that stand row by row beside it.
///
/// # Errors
/// When a file can't be read, has another header, a row that isn't 2304 pixels from 0 to 255 with a label from 0 to 6
/// and a known usage, or when a split stays empty.
pub fn read_fer2013(path: &Path, ferplus: Option<&Path>) -> Result<Dataset, DataError> {
    let votes = ferplus.map(read_ferplus).transpose()?;
    let read_error = |source| DataError::Read { path: path.to_owned(), source };
    let file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(read_error)?);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).flexible(true).from_reader(file);

    let no_header = || DataError::Header { path: path.to_owned(), format: "fer2013.csv", wanted: COLUMNS };
    let header = reader.byte_headers().map_err(|e| from_csv(path, &e))?.clone();
    let column = |name: &[u8]| header.iter().position(|h| h.eq_ignore_ascii_case(name)).ok_or_else(no_header);
    let (emotion, pixels, usage) = (column(b"emotion")?, column(b"pixels")?, column(b"usage")?);

    let mut splits = [Gathered::default(), Gathered::default(), Gathered::default()];
    let mut record = csv::ByteRecord::new();
    let mut row = 0;
    while reader.read_byte_record(&mut record).map_err(|e| from_csv(path, &e))? {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| DataError::Row { path: path.to_owned(), line, problem };
        let field =
            |index: usize, name: &str| record.get(index).ok_or_else(|| wrong(format!("the row is cut off: no {name}")));
        let split = parse_usage(field(usage, "Usage")?).map_err(wrong)?;
        let gathered = &mut splits[split as usize];
        gathered.labels.push(parse_label(field(emotion, "emotion")?).map_err(wrong)?);
        parse_pixels(field(pixels, "pixels")?, &mut gathered.pixels).map_err(wrong)?;
        if let Some(votes) = &votes {
            // A row more than the votes have is reported once, with both counts, after the loop.
            gathered.votes.push(votes.get(row).copied().unwrap_or_default());
        }
        row += 1;
    }
    if let (Some(votes), Some(ferplus)) = (&votes, ferplus)
        && votes.len() != row
    {
        return Err(DataError::RowCount { path: ferplus.to_owned(), votes: votes.len(), pictures: row });
    }

    let with_votes = votes.is_some();
    let mut finish = |split: Split| {
        let gathered = std::mem::take(&mut splits[split as usize]);
        if gathered.labels.is_empty() {
            return Err(DataError::EmptySplit { path: path.to_owned(), split });
        }
        let side = CROP_SIZE as i64;
        Ok(Pictures {
            bytes: Tensor::from_slice(&gathered.pixels).view([-1, 1, side, side]),
            labels: gathered.labels,
            votes: with_votes.then_some(gathered.votes),
        })
    };
    Ok(Dataset {
        name: if with_votes { "FER2013 with FER+ votes" } else { "FER2013" }.to_owned(),
        training: finish(Split::Training)?,
        public: finish(Split::Public)?,
        private: finish(Split::Private)?,
    })
}

/// A csv error in the words of [`DataError`].
pub(super) fn from_csv(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Io(io) => {
            DataError::Read { path: path.to_owned(), source: std::io::Error::new(io.kind(), io.to_string()) }
        }
        _ => DataError::Row { path: path.to_owned(), line, problem: error.to_string() },
    }
}

fn parse_usage(field: &[u8]) -> Result<Split, String> {
    [Split::Training, Split::Public, Split::Private]
        .into_iter()
        .find(|split| split.usage().as_bytes() == field.trim_ascii())
        .ok_or_else(|| format!("“{}” is no usage", String::from_utf8_lossy(field)))
}

fn parse_label(field: &[u8]) -> Result<Emotion, String> {
    let text = String::from_utf8_lossy(field);
    let index = text.trim().parse().ok();
    index.and_then(Emotion::from_index).ok_or_else(|| format!("“{text}” is no label from 0 to 6"))
}

/// Appends the pixels of a row to `pixels`.
fn parse_pixels(field: &[u8], pixels: &mut Vec<u8>) -> Result<(), String> {
    let before = pixels.len();
    for word in field.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        let value = std::str::from_utf8(word).ok().and_then(|w| w.parse().ok());
        pixels.push(value.ok_or_else(|| format!("“{}” is no pixel from 0 to 255", String::from_utf8_lossy(word)))?);
    }
    let count = pixels.len() - before;
    if count == CROP_PIXELS { Ok(()) } else { Err(format!("{count} pixels instead of {CROP_PIXELS}")) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const HEADER: &str = "emotion,pixels,Usage\n";

    fn row(label: &str, pixels: usize, usage: &str) -> String {
        format!("{label},{},{usage}\n", vec!["7"; pixels].join(" "))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn error_of(text: &str) -> String {
        read_fer2013(file(text).path(), None).err().unwrap().to_string()
    }

    fn whole() -> String {
        [HEADER.to_owned(), row("3", 2304, "Training"), row("6", 2304, "PublicTest"), row("0", 2304, "PrivateTest")]
            .concat()
    }

    #[test]
    fn rows_go_to_their_splits() {
        let data = read_fer2013(file(&whole()).path(), None).unwrap();
        assert_eq!(data.training.labels, [Emotion::Happy]);
        assert_eq!(data.public.labels, [Emotion::Neutral]);
        assert_eq!(data.private.labels, [Emotion::Angry]);
        assert_eq!(data.private.bytes.size(), [1, 1, 48, 48]);
        assert_eq!(data.private.bytes.double_value(&[0, 0, 47, 47]), 7.0);
    }

    #[test]
    fn the_spaced_header_of_icml_face_data_is_read_too() {
        let text = whole().replace(HEADER, "emotion, Usage, pixels\n");
        let swapped: String = text
            .lines()
            .map(|l| {
                let fields: Vec<_> = l.split(',').collect();
                if fields[1].contains("Usage") {
                    format!("{l}\n")
                } else {
                    format!("{},{},{}\n", fields[0], fields[2], fields[1])
                }
            })
            .collect();
        assert_eq!(read_fer2013(file(&swapped).path(), None).unwrap().training.labels, [Emotion::Happy]);
    }

    #[test]
    fn errors_name_the_line_and_the_problem() {
        assert!(error_of("a,b\n1,2\n").contains("emotion, pixels, Usage"));
        assert!(error_of("").contains("emotion, pixels, Usage"));
        assert!(error_of(&(HEADER.to_owned() + &row("3", 2303, "Training"))).contains("line 2: 2303 pixels"));
        assert!(error_of(&(HEADER.to_owned() + &row("9", 2304, "Training"))).contains("line 2: “9”"));
        assert!(error_of(&(HEADER.to_owned() + &row("3", 2304, "Holiday"))).contains("“Holiday”"));
        assert!(error_of(&(HEADER.to_owned() + "3\n")).contains("line 2: the row is cut off"));
        assert!(error_of(&whole().replacen('7', "300", 1)).contains("“300” is no pixel"));
        assert!(
            error_of(&(HEADER.to_owned() + &row("3", 2304, "Training"))).contains("no picture of the split PublicTest")
        );
    }
}
