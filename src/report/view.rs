//! The parts of a page that several kinds have, as templates take them.

use super::words::percent;
use super::{ReportError, Thumbnail, charts};
use crate::clock::clock;
use crate::emotion::Emotion;
use crate::summary::{Counts, FaceFigures, Moment};

/// A row that begins with an emotion.
pub struct Row {
    pub name: &'static str,
    pub color: String,
    pub cells: Vec<String>,
}

/// Chart and table of how much of each emotion there was.
pub struct Shares {
    pub chart: String,
    /// The chart in words.
    pub words: String,
    pub caption: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Row>,
}

/// A face at its strongest.
pub struct MomentView {
    pub name: &'static str,
    pub color: String,
    pub percent: String,
    /// Time or file.
    pub place: String,
    /// The picture in words.
    pub words: String,
    /// The picture itself.
    pub source: String,
}

/// As CSS writes it.
pub fn css(emotion: Emotion) -> String {
    let [red, green, blue] = emotion.rgb();
    format!("#{red:02x}{green:02x}{blue:02x}")
}

impl Row {
    pub fn new(emotion: Emotion, cells: Vec<String>) -> Self {
        Self { name: emotion.name(), color: css(emotion), cells }
    }
}

impl Shares {
    /// Of one face in a video.
    pub fn of_face(face: &FaceFigures) -> Result<Self, ReportError> {
        let mut shares = Self::of_video(&face.counts)?;
        shares.columns.extend(["longest episode", "begins at"]);
        for (row, emotion) in shares.rows.iter_mut().zip(Emotion::ALL) {
            let [length, start] = match face.longest(emotion) {
                Some(it) => [format!("{:.1} s", it.length.as_secs_f64()), clock(it.start.as_secs_f64(), 1)],
                None => ["–".to_owned(), "–".to_owned()],
            };
            row.cells.extend([length, start]);
        }
        Ok(shares)
    }

    /// Of all faces in a video.
    pub fn of_video(counts: &Counts) -> Result<Self, ReportError> {
        let mut shares = Self::new(
            counts,
            "Time in which each emotion led; the part of it in which none led clearly or the face was small (unsure, pale in the chart); mean probability whether it led or not",
        )?;
        shares.columns.splice(0..0, ["frames", "seconds"]);
        for (row, emotion) in shares.rows.iter_mut().zip(Emotion::ALL) {
            let figures = [counts.frames_of(emotion).to_string(), format!("{:.1}", counts.seconds_of(emotion))];
            row.cells.splice(0..0, figures);
        }
        Ok(shares)
    }

    /// Of the faces in pictures.
    pub fn of_pictures(counts: &Counts) -> Result<Self, ReportError> {
        let mut shares = Self::new(
            counts,
            "Faces on which each emotion led; the part of them on which none led clearly or the face was small (unsure, pale in the chart); mean probability whether it led or not",
        )?;
        shares.columns.insert(0, "faces");
        for (row, emotion) in shares.rows.iter_mut().zip(Emotion::ALL) {
            row.cells.insert(0, counts.frames_of(emotion).to_string());
        }
        Ok(shares)
    }

    fn new(counts: &Counts, caption: &'static str) -> Result<Self, ReportError> {
        let words = Emotion::ALL.map(|emotion| format!("{emotion} {}", percent(counts.share(emotion)))).join(", ");
        let cells =
            |emotion| [counts.share(emotion), counts.unsure_share(emotion), counts.mean(emotion)].map(percent).into();
        let rows = Emotion::ALL.map(|emotion| Row::new(emotion, cells(emotion))).into();
        Ok(Self {
            chart: charts::shares(counts)?,
            words,
            caption,
            columns: vec!["share", "unsure", "mean probability"],
            rows,
        })
    }
}

impl MomentView {
    /// A face at a time or in a file.
    pub fn new<T>(
        emotion: Emotion,
        moment: &Moment<T>,
        picture: &Thumbnail,
        place: String,
    ) -> Result<Self, ReportError> {
        let percent = format!("{:.0}\u{a0}%", moment.probability * 100.0);
        Ok(Self {
            name: emotion.name(),
            color: css(emotion),
            words: format!("A face, read as {} with {percent}, {place}", emotion.key()),
            percent,
            place,
            source: picture.data_uri()?,
        })
    }
}
