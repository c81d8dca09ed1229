//! The bar at the top: what is looked at, and how.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Align, Button, Layout, MenuBar, PopupCloseBehavior, Slider, Ui};

use super::{SIGN_GAP, icon_button};
use crate::app::icons::Icon;
use crate::app::keys::{self, hint};
use crate::app::session::{Source, device_of};
use crate::app::settings::LONGEST_SMOOTHING_SECS;
use crate::app::{Action, App};
use crate::source::CameraDevice;

/// Below this width of the bar, buttons show their sign without the word.
const ROOM_FOR_WORDS: f32 = 1080.0;

/// Width of a menu's text before it is cut off.
const MENU_WIDTH: f32 = 240.0;

impl App {
    pub(super) fn top_bar_ui(&mut self, ui: &mut Ui) {
        let compact = ui.available_width() < ROOM_FOR_WORDS;
        MenuBar::new().ui(ui, |ui| {
            // A switch that is on shows it without outshining the picture.
            let visuals = ui.visuals_mut();
            visuals.selection.bg_fill = visuals.panel_fill.lerp_to_gamma(visuals.selection.bg_fill, 0.4);
            visuals.selection.stroke.color = visuals.strong_text_color();
            self.source_menu(ui, compact);
            self.run_buttons(ui, compact);
            self.record_buttons(ui, compact);
            self.view_buttons(ui, compact);
            // What was recorded is smoothed as it was.
            ui.add_enabled_ui(self.as_recorded().is_none(), |ui| self.smoothing_slider(ui, compact));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.right_buttons(ui, compact);
            });
        });
    }

    fn source_menu(&mut self, ui: &mut Ui, compact: bool) {
        let (icon, mut name) = match &self.source {
            Some(Source::Video(path) | Source::Recording { folder: path, .. }) => (
                Icon::Open,
                path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into()),
            ),
            Some(Source::Camera(device, _)) => (Icon::Camera, self.camera_name(device)),
            None => (Icon::Camera, "Choose a source".to_owned()),
        };
        let longest = if compact { 18 } else { 32 };
        if name.chars().count() > longest {
            name = name.chars().take(longest - 1).chain(['…']).collect();
        }
        let (response, _) = menu_button((icon.atom(), name)).ui(ui, |ui| self.source_choices(ui));
        if response.clicked() {
            // What was plugged in since the last look belongs in the list.
            self.ask(Action::LookForCameras);
        }
        response.on_hover_text("Camera or video to look at").accessible_name("Source");
    }

    fn source_choices(&mut self, ui: &mut Ui) {
        ui.set_min_width(MENU_WIDTH);
        let current = self.source.clone();
        if self.machine.cameras.is_empty() {
            ui.add_enabled(false, Button::new((Icon::Camera.atom(), "No camera found")).gap(SIGN_GAP))
                .on_disabled_hover_text("Plug one in; it appears here by itself");
        }
        for camera in self.machine.cameras.clone() {
            let device = device_of(&camera);
            let chosen = matches!(&current, Some(Source::Camera(current, _)) if *current == device);
            let button = Button::selectable(chosen, (Icon::Camera.atom(), camera.name.as_str())).gap(SIGN_GAP);
            if ui.add(button).on_hover_text(camera.path.display().to_string()).clicked() {
                self.ask(Action::Open(Source::Camera(device, self.settings.camera_mode.clone())));
            }
        }
        ui.separator();
        let shortcut = ui.ctx().format_shortcut(&keys::SHORTCUTS[keys::OPEN].key);
        if ui.add(Button::new((Icon::Open.atom(), "Open video…")).gap(SIGN_GAP).shortcut_text(shortcut)).clicked() {
            self.ask(Action::AskForVideo);
        }
        self.demo_button(ui);
    }

    /// Opens the demo clip; gray with the reason where there is none.
    pub(super) fn demo_button(&mut self, ui: &mut Ui) {
        let clip = self.machine.demo_clip.clone();
        let response = ui
            .add_enabled(clip.is_some(), Button::new((Icon::Play.atom(), "Demo clip")).gap(SIGN_GAP))
            .on_hover_text("A woman who cries, then laughs: 20 seconds to see what Mien does")
            .on_disabled_hover_text("The clip was not found; `make run` fetches it");
        if let Some(clip) = clip.filter(|_| response.clicked()) {
            self.ask(Action::Open(Source::Video(clip)));
        }
    }

    fn camera_name(&self, device: &CameraDevice) -> String {
        let is_it = |index: u32| *device == CameraDevice::Index(index);
        let known = self.machine.cameras.iter().find(|camera| device_of(camera) == *device || is_it(camera.index));
        known.map_or_else(|| format!("Camera {device}"), |camera| camera.name.clone())
    }

    fn run_buttons(&mut self, ui: &mut Ui, compact: bool) {
        let running = self.session.is_some();
        let (icon, word) =
            if self.playback.paused || !running { (Icon::Play, "Go on") } else { (Icon::Pause, "Pause") };
        let can_go_on = running || self.source.is_some();
        let pause = icon_button(ui, icon, word, compact, can_go_on);
        if pause.on_hover_text(hint(ui.ctx(), word, keys::PAUSE)).clicked() {
            self.ask(Action::TogglePause);
        }
        let stop = icon_button(ui, Icon::Stop, "Stop", compact, running);
        if stop.on_hover_text("Stop and let go of the camera or video").clicked() {
            self.ask(Action::Stop);
        }
    }

    fn view_buttons(&mut self, ui: &mut Ui, compact: bool) {
        let mirrored = self.mirrored();
        let button = if compact {
            Button::selectable(mirrored, Icon::Mirror.atom())
        } else {
            Button::selectable(mirrored, (Icon::Mirror.atom(), "Mirror")).gap(SIGN_GAP)
        };
        let response = ui.add(button.frame_when_inactive(true)).accessible_name("Mirror");
        if response.on_hover_text(hint(ui.ctx(), "Swap left and right, as a mirror does", keys::MIRROR)).clicked() {
            self.ask(Action::ToggleMirror);
        }
        let overlay = &mut self.settings.overlay;
        let contents = |ui: &mut Ui| {
            ui.checkbox(&mut overlay.boxes, "Boxes");
            ui.checkbox(&mut overlay.labels, "Emotions");
            ui.checkbox(&mut overlay.percentages, "Percentages");
            ui.checkbox(&mut overlay.ids, "Face numbers");
        };
        let button =
            if compact { menu_button(Icon::Layers.atom()) } else { menu_button((Icon::Layers.atom(), "Overlay")) };
        // Several switches can be set before the menu is closed.
        let stay_open = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let (response, _) = button.config(stay_open).ui(ui, contents);
        response.on_hover_text("What is drawn over the picture").accessible_name("Overlay");
    }

    fn smoothing_slider(&mut self, ui: &mut Ui, compact: bool) {
        let mut secs = self.settings.smoothing_secs;
        ui.spacing_mut().slider_width = if compact { 64.0 } else { 90.0 };
        if !compact {
            ui.label("Smoothing");
        }
        let slider = Slider::new(&mut secs, 0.0..=LONGEST_SMOOTHING_SECS)
            .step_by(0.05)
            .custom_formatter(|secs, _| if secs > 0.0 { format!("{secs:.2} s") } else { "off".to_owned() })
            .custom_parser(|text| text.trim().trim_end_matches('s').trim().parse().ok());
        let response = ui.add(slider).accessible_name("Smoothing");
        let why = "Evens out the probabilities over this time: higher is calmer, lower is quicker, 0 is off";
        if response.on_hover_text(why).changed() {
            self.ask(Action::SetSmoothing { secs });
        }
    }

    fn right_buttons(&mut self, ui: &mut Ui, compact: bool) {
        if ui
            .button("?")
            .on_hover_text(hint(ui.ctx(), "Keyboard shortcuts", keys::HELP))
            .accessible_name("Help")
            .clicked()
        {
            self.ask(Action::ToggleHelp);
        }
        let full = icon_button(ui, Icon::FullScreen, "Full screen", true, true);
        if full.on_hover_text(hint(ui.ctx(), "Full screen", keys::FULL_SCREEN)).clicked() {
            self.ask(Action::ToggleFullScreen);
        }
        let button = if compact {
            Button::selectable(self.settings_open, Icon::Settings.atom())
        } else {
            Button::selectable(self.settings_open, (Icon::Settings.atom(), "Settings")).gap(SIGN_GAP)
        };
        let response = ui.add(button.frame_when_inactive(true)).on_hover_text("Theme, camera mode, face detection");
        if response.accessible_name("Settings").clicked() {
            self.settings_open = !self.settings_open;
        }
        // No network runs where recorded results are shown.
        ui.add_enabled_ui(self.as_recorded().is_none(), |ui| self.device_menu(ui));
        ui.add_enabled_ui(self.as_recorded().is_none(), |ui| self.model_menu(ui));
    }

    fn device_menu(&mut self, ui: &mut Ui) {
        let current = self.settings.device;
        let devices = self.machine.devices.clone();
        let name = devices.iter().find(|d| d.choice == current).map_or_else(|| current.to_string(), |d| d.name.clone());
        let (response, _) = menu_button(name).ui(ui, |ui| {
            for device in devices {
                let button = Button::selectable(device.choice == current, device.name.as_str());
                let response = ui.add_enabled(device.unavailable.is_none(), button);
                let response = match &device.unavailable {
                    Some(reason) => response.on_disabled_hover_text(reason),
                    None => response,
                };
                if response.clicked() {
                    self.ask(Action::SetDevice(device.choice));
                }
            }
        });
        response.on_hover_text("Where the network runs").accessible_name("Device");
    }

    fn model_menu(&mut self, ui: &mut Ui) {
        let models = self.machine.models.clone();
        let current = self.settings.model.clone().or_else(|| models.first().map(|m| m.key.clone()));
        let name = current.clone().unwrap_or_else(|| "Model".to_owned());
        let name = std::path::Path::new(&name).file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into());
        let (response, _) = menu_button(name).ui(ui, |ui| {
            if models.is_empty() {
                ui.add_enabled(false, Button::new("No model found"))
                    .on_disabled_hover_text("Models lie in the folder models/, each with its card");
            }
            for model in models {
                let button = Button::selectable(Some(&model.key) == current.as_ref(), model.key.as_str());
                if ui.add(button).on_hover_text(&model.description).clicked() {
                    self.ask(Action::SetModel(model.key));
                }
            }
        });
        response.on_hover_text("The network that names the emotions").accessible_name("Model");
    }
}

/// A button that opens a menu below it.
fn menu_button<'a>(atoms: impl egui::IntoAtoms<'a>) -> MenuButton<'a> {
    let mut atoms = atoms.into_atoms();
    atoms.push_right(Icon::Menu.small_atom());
    MenuButton::from_button(Button::new(atoms).gap(SIGN_GAP))
}
