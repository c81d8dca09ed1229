//! The panels, one a file. They draw, and ask for [`super::Action`]s.

mod faces;
mod help;
mod overlay;
mod people;
mod picture;
mod record;
mod replay_bar;
mod settings;
mod stage;
mod status_bar;
mod timeline;
mod toasts;
mod top_bar;

use std::time::Duration;

use egui::{Button, Frame, Margin, Panel, Response, Ui};

use super::App;
use super::icons::Icon;

/// Width of the panel of faces at first start, and the least it may have: names, percentages and some bar between.
const FACES_WIDTH: f32 = 290.0;
const SMALLEST_FACES_WIDTH: f32 = 220.0;

/// Room at the right of the timeline for half of the axis' last label.
const AXIS_LABEL_OVERHANG: i8 = 24;

/// Between a button's sign and its word.
const SIGN_GAP: f32 = 6.0;

/// Height of the timeline at first start, and the least in which lines can be told apart.
const TIMELINE_HEIGHT: f32 = 190.0;
const SMALLEST_TIMELINE_HEIGHT: f32 = 120.0;

impl App {
    /// Draws the window.
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        let frame = Frame::new().fill(ui.visuals().panel_fill);
        let bar = frame.inner_margin(Margin::symmetric(10, 7));
        Panel::top("top-bar").frame(bar).show(ui, |ui| self.top_bar_ui(ui));
        Panel::bottom("status-bar")
            .frame(frame.inner_margin(Margin::symmetric(10, 5)))
            .show(ui, |ui| self.status_bar_ui(ui));
        Panel::bottom("timeline")
            .frame(frame.inner_margin(Margin { left: 10, right: AXIS_LABEL_OVERHANG, top: 8, bottom: 4 }))
            .resizable(true)
            .default_size(TIMELINE_HEIGHT)
            .min_size(SMALLEST_TIMELINE_HEIGHT)
            .max_size(ui.available_height() * 0.5)
            .show(ui, |ui| self.timeline_ui(ui));
        Panel::right("faces")
            .frame(frame.inner_margin(Margin::same(10)))
            .resizable(true)
            .default_size(FACES_WIDTH)
            .min_size(SMALLEST_FACES_WIDTH)
            .max_size(ui.available_width() * 0.5)
            .show(ui, |ui| self.faces_ui(ui));
        egui::CentralPanel::default().frame(Frame::new().fill(super::theme::STAGE)).show(ui, |ui| self.picture_ui(ui));
        self.settings_ui(ui.ctx());
        self.help_ui(ui.ctx());
        self.mark_ui(ui.ctx());
        self.toasts_ui(ui.ctx());
    }
}

/// A button with a sign and a word, or the sign alone where room is short; its name is the word in either case.
fn icon_button(ui: &mut Ui, icon: Icon, word: &str, compact: bool, enabled: bool) -> Response {
    if compact {
        let name = word.to_owned();
        ui.add_enabled(enabled, Button::new(icon.atom())).accessible_name(name)
    } else {
        ui.add_enabled(enabled, Button::new((icon.atom(), word)).gap(SIGN_GAP))
    }
}

/// A time in a video as people write it: `0:12.4`, `1:02:03.5`.
fn clock(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (secs, minutes, hours) = (tenths / 10 % 60, tenths / 600 % 60, tenths / 36_000);
    let tenth = tenths % 10;
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}.{tenth}") } else { format!("{minutes}:{secs:02}.{tenth}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_do() {
        for (ms, text) in [(0, "0:00.0"), (12_430, "0:12.4"), (61_000, "1:01.0"), (3_723_500, "1:02:03.5")] {
            assert_eq!(clock(Duration::from_millis(ms)), text);
        }
    }
}
