//! The report of scores for people.

use std::fmt;

use super::{Ground, IGNORE, Score};
use crate::classes::Classes;
use crate::console::counted;

/// Least width of the name column, in characters.
const NAME_WIDTH: usize = 9;

/// Displays a table with a row for each smoothing, and the recall of each class under the chosen one.
pub struct Report<'a> {
    /// The model's classes.
    pub classes: &'a Classes,
    /// What the scores were measured on.
    pub ground: &'a Ground,
    /// The score under the chosen smoothing.
    pub chosen: &'a Score,
    /// All scores, in the order of the table.
    pub scores: &'a [Score],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classes, ground, chosen, scores } = self;
        let Ground { seconds, seconds_beyond, no_face, left_out } = ground;
        let parts = counted(chosen.intervals.len() as u64, "part", "parts");
        writeln!(f, "{seconds:.1} s with known answers in {parts}, {:.1} % of them without a face", 100.0 * no_face)?;
        if *seconds_beyond > 0.05 {
            writeln!(f, "{seconds_beyond:.1} s of known answers are after the end of the video and don't count")?;
        }
        if left_out.ignored > 0.0 {
            writeln!(f, "{:.1} s are marked {IGNORE} and left out", left_out.ignored)?;
        }
        if let Some(seconds) = left_out.contempt.filter(|seconds| *seconds > 0.0) {
            writeln!(f, "{seconds:.1} s of contempt are left out: Mien's networks don't name it")?;
        }
        writeln!(
            f,
            "\n  {:9} {:>8} {:>17} {:>8} {:>7} {:>6} {:>12}",
            "smoothing",
            "right",
            format!("mean of {}", classes.plural()),
            "unsure",
            "delay",
            "never",
            "changes/min"
        )?;
        for score in *scores {
            let delay = score.delay_secs.map_or_else(|| "–".to_owned(), |secs| format!("{secs:.2} s"));
            writeln!(
                f,
                "{} {:9} {:>6.1} % {:>15.1} % {:>6.1} % {delay:>7} {:>6} {:>12.1}",
                if score == *chosen { ">" } else { " " },
                name(score.smoothing_secs),
                100.0 * score.right,
                100.0 * score.balanced,
                100.0 * score.unsure,
                score.never,
                score.changes_per_minute,
            )?;
        }
        writeln!(f, "\n  Right by {}, smoothing {}", classes.noun(), name(chosen.smoothing_secs))?;
        let width = classes.longest().max(NAME_WIDTH);
        for (key, recall) in &chosen.recall.0 {
            let name = classes.named(key).map(|class| classes.name(class)).unwrap_or_default();
            writeln!(f, "  {name:width$} {:>6.1} %", 100.0 * recall)?;
        }
        Ok(())
    }
}

fn name(smoothing_secs: f64) -> String {
    if smoothing_secs > 0.0 { format!("{smoothing_secs:.2} s") } else { "off".to_owned() }
}
