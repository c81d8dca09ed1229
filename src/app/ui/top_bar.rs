//! The top bar: the source, playback, recording, view and network.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Align, Button, Layout, MenuBar, PopupCloseBehavior, Slider, Ui};

use super::settings::seconds_or_off;
use super::{Panes, SIGN_GAP, icon_button, name_choice, play_button, record, shortened};
use crate::app::action::{Action, Asks, Pane};
use crate::app::discovery::Discovery;
use crate::app::icons::Icon;
use crate::app::keys::Shortcut;
use crate::app::player::Player;
use crate::app::record::RecordingControl;
use crate::app::session::{Results, Source};
use crate::app::settings::{LONGEST_SMOOTHING_SECS, Settings};
use crate::classes::Classes;
use crate::recording::Metadata;

/// Below this width of the bar, buttons show their icon without the word.
const ROOM_FOR_WORDS: f32 = 1080.0;

/// Maximum length of the source's name, with and without that room.
const NAME_LENGTH: usize = 32;
const SHORT_NAME_LENGTH: usize = 14;

/// Minimum width of the source menu.
const MENU_WIDTH: f32 = 240.0;

/// What the bar shows.
pub(super) struct Shown<'a> {
    pub(super) player: &'a Player,
    pub(super) discovery: &'a Discovery,
    pub(super) recording: &'a RecordingControl,
    /// Metadata of the recording, if its recorded results are shown.
    pub(super) results: Option<&'a Metadata>,
    pub(super) has_picture: bool,
    pub(super) panes: &'a Panes,
    pub(super) classes: &'a Classes,
    pub(super) settings: &'a Settings,
}

pub(super) fn show(ui: &mut Ui, shown: &Shown<'_>, asks: &mut Asks) {
    let compact = ui.available_width() < ROOM_FOR_WORDS;
    MenuBar::new().ui(ui, |ui| {
        // Dim the selection colour, so that active switches don't outshine the picture.
        let visuals = ui.visuals_mut();
        visuals.selection.bg_fill = visuals.panel_fill.lerp_to_gamma(visuals.selection.bg_fill, 0.4);
        visuals.selection.stroke.color = visuals.strong_text_color();
        if compact {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = 6.0;
        }
        shown.source_menu(ui, compact, asks);
        shown.run_buttons(ui, compact, asks);
        record::buttons(ui, shown, compact, asks);
        shown.view_buttons(ui, compact, asks);
        shown.smoothing_slider(ui, compact, asks);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| shown.right_buttons(ui, compact, asks));
    });
}

impl Shown<'_> {
    fn source_menu(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        let (icon, name) = match &self.player.source {
            Some(Source::Video(path) | Source::Recording { folder: path, .. }) => (
                Icon::Open,
                path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into()),
            ),
            Some(Source::Camera(device)) => (Icon::Camera, self.discovery.camera_name(device)),
            None => (Icon::Camera, "Choose a source".to_owned()),
        };
        let words = shortened(name.clone(), if compact { SHORT_NAME_LENGTH } else { NAME_LENGTH });
        let (response, _) = menu_button((icon.atom(), words)).ui(ui, |ui| self.source_choices(ui, asks));
        if response.clicked() {
            // Cameras plugged in since the last look belong in the list.
            asks.push(Action::LookForCameras);
        }
        name_choice(response.on_hover_text("Camera or video to look at"), "Source", name);
    }

    fn source_choices(&self, ui: &mut Ui, asks: &mut Asks) {
        ui.set_min_width(MENU_WIDTH);
        // On other systems, looking for cameras opens each of them briefly.
        if cfg!(target_os = "linux") {
            asks.push(Action::PollCameras);
        }
        if self.discovery.cameras.is_empty() {
            ui.add_enabled(false, Button::new((Icon::Camera.atom(), "No camera found")).gap(SIGN_GAP))
                .on_disabled_hover_text("Plug one in; it appears here automatically");
        }
        for camera in &self.discovery.cameras {
            let chosen = matches!(&self.player.source, Some(Source::Camera(current)) if camera.is(current));
            let button = Button::selectable(chosen, (Icon::Camera.atom(), camera.name.as_str())).gap(SIGN_GAP);
            if ui.add(button).on_hover_text(camera.path.display().to_string()).clicked() {
                asks.push(Action::Open(Source::Camera(camera.device())));
            }
        }
        ui.separator();
        let shortcut = ui.ctx().format_shortcut(&Shortcut::Open.key());
        if ui.add(Button::new((Icon::Open.atom(), "Open video…")).gap(SIGN_GAP).shortcut_text(shortcut)).clicked() {
            asks.push(Action::AskForVideo);
        }
        if let Some(folder) = self.recording.last.clone() {
            let button = ui.add(Button::new((Icon::Play.atom(), "Last recording")).gap(SIGN_GAP));
            if button.on_hover_text(folder.display().to_string()).clicked() {
                asks.push(Action::Open(Source::Recording { folder, results: Results::Recorded }));
            }
        }
        self.demo_button(ui, asks);
    }

    /// Opens the demo clip. Disabled, with the reason, if there is none.
    fn demo_button(&self, ui: &mut Ui, asks: &mut Asks) {
        let clip = self.discovery.demo_clip.clone();
        let response = ui
            .add_enabled(clip.is_some(), Button::new((Icon::Play.atom(), "Demo clip")).gap(SIGN_GAP))
            .on_hover_text("A woman who cries, then laughs: 20 seconds to see what Mien does")
            .on_disabled_hover_text(
                "The clip is not on this machine; `make setup` in a clone of the sources fetches it",
            );
        if let Some(clip) = clip.filter(|_| response.clicked()) {
            asks.push(Action::Open(Source::Video(clip)));
        }
    }

    fn run_buttons(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        if play_button(ui, self.player, compact).clicked() {
            asks.push(Action::TogglePause);
        }
        let stop = icon_button(ui, Icon::Stop, "Stop", compact, self.player.is_open());
        let stop = stop.on_disabled_hover_text("Stop: nothing is open");
        if stop.on_hover_text("Stop and close the camera or video").clicked() {
            asks.push(Action::Stop);
        }
    }

    fn view_buttons(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        let is_video = self.player.is_video();
        let mirrored = if is_video { self.settings.mirror_videos } else { self.settings.mirror_cameras };
        let button = if compact {
            Button::selectable(mirrored, Icon::Mirror.atom())
        } else {
            Button::selectable(mirrored, (Icon::Mirror.atom(), "Mirror")).gap(SIGN_GAP)
        };
        let response = ui.add(button.frame_when_inactive(true)).accessible_name("Mirror");
        let why = Shortcut::Mirror.hint(ui.ctx(), "Swap left and right, as a mirror does");
        if response.on_hover_text(why).clicked() {
            asks.change(self.settings, |settings| {
                let mirror = settings.mirror_mut(is_video);
                *mirror = !*mirror;
            });
        }
        let button =
            if compact { menu_button(Icon::Layers.atom()) } else { menu_button((Icon::Layers.atom(), "View")) };
        // Keep the menu open, so that several switches can be set.
        let stay_open = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let (response, _) = button.config(stay_open).ui(ui, |ui| self.view_choices(ui, asks));
        response.on_hover_text("What is drawn over the picture, and which panels are shown").accessible_name("View");
    }

    fn view_choices(&self, ui: &mut Ui, asks: &mut Asks) {
        let mut overlay = self.settings.overlay;
        ui.checkbox(&mut overlay.boxes, "Boxes").on_hover_text("A box around each face");
        let (words, noun) = (if self.classes.are_emotions() { "Emotions" } else { "Classes" }, self.classes.noun());
        ui.checkbox(&mut overlay.labels, words).on_hover_text(format!("The {noun} at each box"));
        ui.checkbox(&mut overlay.percentages, "Percentages").on_hover_text("How likely it is");
        ui.checkbox(&mut overlay.ids, "Face numbers").on_hover_text("The number of each face");
        if overlay != self.settings.overlay {
            asks.change(self.settings, |settings| settings.overlay = overlay);
        }
        ui.separator();
        for (pane, mut shown, name) in
            [(Pane::Faces, self.panes.faces(), "Bars"), (Pane::Timeline, self.panes.timeline(), "Timeline")]
        {
            let response = ui.checkbox(&mut shown, name);
            if response.on_hover_text("Hidden automatically in a small window, unless you choose").changed() {
                asks.push(Action::Toggle(pane));
            }
        }
    }

    /// The smoothing. Disabled for recorded results, whose own smoothing it shows.
    fn smoothing_slider(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        let recorded = self.results.map(|metadata| metadata.smoothing_secs as f32);
        let mut secs = recorded.unwrap_or(self.settings.smoothing_secs);
        let why = "Evens out the probabilities over this time: higher is calmer, lower is quicker, 0 is off";
        ui.add_enabled_ui(recorded.is_none(), |ui| {
            ui.spacing_mut().slider_width = if compact { 48.0 } else { 90.0 };
            if !compact {
                ui.label("Smoothing").on_hover_text(why);
            }
            let slider = Slider::new(&mut secs, 0.0..=LONGEST_SMOOTHING_SECS)
                .step_by(0.05)
                .custom_formatter(|secs, _| seconds_or_off(secs))
                .custom_parser(|text| text.trim().trim_end_matches('s').trim().parse().ok());
            let response = ui.add(slider).accessible_name("Smoothing");
            let response = response.on_disabled_hover_text("The smoothing when this was recorded");
            if response.on_hover_text(why).changed() {
                asks.change(self.settings, |settings| settings.smoothing_secs = secs);
            }
        });
    }

    fn right_buttons(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        let help = ui.button("?").on_hover_text(Shortcut::Help.hint(ui.ctx(), "Keyboard shortcuts"));
        if help.accessible_name("Help").clicked() {
            asks.push(Action::Toggle(Pane::Help));
        }
        let full = icon_button(ui, Icon::FullScreen, "Full screen", true, true);
        let why = Shortcut::FullScreen.hint(ui.ctx(), "Full screen with the picture alone");
        if full.on_hover_text(why).clicked() {
            asks.push(Action::ToggleFullScreen);
        }
        let button = if compact {
            Button::selectable(self.panes.settings, Icon::Settings.atom())
        } else {
            Button::selectable(self.panes.settings, (Icon::Settings.atom(), "Settings")).gap(SIGN_GAP)
        };
        let response = ui.add(button.frame_when_inactive(true)).on_hover_text("Theme, camera mode, face detection");
        if response.accessible_name("Settings").clicked() {
            asks.push(Action::Toggle(Pane::Settings));
        }
        match self.results {
            // Recorded results need no network; show the one used then.
            Some(metadata) => {
                for (text, name) in [(&metadata.network_device, "Device"), (&metadata.model, "Model")] {
                    let text = shortened(text.clone(), SHORT_NAME_LENGTH);
                    let button = ui.add_enabled(false, Button::new(text)).accessible_name(name);
                    button.on_disabled_hover_text(format!("{name} when this was recorded"));
                }
            }
            None => {
                self.device_menu(ui, asks);
                self.model_menu(ui, asks);
            }
        }
    }

    fn device_menu(&self, ui: &mut Ui, asks: &mut Asks) {
        let current = self.settings.device;
        let devices = &self.discovery.devices;
        let name = devices.iter().find(|d| d.choice == current).map_or_else(|| current.to_string(), |d| d.name.clone());
        let (response, _) = menu_button(name.clone()).ui(ui, |ui| {
            for device in devices {
                let button = Button::selectable(device.choice == current, device.name.as_str());
                let response = ui.add_enabled(device.unavailable.is_none(), button);
                let response = match &device.unavailable {
                    Some(reason) => response.on_disabled_hover_text(reason),
                    None => response,
                };
                if response.clicked() {
                    asks.change(self.settings, |settings| settings.device = device.choice);
                }
            }
        });
        name_choice(response.on_hover_text("Where the network runs"), "Device", name);
    }

    fn model_menu(&self, ui: &mut Ui, asks: &mut Asks) {
        let models = &self.discovery.models;
        let current = self.settings.model.clone().or_else(|| models.first().map(|m| m.key.clone()));
        let name = current.clone().unwrap_or_else(|| "Model".to_owned());
        let name = std::path::Path::new(&name).file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into());
        let (response, _) = menu_button(shortened(name.clone(), SHORT_NAME_LENGTH)).ui(ui, |ui| {
            for model in models {
                let button = Button::selectable(Some(&model.key) == current.as_ref(), model.key.as_str());
                if ui.add(button).on_hover_text(&model.description).clicked() {
                    asks.change(self.settings, |settings| settings.model = Some(model.key.clone()));
                }
            }
        });
        let hint = format!("The network that names the {}", self.classes.plural());
        name_choice(response.on_hover_text(hint), "Model", name);
    }
}

/// A button that opens a menu below it.
pub(super) fn menu_button<'a>(atoms: impl egui::IntoAtoms<'a>) -> MenuButton<'a> {
    let mut atoms = atoms.into_atoms();
    atoms.push_right(Icon::Menu.small_atom());
    MenuButton::from_button(Button::new(atoms).gap(SIGN_GAP))
}
