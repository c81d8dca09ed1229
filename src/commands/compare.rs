//! `mien compare`: what runs gave, side by side.

use std::path::PathBuf;

use clap::Args;

use crate::console::{print, print_json};
use crate::lab::plots::{Bars, Quantity, Series};
use crate::lab::{ComparedRun, Figure, read_runs};
use crate::net::ModelSource;

/// Show what runs gave, side by side, beside what others published
///
/// One line a run: the network's size, the epochs that ran, the accuracy on PublicTest and PrivateTest with rule, prior and
/// number of pictures, and the time. Figures under different rules or priors can't be compared. A run that wasn't
/// measured by `mien evaluate --record` shows its best epoch on PublicTest.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// Folders of runs, models or cards, or shipped models by name
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<ModelSource>,

    /// Print a JSON array instead of a table
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the table as Markdown, for a document
    #[arg(long)]
    markdown: bool,

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
        for source in &self.runs {
            runs.extend(read_runs(source)?);
        }
        if let Some(path) = &self.plot {
            chart(&runs).draw()?.save(path)?;
        }
        match (self.json, self.markdown) {
            (true, _) => print_json(&runs),
            (false, true) => print(&markdown(&runs)),
            (false, false) => print(&table(&runs)),
        }
    }
}

/// What the columns are called, and how wide they are on a terminal; the first is as wide as it has to be.
const COLUMNS: [(&str, usize); 8] = [
    ("run", 0),
    ("parameters", 12),
    ("data", 14),
    ("epochs", 8),
    ("PublicTest", 38),
    ("PrivateTest", 38),
    ("published", 10),
    ("time", 12),
];

/// The columns of figures in words, which are easier to compare when they begin below each other.
const WORDS: [usize; 3] = [2, 4, 5];

fn cells(run: &ComparedRun) -> [String; COLUMNS.len()] {
    let none = || "–".to_owned();
    let figure = |figure: &Option<Figure>| figure.as_ref().map_or_else(none, in_words);
    let planned = run.epochs_planned.map_or_else(String::new, |planned| format!("/{planned}"));
    // Behind the name stand how faces were found, and which split is for what.
    let data = run.data.split_once([':', '(']).map_or(run.data.as_str(), |(name, _)| name).trim_end();
    [
        run.name.clone(),
        format!("{:.2} M", run.parameters as f64 / 1e6),
        data.replace("FER2013 with FER+ votes", "FER+"),
        format!("{}{planned}", run.epochs),
        figure(&run.public),
        figure(&run.private),
        run.published.as_ref().map_or_else(none, |published| percent(published.value)),
        duration(run.wall_seconds),
    ]
}

fn table(runs: &[ComparedRun]) -> String {
    let width = runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max(COLUMNS[0].0.len());
    let line = |cells: [String; COLUMNS.len()]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| match COLUMNS[column].1 {
            0 => format!("{cell:width$}"),
            width if WORDS.contains(&column) => format!("  {cell:width$}"),
            width => format!("{cell:>width$}"),
        });
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    let head = line(COLUMNS.map(|(name, _)| name.to_owned()));
    let lines = runs.iter().map(|run| line(cells(run)));
    let notes = notes(runs).map(|note| format!("\n{note}\n"));
    std::iter::once(head).chain(lines).chain(notes).collect()
}

fn markdown(runs: &[ComparedRun]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head = line(&COLUMNS.map(|(name, _)| name.to_owned()));
    let rule = line(&COLUMNS.map(|_| "---".to_owned()));
    let lines = runs.iter().map(|run| line(&cells(run).map(|cell| cell.replace('|', "\\|"))));
    let notes = notes(runs).map(|note| format!("\n- {note}"));
    let text: String = [head, rule].into_iter().chain(lines).chain(notes).collect();
    text.trim_end().to_owned() + "\n"
}

/// What is to be known of each published figure.
fn notes(runs: &[ComparedRun]) -> impl Iterator<Item = String> {
    runs.iter().filter_map(|run| {
        let published = run.published.as_ref()?;
        let note = published.note.as_ref().map_or_else(String::new, |note| format!(" {note}"));
        Some(format!("{}: {}, {}.{note}", run.name, published.figure, published.source))
    })
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
    fn a_row_of_markdown_has_a_cell_for_each_column() {
        let run = ComparedRun {
            name: "a|b".into(),
            architecture: "cnn4".into(),
            parameters: 4_470_000,
            data: "JAFFE (213 faces cut out by centre): Training to learn from".into(),
            target: "label".into(),
            epochs: 3,
            epochs_planned: Some(60),
            wall_seconds: 61.0,
            machine: String::new(),
            public: None,
            private: None,
            published: None,
            evaluations: vec![],
        };
        let text = markdown(&[run]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "| a\\|b | 4.47 M | JAFFE | 3/60 | – | – | – | 1 min |");
        assert_eq!(lines[0].matches('|').count(), lines[1].matches('|').count());
    }

    #[test]
    fn times_are_in_hours_and_minutes() {
        assert_eq!(duration(6606.0), "1 h 50 min");
        assert_eq!(duration(59.0), "1 min");
    }
}
