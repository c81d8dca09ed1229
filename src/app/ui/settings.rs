//! Settings that seldom change: theme, camera mode, face detection, the assumed prior, the folder of recordings.

use egui::{
    Align2, Context, DragValue, Grid, Id, Rect, Response, RichText, ScrollArea, ThemePreference, Ui, Window, vec2,
};

use super::{FROM_EDGE, record};
use crate::app::action::{Action, Asks, Pane};
use crate::app::discovery::Discovery;
use crate::app::record::RecordingControl;
use crate::app::settings::Settings;
use crate::classes::Classes;
use crate::detect::{DetectionOptions, DetectorKind};
use crate::prior::{PriorChoice, StandardPrior};

/// Default height in pixels at which the network scans a 16:9 picture, unless small faces are requested. A drag starts from it.
const NETWORK_HEIGHT: u32 = 180;

/// Width of a column of settings, and the width of the room from which two columns fit.
const WIDTH: f32 = 320.0;
const ROOM_FOR_TWO: f32 = 740.0;

/// Room for the window's title and edges.
const AROUND: f32 = 92.0;

/// Frame sizes that nearly every webcam has.
const SIZES: [(u32, u32); 4] = [(320, 240), (640, 480), (1280, 720), (1920, 1080)];

/// Pixel formats that webcams support; `None` leaves it to the camera.
const FORMATS: [(Option<&str>, &str); 3] = [(Some("MJPG"), "MJPG"), (Some("YUYV"), "YUYV"), (None, "The camera's own")];

/// What the settings show.
pub(super) struct Given<'a> {
    pub(super) settings: &'a Settings,
    /// The settings with which the window started.
    pub(super) launched: &'a Settings,
    pub(super) discovery: &'a Discovery,
    pub(super) recording: &'a RecordingControl,
    pub(super) classes: &'a Classes,
}

/// Shows the settings within `room`, the picture area, so that bars and curves stay visible and show the effect of a change.
pub(super) fn show(ctx: &Context, room: Rect, given: &Given<'_>, asks: &mut Asks) {
    let mut open = true;
    let window = Window::new("Settings").open(&mut open).resizable(false).collapsible(false);
    let window = window.pivot(Align2::RIGHT_TOP).fixed_pos(room.right_top() + vec2(-FROM_EDGE, FROM_EDGE));
    let height = room.height() - AROUND;
    window.default_height(height).constrain_to(room).show(ctx, |ui| {
        let two = room.width() >= ROOM_FOR_TWO;
        ui.set_width(if two { 2.0 * WIDTH } else { WIDTH.min(room.width() - AROUND) });
        ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
            if two {
                ui.columns_const(|[left, right]| {
                    given.input(left, asks);
                    given.analysis(right, asks);
                });
            } else {
                given.input(ui, asks);
                ui.separator();
                given.analysis(ui, asks);
            }
        });
    });
    if !open {
        asks.push(Action::Toggle(Pane::Settings));
    }
}

impl Given<'_> {
    /// Theme, camera and folder.
    fn input(&self, ui: &mut Ui, asks: &mut Asks) {
        self.theme(ui, asks);
        ui.separator();
        self.camera_mode(ui, asks);
        ui.separator();
        record::folder_choice(ui, self, asks);
    }

    /// What affects the results.
    fn analysis(&self, ui: &mut Ui, asks: &mut Asks) {
        self.detection(ui, asks);
        ui.separator();
        self.prior(ui, asks);
    }

    fn theme(&self, ui: &mut Ui, asks: &mut Asks) {
        ui.label(RichText::new("Theme").strong());
        ui.horizontal(|ui| {
            for (theme, name) in [
                (ThemePreference::System, "Follow system"),
                (ThemePreference::Light, "Light"),
                (ThemePreference::Dark, "Dark"),
            ] {
                if ui.radio(self.settings.theme == theme, name).clicked() {
                    asks.change(self.settings, |settings| settings.theme = theme);
                }
            }
        });
    }

    fn camera_mode(&self, ui: &mut Ui, asks: &mut Asks) {
        let why = "What Mien asks the camera for; the status bar shows what it got";
        ui.label(RichText::new("Camera mode").strong()).on_hover_text(why);
        let before = &self.settings.camera_mode;
        let mut mode = before.clone();
        ui.horizontal_wrapped(|ui| {
            for (width, height) in SIZES {
                let chosen = (mode.width, mode.height) == (width, height);
                let response = ui.selectable_label(chosen, format!("{width}×{height}"));
                if response.on_hover_text("Size of the picture in pixels").clicked() {
                    (mode.width, mode.height) = (width, height);
                }
            }
        });
        ui.horizontal_wrapped(|ui| {
            for (fourcc, name) in FORMATS {
                let response = ui.selectable_label(mode.fourcc.as_deref() == fourcc, name);
                let why = "Pixel format: MJPG lets USB 2 cameras send large pictures fast, YUYV is lossless";
                if response.on_hover_text(why).clicked() {
                    mode.fourcc = fourcc.map(str::to_owned);
                }
            }
        });
        ui.horizontal(|ui| mode.fps = frames_per_second(ui, mode.fps));
        ui.label(RichText::new("The status bar shows the mode in use").small().weak());
        if mode != *before {
            asks.change(self.settings, |settings| settings.camera_mode = mode);
        }
    }

    fn detection(&self, ui: &mut Ui, asks: &mut Asks) {
        ui.label(RichText::new("Finding faces").strong());
        let mut options = self.settings.detection;
        ui.horizontal(|ui| {
            let kinds = [
                (DetectorKind::Faces, "Network", "Finds tilted and turned heads, with eyes, nose and mouth"),
                (DetectorKind::Haar, "Haar", "OpenCV's cascade for upright faces that look at the camera"),
            ];
            for (kind, name, hint) in kinds {
                ui.radio_value(&mut options.detector, kind, name).on_hover_text(hint);
            }
        });
        Grid::new("detection").num_columns(2).show(ui, |ui| detection_values(ui, &mut options));
        if options.detector == DetectorKind::Haar {
            ui.checkbox(&mut options.equalize, "Stretch contrast")
                .on_hover_text("Helps in dark rooms, but finds more false faces");
        }
        ui.horizontal(|ui| {
            if ui.button("Defaults").on_hover_text("Reset face detection to its defaults").clicked() {
                options = DetectionOptions::default();
            }
        });
        if options != self.settings.detection {
            asks.change(self.settings, |settings| settings.detection = options);
        }
    }

    fn prior(&self, ui: &mut Ui, asks: &mut Asks) {
        let (plural, are_emotions) = (self.classes.plural(), self.classes.are_emotions());
        let title = ui.label(RichText::new(format!("Assumed frequency of {plural}")).strong());
        title.on_hover_text("How often to expect each, before looking at a face");
        let standard = |prior| Some(PriorChoice::Standard(prior));
        let mut choices = vec![
            (None, "Model default".to_owned(), "What suits the model best; for the shipped models, uniform"),
            (
                standard(StandardPrior::Uniform),
                "Equally frequent".to_owned(),
                if are_emotions { "Rare emotions are not overlooked" } else { "Rare classes are not overlooked" },
            ),
            (
                standard(StandardPrior::Training),
                "As frequent as in training".to_owned(),
                if are_emotions {
                    "Fewest errors where most faces are neutral or happy, but rare emotions are often missed"
                } else {
                    "Fewest errors where classes are as frequent as in training, but rare ones are often missed"
                },
            ),
        ];
        let launched = &self.launched.prior;
        if let Some(PriorChoice::Given { path, .. }) = launched {
            choices.push((launched.clone(), format!("As in {}", path.display()), "The file given on the command line"));
        }
        for (choice, name, hint) in choices {
            if ui.radio(choice == self.settings.prior, name).on_hover_text(hint).clicked() {
                asks.change(self.settings, |settings| settings.prior = choice);
            }
        }
        let mut flip = self.settings.flip;
        let why = "The network also sees each face mirrored, and both answers are averaged; this takes twice the time";
        if ui.checkbox(&mut flip, "Average with the mirrored face").on_hover_text(why).changed() {
            asks.change(self.settings, |settings| settings.flip = flip);
        }
    }
}

/// The frame rate to request from a camera. While it is dragged, the new value is kept aside and `before` is returned,
/// because each change reopens the camera.
fn frames_per_second(ui: &mut Ui, before: f64) -> f64 {
    let id = Id::unique("frames per second while they are dragged");
    let mut now = ui.data_mut(|data| data.get_temp::<f64>(id)).unwrap_or(before);
    let value = DragValue::new(&mut now).range(1.0..=240.0).update_while_editing(false);
    let why = "How many pictures to ask the camera for per second";
    let response = labelled(ui, "Frames per second", why, value);
    if response.dragged() {
        ui.data_mut(|data| data.insert_temp(id, now));
        return before;
    }
    ui.data_mut(|data| data.remove::<f64>(id));
    if response.drag_stopped() || response.changed() { now } else { before }
}

/// The detection options of the command line that the chosen detector has.
fn detection_values(ui: &mut Ui, options: &mut DetectionOptions) {
    let mut percent = options.smallest_face() * 100.0;
    let value = DragValue::new(&mut percent).range(1.0..=100.0).suffix(" %").max_decimals(0);
    if labelled(ui, "Smallest face", "As a share of the picture's height; a larger share is faster", value).changed() {
        options.min_face = Some(percent / 100.0);
    }
    ui.end_row();
    if options.detector == DetectorKind::Haar {
        haar_values(ui, options);
    }
    // The network's default height depends on the picture.
    let is_auto = options.working_height.is_none() && options.detector == DetectorKind::Faces;
    let mut height = if is_auto { NETWORK_HEIGHT } else { options.scan_height() };
    let value = DragValue::new(&mut height).range(64..=4320);
    let value = if is_auto { value.custom_formatter(|_, _| "auto".to_owned()) } else { value.suffix(" px") };
    let why = "Pictures are shrunk to this height before the search: a smaller height is faster, a larger one finds \
               smaller faces. Until you set it, it depends on the smallest face";
    if labelled(ui, "Search height", why, value).changed() {
        options.working_height = Some(height);
    }
    ui.end_row();
    let value = DragValue::new(&mut options.full_scan_interval).range(1..=1000).suffix(" frames");
    let why = "Between searches of the whole picture, known faces are only looked for near where they were. The whole \
               picture is searched at least once a second";
    labelled(ui, "Full scan every", why, value);
    ui.end_row();
}

/// Options that only the cascade has.
fn haar_values(ui: &mut Ui, options: &mut DetectionOptions) {
    let value = DragValue::new(&mut options.min_neighbors).range(1..=50);
    let why = "Hits that must agree on a face: more means fewer false faces and more missed ones";
    labelled(ui, "Detection strictness", why, value);
    ui.end_row();
    let value = DragValue::new(&mut options.scale_factor).range(1.01..=2.0).speed(0.01);
    labelled(ui, "Scale step", "Smaller steps find more and take longer", value);
    ui.end_row();
}

/// A value with its name before it. Both have the hover text.
fn labelled(ui: &mut Ui, name: &str, why: &str, value: DragValue<'_>) -> Response {
    let label = ui.label(name).on_hover_text(why);
    ui.add(value).labelled_by(label.id).on_hover_text(why)
}

/// A time constant: `0.20 s`, or `off`.
pub(super) fn seconds_or_off(secs: f64) -> String {
    if secs > 0.0 { format!("{secs:.2} s") } else { "off".to_owned() }
}
