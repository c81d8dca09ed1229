//! The rows of a table of known answers, as spreadsheets and programs write them.

use crate::bounded::Rows;
use crate::clock;
use crate::columns::{is_called, reader, separator, with_point};

/// The names of the needed columns: start, end, and what is displayed.
const COLUMNS: [&[&str]; 3] = [&["start"], &["end"], &["emotion", "class"]];

/// A table that is being read. Problems are worded for the user.
pub(super) struct Table<'a> {
    rows: Rows<&'a [u8]>,
    separator: u8,
    /// Number of columns.
    columns: usize,
    /// Which columns the start, the end and the label are in.
    places: [usize; 3],
}

/// A row of the table.
pub(super) struct Row {
    /// The line that it ends in.
    pub line: u64,
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// What is displayed, as it is written.
    pub label: String,
}

impl<'a> Table<'a> {
    /// Finds the needed columns in the first line.
    pub fn of(text: &'a str) -> Result<Self, String> {
        let separator = separator(text.as_bytes(), &COLUMNS);
        let mut rows = Rows::new(&reader(separator), text.as_bytes());
        let header = rows.headers().map_err(|error| error.to_string())?;
        let columns = header.len();
        let [start, end, label] = COLUMNS.map(|names| place(header, names));
        let places = [start?, end?, label?];
        Ok(Self { rows, separator, columns, places })
    }

    /// The next row; `None` at the end. Rows without content, which spreadsheets leave at the end, are skipped.
    pub fn read(&mut self) -> Result<Option<Row>, String> {
        let mut record = csv::StringRecord::new();
        while self.rows.read(&mut record).map_err(|error| error.to_string())? {
            if record.iter().any(|word| !word.is_empty()) {
                let line = record.position().map_or(0, csv::Position::line);
                return self.row(line, &record).map(Some).map_err(|problem| format!("line {line}: {problem}"));
            }
        }
        Ok(None)
    }

    fn row(&self, line: u64, record: &csv::StringRecord) -> Result<Row, String> {
        let (found, wanted) = (record.len(), self.columns);
        if found != wanted {
            let hint = if self.separator == b',' && found > wanted { "; decimals need a point, as in 4.5" } else { "" };
            return Err(format!("it has {found} columns, the first line {wanted}{hint}"));
        }
        let [start, end, label] = self.places.map(|place| &record[place]);
        let (start, end) = (self.seconds(start)?, self.seconds(end)?);
        Ok(Row { line, start, end, label: label.to_owned() })
    }

    /// The seconds of a time.
    fn seconds(&self, word: &str) -> Result<f64, String> {
        let read = clock::media_time(&with_point(word, self.separator));
        read.map(|time| time.as_secs_f64()).map_err(|problem| format!("“{word}” {problem}"))
    }
}

/// Which column has one of these names, in capital or small letters.
fn place(header: &csv::StringRecord, names: &[&str]) -> Result<usize, String> {
    let mut found = header.iter().enumerate().filter(|(_, column)| is_called(column, names)).map(|(place, _)| place);
    let called = names.join(" or ");
    match (found.next(), found.next()) {
        (Some(place), None) => Ok(place),
        (None, _) => Err(format!("its first line has no column {called}")),
        (Some(_), Some(_)) => Err(format!("its first line has more than one column {called}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(f64, f64, String)>, String> {
        let mut table = Table::of(text)?;
        std::iter::from_fn(|| table.read().transpose())
            .map(|row| row.map(|Row { start, end, label, .. }| (start, end, label)))
            .collect()
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let wanted = [(0.0, 4.5, "sad".to_owned()), (4.5, 61.25, "happy".to_owned())];
        for text in [
            "start,end,emotion\n0,4.5,sad\n4.5,61.25,happy\n",
            // Europe: semicolons and decimal commas, capital letters, a mark of the byte order, rows that were emptied.
            "\u{feff}Start;End;Emotion\r\n0;4,5;sad\r\n4,5;61,25;happy\r\n;;\r\n",
            "start;end;emotion\n0;4.5;sad\n4.5;61.25;happy",
            "START\tEND\tNOTE, and more\tCLASS\n0\t4.5\t\tsad\n4.5\t1:01.25\tx\thappy\n",
            // In quotes, and with times as on a clock.
            "\"note\";\"start\";\"end\";\"emotion\"\n\"a, b\";\"0:00\";\"0:04,5\";\"sad\"\n;0:00:04.5;1:01,25;happy\n",
            // More parts by another separator, which aren't the needed columns.
            "start,end,emotion,seen; where; and when\n0,4.5,sad,\n4.5,61.25,happy,a;b\n",
        ] {
            assert_eq!(rows(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_told() {
        for (text, problem) in [
            ("", "no column start"),
            ("Frame;Emotion\n1;sad\n", "no column start"),
            ("start;end;label\n", "no column emotion or class"),
            ("start,end,emotion,class\n", "more than one column emotion or class"),
            ("start,end,emotion\n0,5,1,5,sad\n", "line 2: it has 5 columns, the first line 3; decimals need a point"),
            ("start;end;emotion\n0;1\n", "line 2: it has 2 columns, the first line 3"),
            ("start\tend\temotion\n0\t1,500\tsad\n", "line 2: “1,500” must be a time"),
            ("start;end;emotion\n0;1.000,5\tsad\n", "line 2: it has 2 columns"),
            ("start;end;emotion\n0;1.000,5;sad\n", "line 2: “1.000,5” must be a time"),
            ("start,end,emotion\n0,00:00:01:12,sad\n", "line 2: “00:00:01:12” must be a time in seconds, m:ss"),
        ] {
            let told = rows(text).unwrap_err();
            assert!(told.contains(problem), "{text}: {told}");
        }
    }
}
