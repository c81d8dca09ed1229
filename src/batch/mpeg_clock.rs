//! Detects whether the clock of an MPEG stream restarts within its file, as it does where recordings were joined end to end.
//!
//! FFmpeg seeks in such a file as if its clock only grew, and silently ends up in any of its pieces. This module reads the clock in many
//! places of the file. That takes some megabytes however long the file is, and about 300 at most if the clocks are far apart. Other
//! containers have an index of their frames.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Places where the clock is read, evenly spread over the file. A piece that is shorter than the distance between two may be missed.
const PLACES: u64 = 256;

/// Bytes to read at a place; the next size is tried if they contain no clock. By their standards, transport streams have one every 0.1 s
/// and program streams every 0.7 s.
const READS: [u64; 3] = [1 << 14, 1 << 17, 1 << 20];

/// Most bytes between the last place and the end of the file.
const BEFORE_END: u64 = 1 << 17;

/// Ticks of the clock in a second.
const SECOND: u64 = 90_000;

/// Ticks after which every clock wraps around (26.5 hours). FFmpeg handles that.
const TURN: u64 = 1 << 33;

/// The first byte of a packet of a transport stream.
const SYNC: u8 = 0x47;

/// Distance between packets of a transport stream, in bytes: as broadcast, on camcorders (`.m2ts`), and with error correction.
const PACKETS: [usize; 3] = [188, 192, 204];

/// This many packets in a row can't be a coincidence.
const SYNCS: usize = 5;

/// The first bytes of a pack in a program stream.
const PACK: [u8; 4] = [0, 0, 1, 0xBA];

/// Length of a pack's first bytes and its clock.
const PACK_HEADER: usize = 9;

/// The layout of the clock in the five bytes after [`PACK`], taken as one number: three fields of 3, 15 and 15 bits.
struct PackClock {
    /// Bits that are the same in every pack.
    fixed: u64,
    /// Their values.
    values: u64,
    /// The lowest bit of each field.
    lowest: [u32; 3],
}

/// The layouts of MPEG-2 and MPEG-1 (ISO/IEC 13818-1 and 11172-1).
const PACK_CLOCKS: [PackClock; 2] = [
    PackClock { fixed: 0xC4_0004_0004, values: 0x44_0004_0004, lowest: [35, 19, 3] },
    PackClock { fixed: 0xF1_0001_0001, values: 0x21_0001_0001, lowest: [33, 17, 1] },
];

#[derive(Clone, Copy)]
enum Kind {
    /// A transport stream, with the distance between its packets in bytes.
    Transport(usize),
    Program,
}

/// A clock's stream and its ticks. Programs that are sent together have a clock each.
type Reading = (u16, u64);

/// Whether the file is an MPEG stream whose clock goes back by more than a second from one place to a later one.
///
/// # Errors
/// When the file can't be read.
pub fn clock_begins_again(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(kind) = Kind::of(&read(&mut file, 0, READS[0])?) else { return Ok(false) };
    let length = file.metadata()?.len();
    let last_place = length - BEFORE_END.min(length / PLACES);
    let mut last = HashMap::new();
    for place in 0..PLACES {
        let Some((program, now)) = first_reading(&mut file, last_place / (PLACES - 1) * place, kind)? else { continue };
        if last.insert(program, now).is_some_and(|before| goes_back(before, now)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn goes_back(before: u64, now: u64) -> bool {
    before.checked_sub(now).is_some_and(|ticks| ticks > SECOND && ticks < TURN / 2)
}

/// The first clock at or after a place.
fn first_reading(file: &mut File, at: u64, kind: Kind) -> io::Result<Option<Reading>> {
    for bytes in READS {
        let piece = read(file, at, bytes)?;
        let reading = kind.first_reading(&piece);
        let is_at_end = (piece.len() as u64) < bytes;
        if reading.is_some() || is_at_end {
            return Ok(reading);
        }
    }
    Ok(None)
}

fn read(file: &mut File, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut piece = Vec::new();
    file.take(bytes).read_to_end(&mut piece)?;
    Ok(piece)
}

impl Kind {
    /// Recognises the kind by the beginning of the file.
    fn of(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(&PACK) {
            return Some(Self::Program);
        }
        PACKETS.into_iter().find(|bytes| first_packet(beginning, *bytes).is_some()).map(Self::Transport)
    }

    fn first_reading(self, piece: &[u8]) -> Option<Reading> {
        match self {
            Self::Transport(bytes) => {
                let packets = piece.get(first_packet(piece, bytes)?..)?;
                packets.chunks(bytes).find_map(packet_clock)
            }
            // A program stream has a single clock.
            Self::Program => piece.windows(PACK_HEADER).find_map(pack_clock).map(|ticks| (0, ticks)),
        }
    }
}

/// The offset of the first packet, if packets are this many bytes apart.
fn first_packet(piece: &[u8], bytes: usize) -> Option<usize> {
    (0..bytes).find(|start| (0..SYNCS).all(|number| piece.get(start + number * bytes) == Some(&SYNC)))
}

/// The clock of a packet and the number of its stream, if it has a clock.
fn packet_clock(packet: &[u8]) -> Option<Reading> {
    let &[SYNC, high, low, control, length, flags, a, b, c, d, e, ..] = packet else { return None };
    let has_clock = control & 0x20 != 0 && length >= 7 && flags & 0x10 != 0;
    let stream = u16::from_be_bytes([high & 0x1F, low]);
    has_clock.then(|| (stream, u64::from_be_bytes([0, 0, 0, a, b, c, d, e]) >> 7))
}

/// The clock of a pack, if the bytes begin one.
fn pack_clock(header: &[u8]) -> Option<u64> {
    let clock = header.strip_prefix(&PACK)?;
    let &[a, b, c, d, e] = clock else { return None };
    let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    let layout = PACK_CLOCKS.iter().find(|layout| bits & layout.fixed == layout.values)?;
    let [high, middle, low] = layout.lowest.map(|lowest| bits >> lowest);
    Some(((high & 0x7) << 30) | ((middle & 0x7FFF) << 15) | (low & 0x7FFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten readings a second, for `seconds`.
    fn readings(begin: u64, seconds: u64) -> impl Iterator<Item = u64> {
        (0..seconds * 10).map(move |number| (begin + number * SECOND / 10) % TURN)
    }

    /// A packet with the clock of a stream, and four with pictures.
    fn packets(stream: u16, ticks: u64, bytes: usize) -> Vec<u8> {
        let packet = |control: u8| {
            let mut packet = vec![0xFF; bytes];
            let [high, low] = stream.to_be_bytes();
            // Camcorders' packets have a time before them; others have something after them.
            packet[..6].copy_from_slice(&[SYNC, high, low, control, 183, 0x10]);
            packet
        };
        let mut first = packet(0x20);
        first[6..11].copy_from_slice(&(ticks << 7).to_be_bytes()[3..]);
        [first, packet(0x10), packet(0x10), packet(0x10), packet(0x10)].concat()
    }

    fn pack(ticks: u64, is_mpeg_2: bool) -> Vec<u8> {
        let layout = &PACK_CLOCKS[usize::from(!is_mpeg_2)];
        let [high, middle, low] = layout.lowest;
        let bits = ((ticks >> 30) << high) | (((ticks >> 15) & 0x7FFF) << middle) | ((ticks & 0x7FFF) << low);
        [&PACK[..], &(bits | layout.values).to_be_bytes()[3..], &[0; 2000]].concat()
    }

    fn judge(pieces: impl Iterator<Item = Vec<u8>>) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pieces.collect::<Vec<_>>().concat()).unwrap();
        clock_begins_again(file.path()).unwrap()
    }

    #[test]
    fn a_clock_that_begins_again_is_found_in_every_kind_of_stream() {
        let one = || readings(40 * SECOND, 60);
        let joined = || one().chain(readings(0, 30));
        for bytes in PACKETS {
            let stream = |ticks| packets(256, ticks, bytes);
            assert!(!judge(one().map(stream)) && judge(joined().map(stream)), "packets of {bytes} bytes");
        }
        for is_mpeg_2 in [true, false] {
            let stream = |ticks| pack(ticks, is_mpeg_2);
            assert!(!judge(one().map(stream)) && judge(joined().map(stream)), "MPEG-2: {is_mpeg_2}");
        }
    }

    #[test]
    fn a_clock_that_turns_over_or_leaps_ahead_does_not_begin_again() {
        let stream = |ticks| packets(256, ticks, 188);
        assert!(!judge(readings(TURN - 20 * SECOND, 60).map(stream)));
        assert!(!judge(readings(0, 30).chain(readings(3600 * SECOND, 30)).map(stream)));
        // Half a second back.
        assert!(!judge(readings(0, 30).chain(readings(29 * SECOND + SECOND / 2, 30)).map(stream)));
    }

    #[test]
    fn each_program_that_is_sent_together_with_others_has_a_clock_of_its_own() {
        let both = readings(0, 60).zip(readings(3600 * SECOND, 60));
        assert!(!judge(both.map(|(one, other)| [packets(256, one, 188), packets(512, other, 188)].concat())));
    }

    #[test]
    fn what_is_no_mpeg_stream_has_no_such_clock() {
        for text in ["", "\u{47}", "this is no video"] {
            assert!(!judge(std::iter::once(text.as_bytes().to_vec())), "{text}");
        }
    }
}
