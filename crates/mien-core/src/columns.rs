//! The columns of tables, as spreadsheets and programs write them.

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::bounded::Rows;

/// What may separate columns, the usual comma last. Spreadsheets write semicolons where decimals have commas, and tabs into what they call
/// “Unicode text”.
const SEPARATORS: [u8; 3] = [b'\t', b';', b','];

/// What is wrong with a table in another encoding, such as the UTF-16 of Excel's “Unicode text”.
pub const NOT_UTF8: &str = "it isn't UTF-8 text; in Excel, save it as “CSV UTF-8”";

/// Whether bytes begin with the mark of UTF-16.
pub fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Options to read a table whose columns are separated like this. Rows may have any number of columns.
pub fn reader(separator: u8) -> ReaderBuilder {
    let mut reader = ReaderBuilder::new();
    reader.delimiter(separator).trim(Trim::All).flexible(true);
    reader
}

/// The separator with which the first line of `table` has the most of the needed columns, each of which may have one of several names.
pub fn separator(table: &[u8], needed: &[&[&str]]) -> u8 {
    let count = |header: &StringRecord| {
        let is_there = |names: &&&[&str]| header.iter().any(|column| is_called(column, names));
        needed.iter().filter(is_there).count()
    };
    // A line that can't be read is reported when the table is read.
    let found = |separator: u8| Rows::new(&reader(separator), table).headers().map_or(0, count);
    SEPARATORS.into_iter().max_by_key(|separator| found(*separator)).unwrap_or(b',')
}

/// Whether a column has one of these names, in capital or small letters.
pub fn is_called(column: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// A number with the point as decimal mark. Decimals may have a comma only where semicolons separate columns: elsewhere, 1,500 could be
/// a thousand and a half.
pub fn with_point(word: &str, separator: u8) -> String {
    if separator == b';' { word.replace(',', ".") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_that_gives_the_needed_columns() {
        let needed: [&[&str]; 2] = [&["path", "file"], &["label"]];
        for (table, wanted) in [
            ("path,label\na;b,happy\n", b','),
            ("\u{feff}Path;Label;note, and more\r\n", b';'),
            ("FILE\tlabel\r\n", b'\t'),
            ("\"file\";\"label\"", b';'),
            // More parts by another separator, which aren't the needed columns.
            ("path,label,seen; where; and when\n", b','),
            ("", b','),
            ("something else", b','),
        ] {
            assert_eq!(char::from(separator(table.as_bytes(), &needed)), char::from(wanted), "{table}");
        }
    }

    #[test]
    fn a_comma_is_a_decimal_mark_only_beside_semicolons() {
        assert_eq!([with_point("1,5", b';'), with_point("1,5", b'\t')], ["1.5", "1,5"]);
    }

    #[test]
    fn the_mark_of_other_text_is_known() {
        assert!(is_utf16(b"\xff\xfep\0") && is_utf16(b"\xfe\xff\0p") && !is_utf16("\u{feff}path".as_bytes()));
    }
}
