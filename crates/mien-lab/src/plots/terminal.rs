//! Curves made of characters, for watching a training in a terminal.

use console::Style;
use textplots::{Chart, ColorPlot as _, LabelBuilder as _, LabelFormat, Shape};

use super::SERIES;
use crate::EpochRecord;

/// Size in dots; a character is two dots wide and four high.
const WIDTH: u32 = 120;
const HEIGHT: u32 = 40;

/// Accuracy on the training pictures and on PublicTest over the epochs so far, as lines of text for a terminal; empty before
/// the first epoch. The scale ends at `epochs`.
pub fn accuracy_chart(history: &[EpochRecord], epochs: usize) -> String {
    let curve = |accuracy: fn(&EpochRecord) -> f64| -> Vec<(f32, f32)> {
        history.iter().map(|record| (record.epoch as f32, 100.0 * accuracy(record) as f32)).collect()
    };
    let training = curve(|record| record.training_accuracy);
    let public = curve(|record| record.public_accuracy);
    let both = || training.iter().chain(&public).map(|(_, percent)| *percent);
    if history.is_empty() {
        return String::new();
    }
    // Rounded to tens, so that the scale seldom changes from one epoch to the next.
    let lowest = (both().fold(100.0, f32::min) / 10.0).floor() * 10.0;
    let highest = (both().fold(0.0, f32::max) / 10.0).ceil() * 10.0;
    let (training_line, public_line) = (Shape::Lines(&training), Shape::Lines(&public));
    // Also as dots, since a line needs two epochs.
    let (training_dots, public_dots) = (Shape::Points(&training), Shape::Points(&public));
    let mut chart =
        Chart::new_with_y_range(WIDTH, HEIGHT, 1.0, epochs.max(2) as f32, lowest, highest.max(lowest + 10.0));
    let [blue, orange, ..] = SERIES.map(|color| rgb::RGB { r: color.0, g: color.1, b: color.2 });
    let chart = chart
        .x_label_format(LabelFormat::Custom(Box::new(|epoch| format!("{epoch:.0}"))))
        .y_label_format(LabelFormat::Custom(Box::new(|percent| format!("{percent:.0} %"))))
        .linecolorplot(&training_line, blue)
        .linecolorplot(&public_line, orange)
        .linecolorplot(&training_dots, blue)
        .linecolorplot(&public_dots, orange);
    chart.axis();
    chart.figures();
    let name = |text: &str, color: usize| {
        let plotters::style::RGBColor(r, g, b) = SERIES[color];
        Style::new().for_stderr().true_color(r, g, b).apply_to(text).to_string()
    };
    format!("accuracy by epoch: {}, {}\n{chart}", name("augmented training pictures", 0), name("PublicTest", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(accuracies: &[f64]) -> Vec<EpochRecord> {
        let record = |(i, accuracy): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            learning_rate: 0.1,
            training_loss: 1.0,
            training_accuracy: accuracy - 0.1,
            public_loss: 1.0,
            public_accuracy: *accuracy,
            public_balanced_accuracy: 0.5,
            seconds: 1.0,
        };
        accuracies.iter().enumerate().map(record).collect()
    }

    #[test]
    fn the_scale_holds_both_curves_and_runs_to_the_last_epoch() {
        let chart = accuracy_chart(&history(&[0.41, 0.62, 0.77]), 60);
        let lines: Vec<&str> = chart.lines().collect();
        assert!(lines[0].contains("PublicTest"), "{chart}");
        assert!(lines[1].ends_with("80 %") && lines[lines.len() - 2].ends_with("30 %"), "{chart}");
        assert!(lines[lines.len() - 1].starts_with('1') && lines[lines.len() - 1].ends_with("60"), "{chart}");
        let dots = |text: &str| text.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!(dots(&chart) > dots(&accuracy_chart(&history(&[0.41]), 60)), "more epochs, more dots:\n{chart}");
    }

    #[test]
    fn any_history_can_be_drawn() {
        assert_eq!(accuracy_chart(&[], 10), "");
        for accuracies in [vec![0.0], vec![1.0], vec![0.5; 3], vec![0.0, 1.0]] {
            assert!(accuracy_chart(&history(&accuracies), 1).contains("PublicTest"));
        }
    }
}
