//! `mien compare`: the results of runs side by side.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::clock::hours_and_minutes;
use crate::console::{print, print_json, tell};
use crate::lab::datasets::WITH_VOTES;
use crate::lab::plots::{Bars, Quantity, Series};
use crate::lab::recipe::{Published, PublishedSplit, RecipeList, Scheduled};
use crate::lab::{ComparedRun, Figure, data_names, listed, read_list, read_runs};
use crate::net::{Ending, ModelSource};

/// Show the results of runs side by side, with what others published
///
/// One line for each run: the network's size, the number of epochs, the accuracy on PublicTest and PrivateTest with rule, prior and
/// number of pictures, and the time. Figures under different rules or priors can't be compared. A run that wasn't
/// measured by `mien evaluate --record` shows its best epoch on PublicTest.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// Folders of runs, models or cards, or shipped models by name; of several, folders without a model are left out and named
    #[arg(required_unless_present = "all", value_name = "RUN")]
    runs: Vec<ModelSource>,

    /// Compare the runs of a list of recipes (see `mien train --all`), including those that haven't begun
    #[arg(long, value_name = "LIST.toml", conflicts_with = "runs")]
    all: Option<PathBuf>,

    /// With --all: the folder of all runs [default: runs/NAME of the list]
    #[arg(long = "runs", value_name = "FOLDER", requires = "all")]
    folder: Option<PathBuf>,

    /// Print a JSON array instead of a table
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the table as Markdown, for a document
    #[arg(long)]
    markdown: bool,

    /// Draw the accuracies as a chart into this PNG file
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,

    /// Draw the accuracies for each source of published figures into its own PNG file in this folder
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
}

impl CompareArgs {
    /// Reads, draws and prints.
    ///
    /// # Errors
    /// When a run can't be read or a plot can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut runs = match &self.all {
            Some(path) => read_list(&RecipeList::read(path)?.recipes, &runs_of(path, self.folder.as_deref()))?,
            None => vec![],
        };
        for source in &self.runs {
            match read_runs(source) {
                Ok(read) => runs.extend(read),
                // `runs/*` names trainings in their first epoch too.
                Err(error) if self.runs.len() > 1 && error.is_of_empty_folder() => tell(&format!("left out: {error}")),
                Err(error) => return Err(error.into()),
            }
        }
        if runs.is_empty() {
            bail!("none of these folders holds a model to compare");
        }
        if let Some(path) = &self.plot {
            chart("Accuracies of all models", &runs).draw()?.save(path)?;
        }
        if let Some(folder) = &self.plots {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
            let sources = by_source(&runs);
            if sources.is_empty() {
                tell(
                    "no run has a published figure (`[published]` in its recipe): --plots draws nothing; --plot draws all",
                );
            }
            for (source, runs) in sources {
                chart(source, &runs).draw()?.save(&folder.join(format!("{}.png", file_name(source))))?;
            }
        }
        match (self.json, self.markdown) {
            (true, _) => print_json(&runs),
            (false, true) => print(&markdown(&runs)),
            (false, false) => print(&table(&runs)),
        }
    }
}

/// The folder of a list's runs.
pub(super) fn runs_of(list: &Path, given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| Path::new("runs").join(list.file_stem().unwrap_or_default()), Path::to_owned)
}

/// Prints the table of a list's runs, of which those at the places `failed` have just failed.
///
/// # Errors
/// When a card can't be read.
pub(super) fn show_list(list: &[Scheduled], runs: &Path, failed: &[usize]) -> anyhow::Result<()> {
    let mut runs = read_list(list, runs)?;
    for (place, run) in runs.iter_mut().enumerate() {
        run.failed = failed.contains(&place);
    }
    print(&table(&runs))
}

/// The runs that reproduce a published experiment, grouped by its source, in the order in which the sources first appear.
fn by_source(runs: &[ComparedRun]) -> Vec<(&str, Vec<ComparedRun>)> {
    let mut sources: Vec<(&str, Vec<ComparedRun>)> = Vec::new();
    for run in runs {
        let Some(published) = &run.published else { continue };
        match sources.iter_mut().find(|(source, _)| *source == published.source) {
            Some((_, known)) => known.push(run.clone()),
            None => sources.push((&published.source, vec![run.clone()])),
        }
    }
    sources
}

/// Turns a source's name into a file name: `j-sohn-facial-emotion-recognition`.
fn file_name(source: &str) -> String {
    let plain = source.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    plain.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// A column of the table.
struct Column {
    name: &'static str,
    /// Whether a terminal shows it; documents show all columns.
    on_terminal: bool,
    /// Words are aligned on the left, which makes figures at their beginning easier to compare; numbers on the right.
    is_words: bool,
    cell: fn(&ComparedRun) -> Option<String>,
}

const COLUMNS: [Column; 13] = [
    Column { name: "run", on_terminal: true, is_words: true, cell: |run| Some(run.name.clone()) },
    Column { name: "source", on_terminal: false, is_words: true, cell: source },
    Column { name: "system", on_terminal: false, is_words: true, cell: system },
    Column { name: "parameters", on_terminal: true, is_words: false, cell: |run| Some(millions(run.parameters)) },
    Column { name: "data", on_terminal: true, is_words: true, cell: data },
    Column { name: "published", on_terminal: true, is_words: true, cell: |run| run.published.as_ref().map(in_figures) },
    Column { name: "PublicTest", on_terminal: true, is_words: true, cell: |run| run.public.as_ref().map(in_words) },
    Column { name: "F1", on_terminal: true, is_words: false, cell: |run| macro_f1(run.public.as_ref()) },
    Column { name: "PrivateTest", on_terminal: true, is_words: true, cell: |run| run.private.as_ref().map(in_words) },
    Column { name: "F1", on_terminal: true, is_words: false, cell: |run| macro_f1(run.private.as_ref()) },
    Column { name: "epochs", on_terminal: true, is_words: true, cell: |run| Some(epochs(run)) },
    Column { name: "time", on_terminal: true, is_words: false, cell: time },
    Column { name: "device", on_terminal: false, is_words: true, cell: device },
];

fn cells(run: &ComparedRun) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| (column.cell)(run).unwrap_or_else(|| "–".to_owned()))
}

fn source(run: &ComparedRun) -> Option<String> {
    Some(run.published.as_ref()?.source.clone())
}

fn system(run: &ComparedRun) -> Option<String> {
    Some(run.published.as_ref()?.system.clone()).filter(|system| !system.is_empty())
}

fn millions(parameters: usize) -> String {
    format!("{:.2} M", parameters as f64 / 1e6)
}

/// The training data; FER2013 with its votes is called FER+. A recipe whose run hasn't begun needn't name its data.
fn data(run: &ComparedRun) -> Option<String> {
    let names = data_names(&run.data);
    let names = listed(names.iter().map(|name| if name.ends_with(WITH_VOTES) { "FER+" } else { name.as_str() }));
    let classes = (!run.classes.are_emotions()).then(|| format!("{} classes", run.classes.len()));
    let told: Vec<String> = Some(names).filter(|names| !names.is_empty()).into_iter().chain(classes).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn time(run: &ComparedRun) -> Option<String> {
    (run.epochs > 0).then(|| hours_and_minutes(run.wall_seconds))
}

/// The device, its hardware and threads, without the system, which matters little.
fn device(run: &ComparedRun) -> Option<String> {
    let machine = run.machine.as_str();
    let device = machine.rsplit_once(", ").map_or(machine, |(device, _)| device);
    (!machine.is_empty()).then(|| device.to_owned())
}

fn macro_f1(figure: Option<&Figure>) -> Option<String> {
    Some(format!("{:.3}", figure?.macro_f1?))
}

/// How many epochs ran, of how many, and why the training ended before the last.
fn epochs(run: &ComparedRun) -> String {
    let planned = run.epochs_planned.map_or_else(String::new, |planned| format!("/{planned}"));
    let ending = match run.ending {
        _ if run.failed => ", failed",
        Some(Ending::StoppedEarly) => ", stopped early",
        Some(Ending::BudgetSpent) => ", time spent",
        Some(Ending::Finished) => "",
        None if run.epochs == 0 => ", not run",
        None => "",
    };
    format!("{}{planned}{ending}", run.epochs)
}

/// A published figure with its split.
fn in_figures(published: &Published) -> String {
    let split = match published.split {
        PublishedSplit::Validation => "validation",
        PublishedSplit::Test => "test",
    };
    let test = published.test.map_or_else(String::new, |test| format!(", {} test", percent(test)));
    let f1 = published.macro_f1.map_or_else(String::new, |f1| format!(", F1 {f1:.2}"));
    format!("{} {split}{test}{f1}", percent(published.value))
}

fn table(runs: &[ComparedRun]) -> String {
    let head = COLUMNS.map(|column| column.name.to_owned());
    let rows: Vec<_> = std::iter::once(head).chain(runs.iter().map(cells)).collect();
    let longest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(longest);
    let line = |row: &[String; COLUMNS.len()]| {
        let shown = COLUMNS.iter().zip(row).zip(widths).filter(|((column, _), _)| column.on_terminal);
        let padded = shown.map(
            |((column, cell), width)| {
                if column.is_words { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") }
            },
        );
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    let lines = rows.iter().map(line);
    let notes = notes(runs).map(|note| format!("\n{note}\n"));
    lines.chain(notes).collect()
}

/// The table for a document, without empty columns.
fn markdown(runs: &[ComparedRun]) -> String {
    let cells: Vec<_> = runs.iter().map(cells).collect();
    let is_used = |column: usize| column == 0 || cells.iter().any(|cells| cells[column] != "–");
    let line = |cells: [String; COLUMNS.len()]| {
        let used = cells.into_iter().enumerate().filter(|(column, _)| is_used(*column));
        format!("| {} |\n", used.map(|(_, cell)| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
    };
    let head = line(COLUMNS.map(|column| column.name.to_owned()));
    let rule = line(COLUMNS.map(|_| "---".to_owned()));
    let lines = cells.iter().map(|cells| line(cells.clone()));
    let notes = notes(runs).map(|note| format!("\n- {note}"));
    let text: String = [head, rule].into_iter().chain(lines).chain(notes).collect();
    text.trim_end().to_owned() + "\n"
}

/// What readers should know about each published figure and each run.
fn notes(runs: &[ComparedRun]) -> impl Iterator<Item = String> {
    runs.iter().filter_map(|run| {
        let published = run.published.as_ref().map(|published| {
            let note = published.note.as_ref().map_or_else(String::new, |note| format!(" {note}"));
            format!("{}, {}.{note}", published.figure, published.source)
        });
        let classes = (!run.classes.are_emotions()).then(|| format!("Tells apart {}.", run.classes));
        let said: Vec<String> = published.into_iter().chain(run.note.clone()).chain(classes).collect();
        (!said.is_empty()).then(|| format!("{}: {}", run.name, said.join(" ")))
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

/// A chart with a group of bars for each run: our two figures and the published one.
fn chart(title: &str, runs: &[ComparedRun]) -> Bars {
    let series = |name: &str, value: fn(&ComparedRun) -> Option<f64>| Series {
        name: name.to_owned(),
        values: runs.iter().map(value).collect(),
    };
    Bars {
        title: title.to_owned(),
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

/// The rule and prior under which the figures were measured, if all have the same.
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
    use crate::classes::Classes;

    /// A run on data that a card describes in these words.
    fn run(data: &str) -> ComparedRun {
        ComparedRun {
            name: "a|b".into(),
            architecture: "cnn4".into(),
            parameters: 4_470_000,
            classes: Classes::emotions(),
            data: data.to_owned(),
            target: "label".into(),
            epochs: 3,
            epochs_planned: Some(60),
            ending: Some(Ending::BudgetSpent),
            failed: false,
            wall_seconds: 61.0,
            machine: String::new(),
            public: None,
            private: None,
            published: None,
            note: None,
            evaluations: vec![],
        }
    }

    #[test]
    fn data_are_named_without_how_their_faces_were_found() {
        let joint = "FER2013 with FER+ votes (9 faces turned upright, 2 whole pictures), CK+48 (3 faces turned upright) and JAFFE (2 faces \
                     turned upright): Training to learn from (no more)";
        let told = |text: &str| data(&run(text)).unwrap();
        assert_eq!(told(joint), "FER+, CK+48 and JAFFE");
        assert_eq!(told("FER2013: Training to learn from"), "FER2013");
        assert_eq!(told("FER2013"), "FER2013");
    }

    #[test]
    fn a_recipe_that_names_no_data_has_no_empty_cell() {
        assert!(table(&[run("")]).contains("4.47 M  –  "), "{}", table(&[run("")]));
        let own = Classes::new(vec!["tired".to_owned(), "awake".to_owned()]).unwrap();
        assert_eq!(data(&ComparedRun { classes: own, ..run("") }).unwrap(), "2 classes");
    }

    #[test]
    fn a_training_that_has_failed_is_not_called_one_that_did_not_run() {
        let not_begun = ComparedRun { epochs: 0, ending: None, ..run("JAFFE") };
        assert_eq!(epochs(&not_begun), "0/60, not run");
        assert_eq!(epochs(&ComparedRun { failed: true, ..not_begun }), "0/60, failed");
    }

    #[test]
    fn columns_stay_aligned_however_long_a_cell_is() {
        let runs =
            [run("CK+48, JAFFE, KDEF and FER2013: Training to learn from"), run("JAFFE: Training to learn from")];
        let text = table(&runs);
        let lines: Vec<&str> = text.lines().collect();
        let column = |line: &str, word: &str| line.split_once(word).unwrap().0.chars().count();
        let epochs = column(lines[0], "epochs");
        assert!(lines[1..].iter().all(|line| column(line, "3/60") == epochs), "{text}");
    }

    #[test]
    fn a_row_of_markdown_has_a_cell_for_each_column() {
        let text = markdown(&[run("JAFFE (213 faces cut out by centre): Training to learn from")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "| a\\|b | 4.47 M | JAFFE | 3/60, time spent | 61 s |");
        assert_eq!(lines[0].matches('|').count(), lines[1].matches('|').count());
    }
}
