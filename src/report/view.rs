//! The parts that several kinds of pages share, as templates use them.

use super::words::percent;
use super::{ReportError, Thumbnail, charts};
use crate::classes::Classes;
use crate::clock::clock;
use crate::summary::{Counts, FaceFigures, Moment};

/// A row that begins with a class.
pub struct Row {
    pub name: String,
    pub color: String,
    pub cells: Vec<String>,
}

/// Chart and table of the shares of the classes.
pub struct Shares {
    pub chart: String,
    /// The chart in words.
    pub words: String,
    pub caption: String,
    /// What the rows are: “Emotion” or “Class”.
    pub kind: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Row>,
}

/// A face at its strongest.
pub struct MomentView {
    pub name: String,
    pub color: String,
    pub percent: String,
    /// Time or file.
    pub place: String,
    /// The picture in words.
    pub words: String,
    /// The picture itself.
    pub source: String,
}

/// The colour of a class in CSS.
pub fn css(classes: &Classes, class: usize) -> String {
    let [red, green, blue] = classes.rgb(class);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

impl Row {
    pub fn new(classes: &Classes, class: usize, cells: Vec<String>) -> Self {
        Self { name: classes.name(class), color: css(classes, class), cells }
    }
}

impl Shares {
    /// The shares of one face in a video.
    pub fn of_face(face: &FaceFigures, classes: &Classes) -> Result<Self, ReportError> {
        let mut shares = Self::of_video(&face.counts, classes)?;
        shares.columns.extend(["longest episode", "begins at"]);
        for (class, row) in shares.rows.iter_mut().enumerate() {
            let [length, start] = match face.longest(class) {
                Some(it) => [format!("{:.1} s", it.length.as_secs_f64()), clock(it.start.as_secs_f64(), 1)],
                None => ["–".to_owned(), "–".to_owned()],
            };
            row.cells.extend([length, start]);
        }
        Ok(shares)
    }

    /// The shares of all faces in a video.
    pub fn of_video(counts: &Counts, classes: &Classes) -> Result<Self, ReportError> {
        let mut shares = Self::new(
            counts,
            classes,
            "Time in which each {} led; the part of it in which none led clearly, or the face was small or its picture poor (unsure, pale in the chart); mean probability whether it led or not",
        )?;
        shares.columns.splice(0..0, ["frames", "seconds"]);
        for (class, row) in shares.rows.iter_mut().enumerate() {
            let figures = [counts.frames_of(class).to_string(), format!("{:.1}", counts.seconds_of(class))];
            row.cells.splice(0..0, figures);
        }
        Ok(shares)
    }

    /// The shares of the faces in pictures.
    pub fn of_pictures(counts: &Counts, classes: &Classes) -> Result<Self, ReportError> {
        let mut shares = Self::new(
            counts,
            classes,
            "Faces on which each {} led; the part of them on which none led clearly, or the face was small or its picture poor (unsure, pale in the chart); mean probability whether it led or not",
        )?;
        shares.columns.insert(0, "faces");
        for (class, row) in shares.rows.iter_mut().enumerate() {
            row.cells.insert(0, counts.frames_of(class).to_string());
        }
        Ok(shares)
    }

    /// `caption` contains `{}` in place of the word for a class.
    fn new(counts: &Counts, classes: &Classes, caption: &str) -> Result<Self, ReportError> {
        let all = 0..classes.len();
        let words = all.clone().map(|class| format!("{} {}", classes.name(class), percent(counts.share(class))));
        let words = words.collect::<Vec<_>>().join(", ");
        let cells = |class| [counts.share(class), counts.unsure_share(class), counts.mean(class)].map(percent).into();
        let rows = all.map(|class| Row::new(classes, class, cells(class))).collect();
        Ok(Self {
            chart: charts::shares(counts, classes)?,
            words,
            caption: caption.replace("{}", classes.noun()),
            kind: if classes.are_emotions() { "Emotion" } else { "Class" },
            columns: vec!["share", "unsure", "mean probability"],
            rows,
        })
    }
}

impl MomentView {
    /// A face at a time or in a file.
    pub fn new<T>(
        classes: &Classes,
        class: usize,
        moment: &Moment<T>,
        picture: &Thumbnail,
        place: String,
    ) -> Result<Self, ReportError> {
        let percent = format!("{:.0}\u{a0}%", moment.probability * 100.0);
        Ok(Self {
            name: classes.name(class),
            color: css(classes, class),
            words: format!("A face, read as {} with {percent}, {place}", classes.key(class)),
            percent,
            place,
            source: picture.data_uri()?,
        })
    }
}
