//! Reads untrusted files in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Position, Reader, ReaderBuilder, StringRecord};

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// When it can't be read, or is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Reads one byte too many rather than checking the length, which devices and pipes don't report.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let reason = format!("it is larger than the {most} bytes that a file of this kind may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Like [`read`], as text.
///
/// # Errors
/// Those of [`read`], and when it isn't UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Largest row of a table, in bytes. The longest known rows, those of FER2013, have 10 kB.
const LONGEST_ROW: u64 = 1 << 20;

/// The rows of a CSV file, one after another. A file without line ends, or with a quote that is never closed, is an error and
/// doesn't fill the memory.
pub struct Rows<R> {
    reader: Reader<Rationed<LineEnds<BufReader<R>>>>,
    ration: Arc<AtomicU64>,
}

impl<R: Read> Rows<R> {
    /// Reads `source` with the options of `builder`.
    pub fn new(builder: &ReaderBuilder, source: R) -> Self {
        let ration = Arc::new(AtomicU64::new(LONGEST_ROW));
        let source = LineEnds::new(BufReader::new(source));
        Self { reader: builder.from_reader(Rationed { source, left: Arc::clone(&ration) }), ration }
    }

    /// The first row.
    ///
    /// # Errors
    /// When it can't be read, isn't UTF-8, or is too long.
    pub fn headers(&mut self) -> csv::Result<&StringRecord> {
        self.reader.headers()
    }

    /// Like [`Self::headers`], as raw bytes.
    ///
    /// # Errors
    /// When it can't be read, or is too long.
    pub fn byte_headers(&mut self) -> csv::Result<&ByteRecord> {
        self.reader.byte_headers()
    }

    /// Reads the next row into `into`; false at the end. The row's position is the line that it ends in. The crate's own position would be
    /// that of the first empty line before the row.
    ///
    /// # Errors
    /// When it can't be read, isn't UTF-8, or is too long.
    pub fn read(&mut self, into: &mut StringRecord) -> csv::Result<bool> {
        self.ration.store(LONGEST_ROW, Ordering::Relaxed);
        let is_read = self.reader.read_record(into)?;
        let position = self.ended_at(into.position());
        into.set_position(position);
        Ok(is_read)
    }

    /// Like [`Self::read`], as raw bytes.
    ///
    /// # Errors
    /// When it can't be read, or is too long.
    pub fn read_bytes(&mut self, into: &mut ByteRecord) -> csv::Result<bool> {
        self.ration.store(LONGEST_ROW, Ordering::Relaxed);
        let is_read = self.reader.read_byte_record(into)?;
        let position = self.ended_at(into.position());
        into.set_position(position);
        Ok(is_read)
    }

    /// A row's position, with the line that it ends in.
    fn ended_at(&self, began: Option<&Position>) -> Option<Position> {
        let mut position = began?.clone();
        // The crate doesn't count a lone `\r` as a line end, so its count may still be 1.
        position.set_line(self.reader.position().line().saturating_sub(1).max(1));
        Some(position)
    }

    /// The line that is read next, counted from 1.
    pub fn line(&self) -> u64 {
        self.reader.position().line()
    }
}

/// Turns `\r\n` into `\n`, and adds a missing line end to the last line. The crate `csv` ends a row at the `\r` but counts a line at
/// the `\n`, so in Windows files its line numbers would be one too low.
struct LineEnds<R> {
    source: R,
    /// The last byte that was passed on.
    last: u8,
}

impl<R: BufRead> LineEnds<R> {
    fn new(source: R) -> Self {
        // As after a line end, so that an empty file stays empty.
        Self { source, last: b'\n' }
    }
}

impl<R: BufRead> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        let chunk = self.source.fill_buf()?;
        let length = match chunk.iter().position(|byte| *byte == b'\r') {
            Some(0) => {
                self.source.consume(1);
                let is_line_end = self.source.fill_buf()?.first() == Some(&b'\n');
                self.source.consume(usize::from(is_line_end));
                *first = if is_line_end { b'\n' } else { b'\r' };
                1
            }
            None if chunk.is_empty() => {
                *first = b'\n';
                usize::from(!matches!(self.last, b'\n' | b'\r'))
            }
            before => {
                let length = before.unwrap_or(chunk.len()).min(buffer.len());
                buffer[..length].copy_from_slice(&chunk[..length]);
                self.source.consume(length);
                length
            }
        };
        self.last = length.checked_sub(1).map_or(self.last, |last| buffer[last]);
        Ok(length)
    }
}

/// Passes on `left` bytes, then fails until `left` is raised again.
struct Rationed<R> {
    source: R,
    left: Arc<AtomicU64>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            let reason = format!("a row has more than {LONGEST_ROW} bytes; is a line end or a quote missing?");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(&mut buffer[..length])?;
        self.left.store(left - read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::repeat;

    use super::*;

    fn read_all(source: impl Read) -> csv::Result<usize> {
        let mut rows = Rows::new(&ReaderBuilder::new(), source);
        rows.headers()?;
        let (mut record, mut count) = (StringRecord::new(), 0);
        while rows.read(&mut record)? {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn many_rows_of_usual_length_are_read() {
        let row = format!("1,{}\n", "7 ".repeat(5000));
        let text = format!("a,b\n{}", row.repeat(500));
        assert!(text.len() as u64 > 4 * LONGEST_ROW);
        assert_eq!(read_all(text.as_bytes()).unwrap(), 500);
    }

    #[test]
    fn rows_know_their_line_whatever_ends_it() {
        let read = |text: &str| {
            let mut rows = Rows::new(ReaderBuilder::new().flexible(true), text.as_bytes());
            rows.headers().unwrap();
            let (mut record, mut read) = (StringRecord::new(), Vec::new());
            while rows.read(&mut record).unwrap() {
                read.push((record.position().unwrap().line(), record.iter().collect::<Vec<_>>().join("|")));
            }
            read
        };
        let unix = "a,b\n1,2\n\n3,\"x\ny\"\n4,5";
        let wanted = [(2, "1|2"), (5, "3|x\ny"), (6, "4|5")].map(|(line, row)| (line, row.to_owned()));
        for text in [unix, &format!("{unix}\n")] {
            assert_eq!(read(text), wanted);
            assert_eq!(read(&text.replace('\n', "\r\n")), wanted);
        }
        // A lone `\r` ends a row too, as in old Mac files, and is kept inside quotes.
        let rows = read("a,b\r1,2\r\"3\r\",4\r");
        assert_eq!(rows.iter().map(|(_, row)| row.as_str()).collect::<Vec<_>>(), ["1|2", "3\r|4"]);
        assert!(read("").is_empty() && read("a,b").is_empty());
    }

    #[test]
    fn line_ends_are_the_same_wherever_a_chunk_ends() {
        let all = |text: &str, capacity: usize| {
            let mut read = String::new();
            let source = BufReader::with_capacity(capacity, text.as_bytes());
            LineEnds::new(source).read_to_string(&mut read).unwrap();
            read
        };
        for capacity in 1..8 {
            assert_eq!(all("one\r\n\r\ntwo\rthree\r\r\nfour", capacity), "one\n\ntwo\rthree\r\nfour\n");
            assert_eq!(all("one\r", capacity), "one\r");
            assert_eq!(all("", capacity), "");
        }
    }

    #[test]
    fn a_row_without_an_end_is_an_error_before_it_fills_the_memory() {
        for source in [&b"a,b\n1,"[..], b"a,b\n1,\"x\n", b"a,"] {
            // Without the bound this would never return.
            let error = read_all(source.chain(repeat(b'x'))).unwrap_err();
            assert!(error.to_string().contains("a row has more than"), "{error}");
        }
        let lines = b"a,b\n1,\"".chain(repeat(b'\n'));
        assert!(read_all(lines).is_err());
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "12345").unwrap();
        assert_eq!(read_text(file.path(), 5).unwrap(), "12345");
        let error = read(file.path(), 4).unwrap_err();
        assert!(error.to_string().contains("larger than the 4 bytes"), "{error}");
        #[cfg(unix)]
        assert!(read(Path::new("/dev/zero"), 1000).is_err());
    }
}
