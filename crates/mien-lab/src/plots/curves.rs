//! Loss and accuracy over the epochs of a training.

use plotters::chart::{ChartBuilder, LabelAreaPosition, SeriesLabelPosition};
use plotters::element::{Circle, PathElement};
use plotters::series::LineSeries;
use plotters::style::{Color as _, RGBColor, ShapeStyle, WHITE};

use super::{Canvas, FAINT, GRID, INK, LABEL, Plot, PlotError, SERIES, SUBTITLE, drawing, plot, text};
use crate::{EpochRecord, Record};

const SIZE: (u32, u32) = (1240, 520);

/// One line of a panel.
pub struct Line<E> {
    /// Its name in the legend.
    pub name: &'static str,
    /// Its colour, from `SERIES`.
    pub color: RGBColor,
    /// Its value at an epoch. Values that aren't finite are left out.
    pub value: fn(&E) -> f64,
}

/// A chart over the epochs.
pub struct Panel<'a, E> {
    /// Label of the vertical axis.
    pub title: &'a str,
    /// The highest possible value, if there is one.
    pub highest_allowed: Option<f64>,
    /// The lines to draw.
    pub lines: &'a [Line<E>],
}

/// Two panels side by side, with a dotted line at the epoch whose weights were kept. Epochs are counted from 1; a `best_epoch`
/// of 0 means none.
///
/// # Errors
/// When there is no epoch yet.
pub fn two_panels<E: Record>(
    name: &str,
    subtitle: &str,
    [first, second]: &[Panel<'_, E>; 2],
    history: &[E],
    best_epoch: usize,
) -> Result<Plot, PlotError> {
    if history.is_empty() {
        return Err(PlotError::Empty("no epoch is finished yet"));
    }
    plot(SIZE, &format!("Training of {name}"), subtitle, |canvas| {
        let (left, right) = canvas.split_horizontally(SIZE.0 / 2);
        panel(&left, first, history, best_epoch)?;
        panel(&right, second, history, best_epoch)
    })
}

/// Loss and accuracy for training and PublicTest, with the epoch whose weights were kept. Epochs are counted from 1; a
/// `best_epoch` of 0 means none.
///
/// # Errors
/// When there is no epoch yet.
pub fn curves(name: &str, history: &[EpochRecord], best_epoch: usize) -> Result<Plot, PlotError> {
    let losses = [
        Line { name: "training, augmented", color: SERIES[0], value: |record: &EpochRecord| record.training_loss },
        Line { name: "PublicTest", color: SERIES[1], value: |record| record.public_loss },
    ];
    let accuracies = [
        Line {
            name: "training, augmented",
            color: SERIES[0],
            value: |record: &EpochRecord| 100.0 * record.training_accuracy,
        },
        Line { name: "PublicTest", color: SERIES[1], value: |record| 100.0 * record.public_accuracy },
        Line { name: "PublicTest, balanced", color: SERIES[2], value: |r| 100.0 * r.public_balanced_accuracy },
    ];
    let subtitle = match history.iter().find(|record| record.epoch == best_epoch) {
        Some(best) => format!(
            "{} epochs; the dotted line marks the kept epoch, {best_epoch}: PublicTest {:.2} %, balanced {:.2} %",
            history.len(),
            100.0 * best.public_accuracy,
            100.0 * best.public_balanced_accuracy
        ),
        None => format!("{} epochs", history.len()),
    };
    let panels = [
        Panel { title: "loss (cross-entropy, nats)", highest_allowed: None, lines: &losses },
        Panel { title: "accuracy (%)", highest_allowed: Some(100.0), lines: &accuracies },
    ];
    two_panels(name, &subtitle, &panels, history, best_epoch)
}

fn panel<E: Record>(
    canvas: &Canvas<'_>,
    &Panel { title, highest_allowed, lines }: &Panel<'_, E>,
    history: &[E],
    best_epoch: usize,
) -> Result<(), PlotError> {
    // Values that aren't finite can't be drawn; lines leave them out.
    let values = || lines.iter().flat_map(|line| history.iter().map(line.value)).filter(|value| value.is_finite());
    if values().next().is_none() {
        return Err(PlotError::Empty("no value is a number"));
    }
    let (lowest, highest) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let room = 0.06 * (highest - lowest).max(0.02 * highest.abs()).max(1e-6);
    let bottom = (lowest - room).max(lowest.min(0.0));
    let top = highest_allowed.map_or(highest + room, |allowed| (highest + room).min(allowed));
    let epochs = history.len() as f64;
    let mut chart = ChartBuilder::on(canvas)
        .margin_right(24)
        .margin_left(12)
        .margin_bottom(8)
        .set_label_area_size(LabelAreaPosition::Left, 64)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d(0.5..epochs + 0.5, bottom..top)
        .map_err(drawing)?;
    let decimals = if top - bottom < 0.5 { 3 } else { usize::from(top - bottom < 5.0) };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .axis_style(FAINT)
        .x_labels(history.len().min(12))
        .y_labels(8)
        .x_label_formatter(&|epoch| if epoch.fract() == 0.0 { format!("{epoch}") } else { String::new() })
        .y_label_formatter(&|value| format!("{value:.decimals$}"))
        .x_desc("epoch")
        .y_desc(title)
        .label_style(text(LABEL, INK))
        .axis_desc_style(text(SUBTITLE, INK))
        .draw()
        .map_err(drawing)?;

    if best_epoch > 0 {
        const DOT: f64 = 120.0; // dots and gaps from bottom to top
        let (x, step) = (best_epoch as f64, (top - bottom) / DOT);
        let dots = (0..DOT as u32).step_by(2).map(|i| bottom + f64::from(i) * step);
        chart
            .draw_series(
                dots.map(|y| PathElement::new([(x, y), (x, y + step)], ShapeStyle::from(FAINT).stroke_width(2))),
            )
            .map_err(drawing)?;
    }
    for line in lines {
        let points = history.iter().map(|record| (record.epoch() as f64, (line.value)(record)));
        let points: Vec<_> = points.filter(|(_, value)| value.is_finite()).collect();
        let stroke = ShapeStyle::from(line.color).stroke_width(3);
        let color = line.color;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), stroke))
            .map_err(drawing)?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], stroke));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, color.filled()))).map_err(drawing)?;
    }
    chart
        .configure_series_labels()
        .position(if highest_allowed.is_some() {
            SeriesLabelPosition::LowerRight
        } else {
            SeriesLabelPosition::UpperRight
        })
        .background_style(WHITE.filled())
        .border_style(GRID)
        .margin(8)
        .legend_area_size(30)
        .label_font(text(LABEL, INK))
        .draw()
        .map_err(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            learning_rate: 0.1,
            training_loss: loss,
            training_accuracy: 0.5,
            public_loss: loss,
            public_accuracy: 0.6,
            public_balanced_accuracy: 0.4,
            seconds: 1.0,
        }
    }

    #[test]
    fn histories_of_any_length_can_be_drawn() {
        for epochs in [1, 2, 300] {
            let history: Vec<_> = (1..=epochs).map(|epoch| record(epoch, 1.0 / epoch as f64)).collect();
            assert!(curves("any", &history, epochs).is_ok(), "{epochs}");
        }
        assert!(matches!(curves("none", &[], 0), Err(PlotError::Empty(_))));
    }

    #[test]
    fn a_loss_that_is_no_number_leaves_a_gap() {
        let mut history: Vec<_> = (1..=3).map(|epoch| record(epoch, 1.0)).collect();
        history[2].public_loss = f64::NAN;
        assert!(curves("diverged", &history, 2).is_ok());
    }
}
