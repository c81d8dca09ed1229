//! Joins the tables of a film's parts: rows before each part are left out, and faces that cross a cut keep their numbers.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::batch::Part;
use crate::export::{TableCopy, TableFormat, TableRows};
use crate::face::FaceRect;

/// Boxes in one frame that overlap at least this much belong to one face. A face has nearly the same box in both parts, while two people
/// hardly overlap.
const SAME_FACE_IOU: f32 = 0.5;

/// A table of a part.
pub struct PartTable {
    pub part: Part,
    pub path: PathBuf,
}

/// Indices of the columns that are read or changed. Tables of frames have only the first two.
#[derive(Clone, Copy)]
struct Columns {
    frame: usize,
    time: usize,
    face: Option<FaceColumns>,
}

#[derive(Clone, Copy)]
struct FaceColumns {
    number: usize,
    rect: [usize; 4],
}

/// The frame of a row, with the number and box of its face.
struct Seen {
    time_s: f64,
    frame: i64,
    face: Option<(u64, FaceRect)>,
}

/// The number of faces so far, and the last rows.
#[derive(Default)]
struct Joined {
    faces: u64,
    /// Rows within the overlap before the end of the previous part, with the film's numbers.
    last: VecDeque<Seen>,
}

/// How the next part's rows become the film's.
#[derive(Default)]
struct Translation {
    /// The film's face numbers by the part's.
    numbers: HashMap<u64, u64>,
    /// Added to the part's frame numbers, which are inexact after a seek in a file with a variable rate.
    frames: i64,
}

/// What to add to the frame numbers in each part's tables. It follows from its tables of frames, which have rows in an overlap even if no
/// face is seen.
///
/// # Errors
/// When a table can't be read or isn't Mien's.
pub fn frame_shifts(parts: &[PartTable], format: TableFormat) -> anyhow::Result<Vec<i64>> {
    let mut joined = Joined::default();
    let shift = |table: &PartTable| -> anyhow::Result<i64> {
        let broken = || format!("can't read {}", table.path.display());
        let rows = TableRows::open(&table.path, format).with_context(broken)?;
        if rows.columns().is_empty() {
            joined.last.clear();
            return Ok(0);
        }
        let columns = Columns::of(rows.columns()).with_context(broken)?;
        joined.add(&table.part, None, rows, columns, |_row| Ok(())).with_context(broken)
    };
    parts.iter().map(shift).collect()
}

/// Writes the rows of all parts, in order of their numbers, to a new table. Only the rows within an overlap are held in memory. `shifts`
/// are those of [`frame_shifts`]; without them, they are derived from the rows that two parts share.
///
/// # Errors
/// When a table can't be read or isn't Mien's, or the disk is full.
pub fn join_parts(
    parts: &[PartTable],
    shifts: Option<&[i64]>,
    path: &Path,
    format: TableFormat,
) -> anyhow::Result<PathBuf> {
    let mut copy = None;
    let mut joined = Joined::default();
    for (number, table) in parts.iter().enumerate() {
        let shift = shifts.and_then(|shifts| shifts.get(number).copied());
        let broken = || format!("can't read {}", table.path.display());
        let rows = TableRows::open(&table.path, format).with_context(broken)?;
        if rows.columns().is_empty() {
            // JSON lines without a row.
            joined.last.clear();
            continue;
        }
        let columns = Columns::of(rows.columns()).with_context(broken)?;
        let copy = match &mut copy {
            Some(copy) => copy,
            None => copy.insert(TableCopy::create(path, format, rows.columns())?),
        };
        joined.add(&table.part, shift, rows, columns, |row| Ok(copy.push(row)?)).with_context(broken)?;
    }
    match copy {
        Some(copy) => Ok(copy.finish()?),
        None => Ok(TableCopy::create(path, format, &[])?.finish()?),
    }
}

impl Columns {
    fn of(names: &[String]) -> anyhow::Result<Self> {
        let find = |name: &str| names.iter().position(|it| it == name);
        let face = find("face").zip(find("x")).zip(find("y")).zip(find("width")).zip(find("height"));
        let face = face.map(|((((number, x), y), width), height)| FaceColumns { number, rect: [x, y, width, height] });
        let columns = find("frame").zip(find("time_s")).map(|(frame, time)| Self { frame, time, face });
        columns.ok_or_else(|| anyhow!("it has no columns frame and time_s"))
    }

    /// The number in a column.
    fn number<T: std::str::FromStr>(row: &[String], column: usize) -> anyhow::Result<T> {
        let text = row.get(column).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_unparsable| anyhow!("“{text}” is not a number"))
    }

    fn seen(self, row: &[String]) -> anyhow::Result<Seen> {
        let (time_s, frame) = (Self::number(row, self.time)?, Self::number(row, self.frame)?);
        let face = match self.face {
            None => None,
            Some(FaceColumns { number, rect: [x, y, width, height] }) => {
                let side = |column| Self::number(row, column);
                let rect = FaceRect { x: side(x)?, y: side(y)?, width: side(width)?, height: side(height)? };
                Some((Self::number(row, number)?, rect))
            }
        };
        Ok(Seen { time_s, frame, face })
    }
}

impl Joined {
    /// Adds a part's rows, and returns what was added to their frame numbers: `shift`, if known.
    fn add(
        &mut self,
        part: &Part,
        shift: Option<i64>,
        rows: impl Iterator<Item = io::Result<Vec<String>>>,
        columns: Columns,
        mut write: impl FnMut(&[String]) -> anyhow::Result<()>,
    ) -> anyhow::Result<i64> {
        let mut before = Vec::new();
        let mut translation = None;
        let mut last = VecDeque::new();
        for row in rows {
            let mut row = row?;
            let mut seen = columns.seen(&row)?;
            if seen.time_s < part.from_s {
                if seen.time_s >= part.from_s - part.overlap_s {
                    before.push(seen);
                }
                continue;
            }
            let translation: &mut Translation =
                translation.get_or_insert_with(|| Translation::of(&before, &self.last, shift));
            seen.frame += translation.frames;
            row[columns.frame] = seen.frame.to_string();
            if let (Some(column), Some((number, _))) = (columns.face, &mut seen.face) {
                *number = *translation.numbers.entry(*number).or_insert_with(|| {
                    self.faces += 1;
                    self.faces
                });
                row[column.number] = number.to_string();
            }
            // The next part begins where this one ends, with as much overlap.
            if part.to_s.is_some_and(|to| seen.time_s >= to - part.overlap_s) {
                last.push_back(seen);
            }
            write(&row)?;
        }
        self.last = last;
        Ok(translation.map_or(0, |translation| translation.frames))
    }
}

impl Translation {
    /// Derives the translation from frames that are in two parts: the faces whose boxes overlap most often are the same.
    fn of(before: &[Seen], last: &VecDeque<Seen>, shift: Option<i64>) -> Self {
        let mut of_time: HashMap<u64, Vec<&Seen>> = HashMap::new();
        for seen in last {
            of_time.entry(seen.time_s.to_bits()).or_default().push(seen);
        }
        let mut counts: HashMap<(u64, u64), u64> = HashMap::new();
        let mut frames: HashMap<i64, u64> = HashMap::new();
        for seen in before {
            for other in of_time.get(&seen.time_s.to_bits()).into_iter().flatten() {
                *frames.entry(other.frame - seen.frame).or_default() += 1;
                if let (Some((here, rect)), Some((there, other))) = (&seen.face, &other.face)
                    && rect.iou(other) >= SAME_FACE_IOU
                {
                    *counts.entry((*here, *there)).or_default() += 1;
                }
            }
        }
        let mut pairs: Vec<_> = counts.into_iter().collect();
        // The surest first; ties by number, so that the result is deterministic.
        pairs.sort_by_key(|(pair, count)| (std::cmp::Reverse(*count), *pair));
        let mut numbers: HashMap<u64, u64> = HashMap::new();
        for ((here, there), _) in pairs {
            if !numbers.contains_key(&here) && !numbers.values().any(|taken| *taken == there) {
                numbers.insert(here, there);
            }
        }
        let told = frames.into_iter().max_by_key(|(shift, count)| (*count, std::cmp::Reverse(*shift)));
        Self { numbers, frames: shift.or(told.map(|(shift, _)| shift)).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = ["frame", "time_s", "face", "x", "y", "width", "height"];

    /// Frame, time, face, left edge.
    fn row(frame: u64, face: u64, x: f32) -> Vec<String> {
        let time = frame as f64 / 10.0;
        let texts = [frame.to_string(), format!("{time:.4}"), face.to_string(), x.to_string()];
        texts.into_iter().chain(["0", "20", "20"].map(str::to_owned)).collect()
    }

    fn join(parts: &[(Part, Vec<Vec<String>>)]) -> Vec<(String, String)> {
        let columns = Columns::of(&NAMES.map(str::to_owned)).unwrap();
        let (mut joined, mut written) = (Joined::default(), Vec::new());
        for (part, rows) in parts {
            let rows = rows.iter().cloned().map(Ok);
            joined
                .add(part, None, rows, columns, |row| {
                    written.push((row[0].clone(), row[2].clone()));
                    Ok(())
                })
                .unwrap();
        }
        written
    }

    fn part(number: u32, from_s: f64, to_s: Option<f64>) -> Part {
        Part { number, of: 2, from_s, to_s, overlap_s: 0.5 }
    }

    fn pairs(wanted: &[(u64, u64)]) -> Vec<(String, String)> {
        wanted.iter().map(|(frame, face)| (frame.to_string(), face.to_string())).collect()
    }

    #[test]
    fn faces_that_cross_the_cut_keep_their_numbers_and_new_ones_are_counted_on() {
        let first = vec![row(5, 1, 0.0), row(6, 2, 100.0), row(8, 2, 101.0), row(8, 3, 200.0), row(9, 2, 102.0)];
        // Here the second face has number 1, and two new ones enter.
        let second = vec![row(8, 1, 101.2), row(9, 1, 102.2), row(10, 1, 103.0), row(11, 2, 0.0), row(11, 3, 300.0)];
        let rows = join(&[(part(1, 0.0, Some(0.95)), first), (part(2, 0.95, None), second)]);
        assert_eq!(rows, pairs(&[(5, 1), (6, 2), (8, 2), (8, 3), (9, 2), (10, 2), (11, 4), (11, 5)]));
    }

    #[test]
    fn numbers_of_frames_that_a_jump_got_wrong_follow_those_of_before() {
        let first = vec![row(8, 1, 0.0), row(9, 1, 0.0)];
        let wrong = |frame: u64| {
            let mut row = row(frame, 1, 0.0);
            row[0] = (frame + 3).to_string();
            row
        };
        let rows =
            join(&[(part(1, 0.0, Some(0.95)), first), (part(2, 0.95, None), vec![wrong(8), wrong(9), wrong(10)])]);
        assert_eq!(rows, pairs(&[(8, 1), (9, 1), (10, 1)]));
    }

    #[test]
    fn where_nobody_is_seen_at_a_cut_the_tables_of_frames_say_by_how_much_numbers_move() {
        let home = tempfile::tempdir().unwrap();
        let table = |part: Part, rows: &str| {
            let path = home.path().join(format!("{}.csv", part.number));
            std::fs::write(&path, format!("file,frame,time_s\n{rows}\n")).unwrap();
            PartTable { part, path }
        };
        let (first, second) = (part(1, 0.0, Some(0.95)), part(2, 0.95, None));
        // The second part counts three frames too many.
        let frames = [table(first, "f,8,0.8\nf,9,0.9"), table(second, "f,11,0.8\nf,12,0.9\nf,13,1.0")];
        let shifts = frame_shifts(&frames, TableFormat::Csv).unwrap();
        assert_eq!(shifts, [0, -3]);

        let columns = Columns::of(&NAMES.map(str::to_owned)).unwrap();
        let mut seen = row(10, 1, 0.0);
        seen[0] = "13".to_owned();
        let (mut joined, mut written) = (Joined::default(), Vec::new());
        joined
            .add(&second, Some(shifts[1]), [Ok(seen)].into_iter(), columns, |row| {
                written.push(row[0].clone());
                Ok(())
            })
            .unwrap();
        assert_eq!(written, ["10"]);
    }

    #[test]
    fn a_face_that_nobody_saw_before_the_cut_is_new_and_two_never_share_a_number() {
        let first = vec![row(8, 1, 0.0), row(9, 1, 0.0)];
        let second = vec![row(8, 1, 1.0), row(8, 2, 2.0), row(9, 1, 1.0), row(10, 1, 0.0), row(10, 2, 2.0)];
        let rows = join(&[(part(1, 0.0, Some(0.95)), first), (part(2, 0.95, None), second)]);
        assert_eq!(rows, pairs(&[(8, 1), (9, 1), (10, 1), (10, 2)]));
    }
}
