//! Playback controls of a video: play, step, seek, speed and loop.

use std::time::Duration;

use egui::{Align, Button, Layout, Slider, Ui};

use super::{icon_button, name_choice, play_button};
use crate::app::action::{Action, Asks};
use crate::app::icons::Icon;
use crate::app::keys::Shortcut;
use crate::app::player::Player;
use crate::clock::moment;
use crate::pipeline::Command;

/// The speeds on offer.
const SPEEDS: [f64; 6] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0];

pub(super) fn show(ui: &mut Ui, player: &Player, asks: &mut Asks) {
    let running = player.is_open();
    ui.horizontal(|ui| {
        let mut step = |ui: &mut Ui, icon, word: &str, shortcut: Shortcut, frames| {
            let button = icon_button(ui, icon, word, true, running).on_disabled_hover_text(word);
            if button.on_hover_text(shortcut.hint(ui.ctx(), &format!("{word}, when paused"))).clicked() {
                asks.push(Action::Send(Command::Step(frames)));
            }
        };
        step(ui, Icon::StepBack, "One frame back", Shortcut::Back, -1);
        let play = play_button(ui, player, true).clicked();
        step(ui, Icon::StepForward, "One frame forward", Shortcut::Forward, 1);
        if play {
            asks.push(Action::TogglePause);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let repeat = Button::selectable(player.repeat, Icon::Loop.atom()).frame_when_inactive(true);
            if ui.add(repeat).on_hover_text("Start again at the end").accessible_name("Loop").clicked() {
                asks.push(Action::Send(Command::SetRepeat(!player.repeat)));
            }
            speed_menu(ui, player.speed, asks);
            seek_slider(ui, player, asks);
        });
    });
}

fn speed_menu(ui: &mut Ui, current: f64, asks: &mut Asks) {
    let response = ui.menu_button(speed_name(current), |ui| {
        for speed in SPEEDS {
            let chosen = (speed - current).abs() < 1e-9;
            if ui.add(Button::selectable(chosen, speed_name(speed))).clicked() {
                asks.push(Action::Send(Command::SetSpeed(speed)));
            }
        }
    });
    name_choice(response.response.on_hover_text("Playback speed"), "Speed", speed_name(current));
}

fn seek_slider(ui: &mut Ui, player: &Player, asks: &mut Asks) {
    let position = player.moment();
    let duration = player.duration();
    let times = match duration {
        Some(duration) => format!("{} / {}", moment(position), moment(duration)),
        None => moment(position),
    };
    ui.label(times).on_hover_text("Position in the video, and its length");
    let end = duration.unwrap_or(position).as_secs_f64().max(0.1);
    let mut secs = position.as_secs_f64().min(end);
    ui.spacing_mut().slider_width = (ui.available_width() - ui.spacing().item_spacing.x).max(40.0);
    let slider = Slider::new(&mut secs, 0.0..=end).show_value(false).trailing_fill(true);
    let response = ui.add_enabled(player.is_open() && duration.is_some(), slider).accessible_name("Position");
    response.ctx.accesskit_node_builder(response.id, |node| node.set_value(moment(position)));
    if response.changed() {
        asks.push(Action::Send(Command::Seek(Duration::from_secs_f64(secs.max(0.0)))));
    }
}

/// `1×`, `0.25×`.
fn speed_name(speed: f64) -> String {
    format!("{speed}×")
}
