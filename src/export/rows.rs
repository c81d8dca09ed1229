//! What a table says about a face: the same columns in every format.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::classes::Classes;
use crate::digits::{PIXEL_DIGITS, PROBABILITY_DIGITS, QUALITY_DIGITS, TIME_DIGITS, rounded, rounded_landmarks};
use crate::face::Face;
use crate::landmarks::{LANDMARKS, Landmarks};
use crate::verdict::Verdict;

/// Changes when a column changes its name, meaning or place; new columns at the end don't count. Since 3, `verdict` is `unsure` for
/// poor pictures too.
pub const SCHEMA_VERSION: u32 = 3;

/// The columns before those of the classes. They are stable: new ones are only ever added at the end of the row.
///
/// | column | meaning |
/// |---|---|
/// | `file` | the video or picture, as it was found; the camera's name for a camera |
/// | `frame` | number of the frame in the source, from 0 |
/// | `time_s` | time of the frame since the start of the source, in seconds |
/// | `face` | the face's number, from 1; the same person keeps it from frame to frame |
/// | `x`, `y`, `width`, `height` | the box in the pixels of the frame |
/// | `score` | how sure the detector is of the box: a probability; for Haar, the number of neighbouring hits |
/// | `label` | the emotion, or custom class, that leads after smoothing |
/// | `verdict` | the same, or `unsure` if none leads clearly, the face is too small or its picture too poor; annotated pictures show this |
/// | `raw_angry` … `raw_neutral` | a probability for each emotion from this frame alone; custom classes are named by [`Classes::columns`] |
/// | `smoothed_angry` … `smoothed_neutral` | the same smoothed over time |
/// | `right_eye_x`, `right_eye_y` … `mouth_left_y` | eyes, nose and mouth in the pixels of the frame; empty if not found |
/// | `roll` | the head's roll in degrees, positive clockwise in the picture; empty likewise |
/// | `quality` | how usable the face's picture is, 0 to 1; empty in recordings that don't say |
///
/// A frame without a face has no row.
pub const COLUMNS: [&str; 11] =
    ["file", "frame", "time_s", "face", "x", "y", "width", "height", "score", "label", "verdict"];

/// The columns of a table with a row for each analysed frame, with a face or without.
pub const FRAME_COLUMNS: [&str; 4] = ["file", "frame", "time_s", "faces"];

/// The columns of the landmarks, after those of the classes.
pub(crate) const LANDMARK_COLUMNS: [&str; 2 * LANDMARKS] = [
    "right_eye_x",
    "right_eye_y",
    "left_eye_x",
    "left_eye_y",
    "nose_x",
    "nose_y",
    "mouth_right_x",
    "mouth_right_y",
    "mouth_left_x",
    "mouth_left_y",
];

/// The column after those of the landmarks.
const ROLL_COLUMN: &str = "roll";

/// The column after that: how usable the picture is.
pub(crate) const QUALITY_COLUMN: &str = "quality";

/// The last column of a table with people's names, exported from a recording.
pub const NAME_COLUMN: &str = "name";

/// A value in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Count(u64),
    /// A value, and the number of digits after the point.
    Decimal(f64, usize),
    /// A decimal that isn't known.
    Unknown,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Decimal(value, digits) => write!(f, "{value:.digits$}"),
            Self::Unknown => Ok(()),
        }
    }
}

impl Cell<'_> {
    /// The value rounded to the digits that are written, so that all formats agree exactly. NaN if the cell isn't a decimal.
    pub(super) fn rounded(&self) -> f64 {
        if let Self::Decimal(value, digits) = self { rounded(*value, *digits) } else { f64::NAN }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u64(*count),
            // NaN becomes `null` in JSON.
            Self::Decimal(..) => serializer.serialize_f64(self.rounded()),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

/// The type of a column, for formats that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Count,
    Decimal,
    /// A decimal that may be missing.
    MaybeDecimal,
}

/// Whether a column is empty if a face has no landmarks or its quality isn't known. Recordings of older versions lack such columns.
pub(crate) fn may_be_empty(name: &str) -> bool {
    [ROLL_COLUMN, QUALITY_COLUMN].contains(&name) || LANDMARK_COLUMNS.contains(&name)
}

/// The names of all columns of a table with these classes. A class can't be mistaken for another column, because nothing else begins with
/// `raw_` or `smoothed_`.
pub(crate) fn header(classes: &Classes) -> Vec<String> {
    let of_classes = |kind: &'static str| classes.columns().map(move |column| format!("{kind}_{column}"));
    let of_pictures = LANDMARK_COLUMNS.into_iter().chain([ROLL_COLUMN, QUALITY_COLUMN]).map(str::to_owned);
    COLUMNS
        .map(str::to_owned)
        .into_iter()
        .chain(of_classes("raw"))
        .chain(of_classes("smoothed"))
        .chain(of_pictures)
        .collect()
}

/// The type of a column of this name, in tables of faces and of frames.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "file" | "label" | "verdict" | NAME_COLUMN => Kind::Text,
        "frame" | "face" | "faces" => Kind::Count,
        name if may_be_empty(name) => Kind::MaybeDecimal,
        _ => Kind::Decimal,
    }
}

/// The names of all columns, with their types.
pub(super) fn columns(classes: &Classes) -> Vec<(String, Kind)> {
    header(classes).into_iter().map(|name| (name.clone(), kind(&name))).collect()
}

/// [`FRAME_COLUMNS`], with their types.
pub(super) fn frame_columns() -> Vec<(String, Kind)> {
    FRAME_COLUMNS.map(|name| (name.to_owned(), kind(name))).into()
}

/// The row of a frame, in the order of [`FRAME_COLUMNS`].
pub(super) fn frame_row(file: &str, frame: u64, time: Duration, faces: usize) -> Vec<Cell<'_>> {
    vec![
        Cell::Text(file),
        Cell::Count(frame),
        Cell::Decimal(time.as_secs_f64(), TIME_DIGITS),
        Cell::Count(faces as u64),
    ]
}

/// Ten coordinates and the roll. The roll is computed from the rounded coordinates, so that it can be reproduced from a table.
fn landmark_cells<'a>(landmarks: &Landmarks) -> Vec<Cell<'a>> {
    let cell = |value: f32| Cell::Decimal(value.into(), PIXEL_DIGITS);
    let written = rounded_landmarks(landmarks);
    written.points().into_iter().flatten().chain([written.roll_degrees()]).map(cell).collect()
}

/// The row of a face, in the order of [`header`].
pub(crate) fn row<'a>(file: &'a str, frame: u64, time: Duration, face: &Face, classes: &'a Classes) -> Vec<Cell<'a>> {
    let rect = face.rect;
    let pixels = |value: f32| Cell::Decimal(value.into(), PIXEL_DIGITS);
    let mut row = Vec::with_capacity(COLUMNS.len() + 2 * classes.len() + LANDMARK_COLUMNS.len() + 2);
    row.extend([
        Cell::Text(file),
        Cell::Count(frame),
        Cell::Decimal(time.as_secs_f64(), TIME_DIGITS),
        Cell::Count(face.id.0.into()),
    ]);
    row.extend([rect.x, rect.y, rect.width, rect.height].map(pixels));
    row.push(Cell::Decimal(face.score.into(), PROBABILITY_DIGITS));
    row.extend([classes.key(face.smoothed.top().0), Verdict::of(face).key(classes)].map(Cell::Text));
    let probabilities = face.raw.as_slice().iter().chain(face.smoothed.as_slice());
    row.extend(probabilities.map(|p| Cell::Decimal((*p).into(), PROBABILITY_DIGITS)));
    row.extend(match &face.landmarks {
        Some(landmarks) => landmark_cells(landmarks),
        None => vec![Cell::Unknown; LANDMARK_COLUMNS.len() + 1],
    });
    row.push(face.quality.map_or(Cell::Unknown, |quality| Cell::Decimal(quality.into(), QUALITY_DIGITS)));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::{COUNT, Emotion};
    use crate::export::testing::scene;

    #[test]
    fn a_face_with_landmarks_has_their_places_and_its_roll_and_one_without_has_none() {
        let mut scene = scene(7, Emotion::Happy);
        let face = &mut scene.faces[0];
        let words = |face: &Face| -> Vec<String> {
            let classes = Classes::emotions();
            let row = row("a.mp4", 7, Duration::ZERO, face, &classes);
            row[COLUMNS.len() + 2 * COUNT..].iter().map(Cell::to_string).collect()
        };
        assert_eq!(words(face), [[""; 11].as_slice(), &["0.75"]].concat());
        face.quality = None;
        assert_eq!(words(face), [""; 12]);
        // The left eye 20 to the right of the right one and 20 below it.
        let points = [[10.0, 20.0], [30.0, 40.0], [5.0, 45.25], [-3.0, 50.0], [9.0, 60.0]];
        face.landmarks = Some(Landmarks::from_points(points));
        let expected = ["10.0", "20.0", "30.0", "40.0", "5.0", "45.2", "-3.0", "50.0", "9.0", "60.0", "45.0", ""];
        assert_eq!(words(face), expected);
        assert_eq!(header(&Classes::emotions())[COLUMNS.len() + 2 * COUNT], "right_eye_x");
        assert_eq!(header(&Classes::emotions()).last().map(String::as_str), Some("quality"));
    }

    #[test]
    fn each_cell_is_of_the_kind_of_its_column() {
        let mut scene = scene(7, Emotion::Happy);
        scene.faces[0].quality = None;
        let kind = |cell: &Cell<'_>| match cell {
            Cell::Text(_) => Kind::Text,
            Cell::Count(_) => Kind::Count,
            Cell::Decimal(..) => Kind::Decimal,
            Cell::Unknown => Kind::MaybeDecimal,
        };
        let row = row("a.mp4", scene.frame.index, scene.frame.media_time, &scene.faces[0], &scene.classes);
        let cells: Vec<_> = row.iter().map(kind).collect();
        assert_eq!(cells, columns(&scene.classes).into_iter().map(|(_, kind)| kind).collect::<Vec<_>>());
    }
}
