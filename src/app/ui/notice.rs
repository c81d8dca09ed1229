//! Messages in the picture area, with buttons for what to do next.

use egui::accesskit::Live;
use egui::{Align2, Button, Color32, Rect, RichText, Ui, UiBuilder, vec2};

use super::{SIGN_GAP, say_aloud};
use crate::app::action::{Action, Asks};
use crate::app::discovery::Discovery;
use crate::app::icons::Icon;
use crate::app::player::{Phase, Player};
use crate::app::session::Source;
use crate::app::theme;
use crate::source::CameraEntry;

/// Width of the words and of the buttons below them.
const WIDTH: f32 = 560.0;
const BUTTON_WIDTH: f32 = 240.0;

/// Maximum number of cameras offered as buttons; the menu has them all.
const MOST_CAMERAS: usize = 4;

/// The state of the source in words.
pub(super) struct Words<'a> {
    pub(super) player: &'a Player,
    pub(super) discovery: &'a Discovery,
    /// Time on the window's clock.
    pub(super) now: f64,
}

impl Words<'_> {
    /// Shows the message in the middle of `picture`, or of the whole area if there is none.
    pub(super) fn show(&self, ui: &mut Ui, picture: Option<Rect>, asks: &mut Asks) {
        let room = picture.unwrap_or(ui.max_rect());
        if picture.is_some() {
            ui.painter().rect_filled(room, 0.0, Color32::from_black_alpha(150));
        }
        let (headline, detail) = self.sentences();
        // Centred together, so that the words are above the middle and the buttons below.
        let height = self.height();
        let place = Align2::CENTER_CENTER
            .align_size_within_rect(vec2(WIDTH.min(room.width()), height.min(room.height())), room);
        ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            ui.vertical_centered(|ui| {
                dark_buttons(ui);
                let response = ui.label(RichText::new(headline).size(21.0).color(theme::BACKDROP_TEXT));
                // Screen readers shouldn't announce each second of a countdown.
                if !matches!(self.player.phase, Phase::CameraLost { .. }) {
                    say_aloud(&response, Live::Polite);
                }
                if let Some(detail) = detail {
                    let text = RichText::new(detail).size(14.0).color(theme::BACKDROP_WEAK_TEXT);
                    say_aloud(&ui.add(egui::Label::new(text).wrap()), Live::Polite);
                }
                ui.add_space(8.0);
                self.ways_on(ui, asks);
            });
        });
    }

    /// Whether the source is paused before its first picture.
    fn is_paused(&self) -> bool {
        self.player.paused && matches!(self.player.phase, Phase::Opening | Phase::Running)
    }

    fn sentences(&self) -> (String, Option<String>) {
        let opening_video = matches!(self.player.source, Some(Source::Video(_)));
        let opening_recording = matches!(self.player.source, Some(Source::Recording { .. }));
        match &self.player.phase {
            Phase::NoCamera => ("No camera found: plug one in, or open a video".to_owned(), None),
            _ if self.is_paused() => ("Paused".to_owned(), Some("Resume to see the picture".to_owned())),
            // The source is open, and its first frame waits for the network.
            Phase::Running if self.player.network.is_none() => ("Loading the network…".to_owned(), None),
            Phase::Opening | Phase::Running if opening_recording => ("Opening recording…".to_owned(), None),
            Phase::Opening | Phase::Running if opening_video => ("Opening video…".to_owned(), None),
            Phase::Opening | Phase::Running => ("Opening camera…".to_owned(), None),
            Phase::CameraLost { reason, busy, retry_at } => {
                let secs = (retry_at - self.now).ceil().max(0.0);
                // A camera that never opened wasn't lost.
                let what = match (busy, &self.player.info) {
                    (true, _) => "Camera is busy",
                    (false, Some(_)) => "Camera lost",
                    (false, None) => "Camera not available",
                };
                let when = match secs {
                    // A paused camera isn't retried.
                    _ if self.player.paused => "trying again once you resume".to_owned(),
                    0.0 => "trying again…".to_owned(),
                    secs => format!("trying again in {secs:.0} s"),
                };
                (format!("{what}, {when}"), Some(reason.clone()))
            }
            Phase::EndOfVideo => ("End of video".to_owned(), None),
            Phase::Failed if opening_recording => {
                ("The recording can't be shown".to_owned(), Some("The message below says why".to_owned()))
            }
            Phase::Failed if opening_video => {
                ("The video can't be shown".to_owned(), Some("The message below says why".to_owned()))
            }
            Phase::Failed => ("The camera can't be shown".to_owned(), Some("The message below says why".to_owned())),
            Phase::Stopped => ("Stopped".to_owned(), None),
        }
    }

    fn ways_on(&self, ui: &mut Ui, asks: &mut Asks) {
        match self.player.phase {
            _ if self.is_paused() => way_on(ui, asks, Icon::Play, "Resume", Action::TogglePause),
            Phase::Opening | Phase::Running => {
                ui.spinner();
            }
            Phase::CameraLost { .. } => {
                way_on(ui, asks, Icon::Loop, "Try again now", Action::TryAgain);
                self.other_ways(ui, asks);
            }
            Phase::EndOfVideo => way_on(ui, asks, Icon::Play, "Play again", Action::TogglePause),
            Phase::Stopped => {
                if self.player.source.is_some() {
                    way_on(ui, asks, Icon::Play, "Start again", Action::TryAgain);
                }
                self.other_ways(ui, asks);
            }
            Phase::NoCamera | Phase::Failed => {
                way_on(ui, asks, Icon::Loop, "Try again", Action::TryAgain);
                self.other_ways(ui, asks);
            }
        }
    }

    /// Buttons for the other cameras, the demo clip and a video.
    fn other_ways(&self, ui: &mut Ui, asks: &mut Asks) {
        let is_current = |camera: &CameraEntry| match &self.player.source {
            Some(Source::Camera(device)) => camera.is(device),
            _ => false,
        };
        for camera in self.discovery.cameras.iter().filter(|camera| !is_current(camera)).take(MOST_CAMERAS) {
            way_on(ui, asks, Icon::Camera, &camera.name, Action::Open(Source::Camera(camera.device())));
        }
        if let Some(clip) = self.discovery.demo_clip.clone() {
            way_on(ui, asks, Icon::Play, "Demo clip", Action::Open(Source::Video(clip)));
        }
        way_on(ui, asks, Icon::Open, "Open video…", Action::AskForVideo);
    }

    /// Approximate height of the words and buttons, to centre them.
    fn height(&self) -> f32 {
        match self.player.phase {
            _ if self.is_paused() => 120.0,
            Phase::Opening | Phase::Running => 80.0,
            Phase::EndOfVideo => 90.0,
            _ => 150.0 + 36.0 * self.discovery.cameras.len().min(MOST_CAMERAS) as f32,
        }
    }
}

fn way_on(ui: &mut Ui, asks: &mut Asks, icon: Icon, words: &str, action: Action) {
    let button = Button::new((icon.atom(), words)).gap(SIGN_GAP).truncate();
    if ui.add_sized(vec2(BUTTON_WIDTH, 30.0), button).clicked() {
        asks.push(action);
    }
}

/// The backdrop is dark in both themes, and so are its buttons.
fn dark_buttons(ui: &mut Ui) {
    let widgets = &mut ui.visuals_mut().widgets;
    for (widget, fill) in [
        (&mut widgets.inactive, Color32::from_rgb(0x2F, 0x34, 0x3D)),
        (&mut widgets.hovered, Color32::from_rgb(0x40, 0x47, 0x52)),
        (&mut widgets.active, Color32::from_rgb(0x50, 0x58, 0x65)),
    ] {
        widget.weak_bg_fill = fill;
        widget.fg_stroke.color = theme::BACKDROP_TEXT;
    }
}
