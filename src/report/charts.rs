//! Charts as SVG, to be put into a page, whose style adapts the colours of text and lines to light and dark screens.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, RGBColor, TextStyle};

use super::ReportError;
use crate::classes::Classes;
use crate::clock::clock;
use crate::summary::{Bucket, Counts, Timeline};

/// The page replaces these three by its own shades.
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x60, 0x60, 0x60);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

/// Font size in pixels of the chart; plotters makes it a fifth smaller.
const LETTERS: u32 = 17;

/// Room for the names on the left: the least, that for each letter, and that around a name.
const NAMES: i32 = 88;
const LETTER: i32 = 9;
const AROUND_NAME: i32 = 16;

/// Opacity of the range between the lowest and the highest probability, and of unsure shares.
const RANGE_OPACITY: f64 = 0.35;

const TIMELINE_WIDTH: i32 = 960;
/// Height of 100 %, and from one class to the next.
const BAND: i32 = 40;
const BAND_STEP: i32 = BAND + 10;
/// Room for times below.
const AXIS: i32 = 30;
const RIGHT_MARGIN: i32 = 30;

const SHARES_WIDTH: i32 = 360;
const BAR: i32 = 20;
const BAR_STEP: i32 = 27;
/// Room for the percentage.
const PERCENT: i32 = 64;

/// Possible steps between the times at an axis, in seconds. The smallest that gives at most [`MOST_TICKS`] is used.
const TICKS: [f64; 19] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0,
    86_400.0,
];
const MOST_TICKS: f64 = 11.0;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Room for the longest name.
fn names_width(classes: &Classes) -> i32 {
    NAMES.max(LETTER * classes.longest() as i32 + AROUND_NAME)
}

/// Bars for the shares of the classes, lighter where a share is unsure.
pub fn shares(counts: &Counts, classes: &Classes) -> Result<String, ReportError> {
    let height = BAR_STEP * classes.len() as i32;
    let names = names_width(classes);
    let full = SHARES_WIDTH - NAMES - PERCENT;
    draw((names + full + PERCENT, height), |canvas| {
        for (row, class) in (0..).zip(0..classes.len()) {
            let (top, middle) = (row * BAR_STEP + 3, row * BAR_STEP + 3 + BAR / 2);
            let share = counts.share(class);
            let at = |share: f64| names + (share * f64::from(full)).round() as i32;
            let (sure, end) = (at(share - counts.unsure_share(class)), at(share));
            write(canvas, &classes.name(class), INK, (names - 10, middle), (HPos::Right, VPos::Center))?;
            bar(canvas, (names, top), (names + full, top + BAR), GRID, 0.5)?;
            for (from, to, opacity) in [(names, sure, 1.0), (sure, end, RANGE_OPACITY)] {
                if to > from {
                    bar(canvas, (from, top), (to, top + BAR), color(classes, class), opacity)?;
                }
            }
            let percent = format!("{:.1} %", 100.0 * share);
            write(canvas, &percent, INK, (names + full + 8, middle), (HPos::Left, VPos::Center))?;
        }
        Ok(())
    })
}

/// A band for each class: its mean probability over media time, from 0 to 100 %, and in a lighter shade the range in each stretch of time.
pub fn timeline(timeline: &Timeline, classes: &Classes) -> Result<String, ReportError> {
    let bottom = BAND_STEP * classes.len() as i32;
    draw((TIMELINE_WIDTH, bottom + AXIS), |canvas| {
        let axis = TimeAxis::of(timeline, names_width(classes));
        for (label, at) in axis.ticks() {
            line(canvas, [(at, 4), (at, bottom + 4)])?;
            write(canvas, &label, FAINT, (at, bottom + 9), (HPos::Center, VPos::Top))?;
        }
        for (row, class) in (0..).zip(0..classes.len()) {
            let floor = (row + 1) * BAND_STEP;
            write(canvas, &classes.name(class), INK, (axis.left - 10, floor - BAND / 2), (HPos::Right, VPos::Center))?;
            line(canvas, [(axis.left, floor), (TIMELINE_WIDTH - RIGHT_MARGIN, floor)])?;
            band(canvas, &axis, timeline.buckets(), (class, color(classes, class)), floor)?;
        }
        Ok(())
    })
}

/// The areas of one class in its colour, above `floor`.
fn band(
    canvas: &Canvas<'_>,
    axis: &TimeAxis,
    buckets: &[Bucket],
    (class, color): (usize, RGBColor),
    floor: i32,
) -> Result<(), ReportError> {
    let y = |p: f64| floor - (p * f64::from(BAND)).round() as i32;
    let mut begin = 0;
    for seen in buckets.chunk_by(|a, b| a.means().is_some() == b.means().is_some()) {
        let end = begin + seen.len();
        if seen[0].means().is_some() {
            let outline = |value: &dyn Fn(&Bucket) -> f64| axis.outline(begin, seen.iter().map(value).map(y));
            let means = outline(&|bucket| bucket.means().map_or(0.0, |means| means[class]));
            let highest = outline(&|bucket| bucket.highest[class].into());
            let lowest = outline(&|bucket| bucket.lowest[class].into());
            let to_floor = [(means[means.len() - 1].0, floor), (means[0].0, floor)];
            let range: Vec<_> = highest.into_iter().chain(lowest.into_iter().rev()).collect();
            area(canvas, range, color.mix(RANGE_OPACITY))?;
            area(canvas, means.iter().copied().chain(to_floor).collect(), color.mix(1.0))?;
            let edge = PathElement::new(means, INK.stroke_width(1));
            canvas.draw(&edge).map_err(ReportError::drawing)?;
        }
        begin = end;
    }
    Ok(())
}

/// Converts media time to pixels.
struct TimeAxis {
    /// Where it begins in pixels.
    left: i32,
    begin: f64,
    length: f64,
    bucket: f64,
}

impl TimeAxis {
    fn of(timeline: &Timeline, left: i32) -> Self {
        let bucket = timeline.bucket_secs();
        let length = bucket * timeline.buckets().len().max(1) as f64;
        Self { left, begin: timeline.origin().as_secs_f64(), length, bucket }
    }

    /// The position of a time since the beginning.
    fn x(&self, secs: f64) -> i32 {
        self.left + (secs / self.length * f64::from(TIMELINE_WIDTH - self.left - RIGHT_MARGIN)).round() as i32
    }

    /// A line through the middles of buckets, extended to the outer edges of the first and the last.
    fn outline(&self, first: usize, heights: impl Iterator<Item = i32>) -> Vec<(i32, i32)> {
        let mut points: Vec<_> =
            heights.enumerate().map(|(number, y)| (self.x(((first + number) as f64 + 0.5) * self.bucket), y)).collect();
        if let (Some(first_y), Some(last_y)) = (points.first().map(|it| it.1), points.last().map(|it| it.1)) {
            let after_last = first + points.len();
            points.insert(0, (self.x(first as f64 * self.bucket), first_y));
            points.push((self.x(after_last as f64 * self.bucket), last_y));
        }
        points
    }

    fn ticks(&self) -> Vec<(String, i32)> {
        let step = TICKS.into_iter().find(|step| self.length / step <= MOST_TICKS).unwrap_or(TICKS[TICKS.len() - 1]);
        let first = (self.begin / step).ceil();
        let decimals = usize::from(step < 1.0);
        (0..)
            .map(|number| (first + f64::from(number)) * step)
            .take_while(|time| *time <= self.begin + self.length)
            .map(|time| (clock(time, decimals), self.x(time - self.begin)))
            .collect()
    }
}

fn draw(
    (width, height): (i32, i32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        draw(&canvas)?;
        canvas.present().map_err(ReportError::drawing)?;
    }
    Ok(svg)
}

fn color(classes: &Classes, class: usize) -> RGBColor {
    let [red, green, blue] = classes.rgb(class);
    RGBColor(red, green, blue)
}

fn write(
    canvas: &Canvas<'_>,
    words: &str,
    color: RGBColor,
    at: (i32, i32),
    (across, upright): (HPos, VPos),
) -> Result<(), ReportError> {
    let mut style = TextStyle::from(("sans-serif", LETTERS)).pos(Pos::new(across, upright));
    style.color = color.to_backend_color();
    canvas.draw_text(words, &style, at).map_err(ReportError::drawing)
}

fn bar(
    canvas: &Canvas<'_>,
    left_top: (i32, i32),
    right_bottom: (i32, i32),
    color: RGBColor,
    opacity: f64,
) -> Result<(), ReportError> {
    let bar = Rectangle::new([left_top, right_bottom], color.mix(opacity).filled());
    canvas.draw(&bar).map_err(ReportError::drawing)
}

fn line(canvas: &Canvas<'_>, points: [(i32, i32); 2]) -> Result<(), ReportError> {
    canvas.draw(&PathElement::new(points, GRID.stroke_width(1))).map_err(ReportError::drawing)
}

fn area(canvas: &Canvas<'_>, points: Vec<(i32, i32)>, color: plotters::style::RGBAColor) -> Result<(), ReportError> {
    canvas.draw(&Polygon::new(points, color.filled())).map_err(ReportError::drawing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::emotion::{COUNT, Emotion};
    use crate::face::FaceId;
    use crate::probabilities::Probabilities;
    use crate::summary::Sighting;

    #[test]
    fn every_band_and_bar_has_its_word() {
        let emotions = Classes::emotions();
        let mut counts = Counts::default();
        let mut line = Timeline::new(Duration::from_secs(61));
        for frame in 0..50_u32 {
            // The face is absent in the middle.
            if !(20..30).contains(&frame) {
                let time = Duration::from_secs(61) + Duration::from_millis(100) * frame;
                line.add(time, Duration::from_millis(100), &Probabilities::uniform(COUNT));
                let sighting =
                    Sighting { id: FaceId(1), probabilities: Probabilities::uniform(COUNT), is_unsure: true };
                counts.add(&sighting, Duration::from_millis(100));
            }
        }
        for svg in [timeline(&line, &emotions).unwrap(), shares(&counts, &emotions).unwrap()] {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(Emotion::ALL.iter().all(|emotion| svg.contains(emotion.name())));
        }
        let svg = timeline(&line, &emotions).unwrap();
        assert!(svg.contains("1:03"), "times of the file, not of the face");
        assert_eq!(svg.matches("<polygon").count(), 7 * 2 * 2, "two stretches of time");
    }

    #[test]
    fn an_axis_of_any_length_has_a_few_times() {
        for millis in [40, 900, 20_000, 3_600_000, 360_000_000] {
            let mut timeline = Timeline::new(Duration::from_millis(12_345));
            timeline.add(Duration::from_millis(12_345), Duration::from_millis(millis), &Probabilities::uniform(COUNT));
            let ticks = TimeAxis::of(&timeline, NAMES).ticks().len();
            assert!(ticks <= 12 && (millis < 900 || ticks >= 3), "{ticks} ticks for {millis} ms");
        }
    }

    #[test]
    fn long_names_of_many_classes_have_room() {
        let names: Vec<String> = (0..20).map(|i| format!("{}{i:02}", "W".repeat(22))).collect();
        let classes = Classes::new(names).unwrap();
        let mut counts = Counts::default();
        let sighting = Sighting { id: FaceId(1), probabilities: Probabilities::uniform(20), is_unsure: false };
        counts.add(&sighting, Duration::from_secs(1));
        let svg = shares(&counts, &classes).unwrap();
        assert!(names_width(&classes) >= LETTER * 24 && classes.names().all(|name| svg.contains(&name)), "{svg}");
        assert!(svg.contains(&format!("height=\"{}\"", BAR_STEP * 20)), "{svg}");
        assert_eq!(names_width(&Classes::emotions()), NAMES);
    }
}
