//! The recorded faces, in compact form.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::OpenError;
use super::frames::{from_ticks, ticks};
use super::lines::{Fields, Lines};
use crate::classes::{Classes, MOST_CLASSES};
use crate::export::rows;
use crate::face::FaceRect;
use crate::face::{Face, FaceId};
use crate::landmarks::{LANDMARKS, Landmarks};
use crate::pipeline::RecordedFaces;
use crate::probabilities::Probabilities;

/// The tables have four decimal places: in this unit, a probability is an integer that fits into two bytes.
const PROBABILITY_UNITS: f32 = 10_000.0;

/// A quality has two decimal places.
const QUALITY_UNITS: f32 = 100.0;

/// A row of the table of faces without its probabilities, in 88 bytes. With those of seven classes, it has 116: five hours
/// at 30 frames per second with one face, 540 000 rows, take 63 MB.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    frame: u32,
    ticks: u64,
    face: u32,
    rect: FaceRect,
    score: f32,
    landmarks: Option<Landmarks>,
    /// Hundredths; [`NO_QUALITY`] if it isn't known.
    quality: u8,
}

/// Stands for an unknown quality.
const NO_QUALITY: u8 = u8::MAX;

/// A row of the table of faces.
#[derive(Clone, Copy, Debug)]
pub struct FaceRow<'a> {
    row: &'a Row,
    /// Probabilities of the frame alone and smoothed ones, in ten-thousandths.
    raw: &'a [u16],
    smoothed: &'a [u16],
}

impl FaceRow<'_> {
    /// Number of the frame.
    pub fn frame(&self) -> u64 {
        self.row.frame.into()
    }

    /// Time of the frame since the recording began.
    pub fn time(&self) -> Duration {
        from_ticks(self.row.ticks)
    }

    /// Id of the face, as recorded.
    pub fn id(&self) -> FaceId {
        FaceId(self.row.face)
    }

    /// Its probabilities, smoothed over time.
    pub fn smoothed(&self) -> Probabilities {
        unpack(self.smoothed)
    }

    /// The face as the pipeline gave it.
    pub fn face(&self) -> Face {
        let Row { rect, score, landmarks, quality, .. } = *self.row;
        let quality = (quality != NO_QUALITY).then(|| f32::from(quality) / QUALITY_UNITS);
        let (raw, smoothed) = (unpack(self.raw), self.smoothed());
        Face { id: self.id(), rect, score, landmarks, quality, raw, smoothed }
    }
}

/// When a face was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// For the first time.
    pub first: Duration,
    /// For the last time.
    pub last: Duration,
    /// Number of frames.
    pub frames: u64,
}

/// The table of faces in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaceLog {
    classes: Classes,
    /// Ordered by frame, then by id.
    rows: Vec<Row>,
    /// For each row, the raw and the smoothed probabilities of all classes, in ten-thousandths.
    shares: Vec<u16>,
    faces: BTreeMap<FaceId, Presence>,
}

impl FaceLog {
    /// Reads [`super::FACES`] of a network with these classes, and returns whether its last row was cut.
    pub(super) fn read(path: &Path, classes: &Classes, may_be_cut: bool) -> Result<(Self, bool), OpenError> {
        let columns = columns(classes);
        let mut lines = Lines::open(path, &columns, &LATER_COLUMNS, may_be_cut)?;
        let (mut rows, mut shares) = (Vec::new(), Vec::new());
        while let Some((row, units)) = lines.next(|fields| parse(fields, &columns, classes.len()))? {
            rows.push(row);
            shares.extend(units);
        }
        rows.shrink_to_fit();
        shares.shrink_to_fit();
        Ok((Self::new(classes.clone(), rows, shares), lines.cut()))
    }

    fn new(classes: Classes, rows: Vec<Row>, shares: Vec<u16>) -> Self {
        let mut log = Self { classes, rows, shares, faces: BTreeMap::new() };
        let order = |row: &Row| (row.frame, row.face);
        if !log.rows.is_sorted_by_key(order) {
            let mut places: Vec<usize> = (0..log.rows.len()).collect();
            places.sort_by_key(|place| order(&log.rows[*place]));
            let width = log.width();
            log.shares = places.iter().flat_map(|place| &log.shares[place * width..][..width]).copied().collect();
            log.rows = places.iter().map(|place| log.rows[*place]).collect();
        }
        let mut faces = BTreeMap::new();
        for row in log.rows() {
            let seen = faces.entry(row.id()).or_insert(Presence { first: row.time(), last: row.time(), frames: 0 });
            seen.last = row.time();
            seen.frames += 1;
        }
        Self { faces, ..log }
    }

    /// Number of probabilities per row.
    fn width(&self) -> usize {
        2 * self.classes.len()
    }

    fn between(&self, rows: Range<usize>) -> impl ExactSizeIterator<Item = FaceRow<'_>> {
        rows.map(|place| {
            let (raw, smoothed) = self.shares[place * self.width()..][..self.width()].split_at(self.classes.len());
            FaceRow { row: &self.rows[place], raw, smoothed }
        })
    }

    /// All rows, in the order of their frames.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = FaceRow<'_>> {
        self.between(0..self.rows.len())
    }

    /// The rows of one frame.
    pub fn of_frame(&self, frame: u64) -> impl ExactSizeIterator<Item = FaceRow<'_>> {
        let from = self.rows.partition_point(|row| u64::from(row.frame) < frame);
        let count = self.rows[from..].partition_point(|row| u64::from(row.frame) == frame);
        self.between(from..from + count)
    }

    /// The recorded faces, and when each was seen.
    pub fn faces(&self) -> &BTreeMap<FaceId, Presence> {
        &self.faces
    }
}

impl RecordedFaces for FaceLog {
    fn classes(&self) -> &Classes {
        &self.classes
    }

    fn faces(&self, frame: u64) -> Vec<Face> {
        self.of_frame(frame).map(|row| row.face()).collect()
    }
}

/// The columns to read that every recording with these classes has: those of `docs/tables.md` without derived and optional ones.
fn columns(classes: &Classes) -> Vec<String> {
    let is_read = |name: &String| !["file", "label", "verdict"].contains(&name.as_str()) && !rows::may_be_empty(name);
    rows::header(classes).into_iter().filter(is_read).collect()
}

/// The columns that earlier recordings lack: the landmarks, from which the roll follows, and the quality.
const LATER_COLUMNS: [&str; 2 * LANDMARKS + 1] = {
    let mut names = [rows::QUALITY_COLUMN; 2 * LANDMARKS + 1];
    let mut place = 0;
    while place < rows::LANDMARK_COLUMNS.len() {
        names[place] = rows::LANDMARK_COLUMNS[place];
        place += 1;
    }
    names
};

/// Index of the first probability in [`columns`].
const PROBABILITIES: usize = 8;

/// Parses a row, and its probabilities in ten-thousandths.
fn parse(fields: &Fields<'_>, columns: &[String], classes: usize) -> Result<(Row, Vec<u16>), String> {
    let decimal = |place: usize| -> Result<f32, String> {
        let value: f32 = fields.number(place, &columns[place])?;
        let name = &columns[place];
        value.is_finite().then_some(value).ok_or_else(|| format!("“{value}” in the column “{name}” is no number"))
    };
    let mut later = [None; LATER_COLUMNS.len()];
    for (place, (value, name)) in later.iter_mut().zip(LATER_COLUMNS).enumerate() {
        *value = fields.maybe(place, name)?;
    }
    let [coordinates @ .., quality] = later;
    let quality = match quality {
        Some(quality) if !(0.0..=1.0).contains(&quality) => {
            return Err(format!("the quality {quality} is not from 0 to 1"));
        }
        Some(quality) => (quality * QUALITY_UNITS).round() as u8,
        None => NO_QUALITY,
    };
    let row = Row {
        frame: fields.number(0, &columns[0])?,
        ticks: ticks(fields.number(1, &columns[1])?)?,
        face: fields.number(2, &columns[2])?,
        rect: FaceRect { x: decimal(3)?, y: decimal(4)?, width: decimal(5)?, height: decimal(6)? },
        score: decimal(7)?,
        landmarks: landmarks(coordinates),
        quality,
    };
    let mut units = Vec::with_capacity(2 * classes);
    for from in [PROBABILITIES, PROBABILITIES + classes] {
        let values = (from..from + classes).map(decimal).collect::<Result<Vec<f32>, _>>()?;
        let kind = columns[from].split('_').next().unwrap_or_default();
        if Probabilities::from_rounded(&values).is_none() {
            return Err(format!("the {kind} probabilities don't sum to 1"));
        }
        units.extend(values.iter().map(|value| (value * PROBABILITY_UNITS).round() as u16));
    }
    Ok((row, units))
}

/// All landmarks, or none if a coordinate is missing.
fn landmarks(coordinates: [Option<f32>; 2 * LANDMARKS]) -> Option<Landmarks> {
    let mut points = [[0.0; 2]; LANDMARKS];
    for (place, value) in points.iter_mut().flatten().zip(coordinates) {
        *place = value?;
    }
    Some(Landmarks::from_points(points))
}

fn unpack(units: &[u16]) -> Probabilities {
    let mut shares = [0.0; MOST_CLASSES];
    for (share, unit) in shares.iter_mut().zip(units) {
        *share = f32::from(*unit) / PROBABILITY_UNITS;
    }
    // Invalid probabilities were refused when the table was read.
    Probabilities::from_rounded(&shares[..units.len().min(MOST_CLASSES)])
        .unwrap_or_else(|| Probabilities::uniform(units.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;

    const HEADER: &str = "file,frame,time_s,face,x,y,width,height,score,label,raw_angry,raw_disgust,raw_fear,raw_happy,\
                          raw_sad,raw_surprise,raw_neutral,smoothed_angry,smoothed_disgust,smoothed_fear,\
                          smoothed_happy,smoothed_sad,smoothed_surprise,smoothed_neutral\n";
    const RAW: &str = "0.1000,0.1000,0.1000,0.4001,0.1000,0.1000,0.0999";
    const SMOOTHED: &str = "0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000";

    fn row(frame: u32, face: u32) -> String {
        format!("cam,{frame},{:.4},{face},10.5,-2.0,80.1,90.0,7.0,neutral,{RAW},{SMOOTHED}\n", f64::from(frame) / 30.0)
    }

    fn read(rows: &str, may_be_cut: bool) -> Result<(FaceLog, bool), String> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        std::fs::write(&path, rows).unwrap();
        FaceLog::read(&path, &Classes::emotions(), may_be_cut).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_are_found_by_their_frame_and_keep_their_digits() {
        let rows = [row(3, 1), row(3, 2), row(4, 1), row(9, 7)].concat();
        let (log, cut) = read(&(HEADER.to_owned() + &rows), false).unwrap();
        assert!(!cut);
        let ids = |frame| log.of_frame(frame).map(|row| row.id().0).collect::<Vec<_>>();
        assert_eq!([ids(3), ids(4), ids(5), ids(9)], [vec![1, 2], vec![1], vec![], vec![7]]);
        let face = log.of_frame(4).next().unwrap().face();
        assert_eq!(face.rect, FaceRect { x: 10.5, y: -2.0, width: 80.1, height: 90.0 });
        let digits: Vec<String> = face.raw.as_slice().iter().map(|p| format!("{p:.4}")).collect();
        assert_eq!(digits.join(","), RAW);
        assert_eq!(face.smoothed.top(), (Emotion::Neutral.index(), 1.0));
        let seen = log.faces()[&FaceId(1)];
        assert_eq!((seen.first, seen.last, seen.frames), (from_ticks(1000), from_ticks(1333), 2));
        assert_eq!(size_of::<Row>() + size_of::<u16>() * log.width(), 116);
        assert_eq!((face.landmarks, face.quality), (None, None), "recordings of older versions say nothing of them");
    }

    #[test]
    fn landmarks_and_quality_are_given_back_to_the_last_digit() {
        let emotions = Classes::emotions();
        let mut scene = scene(7, Emotion::Happy);
        let points = [[10.04, 20.0], [30.25, 40.77], [5.0, 45.25], [-3.01, 50.0], [9.0, 60.06]];
        scene.faces[0].landmarks = Some(Landmarks::from_points(points));
        scene.faces[0].quality = Some(0.634);
        scene.faces.push(Face { id: FaceId(2), landmarks: None, ..scene.faces[0] });
        let written = |face: &Face| {
            rows::row("cam", 7, Duration::ZERO, face, &emotions).iter().map(ToString::to_string).collect()
        };
        let rows: Vec<Vec<String>> = scene.faces.iter().map(written).collect();
        let table: String =
            std::iter::once(rows::header(&emotions)).chain(rows.clone()).map(|row| row.join(",") + "\n").collect();
        let (log, _) = read(&table, false).unwrap();
        let again: Vec<Vec<String>> = log.rows().map(|row| written(&row.face())).collect();
        assert_eq!(again, rows);
        assert_eq!(log.rows().next().unwrap().face().quality, Some(0.63));
        assert_eq!(log.rows().nth(1).unwrap().face().landmarks, None);
        let roll = rows::header(&emotions).iter().position(|name| name == "roll").unwrap();
        assert!(!rows[0][roll].is_empty() && rows[1][roll].is_empty(), "{rows:?}");

        let broken = table.replace(",0.63\n", ",7\n");
        assert!(read(&broken, false).unwrap_err().contains("the quality 7 is not from 0 to 1"));
        let broken = table.replace(",30.2,", ",wide,");
        assert!(read(&broken, false).unwrap_err().contains("“wide” in the column “left_eye_x” is no number"));
    }

    #[test]
    fn the_rows_of_a_recording_of_weeks_keep_their_times() {
        let frame = 30 * 86_400 * 20;
        let (log, _) = read(&(HEADER.to_owned() + &row(frame, 1)), false).unwrap();
        assert_eq!(log.rows().next().unwrap().time(), Duration::from_secs(20 * 86_400));
    }

    #[test]
    fn rows_out_of_order_are_put_in_order() {
        let (log, _) = read(&(HEADER.to_owned() + &row(9, 1) + &row(3, 2) + &row(3, 1)), false).unwrap();
        assert_eq!(log.rows().map(|row| (row.frame(), row.id().0)).collect::<Vec<_>>(), [(3, 1), (3, 2), (9, 1)]);
    }

    #[test]
    fn a_table_that_was_cut_anywhere_in_its_last_row_gives_the_rows_before() {
        let whole = HEADER.to_owned() + &row(3, 1) + &row(4, 1);
        let last = HEADER.len() + row(3, 1).len();
        for end in last + 1..whole.len() {
            let (log, cut) = read(&whole[..end], true).unwrap();
            assert_eq!((log.rows().len(), cut), (1, true), "cut at {}", end - last);
        }
        // A table that ended properly needs no final line end.
        assert_eq!(read(&whole[..whole.len() - 1], false).unwrap().0.rows().len(), 2);
    }

    #[test]
    fn broken_rows_are_named_with_file_line_and_reason() {
        let good = row(3, 1);
        for (bad, reason) in [
            (good.replace("80.1", "wide"), "“wide” in the column “width” is no number"),
            (good.replace("80.1", "NaN"), "in the column “width” is no number"),
            (good.replace("cam,3", "cam,-3"), "“-3” in the column “frame”"),
            (good.replace("0.4001", "0.9"), "the raw probabilities don't sum to 1"),
            (good.replace("0.4001", "-0.4"), "the raw probabilities don't sum to 1"),
            ("cam,3,0.1,1\n".to_owned(), "the row ends before the column “x”"),
        ] {
            let error = read(&(HEADER.to_owned() + &good + &bad + &row(5, 1)), true).unwrap_err();
            assert!(error.contains("faces.csv, line 3: ") && error.contains(reason), "{error}");
        }
        let error = read(&HEADER.replace("raw_happy", "happy"), false).unwrap_err();
        assert!(error.contains("line 1: there is no column “raw_happy”"), "{error}");
    }

    #[test]
    fn own_classes_are_read_by_their_columns_and_stay_with_their_rows() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("faces.csv");
        let classes = Classes::new(["wide awake", "frame", "tired"].map(str::to_owned).into()).unwrap();
        let face = |awake: f32| {
            let probabilities = Probabilities::from_rounded(&[awake, 0.2, 0.8 - awake]).unwrap();
            Face { raw: probabilities, smoothed: probabilities, ..scene(7, Emotion::Happy).faces[0] }
        };
        let row = |frame, awake| {
            rows::row("cam", frame, Duration::ZERO, &face(awake), &classes).iter().map(ToString::to_string).collect()
        };
        let table: Vec<Vec<String>> = vec![rows::header(&classes), row(9, 0.1), row(3, 0.7)];
        std::fs::write(&path, table.iter().map(|row| row.join(",") + "\n").collect::<String>()).unwrap();
        let (log, _) = FaceLog::read(&path, &classes, false).unwrap();
        let seen: Vec<_> = log.rows().map(|row| (row.frame(), row.face().raw.as_slice().to_vec())).collect();
        assert_eq!(seen, [(3, vec![0.7, 0.2, 0.1]), (9, vec![0.1, 0.2, 0.7])]);
        assert_eq!(RecordedFaces::classes(&log), &classes);
        let error = FaceLog::read(&path, &Classes::emotions(), false).unwrap_err().to_string();
        assert!(error.contains("there is no column “raw_angry”"), "{error}");
    }
}
