//! Whether a Matroska or WebM file is complete.
//!
//! These files declare the length of their longest track, not the number of frames. If the sound goes on after the picture, it seems as if
//! frames were missing; whether the file is truncated shows in its elements, each of which says how long it is.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// IDs of the element that comes first, and of the one that holds everything else (RFC 9559).
const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;

/// IDs of the elements in a segment: `SeekHead`, `Info`, `Tracks`, `Cluster`, `Cues`, `Attachments`, `Chapters`, `Tags`, `Void`, `CRC-32`.
const IN_SEGMENT: [u32; 10] = [
    0x114D_9B74,
    0x1549_A966,
    0x1654_AE6B,
    0x1F43_B675,
    0x1C53_BB6B,
    0x1941_A469,
    0x1043_A770,
    0x1254_C367,
    0xEC,
    0xBF,
];

/// Most bytes of an element's ID and size.
const LONGEST_HEADER: u64 = 4 + 8;

/// Whether the file is Matroska or WebM, says where it ends, and has an unbroken chain of elements to there. A live recording, which
/// doesn't say it, isn't.
pub(super) fn is_whole(path: &Path) -> io::Result<bool> {
    is_chain_whole(&mut File::open(path)?)
}

fn is_chain_whole(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(header) = element_at(file, 0)?.filter(|header| header.id == EBML) else { return Ok(false) };
    let Some(segment) = element_at(file, header.end)?.filter(|segment| segment.id == SEGMENT) else { return Ok(false) };
    let mut place = segment.body;
    while place < segment.end {
        match element_at(file, place)? {
            Some(element) if IN_SEGMENT.contains(&element.id) => place = element.end,
            _ => return Ok(false),
        }
    }
    Ok(place == segment.end && place <= length)
}

/// An element, and where its body lies in the file.
struct Element {
    id: u32,
    body: u64,
    end: u64,
}

/// The element that begins at `place`; `None` if there is none, or its size is unknown.
fn element_at(file: &mut (impl Read + Seek), place: u64) -> io::Result<Option<Element>> {
    let mut header = Vec::new();
    file.seek(SeekFrom::Start(place))?;
    file.take(LONGEST_HEADER).read_to_end(&mut header)?;
    Ok(parse(&header).and_then(|(id, size, length)| {
        let body = place + length as u64;
        Some(Element { id, body, end: body.checked_add(size)? })
    }))
}

/// ID and size of the element that begins with these bytes, and the length of both.
fn parse(bytes: &[u8]) -> Option<(u32, u64, usize)> {
    let (id, after) = number(bytes, 4)?;
    let (size, rest) = number(after, 8)?;
    let (id, size) = (u32::try_from(id.with_length).ok()?, size.value?);
    Some((id, size, bytes.len() - rest.len()))
}

/// A number whose leading zeros tell how many bytes follow the first.
struct Number {
    with_length: u64,
    /// Without the bits that tell the length; `None` if all others are ones, which means unknown.
    value: Option<u64>,
}

fn number(bytes: &[u8], most_bytes: usize) -> Option<(Number, &[u8])> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let (digits, rest) = bytes.split_at_checked(length).filter(|_| length <= most_bytes)?;
    let with_length = digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let unknown = (1_u64 << (7 * length)) - 1;
    let value = Some(with_length & unknown).filter(|value| *value != unknown);
    Some((Number { with_length, value }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: [u8; 8] = [0x15, 0x49, 0xA9, 0x66, 0x83, 1, 2, 3];
    const CLUSTER: [u8; 9] = [0x1F, 0x43, 0xB6, 0x75, 0x40, 0x03, 4, 5, 6];

    /// A file whose segment has a size in these bytes and consists of these elements.
    fn file(size: &[u8], elements: &[&[u8]]) -> Vec<u8> {
        let header = [0x1A, 0x45, 0xDF, 0xA3, 0x82, 1, 2, 0x18, 0x53, 0x80, 0x67];
        [&header[..], size, &elements.concat()].concat()
    }

    fn is_whole(bytes: &[u8]) -> bool {
        is_chain_whole(&mut io::Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn a_file_is_whole_if_its_elements_reach_the_end_of_the_segment() {
        for size in [&[0x80 + 26][..], &[0x01, 0, 0, 0, 0, 0, 0, 26]] {
            let whole = file(size, &[&INFO, &CLUSTER, &CLUSTER]);
            assert!(is_whole(&whole));
            assert!(is_whole(&[&whole[..], b"more"].concat()));
            assert!((0..whole.len()).all(|cut| !is_whole(&whole[..cut])));
            let mut zeros = whole.clone();
            let last = zeros.len() - CLUSTER.len();
            zeros[last..].fill(0);
            assert!(!is_whole(&zeros));
        }
    }

    #[test]
    fn what_does_not_say_where_it_ends_is_not_whole() {
        for unknown in [&[0xFF][..], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]] {
            assert!(!is_whole(&file(unknown, &[&INFO, &CLUSTER])));
        }
        let live = [0x1F, 0x43, 0xB6, 0x75, 0xFF, 4, 5, 6];
        assert!(!is_whole(&file(&[0x80 + 16], &[&INFO, &live])));
        assert!(!is_whole(&file(&[0x80 + 7], &[&INFO])));
        assert!(!is_whole(b"\0\0\0\x20ftypisom"));
    }
}
