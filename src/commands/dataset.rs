//! `mien dataset`: what a data set contains, before anything is trained on it.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::reading::ReadingArgs;
use crate::classes::Classes;
use crate::console::{counted, print, print_json};
use crate::crop::Framing;
use crate::lab::datasets::{Split, SplitSpec, Summary};
use crate::lab::faces::LandmarkSummary;
use crate::lab::plots::{Bars, Quantity, Series, contact_sheet};
use crate::landmarks::LANDMARKS;

/// Width of the first column in characters, unless a name is longer.
const NAMES: usize = 11;
/// Width of the longest bar in characters.
const BAR: usize = 50;
/// The landmarks in their order.
const LANDMARK_NAMES: [&str; LANDMARKS] = ["right eye", "left eye", "nose", "mouth right", "mouth left"];
/// Most places to list for a group of equal pictures.
const PLACES: usize = 3;
/// Blocks of zero to seven eighths of a character.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Show what a data set holds
///
/// Counts the pictures of each split and emotion (or class), the people, and pictures with the same pixels, within a split and across
/// splits, where they would spoil a measurement. Reads fer2013.csv or icml_face_data.csv, folders named after emotions (also
/// below train, validation and test), CK+48, JAFFE, KDEF, and a CSV file with the columns path and label (optionally
/// also subject and split). It recognises the format by itself.
#[derive(Args, Debug)]
pub struct DatasetArgs {
    /// The data set: a table or a folder
    #[arg(value_name = "DATA")]
    pub data: PathBuf,

    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Its classes, by the names of their folders, as in a recipe with `classes` [default: the seven emotions]
    #[arg(long, value_name = "NAME,NAME…", value_parser = classes)]
    pub classes: Option<Classes>,

    /// Look for eyes, nose and mouth in every picture, turn the faces upright by them as recipes with `crop = "upright"` do, and say
    /// in how many pictures they were found and where they are; takes minutes for tens of thousands of pictures
    #[arg(long)]
    pub upright: bool,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub json: bool,

    /// Write a bar chart of the emotions or classes in each split to this PNG
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,

    /// Write examples of each emotion or class to this PNG
    #[arg(long, value_name = "FILE")]
    pub sheet: Option<PathBuf>,
}

impl DatasetArgs {
    /// Counts and prints.
    ///
    /// # Errors
    /// When the data set can't be read or a picture can't be written.
    pub fn run(&self) -> anyhow::Result<()> {
        let classes = self.classes.clone().unwrap_or_default();
        let crop = if self.upright { Framing::Upright } else { Framing::Box };
        let data = self.reading.read(&[(None, self.data.clone())], &classes, &|_| SplitSpec::default(), crop)?;
        let summary = Summary::of(&data);
        let kind = if classes.are_emotions() { "emotion" } else { "class" };
        if let Some(path) = &self.sheet {
            let subtitle = format!("examples of each {kind}, {} pictures in all", summary.pictures);
            contact_sheet(&summary.name, &subtitle, &data.split(Split::All))?.save(path)?;
        }
        if let Some(path) = &self.chart {
            chart(&summary).draw()?.save(path)?;
        }
        if self.json { print_json(&summary) } else { print(&text(&summary)) }
    }
}

/// Parses class names that are separated by commas.
fn classes(words: &str) -> Result<Classes, String> {
    let names = words.split(',').map(|name| name.trim().to_owned()).collect();
    Classes::new(names).map_err(|error| error.to_string())
}

/// The pictures of each class, with a bar for each split.
fn chart(summary: &Summary) -> Bars {
    let series = summary.splits.iter().map(|split| Series {
        name: split.split.usage().to_owned(),
        values: split.classes.iter().map(|count| Some(*count as f64)).collect(),
    });
    Bars {
        title: summary.name.clone(),
        subtitle: format!("{} pictures, split {}", summary.pictures, summary.division),
        axis: "pictures".to_owned(),
        quantity: Quantity::Count,
        groups: summary.labels.names().collect(),
        series: series.collect(),
    }
}

/// The summary as tables.
fn text(summary: &Summary) -> String {
    let longest = summary.labels.longest();
    let mut out = Out { text: String::new(), width: NAMES.max(longest + 1) };
    out.line(&format!("{}: {}", summary.name, pictures(summary.pictures)));
    out.line(&format!("split: {}", summary.division));
    for skipped in &summary.skipped {
        out.line(&format!("left out: {}, {}", pictures(skipped.count), skipped.reason));
    }
    out.line("");
    counts(&mut out, summary);
    out.line("");
    bars(&mut out, summary);
    out.line("");
    duplicates(&mut out, summary);
    if let Some(landmarks) = &summary.landmarks {
        out.line("");
        places(&mut out, landmarks);
    }
    out.text
}

/// A number of pictures.
fn pictures(count: usize) -> String {
    counted(count as u64, "picture", "pictures")
}

/// Lines of text, with the width of the tables' first column.
struct Out {
    text: String,
    width: usize,
}

impl Out {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        let mut row = format!("{name:0$}", self.width);
        // Writing to a String can't fail.
        cells.into_iter().for_each(|cell| write!(row, "{cell:>13}").unwrap_or_default());
        self.line(&row);
    }
}

fn counts(out: &mut Out, summary: &Summary) {
    let splits = || summary.splits.iter();
    let with_sum = |counts: Vec<usize>| {
        let sum = counts.iter().sum();
        counts.into_iter().chain([sum]).map(|count| count.to_string())
    };
    out.row("", splits().map(|s| s.split.usage().to_owned()).chain(["all".to_owned()]));
    for (class, name) in summary.labels.names().enumerate() {
        out.row(&name, with_sum(splits().map(|s| s.classes[class]).collect()));
    }
    out.row("pictures", with_sum(splits().map(|s| s.pictures).collect()));
    if let Some(subjects) = summary.subjects {
        let of_splits = splits().map(|s| s.subjects.unwrap_or_default());
        out.row("people", of_splits.chain([subjects]).map(|count| count.to_string()));
    }
    let rules = summary.splits.first().map_or(0, |split| split.rules.len());
    // A single rule, that of the labels, would only repeat the counts.
    for index in (0..rules).filter(|_| rules > 1) {
        let name = summary.splits[0].rules[index].rule.name();
        let of_splits = splits().map(|s| s.rules.get(index).map_or(0, |rule| rule.pictures));
        out.row(name, with_sum(of_splits.collect()));
    }
    if rules > 1 {
        out.line("(the last lines: pictures that take part under each rule of `mien evaluate`)");
    }
}

fn bars(out: &mut Out, summary: &Summary) {
    let count = |class: usize| summary.splits.iter().map(|split| split.classes[class]).sum::<usize>();
    let most = (0..summary.labels.len()).map(count).max().unwrap_or(0).max(1);
    let width = out.width - 1;
    for (class, name) in summary.labels.names().enumerate() {
        let pictures = count(class);
        let eighths = (8 * BAR * pictures).div_ceil(most);
        let bar = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
        let share = 100.0 * pictures as f64 / summary.pictures.max(1) as f64;
        out.line(&format!("{name:width$} {bar:BAR$} {pictures:6} {share:5.1} %"));
    }
}

/// Writes where the landmarks lie.
fn places(out: &mut Out, landmarks: &LandmarkSummary) {
    let LandmarkSummary { faces, points, roll_degrees } = landmarks;
    out.line(&format!("Landmarks of {faces} faces, in pixels of the crop by outline (mean ± standard deviation):"));
    for (name, [x, y]) in LANDMARK_NAMES.iter().zip(points) {
        out.line(&format!("{name:12} {:5.1} ± {:4.1}  {:5.1} ± {:4.1}", x.mean, x.deviation, y.mean, y.deviation));
    }
    out.line(&format!("roll         {:5.1} ± {:4.1}°", roll_degrees.mean, roll_degrees.deviation));
}

fn duplicates(out: &mut Out, summary: &Summary) {
    let found = &summary.duplicates;
    let repeated = summary.splits.iter().zip(found.within).map(|(split, count)| {
        let split = split.split.usage();
        (count, format!("pictures of {split} repeat another of {split}"))
    });
    let across = found.across.iter().map(|across| {
        let (split, also_in) = (across.split.usage(), across.also_in.usage());
        (across.pictures, format!("pictures of {split} are in {also_in} as well"))
    });
    let conflicts = (found.groups_of_different_labels, "groups of equal pictures have different labels".to_owned());
    let lines: Vec<_> = repeated.chain(across).chain([conflicts]).filter(|(count, _)| *count > 0).collect();
    if lines.is_empty() {
        out.line("No two pictures have the same pixels.");
    }
    lines.iter().for_each(|(count, what)| out.line(&format!("{count:6} {what}")));
    for group in &found.examples {
        let told = group.iter().take(PLACES).map(String::as_str).collect::<Vec<_>>().join(" = ");
        let more = group.len().saturating_sub(PLACES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        out.line(&format!("       equal: {told}{more}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::datasets::{ReadOptions, read};

    #[test]
    fn tables_bars_and_duplicates_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (name, gray) in [("train/happy/a.png", 1), ("train/sad/b.png", 2), ("validation/happy/c.png", 1)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::GrayImage::from_pixel(48, 48, image::Luma([gray])).save(path).unwrap();
        }
        let text = text(&Summary::of(&read(folder.path(), &ReadOptions::default()).unwrap()));
        assert!(text.contains("Happy                  1            1            0            2"), "{text}");
        assert!(text.contains(&"█".repeat(BAR)), "{text}");
        assert!(text.contains("1 pictures of PublicTest are in Training as well"), "{text}");
        assert!(text.contains("equal: Training train/happy/a.png = PublicTest validation/happy/c.png"), "{text}");
    }
}
