//! The confusion matrix as a heat map.

use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, RGBColor, WHITE};

use super::{Canvas, FAINT, GRID, HEAD, INK, LABEL, Plot, PlotError, SUBTITLE, drawing, plot, readable_on, text};
use crate::metrics::Confusion;

/// Where the matrix begins, below the head, and the size of a cell, in pixels. Seven classes make 880×800.
const LEFT: i32 = 130;
const TOP: i32 = 62;
const CELL: (i32, i32) = (100, 86);
/// Free space to the right of the matrix, and below it for the legend.
const RIGHT: i32 = 50;
const BOTTOM: i32 = 62;
/// The narrowest picture that has room for title and legend.
const NARROWEST: i32 = 640;

/// The colour of a share of 1; that of 0 is white. A single hue that only darkens is readable with any colour vision.
const FULL: RGBColor = RGBColor(0x08, 0x30, 0x6B);

/// Rows are the true classes, columns the predicted ones. Each cell has its count and its share of the row, by which it is
/// coloured, so that the diagonal shows recall. `subtitle` should name the data, the rule and the number of pictures.
///
/// # Errors
/// When no picture was counted.
pub fn confusion(title: &str, subtitle: &str, counted: &Confusion) -> Result<Plot, PlotError> {
    if counted.n() == 0 {
        return Err(PlotError::Empty("no picture was measured"));
    }
    let classes = counted.classes();
    let side = classes.len() as i32;
    let width = (LEFT + side * CELL.0 + RIGHT).max(NARROWEST);
    let size = (width as u32, HEAD + (TOP + side * CELL.1 + BOTTOM) as u32);
    plot(size, title, subtitle, |canvas| {
        let middle = LEFT + side * CELL.0 / 2;
        canvas
            .draw_text("predicted", &text(SUBTITLE, INK).pos(Pos::new(HPos::Center, VPos::Top)), (middle, 4))
            .map_err(drawing)?;
        canvas
            .draw_text("true", &text(SUBTITLE, INK).pos(Pos::new(HPos::Right, VPos::Center)), (LEFT - 12, 40))
            .map_err(drawing)?;
        for (row, (truth, counts)) in (0..).zip(classes.names().zip(counted.counts())) {
            let total: u64 = counts.iter().sum();
            label(canvas, &truth, row, total)?;
            for (column, count) in (0..).zip(counts) {
                cell(canvas, (column, row), *count, total)?;
            }
        }
        let legend = "Each cell shows pictures and their share of the row; on the diagonal this is the recall.";
        canvas.draw_text(legend, &text(LABEL, FAINT), (LEFT, TOP + side * CELL.1 + 14)).map_err(drawing)
    })
}

/// A class's name beside its row and above its column.
fn label(canvas: &Canvas<'_>, name: &str, index: i32, pictures: u64) -> Result<(), PlotError> {
    let above = (LEFT + index * CELL.0 + CELL.0 / 2, TOP - 12);
    canvas.draw_text(name, &text(LABEL, INK).pos(Pos::new(HPos::Center, VPos::Center)), above).map_err(drawing)?;
    let (x, y) = (LEFT - 12, TOP + index * CELL.1 + CELL.1 / 2);
    let right = Pos::new(HPos::Right, VPos::Center);
    canvas.draw_text(name, &text(LABEL, INK).pos(right), (x, y - 10)).map_err(drawing)?;
    canvas.draw_text(&format!("N {pictures}"), &text(LABEL, FAINT).pos(right), (x, y + 11)).map_err(drawing)
}

fn cell(canvas: &Canvas<'_>, (column, row): (i32, i32), count: u64, total: u64) -> Result<(), PlotError> {
    let share = count as f64 / total.max(1) as f64;
    let (left, top) = (LEFT + column * CELL.0, TOP + row * CELL.1);
    let corners = [(left, top), (left + CELL.0, top + CELL.1)];
    let color = shade(share);
    canvas.draw(&Rectangle::new(corners, color.filled())).map_err(drawing)?;
    canvas.draw(&Rectangle::new(corners, GRID.stroke_width(1))).map_err(drawing)?;
    if total == 0 {
        return Ok(());
    }
    let centered = Pos::new(HPos::Center, VPos::Center);
    let (x, y) = (left + CELL.0 / 2, top + CELL.1 / 2);
    let style = |size| text(size, readable_on(color)).pos(centered);
    canvas.draw_text(&count.to_string(), &style(SUBTITLE + 2), (x, y - 11)).map_err(drawing)?;
    canvas.draw_text(&format!("{:.0} %", 100.0 * share), &style(LABEL), (x, y + 13)).map_err(drawing)
}

fn shade(share: f64) -> RGBColor {
    let mix = |full: u8, none: u8| (f64::from(none) + (f64::from(full) - f64::from(none)) * share).round() as u8;
    RGBColor(mix(FULL.0, WHITE.0), mix(FULL.1, WHITE.1), mix(FULL.2, WHITE.2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::classes::Classes;

    #[test]
    fn the_diagonal_of_a_perfect_classifier_is_dark_and_the_rest_white() {
        let mut perfect = Confusion::none(&Classes::emotions());
        (0..7).for_each(|class| perfect.add(class, class));
        let plot = confusion("Perfect", "N 7", &perfect).unwrap();
        let corner_of_cell = |column: i32, row: i32| {
            let (x, y) = (LEFT + column * CELL.0 + 5, HEAD as i32 + TOP + row * CELL.1 + 5);
            plot.image().get_pixel(x as u32, y as u32).0
        };
        assert_eq!(corner_of_cell(2, 2), [FULL.0, FULL.1, FULL.2]);
        assert_eq!(corner_of_cell(2, 3), [255; 3]);
        assert_eq!(plot.image().dimensions(), (880, 800));
    }

    #[test]
    fn the_picture_is_as_large_as_its_classes_need() {
        let size = |count: usize| {
            let classes = Classes::new((0..count).map(|i| format!("class {i}")).collect()).unwrap();
            let mut counted = Confusion::none(&classes);
            counted.add(0, count - 1);
            confusion("Own", "N 1", &counted).unwrap().image().dimensions()
        };
        assert_eq!((size(2).0, size(20).0), (NARROWEST as u32, 2180));
        assert!(size(2).1 < size(7).1 && size(7).1 < size(20).1);
    }

    #[test]
    fn a_class_without_pictures_leaves_its_row_blank() {
        let mut counted = Confusion::none(&Classes::emotions());
        counted.add(3, 4);
        assert!(confusion("One", "N 1", &counted).is_ok());
        assert!(matches!(confusion("None", "N 0", &Confusion::none(&Classes::emotions())), Err(PlotError::Empty(_))));
    }
}
