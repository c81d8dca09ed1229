//! Figures in words.

use crate::summary::Counts;

/// A share as `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The unsure share, to follow a count; empty if it is zero.
pub fn unsure(counts: &Counts) -> String {
    match counts.all_unsure_share() {
        share if share > 0.0 => {
            let of = if counts.seconds() > 0.0 { "the faces' time" } else { "the faces" };
            format!("; unsure for {} of {of}", percent(share))
        }
        _ => String::new(),
    }
}
