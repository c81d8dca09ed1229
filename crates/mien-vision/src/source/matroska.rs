//! Whether a Matroska or WebM file is as long as it declares.
//!
//! These files declare the length of the longest track, not the number of frames. If the sound goes on after the picture, it seems as if
//! frames were missing; whether the file is truncated shows only in its size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// IDs of the element that comes first, and of the one that holds everything else (RFC 9559).
const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

/// Bytes at the beginning of a file within which both sizes stand.
const BEGINNING: u64 = 4096;

/// Whether the file is Matroska or WebM, says where it ends, and reaches to there.
pub(super) fn is_whole(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut beginning = Vec::new();
    file.take(BEGINNING).read_to_end(&mut beginning)?;
    Ok(declared_length(&beginning).is_some_and(|declared| length >= declared))
}

/// The length in bytes that a file with this beginning declares; `None` if it is no Matroska file, or a live recording.
fn declared_length(beginning: &[u8]) -> Option<u64> {
    let (header_size, after_size) = sized(beginning, EBML)?;
    let segment = after_size.get(usize::try_from(header_size).ok()?..)?;
    let (segment_size, body) = sized(segment, SEGMENT)?;
    segment_size.checked_add((beginning.len() - body.len()) as u64)
}

/// The size of the element with this ID, and what follows the size. `None` if another element comes first, or the size is unknown.
fn sized(bytes: &[u8], id: [u8; 4]) -> Option<(u64, &[u8])> {
    let bytes = bytes.strip_prefix(&id)?;
    // The number of leading zeros tells how many more bytes the size has; seven bits of each remain for it.
    let digits = bytes.first()?.leading_zeros() as usize + 1;
    let (size, rest) = bytes.split_at_checked(digits).filter(|_| digits <= 8)?;
    let largest = (1_u64 << (7 * digits)) - 1;
    let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte)) & largest;
    (size != largest).then_some((size, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A beginning with a header of three bytes and a segment of this size.
    fn beginning(size: &[u8]) -> Vec<u8> {
        [&EBML[..], &[0x83, 1, 2, 3], &SEGMENT, size, b"body"].concat()
    }

    #[test]
    fn the_declared_length_is_that_of_the_segment_and_what_precedes_it() {
        assert_eq!(declared_length(&beginning(&[0x84])), Some(4 + 4 + 4 + 1 + 4));
        assert_eq!(declared_length(&beginning(&[0x01, 0, 0, 0, 0, 0, 0x10, 0])), Some(4 + 4 + 4 + 8 + 0x1000));
        let unknown: [&[u8]; 3] = [&[0xFF], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &[0x00]];
        for size in unknown {
            assert_eq!(declared_length(&beginning(size)), None, "{size:?}");
        }
        for cut in 0..13 {
            assert_eq!(declared_length(&beginning(&[0x84])[..cut]), None, "{cut}");
        }
        assert_eq!(declared_length(b"\0\0\0\x20ftypisom"), None);
    }
}
