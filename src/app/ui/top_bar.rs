//! The top bar: the source, playback, recording, view and network.

use std::path::Path;

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Align, AtomExt as _, Button, Layout, MenuBar, PopupCloseBehavior, Slider, TextStyle, Ui, UiBuilder};

use super::settings::seconds_or_off;
use super::{Panes, SIGN_GAP, icon_button, name_choice, play_button, record, shortened, text_width};
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

/// Widths of the left and the right part of the bar, a few points more than they need. What varies is left out: all names,
/// and what depends on the recording. With icons alone, so is the slider.
const WITH_WORDS: [f32; 2] = [680.0, 184.0];
const WITH_ICONS: [f32; 2] = [240.0, 148.0];

/// Maximum width of the source's name, with words and with icons alone.
const NAME_WIDTH: f32 = 230.0;
const SHORT_NAME_WIDTH: f32 = 110.0;

/// Minimum width of the source's name with icons alone.
const SMALLEST_NAME_WIDTH: f32 = 24.0;

/// Maximum length of the names of the device and the network, with words and with icons alone.
const NAME_LENGTH: usize = 14;
const SHORT_NAME_LENGTH: usize = 10;

/// Room that a long name leaves to the slider with icons alone. Narrower than the minimum, the slider is left out.
const ROOM_FOR_SLIDER: f32 = 40.0;
const SMALLEST_SLIDER: f32 = 28.0;

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
    let Fit { compact, name, right } = Fit::of(ui, shown);
    MenuBar::new().ui(ui, |ui| {
        // Dim the selection colour, so that active switches don't outshine the picture.
        let visuals = ui.visuals_mut();
        visuals.selection.bg_fill = visuals.panel_fill.lerp_to_gamma(visuals.selection.bg_fill, 0.4);
        visuals.selection.stroke.color = visuals.strong_text_color();
        if compact {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = 6.0;
        }
        let bar = ui.available_rect_before_wrap();
        let left = UiBuilder::new().max_rect(bar.with_max_x(bar.right() - right));
        ui.scope_builder(left.layout(Layout::left_to_right(Align::Center)), |ui| {
            shown.source_menu(ui, name, asks);
            shown.run_buttons(ui, compact, asks);
            record::buttons(ui, shown, compact, asks);
            shown.view_buttons(ui, compact, asks);
            shown.smoothing_slider(ui, compact, asks);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| shown.right_buttons(ui, compact, asks));
    });
}

/// How the bar is laid out, so that its parts fit beside each other.
struct Fit {
    /// Whether buttons show their icon without the word.
    compact: bool,
    /// Room for the source's name.
    name: f32,
    /// Room for the right part.
    right: f32,
}

impl Fit {
    /// With words if there is room for them and for a short name.
    fn of(ui: &Ui, shown: &Shown<'_>) -> Self {
        let [left, right] = Self::rest(ui, shown, false);
        let name = ui.available_width() - left - right;
        let (_, words) = shown.source_name();
        if name >= text_width(ui, &words, &TextStyle::Button).min(SHORT_NAME_WIDTH) {
            return Self { compact: false, name: name.min(NAME_WIDTH), right };
        }
        let [left, right] = Self::rest(ui, shown, true);
        let name = ui.available_width() - left - right - ROOM_FOR_SLIDER;
        Self { compact: true, name: name.clamp(SMALLEST_NAME_WIDTH, SHORT_NAME_WIDTH), right }
    }

    /// Widths of the left part without the source's name, and of the right part.
    fn rest(ui: &Ui, shown: &Shown<'_>, compact: bool) -> [f32; 2] {
        let [left, right] = if compact { WITH_ICONS } else { WITH_WORDS };
        let width = |name: String| text_width(ui, &shortened(name, longest_name(compact)), &TextStyle::Button);
        let names = width(shown.device_name()) + width(shown.model_name());
        [left + record::width_of_state(ui, shown.recording, compact), right + names]
    }
}

/// Maximum length of the names of the device and the network.
fn longest_name(compact: bool) -> usize {
    if compact { SHORT_NAME_LENGTH } else { NAME_LENGTH }
}

impl Shown<'_> {
    /// The source's icon and name.
    fn source_name(&self) -> (Icon, String) {
        match &self.player.source {
            Some(Source::Video(path) | Source::Recording { folder: path, .. }) => (
                Icon::Open,
                path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into()),
            ),
            Some(Source::Camera(device)) => (Icon::Camera, self.discovery.camera_name(device)),
            None => (Icon::Camera, "Choose a source".to_owned()),
        }
    }

    /// The source's menu. `room` is the maximum width of the name on its button.
    fn source_menu(&self, ui: &mut Ui, room: f32, asks: &mut Asks) {
        let (icon, name) = self.source_name();
        let words = name.clone().atom_max_width(room);
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

    /// The smoothing, in the room that is left. Disabled for recorded results, whose own smoothing it shows.
    fn smoothing_slider(&self, ui: &mut Ui, compact: bool, asks: &mut Asks) {
        let recorded = self.results.map(|metadata| metadata.smoothing_secs as f32);
        let mut secs = recorded.unwrap_or(self.settings.smoothing_secs);
        let why = "Evens out the probabilities over this time: higher is calmer, lower is quicker, 0 is off";
        ui.add_enabled_ui(recorded.is_none(), |ui| {
            if !compact {
                ui.label("Smoothing").on_hover_text(why);
            }
            let (room, widest) = (ui.available_width(), if compact { 48.0 } else { 90.0 });
            if room < SMALLEST_SLIDER {
                return;
            }
            let spacing = ui.spacing();
            let value = text_width(ui, "0.00 s", &TextStyle::Button) + 2.0 * spacing.button_padding.x;
            let beside = spacing.item_spacing.x + value.max(spacing.interact_size.x);
            let has_value = room >= widest + beside;
            // Where there is no room for the value, the hover text has it.
            let shown = seconds_or_off(f64::from(secs));
            let hint = if has_value { why.to_owned() } else { format!("{shown}. {why}") };
            ui.spacing_mut().slider_width = room.min(widest);
            let slider = Slider::new(&mut secs, 0.0..=LONGEST_SMOOTHING_SECS)
                .step_by(0.05)
                .show_value(has_value)
                .custom_formatter(|secs, _| seconds_or_off(secs))
                .custom_parser(|text| text.trim().trim_end_matches('s').trim().parse().ok());
            let response = ui.add(slider).accessible_name("Smoothing");
            let response = response.on_disabled_hover_text("The smoothing when this was recorded");
            if response.on_hover_text(hint).changed() {
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
        let longest = longest_name(compact);
        if self.results.is_none() {
            self.device_menu(ui, longest, asks);
            self.model_menu(ui, longest, asks);
            return;
        }
        // Recorded results need no network; show the one used then.
        for (text, name) in [(self.device_name(), "Device"), (self.model_name(), "Model")] {
            let button = ui.add_enabled(false, Button::new(shortened(text, longest))).accessible_name(name);
            button.on_disabled_hover_text(format!("{name} when this was recorded"));
        }
    }

    /// The device that is chosen, or that of the recorded results.
    fn device_name(&self) -> String {
        if let Some(metadata) = self.results {
            return metadata.network_device.clone();
        }
        let current = self.settings.device;
        let chosen = self.discovery.devices.iter().find(|device| device.choice == current);
        chosen.map_or_else(|| current.to_string(), |device| device.name.clone())
    }

    fn device_menu(&self, ui: &mut Ui, longest: usize, asks: &mut Asks) {
        let name = self.device_name();
        let (response, _) = menu_button(shortened(name.clone(), longest)).ui(ui, |ui| {
            for device in &self.discovery.devices {
                let button = Button::selectable(device.choice == self.settings.device, device.name.as_str());
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

    /// Name or path of the network that is chosen.
    fn chosen_model(&self) -> Option<&str> {
        let default = || self.discovery.models.first().map(|model| model.key.as_str());
        self.settings.model.as_deref().or_else(default)
    }

    /// The network that is chosen, or that of the recorded results.
    fn model_name(&self) -> String {
        if let Some(metadata) = self.results {
            return metadata.model.clone();
        }
        let name = self.chosen_model().unwrap_or("Model");
        Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into())
    }

    fn model_menu(&self, ui: &mut Ui, longest: usize, asks: &mut Asks) {
        let (current, name) = (self.chosen_model(), self.model_name());
        let (response, _) = menu_button(shortened(name.clone(), longest)).ui(ui, |ui| {
            for model in &self.discovery.models {
                let button = Button::selectable(Some(model.key.as_str()) == current, model.key.as_str());
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
