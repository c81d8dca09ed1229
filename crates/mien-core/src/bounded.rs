//! Reading files that anybody may have made, in memory that has a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

/// All of a file, which is of a kind that is never larger than `most` bytes.
///
/// # Errors
/// When it can't be read, or is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Not by the length that the system tells: devices and pipes tell none.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let reason = format!("it is larger than the {most} bytes that a file of this kind may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// Those of [`read`], and when it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Bytes that a row of a table may have. Those of FER2013, the longest that there are, have 10 kB.
const LONGEST_ROW: u64 = 1 << 20;

/// The rows of a CSV file one after another. A file without line ends, or with a quote that is never closed, is an error and
/// doesn't fill the memory.
pub struct Rows<R> {
    reader: Reader<Rationed<R>>,
    ration: Arc<AtomicU64>,
}

impl<R: Read> Rows<R> {
    /// Reads as `builder` says.
    pub fn new(builder: &ReaderBuilder, source: R) -> Self {
        let ration = Arc::new(AtomicU64::new(LONGEST_ROW));
        Self { reader: builder.from_reader(Rationed { source, left: Arc::clone(&ration) }), ration }
    }

    /// The first row.
    ///
    /// # Errors
    /// When it can't be read, is no UTF-8, or is too long.
    pub fn headers(&mut self) -> csv::Result<&StringRecord> {
        self.reader.headers()
    }

    /// The first row as it is.
    ///
    /// # Errors
    /// When it can't be read, or is too long.
    pub fn byte_headers(&mut self) -> csv::Result<&ByteRecord> {
        self.reader.byte_headers()
    }

    /// The next row, in the memory of an old one; false at the end.
    ///
    /// # Errors
    /// When it can't be read, is no UTF-8, or is too long.
    pub fn read(&mut self, into: &mut StringRecord) -> csv::Result<bool> {
        self.ration.store(LONGEST_ROW, Ordering::Relaxed);
        self.reader.read_record(into)
    }

    /// The same as it is.
    ///
    /// # Errors
    /// When it can't be read, or is too long.
    pub fn read_bytes(&mut self, into: &mut ByteRecord) -> csv::Result<bool> {
        self.ration.store(LONGEST_ROW, Ordering::Relaxed);
        self.reader.read_byte_record(into)
    }

    /// The line that is read next, counted from 1.
    pub fn line(&self) -> u64 {
        self.reader.position().line()
    }
}

/// Gives so many bytes and then an error, until it is given a new ration.
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
