//! Whether a JPEG is whole. Decoders fill up one that was cut off with gray, and a face in it would get a wrong label.

const MARKER: u8 = 0xff;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
/// Markers without a segment: the start of the picture, and the restarts within a scan.
const ALONE: std::ops::RangeInclusive<u8> = 0xd0..=0xd8;

/// Whether the file ends before the picture does. What may follow the picture, such as the video of a phone's moving photograph, isn't read.
/// Files of other formats don't count as cut.
#[must_use]
pub fn is_cut(jpeg: &[u8]) -> bool {
    let mut rest = jpeg;
    loop {
        let [MARKER, code, after @ ..] = rest else {
            // Damage isn't a cut: the decoder decides.
            return rest.len() < 2;
        };
        rest = match *code {
            END => return false,
            // A marker may be filled up to any length.
            MARKER => &rest[1..],
            code if ALONE.contains(&code) => after,
            code => {
                // The length counts its own two bytes.
                let [high, low, ..] = after else { return true };
                let Some(behind) = after.get(usize::from(u16::from_be_bytes([*high, *low]))..) else { return true };
                if code == SCAN { behind_scan(behind) } else { behind }
            }
        };
    }
}

/// What follows the data of a scan; empty if they don't end.
fn behind_scan(data: &[u8]) -> &[u8] {
    // In the data, a zero follows each byte 0xff; restarts belong to them.
    let is_end = |pair: &[u8]| pair[0] == MARKER && pair[1] != 0 && !ALONE.contains(&pair[1]);
    data.windows(2).position(is_end).map_or(&[][..], |at| &data[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a thumbnail, two scans and a restart.
    fn whole() -> Vec<u8> {
        let thumbnail: &[u8] = &[0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let scan: &[u8] = &[0xff, 0xda, 0, 3, 1, 5, 0xff, 0, 7, 0xff, 0xd0, 9];
        [&[0xff, 0xd8], thumbnail, scan, &[0xff, 0xff, 0xc4, 0, 2], scan, &[0xff, 0xd9]].concat()
    }

    #[test]
    fn a_picture_that_ends_too_early_is_cut_wherever_that_is() {
        let whole = whole();
        assert!(!is_cut(&whole));
        for length in 0..whole.len() {
            assert!(is_cut(&whole[..length]), "{length} bytes");
        }
    }

    #[test]
    fn what_follows_the_picture_is_not_read_and_damage_is_not_a_cut() {
        assert!(!is_cut(&[whole(), vec![0xff, 0xda, 0, 3]].concat()));
        let mut damaged = whole();
        damaged[2] = 0;
        assert!(!is_cut(&damaged));
    }

    #[test]
    fn other_formats_are_not_judged() {
        for other in [b"\x89PNG", b"RIFF", b"II*\0", b"BM00"] {
            assert!(!is_cut(other), "{other:?}");
        }
    }
}
