//! `mien compare`: what runs gave, side by side.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::output::{print, print_json};
use crate::lab::plots::{Bars, Quantity, Series};
use crate::lab::{ComparedRun, Figure, read_runs};

/// Show what runs gave, side by side, beside what others published
///
/// One line a run: the network's size, the epochs that ran, the accuracy on PublicTest and PrivateTest with rule, prior and
/// number of pictures, and the time. Figures under different rules or priors can't be compared. A run that wasn't
/// measured by `mien evaluate --record` shows its best epoch on PublicTest.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// Folders of runs, models or cards
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,

    /// Draw the accuracies to this PNG file
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
}

impl CompareArgs {
    /// Reads, draws and prints.
    ///
    /// # Errors
    /// When a run can't be read or the plot can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut runs = Vec::new();
        for path in &self.runs {
            runs.extend(read_runs(path)?);
        }
        if let Some(path) = &self.plot {
            chart(&runs).draw()?.save(path)?;
        }
        if self.json { print_json(&runs) } else { print(&table(&runs)) }
    }
}

fn table(runs: &[ComparedRun]) -> String {
    let width = runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max("run".len());
    let figure = |figure: &Option<Figure>| figure.as_ref().map_or_else(|| "–".to_owned(), in_words);
    let mut text = format!(
        "{:width$}{:>12}{:>8}  {:38}{:38}{:>10}{:>12}\n",
        "run", "parameters", "epochs", "PublicTest", "PrivateTest", "published", "time"
    );
    for run in runs {
        let planned = run.epochs_planned.map_or_else(String::new, |planned| format!("/{planned}"));
        // Writing to a string can't fail.
        writeln!(
            text,
            "{:width$}{:>12}{:>8}  {:38}{:38}{:>10}{:>12}",
            run.name,
            format!("{:.2} M", run.parameters as f64 / 1e6),
            format!("{}{planned}", run.epochs),
            figure(&run.public),
            figure(&run.private),
            run.published.as_ref().map_or_else(|| "–".to_owned(), |published| percent(published.value)),
            duration(run.wall_seconds),
        )
        .ok();
    }
    for run in runs {
        if let Some(published) = &run.published {
            let note = published.note.as_ref().map_or_else(String::new, |note| format!(" {note}"));
            writeln!(text, "\n{}: {}, {}.{note}", run.name, published.figure, published.source).ok();
        }
    }
    text
}

fn in_words(figure: &Figure) -> String {
    let rule = figure.rule.as_deref().unwrap_or("best epoch");
    let n = figure.n.map_or_else(String::new, |n| format!(", N {n}"));
    format!("{} ({rule}, {}{n})", percent(figure.accuracy), figure.prior)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h {:02} min", minutes / 60, minutes % 60) }
}

/// One group a run: our two figures and the published one.
fn chart(runs: &[ComparedRun]) -> Bars {
    let series = |name: &str, value: fn(&ComparedRun) -> Option<f64>| Series {
        name: name.to_owned(),
        values: runs.iter().map(value).collect(),
    };
    Bars {
        title: "Accuracies of all models".to_owned(),
        subtitle: conditions(runs),
        axis: "accuracy (%)".to_owned(),
        quantity: Quantity::Share,
        groups: runs.iter().map(|run| run.name.clone()).collect(),
        series: vec![
            series("PublicTest", |run| run.public.as_ref().map(|figure| figure.accuracy)),
            series("PrivateTest", |run| run.private.as_ref().map(|figure| figure.accuracy)),
            series("published", |run| run.published.as_ref().map(|published| published.value)),
        ],
    }
}

/// Under what the figures were measured, if it was the same for all.
fn conditions(runs: &[ComparedRun]) -> String {
    let mut conditions: Vec<(&str, &str)> = runs
        .iter()
        .flat_map(|run| run.public.iter().chain(&run.private))
        .map(|figure| (figure.rule.as_deref().unwrap_or("of the best epoch"), figure.prior.as_str()))
        .collect();
    conditions.sort_unstable();
    conditions.dedup();
    match conditions.as_slice() {
        [(rule, prior)] => format!("{} runs, rule {rule}, prior {prior}", runs.len()),
        _ => format!("{} runs, not all under one rule and prior: `mien compare` tells which", runs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_hours_and_minutes() {
        assert_eq!(duration(6606.0), "1 h 50 min");
        assert_eq!(duration(59.0), "1 min");
    }
}
