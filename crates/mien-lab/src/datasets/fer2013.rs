//! FER2013 in its official form: `fer2013.csv` with the columns `emotion`, `pixels`, `Usage` (Goodfellow et al. 2013).

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::reader::{About, Collection, Entry, Reader, Source, Watch};
use super::table::{from_csv, header};
use super::{DataError, Origin, ReadOptions, Split, read_ferplus};
use crate::faces::{FaceFinding, FaceMode, cut_out};
use crate::provenance;
use mien_core::bounded::Rows;
use mien_core::classes::Classes;
use mien_core::crop::CROP_PIXELS;
use mien_core::emotion::Emotion;

/// Columns of the official file. `icml_face_data.csv` has the same, with other spacing and in another order.
const COLUMNS: &str = "emotion, pixels, Usage";
/// What the data set's name ends with if votes were read.
pub const WITH_VOTES: &str = " with FER+ votes";
/// Bytes read at a time: rows are about 8 kB.
const BUFFER_BYTES: usize = 1 << 20;

/// The name of a data set without [`WITH_VOTES`].
pub fn without_votes(name: &str) -> &str {
    name.strip_suffix(WITH_VOTES).unwrap_or(name)
}

/// The reader of `fer2013.csv`.
pub(super) struct Fer2013;

impl Reader for Fer2013 {
    fn kind(&self) -> &'static str {
        "FER2013"
    }

    fn origin(&self) -> Origin {
        Origin::WebOf2013
    }

    fn takes_votes(&self) -> bool {
        true
    }

    fn recognises(&self, path: &Path, _classes: &Classes) -> Result<bool, DataError> {
        if path.is_dir() {
            return Ok(false);
        }
        let names = header(path)?;
        // Either of the two shows what the file is meant to be; decoding then reports what is missing.
        Ok(names.iter().any(|name| name == "pixels") || names.iter().any(|name| name == "usage"))
    }

    fn open(&self, path: &Path, options: &ReadOptions) -> Result<Box<dyn Source>, DataError> {
        let faces = options.finding(FaceMode::Whole);
        Ok(Box::new(Table { pictures: path.to_owned(), ferplus: options.ferplus.clone(), faces }))
    }
}

/// `fer2013.csv` and, if given, the file with the FER+ votes for its rows.
struct Table {
    pictures: PathBuf,
    ferplus: Option<PathBuf>,
    faces: FaceFinding,
}

impl Source for Table {
    fn files(&self) -> Vec<&Path> {
        std::iter::once(&self.pictures).chain(&self.ferplus).map(PathBuf::as_path).collect()
    }

    fn faces(&self) -> FaceFinding {
        self.faces
    }

    fn decode(&self, watch: &Watch) -> Result<Collection, DataError> {
        let mut collection = read_table(&self.pictures)?;
        if let Some(ferplus) = &self.ferplus {
            let (votes, pictures) = (read_ferplus(ferplus)?, collection.entries.len());
            if votes.len() != pictures {
                return Err(DataError::RowCount { path: ferplus.clone(), votes: votes.len(), pictures });
            }
            collection.entries.iter_mut().zip(votes).for_each(|(entry, votes)| entry.votes = Some(votes));
            collection.about.name.push_str(WITH_VOTES);
        }
        for split in [Split::Training, Split::Public, Split::Private] {
            if !collection.entries.iter().any(|entry| entry.split == Some(split)) {
                return Err(DataError::EmptySplit { path: self.pictures.clone(), split });
            }
        }
        let sum =
            |path: &Path| provenance::sha256(path).map_err(|source| DataError::Read { path: path.to_owned(), source });
        self.cut_out(&mut collection, watch)?;
        collection.about.sha256 = self.files().into_iter().map(sum).collect::<Result<_, _>>()?;
        Ok(collection)
    }
}

impl Table {
    /// Replaces each picture by its face.
    fn cut_out(&self, collection: &mut Collection, watch: &Watch) -> Result<(), DataError> {
        let of = collection.entries.len();
        let told = |done| watch.tell(done, of);
        (collection.about.faces, collection.about.places) = cut_out(self.faces, &mut collection.pixels, told)?;
        Ok(())
    }
}

fn read_table(path: &Path) -> Result<Collection, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let file = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut reader = Rows::new(csv::ReaderBuilder::new().trim(csv::Trim::Headers).flexible(true), file);

    let no_header = || DataError::Header { path: path.to_owned(), format: "fer2013.csv", wanted: COLUMNS };
    let header = reader.byte_headers().map_err(|e| from_csv(path, &e))?.clone();
    let column = |name: &[u8]| header.iter().position(|h| h.eq_ignore_ascii_case(name)).ok_or_else(no_header);
    let (emotion, pixels, usage) = (column(b"emotion")?, column(b"pixels")?, column(b"usage")?);

    let mut collection =
        Collection { entries: vec![], pixels: vec![], about: About { name: "FER2013".to_owned(), ..About::default() } };
    let mut record = csv::ByteRecord::new();
    while reader.read_bytes(&mut record).map_err(|e| from_csv(path, &e))? {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| DataError::Row { path: path.to_owned(), line, problem };
        let field =
            |index: usize, name: &str| record.get(index).ok_or_else(|| wrong(format!("the row is cut off: no {name}")));
        let split = parse_usage(field(usage, "Usage")?).map_err(wrong)?;
        let label = parse_label(field(emotion, "emotion")?).map_err(wrong)?.index();
        parse_pixels(field(pixels, "pixels")?, &mut collection.pixels).map_err(wrong)?;
        let place = format!("line {line}");
        collection.entries.push(Entry { place, label, subject: None, split: Some(split), votes: None });
    }
    Ok(collection)
}

fn parse_usage(field: &[u8]) -> Result<Split, String> {
    [Split::Training, Split::Public, Split::Private]
        .into_iter()
        .find(|split| split.usage().as_bytes() == field.trim_ascii())
        .ok_or_else(|| format!("“{}” is not a value of Usage", String::from_utf8_lossy(field)))
}

fn parse_label(field: &[u8]) -> Result<Emotion, String> {
    let text = String::from_utf8_lossy(field);
    let index = text.trim().parse().ok();
    index.and_then(Emotion::from_index).ok_or_else(|| format!("“{text}” is not a label from 0 to 6"))
}

/// Appends the pixels of a row to `pixels`.
fn parse_pixels(field: &[u8], pixels: &mut Vec<u8>) -> Result<(), String> {
    let before = pixels.len();
    for word in field.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        let value = std::str::from_utf8(word).ok().and_then(|w| w.parse().ok());
        pixels.push(value.ok_or_else(|| format!("“{}” is not a pixel from 0 to 255", String::from_utf8_lossy(word)))?);
    }
    let count = pixels.len() - before;
    if count == CROP_PIXELS { Ok(()) } else { Err(format!("{count} pixels instead of {CROP_PIXELS}")) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::{Dataset, read};
    use super::*;

    const HEADER: &str = "emotion,pixels,Usage\n";

    fn row(label: &str, pixels: usize, usage: &str) -> String {
        format!("{label},{},{usage}\n", vec!["7"; pixels].join(" "))
    }

    fn read_text(text: &str) -> Result<Dataset, DataError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read(file.path(), &ReadOptions::default())
    }

    fn error_of(text: &str) -> String {
        read_text(text).err().unwrap().to_string()
    }

    fn whole() -> String {
        [HEADER.to_owned(), row("3", 2304, "Training"), row("6", 2304, "PublicTest"), row("0", 2304, "PrivateTest")]
            .concat()
    }

    #[test]
    fn rows_go_to_their_splits() {
        let data = read_text(&whole()).unwrap();
        assert_eq!(data.training.labels, [Emotion::Happy.index()]);
        assert_eq!(data.public.labels, [Emotion::Neutral.index()]);
        assert_eq!(data.private.labels, [Emotion::Angry.index()]);
        assert_eq!(data.private.bytes.size(), [1, 1, 48, 48]);
        assert_eq!(data.private.bytes.double_value(&[0, 0, 47, 47]), 7.0);
        assert_eq!(data.private.places, ["line 4"]);
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
        assert_eq!(read_text(&swapped).unwrap().training.labels, [Emotion::Happy.index()]);
    }

    #[test]
    fn errors_name_the_line_and_the_problem() {
        assert!(error_of("a,b\n1,2\n").contains("emotion, pixels, Usage"));
        assert!(error_of("").contains("emotion, pixels, Usage"));
        assert!(error_of("emotion,pixels\n").contains("emotion, pixels, Usage"));
        assert!(error_of(&(HEADER.to_owned() + &row("3", 2303, "Training"))).contains("line 2: 2303 pixels"));
        assert!(error_of(&(HEADER.to_owned() + &row("9", 2304, "Training"))).contains("line 2: “9”"));
        assert!(error_of(&(HEADER.to_owned() + &row("3", 2304, "Holiday"))).contains("“Holiday”"));
        assert!(error_of(&(HEADER.to_owned() + "3\n")).contains("line 2: the row is cut off"));
        assert!(error_of(&whole().replacen('7', "300", 1)).contains("“300” is not a pixel"));
        assert!(
            error_of(&(HEADER.to_owned() + &row("3", 2304, "Training"))).contains("no picture of the split PublicTest")
        );
    }
}
