//! FER+ votes: ten people's opinion on each picture of FER2013 (Barsoum et al. 2016, `fer2013new.csv`).

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DataError;
use super::table::from_csv;
use mien_core::bounded::Rows;
use mien_core::emotion::{self, Emotion};

/// Columns of the official file after `Usage` and `Image name`, with the emotion that each counts for.
const COLUMNS: [(&str, Option<Emotion>); 10] = [
    ("neutral", Some(Emotion::Neutral)),
    ("happiness", Some(Emotion::Happy)),
    ("surprise", Some(Emotion::Surprise)),
    ("sadness", Some(Emotion::Sad)),
    ("anger", Some(Emotion::Angry)),
    ("disgust", Some(Emotion::Disgust)),
    ("fear", Some(Emotion::Fear)),
    ("contempt", Some(Emotion::Neutral)),
    ("unknown", None),
    ("NF", None),
];
/// The columns, for messages.
const COLUMN_NAMES: &str =
    "Usage, Image name, neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF";
/// A lone vote is an outlier and is dropped, as in Microsoft's own reader.
const OUTLIER_VOTES: u8 = 1;

/// The position of contempt among [`COLUMNS`].
const CONTEMPT: usize = 7;

/// The votes on one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Votes {
    /// Votes for each column of the file, in its order.
    columns: [u8; COLUMNS.len()],
}

impl Votes {
    /// From votes in the order of the file: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt,
    /// unknown, not a face.
    #[cfg(test)]
    pub(super) fn new(columns: [u8; COLUMNS.len()]) -> Self {
        Self { columns }
    }

    /// The emotion with more than half of all votes, if there is one.
    ///
    /// Contempt is added to neutral before counting; votes for unknown and not-a-face count in the total.
    pub fn majority(&self) -> Option<Emotion> {
        let total: u32 = self.columns.iter().map(|v| u32::from(*v)).sum();
        let counts = self.by_emotion(0);
        Emotion::ALL.into_iter().find(|e| f64::from(counts[e.index()]) * 2.0 > f64::from(total))
    }

    /// The emotion that Microsoft's own reader chooses among seven classes (mode `majority` of `ferplus.py` in
    /// github.com/microsoft/FERPlus).
    ///
    /// Lone votes are dropped first. What then has more than half of the remaining votes wins, with the ten columns of the file
    /// counted separately. Pictures are left out if nothing wins, or if unknown, not-a-face or contempt does: contempt is that
    /// reader's eighth class, and isn't added to neutral. N is 3137 on PrivateTest.
    pub fn microsoft(&self) -> Option<Emotion> {
        let winner = self.microsoft_column().filter(|winner| *winner != CONTEMPT)?;
        COLUMNS.get(winner)?.1
    }

    /// Whether Microsoft's reader chooses contempt, its eighth class. It does so for 16 pictures of PrivateTest; with them, N is 3153.
    pub fn is_contempt(&self) -> bool {
        self.microsoft_column() == Some(CONTEMPT)
    }

    /// The column of the file that has more than half of the votes after lone votes are dropped.
    fn microsoft_column(&self) -> Option<usize> {
        let kept = self.columns.map(|votes| if votes > OUTLIER_VOTES { u32::from(votes) } else { 0 });
        let total: u32 = kept.iter().sum();
        kept.iter().position(|votes| 2 * votes > total)
    }

    /// The emotion with the most votes after lone votes are dropped, with contempt added to neutral. `None` if two emotions
    /// tie, or if unknown and not-a-face together have as many.
    pub fn plurality(&self) -> Option<Emotion> {
        let shares = self.distribution()?;
        let most = shares.iter().copied().fold(0.0, f32::max);
        let mut leaders = Emotion::ALL.into_iter().filter(|emotion| shares[emotion.index()] == most);
        leaders.next().filter(|_| leaders.next().is_none())
    }

    /// The share of votes for each emotion after lone votes are dropped: what a network is taught.
    ///
    /// `None` if unknown and not-a-face together have as many votes as the leading emotion, or if no emotion has any.
    pub fn distribution(&self) -> Option<[f32; emotion::COUNT]> {
        let counts = self.by_emotion(OUTLIER_VOTES);
        let nothing = COLUMNS.iter().zip(self.columns).filter(|((_, emotion), _)| emotion.is_none());
        let useless: f32 = nothing.map(|(_, votes)| f32::from(votes)).sum();
        let leader = counts.iter().copied().fold(0.0, f32::max);
        let sum: f32 = counts.iter().sum();
        (leader > useless).then(|| counts.map(|c| c / sum))
    }

    /// Votes per emotion, columns with at most `dropped` votes left out.
    fn by_emotion(&self, dropped: u8) -> [f32; emotion::COUNT] {
        let mut counts = [0.0; emotion::COUNT];
        for ((_, emotion), votes) in COLUMNS.iter().zip(self.columns) {
            if let Some(emotion) = emotion
                && votes > dropped
            {
                counts[emotion.index()] += f32::from(votes);
            }
        }
        counts
    }
}

/// Reads `fer2013new.csv`: one entry per row, in the order of the rows, which is that of `fer2013.csv`.
///
/// # Errors
/// When the file can't be read, a column is missing, or a vote isn't a number from 0 to 255.
pub fn read_ferplus(path: &Path) -> Result<Vec<Votes>, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut reader = Rows::new(csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true), file);
    let header = reader.headers().map_err(|e| from_csv(path, &e))?.clone();
    let no_header = || DataError::Header { path: path.to_owned(), format: "fer2013new.csv", wanted: COLUMN_NAMES };
    let mut positions = [0; COLUMNS.len()];
    for (position, (name, _)) in positions.iter_mut().zip(COLUMNS) {
        *position = header.iter().position(|h| h.eq_ignore_ascii_case(name)).ok_or_else(no_header)?;
    }

    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read(&mut record).map_err(|e| from_csv(path, &e))? {
        let line = record.position().map_or(0, csv::Position::line);
        let mut votes = Votes::default();
        for (count, (position, (name, _))) in votes.columns.iter_mut().zip(positions.into_iter().zip(COLUMNS)) {
            let field = record.get(position).unwrap_or_default();
            *count = field.parse().map_err(|_not_a_count| DataError::Row {
                path: path.to_owned(),
                line,
                problem: format!("“{field}” is not a number of votes for {name}"),
            })?;
        }
        rows.push(votes);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    fn votes(columns: [u8; 10]) -> Votes {
        Votes { columns }
    }

    #[test]
    fn contempt_counts_as_neutral_before_the_majority_is_taken() {
        assert_eq!(votes([3, 0, 0, 4, 0, 0, 0, 3, 0, 0]).majority(), Some(Emotion::Neutral));
    }

    #[test]
    fn half_of_the_votes_is_no_majority() {
        assert_eq!(votes([5, 5, 0, 0, 0, 0, 0, 0, 0, 0]).majority(), None);
        assert_eq!(votes([0, 5, 0, 0, 0, 0, 0, 0, 4, 1]).majority(), None);
        assert_eq!(votes([4, 6, 0, 0, 0, 0, 0, 0, 0, 0]).majority(), Some(Emotion::Happy));
    }

    #[test]
    fn microsofts_rule_drops_lone_votes_first_and_counts_contempt_apart() {
        // Exactly half of ten votes, but more than half of those that remain without lone ones.
        assert_eq!(votes([0, 5, 2, 1, 1, 1, 0, 0, 0, 0]).microsoft(), Some(Emotion::Happy));
        assert_eq!(votes([0, 5, 2, 1, 1, 1, 0, 0, 0, 0]).majority(), None);
        assert_eq!(votes([3, 0, 0, 0, 0, 0, 0, 7, 0, 0]).microsoft(), None);
        assert!(votes([3, 0, 0, 0, 0, 0, 0, 7, 0, 0]).is_contempt());
        assert_eq!(votes([4, 0, 0, 2, 0, 0, 0, 4, 0, 0]).microsoft(), None);
        assert!(!votes([4, 0, 0, 2, 0, 0, 0, 4, 0, 0]).is_contempt());
        assert_eq!(votes([0, 0, 0, 0, 0, 0, 0, 0, 8, 2]).microsoft(), None);
        assert_eq!(votes([1, 1, 1, 1, 1, 1, 1, 1, 1, 1]).microsoft(), None);
    }

    #[test]
    fn lone_votes_are_dropped_from_what_is_taught() {
        let taught = votes([4, 0, 0, 4, 1, 1, 0, 0, 0, 0]).distribution().unwrap();
        assert_eq!(taught, [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.5]);
    }

    #[test]
    fn pictures_that_show_no_face_teach_nothing() {
        assert!(votes([0, 0, 0, 0, 0, 0, 0, 0, 0, 10]).distribution().is_none());
        assert!(votes([2, 0, 0, 0, 0, 0, 0, 0, 6, 2]).distribution().is_none());
    }

    #[test]
    fn the_official_header_is_read_and_another_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF")
            .unwrap();
        writeln!(file, "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0").unwrap();
        writeln!(file, "Training,,0,0,0,0,0,0,0,0,0,10").unwrap();
        let rows = read_ferplus(file.path()).unwrap();
        assert_eq!(rows[0], votes([4, 0, 0, 1, 3, 2, 0, 0, 0, 0]));
        assert_eq!(rows.len(), 2);
        writeln!(file, "Training,x,4,many,0,1,3,2,0,0,0,0").unwrap();
        assert!(read_ferplus(file.path()).unwrap_err().to_string().contains("line 4: “many”"));

        let mut other = tempfile::NamedTempFile::new().unwrap();
        writeln!(other, "a,b").unwrap();
        assert!(matches!(read_ferplus(other.path()), Err(DataError::Header { .. })));
    }
}
