//! TIFF files with a palette, which the crate `image` can't read. 23 of JAFFE's pictures are such files.
//!
//! Except for one tag, such a file is like a gray picture whose values are indices into the palette. So the tag is changed in a copy,
//! `image` reads the indices, whatever their compression, and the palette gives the gray of each index (TIFF 6.0, sections 2 and 5).

use super::gray;

/// Tags of the file's directory.
const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC_INTERPRETATION: u16 = 262;
const COLOR_MAP: u16 = 320;
/// Values of the photometric interpretation.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;
/// Bytes of a directory's entry: tag, type, count and value.
const ENTRY_BYTES: usize = 12;
/// Number of colours of an 8-bit palette, the only kind read here.
const COLORS: usize = 256;

/// The file with its indices as grays, and the gray of each index. `None` if it isn't a TIFF with a palette of 256 colours.
/// Damage is left for the decoder to report.
pub(super) fn split(bytes: &[u8]) -> Option<(Vec<u8>, [u8; COLORS])> {
    let is_little_endian = match bytes.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let tiff = Tiff { bytes, is_little_endian };
    let directory = tiff.u32_at(4)? as usize;
    let entries = usize::from(tiff.u16_at(directory)?);
    let find = |tag| {
        let mut places = (0..entries).map(|i| directory + 2 + i * ENTRY_BYTES);
        places.find(|place| tiff.u16_at(*place) == Some(tag))
    };
    // 8 bytes into an entry there is its value, or an offset to the value if that is longer than 4 bytes.
    let interpretation = find(PHOTOMETRIC_INTERPRETATION)? + 8;
    let is_palette = tiff.u16_at(interpretation)? == PALETTE && tiff.u16_at(find(BITS_PER_SAMPLE)? + 8)? == 8;
    if !is_palette {
        return None;
    }
    let colors = tiff.u32_at(find(COLOR_MAP)? + 8)? as usize;
    let mut palette = [0; COLORS];
    for (index, entry) in palette.iter_mut().enumerate() {
        // All reds, then all greens, then all blues, of 16 bits each.
        let channel = |n: usize| tiff.u16_at(colors.checked_add(2 * (n * COLORS + index))?).map(|c| (c >> 8) as u8);
        *entry = gray([channel(0)?, channel(1)?, channel(2)?]);
    }
    let mut indices = bytes.to_vec();
    let value = if is_little_endian { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
    indices.get_mut(interpretation..interpretation + 2)?.copy_from_slice(&value);
    Some((indices, palette))
}

/// Reads numbers from a TIFF file; `None` beyond its end.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

impl Tiff<'_> {
    fn u16_at(&self, place: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes.get(place..place.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32_at(&self, place: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.bytes.get(place..place.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode_gray;
    use mien_core::pixels::PixelLimit;

    /// A picture of 2×1 pixels with the indices 0 and 200, and a palette that inverts the indices.
    fn palette_file(is_little_endian: bool) -> Vec<u8> {
        let short = |v: u16| if is_little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if is_little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
        // Width, height, bits, compression, interpretation, strip, samples, rows, bytes, palette.
        let tags =
            [(256, 1), (257, 1), (258, 1), (259, 1), (262, 1), (273, 1), (277, 1), (278, 1), (279, 1), (320, 768_u32)];
        let after = 8 + 2 + tags.len() as u32 * 12 + 4;
        let values = [2, 1, 8, 1, 3, after, 1, 1, 2, after + 2];
        let mut file = if is_little_endian { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        file.extend(long(8));
        file.extend(short(tags.len() as u16));
        for ((tag, count), value) in tags.into_iter().zip(values) {
            file.extend(short(tag));
            // An offset as value has type long (4), other values have type short (3). A single short is in the first half of the field.
            let is_place = tag == 273;
            file.extend(short(if is_place { 4 } else { 3 }));
            file.extend(long(count));
            if is_place || count > 1 {
                file.extend(long(value));
            } else {
                file.extend(short(value as u16));
                file.extend([0, 0]);
            }
        }
        file.extend(long(0));
        file.extend([0, 200]);
        for _channel in 0..3 {
            file.extend((0..256_u16).flat_map(|index| short((255 - index) * 257)));
        }
        file
    }

    #[test]
    fn indices_become_the_grays_of_the_palette_in_both_byte_orders() {
        for is_little_endian in [true, false] {
            let picture = decode_gray(&palette_file(is_little_endian), PixelLimit::default()).unwrap();
            assert_eq!(picture.view().unwrap().pixels(), [255, 55]);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_and_no_panic() {
        let whole = palette_file(true);
        for length in 0..whole.len() {
            assert!(decode_gray(&whole[..length], PixelLimit::default()).is_err(), "{length}");
        }
    }
}
