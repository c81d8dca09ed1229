//! Grouped bar charts: numbers of pictures, or runs compared.

use plotters::element::{PathElement, Rectangle};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Canvas, FAINT, GRID, INK, LABEL, MARGIN, Plot, PlotError, SERIES, SUBTITLE, drawing, plot, text};

const WIDTH: u32 = 1000;
/// Height of one bar, and the gap between two groups, in pixels.
const BAR: i32 = 20;
const GAP: i32 = 16;
/// Room above the bars for the legend, and below them for the axis.
const LEGEND: i32 = 34;
const AXIS: i32 = 56;
/// Room to the right of the longest bar for its value.
const VALUE: i32 = 84;
/// Width of a letter as a share of its height: how much room names need.
const LETTER: f64 = 0.62;
/// Maximum width of the names of groups.
const WIDEST_NAMES: i32 = 420;
/// Maximum number of groups in one picture: more can't be read.
const MOST_GROUPS: usize = 80;

/// What the bars' lengths mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Whole numbers.
    Count,
    /// Shares from 0 to 1, shown in percent.
    Share,
}

/// One bar in each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// One value per group. `None`, negative and non-finite values count as missing.
    pub values: Vec<Option<f64>>,
}

/// A chart of horizontal bars: groups from top to bottom, with one bar per series in each, and at most four series.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// The data and the number of pictures.
    pub subtitle: String,
    /// Label of the axis, with the unit.
    pub axis: String,
    /// What the bars' lengths mean.
    pub quantity: Quantity,
    /// Name of each group.
    pub groups: Vec<String>,
    /// The series, each in its own colour.
    pub series: Vec<Series>,
}

impl Bars {
    /// Draws the chart.
    ///
    /// # Errors
    /// When there is no value, or more than can be read in one picture.
    pub fn draw(&self) -> Result<Plot, PlotError> {
        let highest = self.values().fold(0.0, f64::max);
        if self.groups.is_empty() || self.values().next().is_none() {
            return Err(PlotError::Empty("there is no value"));
        }
        if self.groups.len() > MOST_GROUPS || self.series.len() > SERIES.len() {
            return Err(PlotError::Draw(format!(
                "{} groups of {} bars are more than one picture can show",
                self.groups.len(),
                self.series.len()
            )));
        }
        let group_height = self.series.len() as i32 * BAR + GAP;
        let body = LEGEND + self.groups.len() as i32 * group_height + AXIS;
        let longest = self.groups.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let names = ((longest as f64 * f64::from(LABEL) * LETTER) as i32 + MARGIN + 12).min(WIDEST_NAMES);
        let scale = Scale::up_to(highest, self.quantity, names, WIDTH as i32 - VALUE - names);
        plot((WIDTH, super::HEAD + body as u32), &self.title, &self.subtitle, |canvas| {
            self.draw_axis(canvas, &scale, body - AXIS)?;
            self.draw_legend(canvas, names)?;
            for (index, name) in self.groups.iter().enumerate() {
                let top = LEGEND + index as i32 * group_height + GAP / 2;
                let middle = top + (group_height - GAP) / 2;
                let right = Pos::new(HPos::Right, VPos::Center);
                canvas.draw_text(name, &text(LABEL, INK).pos(right), (names - 10, middle)).map_err(drawing)?;
                self.draw_group(canvas, &scale, index, top)?;
            }
            Ok(())
        })
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.series.iter().flat_map(|series| &series.values).flatten().copied().filter(|v| v.is_finite() && *v >= 0.0)
    }

    fn draw_axis(&self, canvas: &Canvas<'_>, scale: &Scale, bottom: i32) -> Result<(), PlotError> {
        for tick in 0..=scale.ticks {
            let value = f64::from(tick) * scale.step;
            let x = scale.x(value);
            let line = PathElement::new([(x, LEGEND), (x, bottom)], GRID.stroke_width(1));
            canvas.draw(&line).map_err(drawing)?;
            let below = text(LABEL, INK).pos(Pos::new(HPos::Center, VPos::Top));
            canvas.draw_text(&self.tick(value), &below, (x, bottom + 6)).map_err(drawing)?;
        }
        let middle = (scale.left + scale.x(f64::from(scale.ticks) * scale.step)) / 2;
        let centered = text(SUBTITLE, INK).pos(Pos::new(HPos::Center, VPos::Top));
        canvas.draw_text(&self.axis, &centered, (middle, bottom + 28)).map_err(drawing)
    }

    fn draw_legend(&self, canvas: &Canvas<'_>, left: i32) -> Result<(), PlotError> {
        if self.series.len() < 2 {
            return Ok(());
        }
        let mut x = left;
        for (series, color) in self.series.iter().zip(SERIES) {
            canvas.draw(&Rectangle::new([(x, 8), (x + 14, 22)], color.filled())).map_err(drawing)?;
            let style = text(LABEL, INK).pos(Pos::new(HPos::Left, VPos::Center));
            canvas.draw_text(&series.name, &style, (x + 20, 15)).map_err(drawing)?;
            let (width, _) = canvas.estimate_text_size(&series.name, &style).map_err(drawing)?;
            x += 20 + width as i32 + 28;
        }
        Ok(())
    }

    fn draw_group(&self, canvas: &Canvas<'_>, scale: &Scale, index: usize, top: i32) -> Result<(), PlotError> {
        for (row, (series, color)) in (0..).zip(self.series.iter().zip(SERIES)) {
            let y = top + row * BAR;
            let style = |color| text(LABEL, color).pos(Pos::new(HPos::Left, VPos::Center));
            let value = series.values.get(index).copied().flatten().filter(|v| v.is_finite() && *v >= 0.0);
            let Some(value) = value else {
                canvas.draw_text("–", &style(FAINT), (scale.left + 6, y + BAR / 2)).map_err(drawing)?;
                continue;
            };
            let end = scale.x(value);
            canvas.draw(&Rectangle::new([(scale.left, y + 1), (end, y + BAR - 2)], color.filled())).map_err(drawing)?;
            canvas.draw_text(&self.value(value), &style(INK), (end + 6, y + BAR / 2)).map_err(drawing)?;
        }
        Ok(())
    }

    fn tick(&self, value: f64) -> String {
        match self.quantity {
            Quantity::Count => format!("{value:.0}"),
            Quantity::Share => format!("{:.0} %", 100.0 * value),
        }
    }

    fn value(&self, value: f64) -> String {
        match self.quantity {
            Quantity::Count => format!("{value:.0}"),
            Quantity::Share => format!("{:.1} %", 100.0 * value),
        }
    }
}

/// Maps values to pixels.
struct Scale {
    left: i32,
    pixels_per_unit: f64,
    step: f64,
    ticks: u32,
}

impl Scale {
    /// A scale from 0 at `left` to at least `highest` within `width` pixels, with a round step between ticks: 1, 2 or 5 times a
    /// power of ten.
    fn up_to(highest: f64, quantity: Quantity, left: i32, width: i32) -> Self {
        const TICKS: f64 = 6.0; // approximately
        let least_step = if quantity == Quantity::Count { 1.0 } else { 0.01 };
        let rough = (highest / TICKS).max(least_step);
        let power = 10_f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
        let step = factor * power;
        let ticks = (highest / step - 1e-9).ceil().max(1.0);
        Self { left, pixels_per_unit: f64::from(width) / (ticks * step), step, ticks: ticks as u32 }
    }

    fn x(&self, value: f64) -> i32 {
        self.left + (value * self.pixels_per_unit).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(groups: usize, values: &[Option<f64>]) -> Bars {
        Bars {
            title: "Bars".to_owned(),
            subtitle: String::new(),
            axis: "pictures".to_owned(),
            quantity: Quantity::Count,
            groups: (0..groups).map(|i| format!("group {i}")).collect(),
            series: vec![Series { name: "one".to_owned(), values: values.to_vec() }],
        }
    }

    #[test]
    fn a_bar_twice_as_long_means_twice_as_much() {
        for highest in [0.3, 1.0, 7.0, 28_709.0] {
            let scale = Scale::up_to(highest, Quantity::Share, 100, 800);
            let length = |value| f64::from(scale.x(value) - 100);
            assert!((length(highest) - 2.0 * length(highest / 2.0)).abs() <= 2.0);
            assert!(scale.x(highest) <= 900 && length(highest) > 400.0, "{highest}");
            assert!(scale.ticks <= 10, "{highest}");
        }
    }

    #[test]
    fn values_that_are_missing_or_no_length_are_no_bars() {
        assert!(bars(3, &[Some(5.0), None, Some(f64::NAN)]).draw().is_ok());
        assert!(bars(1, &[Some(0.0)]).draw().is_ok());
        assert!(matches!(bars(2, &[None, Some(-1.0)]).draw(), Err(PlotError::Empty(_))));
        assert!(matches!(bars(0, &[]).draw(), Err(PlotError::Empty(_))));
        assert!(matches!(bars(1000, &[Some(1.0)]).draw(), Err(PlotError::Draw(_))));
    }
}
