//! Play, step, seek, speed and loop of a video.

use std::time::Duration;

use egui::{Align, Button, Layout, Slider, Ui};

use super::{clock, icon_button};
use crate::app::icons::Icon;
use crate::app::keys::{self, hint};
use crate::app::{Action, App, Stage};

/// The speeds on offer.
const SPEEDS: [f64; 6] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0];

impl App {
    pub(super) fn replay_bar_ui(&mut self, ui: &mut Ui) {
        let running = self.session.is_some();
        ui.horizontal(|ui| {
            if icon_button(ui, Icon::StepBack, "One frame back", true, running)
                .on_hover_text(hint(ui.ctx(), "One frame back, when paused", keys::BACK))
                .clicked()
            {
                self.ask(Action::Step(-1));
            }
            let still =
                self.playback.paused || matches!(self.stage, Stage::EndOfVideo | Stage::Stopped | Stage::Failed);
            let (icon, word) = if still { (Icon::Play, "Play") } else { (Icon::Pause, "Hold") };
            if icon_button(ui, icon, word, true, true).on_hover_text(hint(ui.ctx(), word, keys::PAUSE)).clicked() {
                self.ask(Action::TogglePause);
            }
            if icon_button(ui, Icon::StepForward, "One frame on", true, running)
                .on_hover_text(hint(ui.ctx(), "One frame on, when paused", keys::FORWARD))
                .clicked()
            {
                self.ask(Action::Step(1));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let repeat = Button::selectable(self.playback.repeat, Icon::Loop.atom()).frame_when_inactive(true);
                if ui.add(repeat).on_hover_text("Start again at the end").accessible_name("Loop").clicked() {
                    self.ask(Action::ToggleRepeat);
                }
                self.speed_menu(ui);
                self.seek_slider(ui, running);
            });
        });
    }

    fn speed_menu(&mut self, ui: &mut Ui) {
        let current = self.playback.speed;
        let response = ui.menu_button(speed_name(current), |ui| {
            for speed in SPEEDS {
                let chosen = (speed - current).abs() < 1e-9;
                if ui.add(Button::selectable(chosen, speed_name(speed))).clicked() {
                    self.ask(Action::SetSpeed(speed));
                }
            }
        });
        response.response.on_hover_text("Speed of the replay").accessible_name("Speed");
    }

    fn seek_slider(&mut self, ui: &mut Ui, running: bool) {
        let position = self.playback.seeking.unwrap_or(self.playback.position);
        let duration = self.duration();
        let times = match duration {
            Some(duration) => format!("{} / {}", clock(position), clock(duration)),
            None => clock(position),
        };
        ui.label(times);
        let end = duration.unwrap_or(position).as_secs_f64().max(0.1);
        let mut secs = position.as_secs_f64().min(end);
        ui.spacing_mut().slider_width = (ui.available_width() - ui.spacing().item_spacing.x).max(40.0);
        let slider = Slider::new(&mut secs, 0.0..=end).show_value(false).trailing_fill(true);
        let response = ui.add_enabled(running && duration.is_some(), slider).accessible_name("Position");
        if response.changed() {
            self.ask(Action::Seek(Duration::from_secs_f64(secs.max(0.0))));
        }
    }
}

/// `1×`, `0.25×`.
fn speed_name(speed: f64) -> String {
    format!("{speed}×")
}
