//! What the chosen face showed over time: one line per class. In a video or recording, a click seeks.

use std::collections::BTreeSet;
use std::time::Duration;

use egui::{Button, Color32, CursorIcon, Response, RichText, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, vec2};
use egui_plot::{GridMark, Line, LineStyle, Plot, PlotPoints, VLine};

use super::top_bar::menu_button;
use super::{name_choice, rows};
use crate::app::action::{Action, Asks};
use crate::app::history::LIVE_SPAN;
use crate::app::people::People;
use crate::app::player::Player;
use crate::app::theme;
use crate::app::verdict::percentage;
use crate::clock::moment;
use crate::face::FaceId;
use crate::pipeline::Command;
use crate::probabilities::Probabilities;
use crate::recording::{Edits, Mark};

/// Width of a line in points.
const LINE: f32 = 1.8;

/// Diameter of a point that stands alone, in points.
const LONE_POINT: f32 = 5.0;

/// Space above 100 and below 0, so that lines at the limits are fully visible.
const HEADROOM: f64 = 4.0;

/// How near to a mark's line the pointer must be, in points.
const MARK_REACH: f64 = 5.0;

/// Radius of the dot before a class's name.
const DOT: f32 = 5.0;

/// Maximum share of the timeline for the legend before it scrolls. With many classes, it would leave no room for the lines.
const LEGEND_SHARE: f32 = 0.35;

/// Maximum number of values shown at the pointer: all seven emotions, or the highest of more classes. Twenty would cover the window.
const MOST_VALUES: usize = 7;

/// Maximum height of the menu of faces before it scrolls.
const MENU_HEIGHT: f32 = 260.0;

/// What the timeline shows.
pub(super) struct Shown<'a> {
    pub(super) player: &'a Player,
    pub(super) people: &'a People,
    /// Names of the people.
    pub(super) names: &'a Edits,
    /// Whether recorded results are shown.
    pub(super) is_recording: bool,
    /// Marks of the recording that is shown, or of the one being made.
    pub(super) marks: &'a [Mark],
}

/// Shows the legend and the curves. A click in the legend hides or shows the line of a class, identified by its key.
pub(super) fn show(ui: &mut Ui, shown: &Shown<'_>, hidden_lines: &mut BTreeSet<String>, asks: &mut Asks) {
    let face = shown.people.of_timeline();
    let most = (ui.available_height() * LEGEND_SHARE).max(ui.spacing().interact_size.y);
    let scroll = egui::ScrollArea::vertical().id_salt("legend").max_height(most);
    scroll.show(ui, |ui| shown.legend(ui, face, hidden_lines, asks));
    shown.plot(ui, face, hidden_lines, asks);
}

impl Shown<'_> {
    /// The menu of faces, and the classes.
    fn legend(&self, ui: &mut Ui, face: Option<FaceId>, hidden_lines: &mut BTreeSet<String>, asks: &mut Asks) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let span = match (self.player.is_video(), self.is_recording) {
                (true, true) => "whole recording",
                (true, false) => "whole clip",
                (false, _) => "last 60 s",
            };
            self.face_menu(ui, face, asks);
            ui.label(RichText::new(format!("  {span}   ")).small().weak()).on_hover_text("What the timeline covers");
            let classes = self.people.classes();
            for (class, key) in classes.keys().enumerate() {
                let is_shown = !hidden_lines.contains(key);
                let entry = legend_entry(ui, &classes.name(class), theme::color(classes, class), is_shown);
                if entry.clicked() && !hidden_lines.remove(key) {
                    hidden_lines.insert(key.to_owned());
                }
            }
        });
    }

    /// The menu that chooses whose curves are shown.
    fn face_menu(&self, ui: &mut Ui, face: Option<FaceId>, asks: &mut Asks) {
        let title = face.map_or_else(|| "Timeline".to_owned(), |face| self.names.title(face));
        let menu = menu_button(RichText::new(&title).strong());
        let (response, _) = menu.ui(ui, |ui| self.face_choices(ui, asks));
        name_choice(response.on_hover_text("Whose curves are shown, including people who left"), "Curves of", title);
    }

    /// Lists the face seen last first.
    fn face_choices(&self, ui: &mut Ui, asks: &mut Asks) {
        let history = &self.people.history;
        let mut known: Vec<FaceId> = history.faces().collect();
        known.sort_by_cached_key(|face| std::cmp::Reverse(history.last_seen(*face)));
        egui::ScrollArea::vertical().max_height(MENU_HEIGHT).show(ui, |ui| {
            let chosen = self.people.chosen();
            let nobody = Button::selectable(chosen.is_none(), "Whoever is in the picture");
            if ui.add(nobody).on_hover_text("Stays with a face as long as it is there").clicked() {
                asks.push(Action::Choose(None));
            }
            rows::show(ui, "faces", known.len(), |ui, place| {
                let face = known[place];
                let words = format!("{} · {}", self.names.title(face), self.when_seen(face));
                if rows::button(ui, Button::selectable(chosen == Some(face), words)).clicked() {
                    asks.push(Action::Choose(Some(face)));
                }
                false
            });
        });
    }

    /// When a face was last seen, in words.
    fn when_seen(&self, face: FaceId) -> String {
        if self.people.is_on_screen(face) {
            return "in the picture".to_owned();
        }
        let seen = self.people.history.last_seen(face).unwrap_or_default();
        if self.player.is_video() { format!("last at {}", self.when(seen)) } else { self.when(seen) }
    }

    /// A position in a video, or how long ago a time was.
    fn when(&self, time: Duration) -> String {
        if self.player.is_video() { moment(time) } else { ago(time, self.people.history.now()) }
    }

    fn plot(&self, ui: &mut Ui, face: Option<FaceId>, hidden_lines: &BTreeSet<String>, asks: &mut Asks) {
        let is_video = self.player.is_video();
        let now = self.people.history.now().as_secs_f64();
        let (from, to) = if is_video {
            (0.0, self.player.duration().map_or(now, |d| d.as_secs_f64()).max(1.0))
        } else {
            (now - LIVE_SPAN.as_secs_f64(), now.max(0.001))
        };
        // Behind lines, use the darkest or lightest background of the theme.
        let background =
            if ui.visuals().dark_mode { ui.visuals().extreme_bg_color } else { ui.visuals().faint_bg_color };
        ui.visuals_mut().extreme_bg_color = background;
        let cursor = ui.visuals().text_color();
        let lines = face.map(|face| lines(self.people, face, hidden_lines, background)).unwrap_or_default();
        let marks = self.marks;
        let position = is_video.then(|| self.player.moment().as_secs_f64());
        let plot = Plot::new("timeline")
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_axis_zoom_drag(false)
            .show_x(false)
            .show_y(false)
            .set_margin_fraction(egui::Vec2::ZERO)
            .label_formatter(|_| None)
            .y_axis_min_width(40.0)
            .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
            .grid_fade(0.0)
            .x_grid_spacer(move |_| x_marks(from, to, is_video))
            .y_grid_spacer(|_| [0.0, 50.0, 100.0].map(|value| GridMark { value, step_size: 50.0 }).to_vec())
            .y_axis_formatter(|mark, _| format!("{:.0} %", mark.value))
            .x_axis_formatter(move |mark, _| x_label(mark.value, now, is_video))
            // Not focusable: keyboard users have the slider.
            .sense(if is_video { Sense::CLICK } else { Sense::hover() });
        let response = plot.show(ui, |plot| {
            plot.set_plot_bounds_x(from..=to);
            plot.set_plot_bounds_y(-HEADROOM..=100.0 + HEADROOM);
            for line in lines {
                plot.line(line);
            }
            for mark in marks {
                let line = VLine::new("mark", mark.time.as_secs_f64()).allow_hover(false);
                plot.vline(if is_video {
                    line.color(cursor.gamma_multiply(0.7)).width(1.0).style(LineStyle::dashed_dense())
                } else {
                    line.color(theme::RECORDING).width(1.5)
                });
            }
            if let Some(position) = position {
                plot.vline(VLine::new("position", position).color(cursor).width(1.5).allow_hover(false));
            }
            let pointer = plot.response().hovered().then(|| plot.pointer_coordinate()).flatten();
            if let Some(pointer) = pointer {
                plot.vline(
                    VLine::new("pointer", pointer.x).color(cursor.gamma_multiply(0.5)).width(1.0).allow_hover(false),
                );
            }
            pointer.map(|pointer| pointer.x)
        });
        let pointed_at = response.inner.filter(|secs| *secs >= 0.0).map(Duration::from_secs_f64);
        let secs_per_point = (to - from) / f64::from(response.transform.frame().width().max(1.0));
        let near = pointed_at.and_then(|time| mark_near(marks, time, secs_per_point * MARK_REACH));
        self.plot_responses(&response.response, face, pointed_at, near, asks);
    }

    fn plot_responses(
        &self,
        response: &Response,
        face: Option<FaceId>,
        pointed_at: Option<Duration>,
        mark: Option<&Mark>,
        asks: &mut Asks,
    ) {
        response.widget_info(|| {
            let name = face.map(|face| format!("Timeline of {}", self.names.words(face)));
            let name = name.unwrap_or_else(|| "Timeline".to_owned());
            // The marks of a recording are listed beside the picture.
            let marks: &[Mark] = if self.player.is_video() { &[] } else { self.marks };
            let marks: Vec<&str> = marks.iter().map(|mark| text_or(mark, "without text")).collect();
            let name = if marks.is_empty() { name } else { format!("{name}, marks: {}", marks.join("; ")) };
            WidgetInfo::labeled(Role::Figure, true, name)
        });
        let Some(time) = pointed_at else { return };
        let probabilities = face.and_then(|face| self.people.history.at(face, time));
        if probabilities.is_some() || mark.is_some() {
            let heading = match mark {
                Some(mark) => format!("{}  {}", self.when(mark.time), text_or(mark, "Mark")),
                None => self.when(time),
            };
            response.clone().on_hover_ui_at_pointer(|ui| {
                ui.label(RichText::new(heading).strong());
                let classes = self.people.classes();
                for (class, probability) in probabilities.iter().flat_map(highest) {
                    ui.horizontal(|ui| {
                        dot(ui, theme::color(classes, class));
                        ui.label(format!("{} {}", classes.name(class), percentage(probability)));
                    });
                }
            });
        }
        if self.player.is_video() {
            response.clone().on_hover_cursor(CursorIcon::PointingHand);
            if response.clicked() {
                asks.push(Action::Send(Command::Seek(mark.map_or(time, |mark| mark.time))));
            }
        }
    }
}

/// The highest probabilities, in the order of their classes.
fn highest(probabilities: &Probabilities) -> Vec<(usize, f32)> {
    let mut all: Vec<_> = probabilities.iter().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(MOST_VALUES);
    all.sort_by_key(|(class, _)| *class);
    all
}

/// The mark that is nearest to a time, within `reach` seconds.
fn mark_near(marks: &[Mark], time: Duration, reach: f64) -> Option<&Mark> {
    let distance = |mark: &&Mark| mark.time.abs_diff(time);
    marks.iter().min_by_key(distance).filter(|mark| distance(mark).as_secs_f64() <= reach)
}

/// The text of a mark, or `words` if it has none.
fn text_or<'a>(mark: &'a Mark, words: &'a str) -> &'a str {
    if mark.text.is_empty() { words } else { &mark.text }
}

/// The lines of a face, each with a darker line below it if its contrast with the background is too low.
fn lines(people: &People, face: FaceId, hidden: &BTreeSet<String>, background: Color32) -> Vec<Line<'static>> {
    let (segments, classes) = (people.history.segments(face), people.classes());
    let mut lines = Vec::new();
    for class in (0..classes.len()).filter(|class| !hidden.contains(classes.key(*class))) {
        let own = theme::color(classes, class);
        for segment in &segments {
            let points = || -> PlotPoints<'static> {
                segment.iter().map(|(t, p)| [t.as_secs_f64(), f64::from(p.of(class)) * 100.0]).collect()
            };
            let line =
                |color, width| Line::new(classes.name(class), points()).color(color).width(width).allow_hover(false);
            // A line of one point is a circle of its width.
            let width = if segment.len() == 1 { LONE_POINT } else { LINE };
            if let Some(casing) = theme::casing(own, background) {
                lines.push(line(casing, width + 1.6));
            }
            lines.push(line(own, width));
        }
    }
    lines
}

fn legend_entry(ui: &mut Ui, name: &str, own: Color32, on: bool) -> Response {
    let color = if on { ui.visuals().text_color() } else { ui.visuals().weak_text_color() };
    let dot = egui::Atom::paint(vec2(DOT * 2.0, DOT * 2.0), move |ui, args| paint_dot(ui, args.rect, own, on));
    let button = egui::Button::new((dot, RichText::new(name).small().color(color))).frame_when_inactive(false).small();
    let response = ui.add(button.selected(false));
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, format!("{name} line")));
    response.on_hover_text("Show or hide this line")
}

fn dot(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(DOT * 2.0, DOT * 2.0), Sense::hover());
    paint_dot(ui, rect, color, true);
}

fn paint_dot(ui: &Ui, rect: egui::Rect, color: Color32, on: bool) {
    let edge = theme::casing(color, ui.visuals().panel_fill).unwrap_or(color);
    let fill = if on { color } else { Color32::TRANSPARENT };
    ui.painter().circle(rect.center(), DOT - 1.0, fill, Stroke::new(1.0, edge));
}

/// Round times for the axis, few enough to be readable. For a camera, they count back from now.
fn x_marks(from: f64, to: f64, is_video: bool) -> Vec<GridMark> {
    const STEPS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
    const MOST: f64 = 10.0;
    let span = to - from;
    let step_size = STEPS.into_iter().find(|step| span / step <= MOST).unwrap_or(span / MOST);
    let origin = if is_video { from } else { to };
    let count = (span / step_size).floor() as u32;
    let direction = if is_video { 1.0 } else { -1.0 };
    (0..=count).map(|i| GridMark { value: origin + direction * f64::from(i) * step_size, step_size }).collect()
}

/// For a camera, how long ago; for a video, the position.
fn x_label(secs: f64, now: f64, is_video: bool) -> String {
    if is_video {
        let time = moment(Duration::from_secs_f64(secs.max(0.0)));
        return time.strip_suffix(".0").map(str::to_owned).unwrap_or(time);
    }
    let back = (now - secs).round();
    if back <= 0.0 { "now".to_owned() } else { format!("−{back:.0} s") }
}

fn ago(time: Duration, now: Duration) -> String {
    format!("{:.1} s ago", now.saturating_sub(time).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_counts_back_for_a_camera_and_from_the_start_for_a_video() {
        assert_eq!(x_label(30.0, 60.0, false), "−30 s");
        assert_eq!(x_label(60.0, 60.0, false), "now");
        assert_eq!(x_label(75.0, 10.0, true), "1:15");
    }

    #[test]
    fn a_mark_is_pointed_at_from_near_and_the_nearest_counts() {
        let mark = |secs| Mark { time: Duration::from_secs(secs), text: String::new() };
        let marks = [mark(10), mark(12), mark(60)];
        let near = |secs: f64| mark_near(&marks, Duration::from_secs_f64(secs), 1.5).map(|mark| mark.time.as_secs());
        assert_eq!([9.0, 11.2, 13.4, 20.0, 59.0].map(near), [Some(10), Some(12), Some(12), None, Some(60)]);
        assert_eq!(mark_near(&[], Duration::ZERO, 1.0), None);
    }

    #[test]
    fn the_axis_has_round_times_and_not_too_many() {
        let values = |from, to, is_video| x_marks(from, to, is_video).iter().map(|mark| mark.value).collect::<Vec<_>>();
        assert_eq!(values(-40.5, 19.5, false), [19.5, 9.5, -0.5, -10.5, -20.5, -30.5, -40.5]);
        assert_eq!(values(0.0, 19.7, true), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]);
        assert!(x_marks(0.0, 100_000.0, true).len() <= 11);
    }

    #[test]
    fn at_the_pointer_the_highest_values_stand_in_the_order_of_their_classes() {
        let weights: Vec<f32> = (0..20).map(|class| if class % 3 == 1 { 5.0 + class as f32 } else { 1.0 }).collect();
        let shown: Vec<_> = highest(&Probabilities::from_weights(&weights).unwrap()).iter().map(|it| it.0).collect();
        assert_eq!(shown, [1, 4, 7, 10, 13, 16, 19]);
        assert_eq!(highest(&Probabilities::uniform(3)).len(), 3);
    }
}
