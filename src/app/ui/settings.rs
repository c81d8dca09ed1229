//! What is set once and seldom changed: theme, camera mode, face detection, the assumed prior, the folder of recordings.

use egui::{Align2, Context, DragValue, Grid, RichText, ThemePreference, Ui, Window, vec2};

use crate::app::{Action, App};
use crate::detect::{DetectionOptions, DetectorKind};
use crate::prior::{PriorChoice, StandardPrior};

impl App {
    pub(super) fn settings_ui(&mut self, ctx: &Context) {
        let mut open = self.settings_open;
        // Below its button, so that the picture stays seen while it is set up.
        let below_button = ctx.content_rect().right_top() + vec2(-12.0, 50.0);
        let window = Window::new("Settings").open(&mut open).resizable(false).collapsible(false).default_width(320.0);
        window.pivot(Align2::RIGHT_TOP).default_pos(below_button).show(ctx, |ui| {
            self.theme_choice(ui);
            ui.separator();
            self.camera_mode(ui);
            ui.separator();
            self.detection(ui);
            ui.separator();
            self.prior(ui);
            ui.separator();
            self.recordings_choice(ui);
        });
        self.settings_open = open;
    }

    fn theme_choice(&mut self, ui: &mut Ui) {
        ui.label(RichText::new("Theme").strong());
        ui.horizontal(|ui| {
            for (theme, name) in [
                (ThemePreference::System, "As the system"),
                (ThemePreference::Light, "Light"),
                (ThemePreference::Dark, "Dark"),
            ] {
                if ui.radio(self.settings.theme == theme, name).clicked() {
                    self.ask(Action::SetTheme(theme));
                }
            }
        });
    }
}

/// Frame sizes and rates that nearly every webcam has.
const SIZES: [(u32, u32); 4] = [(320, 240), (640, 480), (1280, 720), (1920, 1080)];

impl App {
    fn camera_mode(&mut self, ui: &mut Ui) {
        ui.label(RichText::new("Asked of cameras").strong());
        let before = self.settings.camera_mode.clone();
        let mut mode = before.clone();
        ui.horizontal_wrapped(|ui| {
            for (width, height) in SIZES {
                let chosen = (mode.width, mode.height) == (width, height);
                if ui.selectable_label(chosen, format!("{width}×{height}")).clicked() {
                    (mode.width, mode.height) = (width, height);
                }
            }
        });
        ui.horizontal(|ui| {
            let label = ui.label("Frames per second");
            ui.add(DragValue::new(&mut mode.fps).range(1.0..=240.0).update_while_editing(false)).labelled_by(label.id);
        });
        ui.label(RichText::new("The status bar shows what the camera granted").small().weak());
        if mode != before {
            self.ask(Action::SetCameraMode(mode));
        }
    }

    fn detection(&mut self, ui: &mut Ui) {
        ui.label(RichText::new("Finding faces").strong());
        let before = self.settings.detection;
        let mut options = before;
        ui.horizontal(|ui| {
            let kinds = [
                (DetectorKind::Faces, "Network", "Finds heads that tilt and turn, with eyes, nose and mouth"),
                (DetectorKind::Haar, "Haar", "OpenCV's cascade for upright faces that look at the camera"),
            ];
            for (kind, name, hint) in kinds {
                ui.radio_value(&mut options.detector, kind, name).on_hover_text(hint);
            }
        });
        Grid::new("detection").num_columns(2).show(ui, |ui| {
            let label = ui.label("Smallest face").on_hover_text("As a share of the picture's height");
            let mut percent = options.smallest_face() * 100.0;
            let value = DragValue::new(&mut percent).range(3.0..=80.0).suffix(" %").max_decimals(0);
            if ui.add(value).labelled_by(label.id).changed() {
                options.min_face = Some(percent / 100.0);
            }
            ui.end_row();

            let label = ui
                .label("Neighbours")
                .on_hover_text("Hits that a face needs: more means fewer false boxes and fewer faces");
            ui.add(DragValue::new(&mut options.min_neighbors).range(1..=20)).labelled_by(label.id);
            ui.end_row();

            let label = ui.label("Scale step").on_hover_text("Smaller steps find more and take longer");
            ui.add(DragValue::new(&mut options.scale_factor).range(1.05..=1.5).speed(0.01)).labelled_by(label.id);
            ui.end_row();

            let label = ui
                .label("Full scan every")
                .on_hover_text("Between full scans only the neighbourhood of known faces is searched");
            ui.add(DragValue::new(&mut options.full_scan_interval).range(1..=120).suffix(" frames"))
                .labelled_by(label.id);
            ui.end_row();
        });
        ui.horizontal(|ui| {
            if ui.button("Defaults").on_hover_text("Find faces as at first start").clicked() {
                options = DetectionOptions::default();
            }
        });
        if options != before {
            self.ask(Action::SetDetection(options));
        }
    }

    fn prior(&mut self, ui: &mut Ui) {
        let title = ui.label(RichText::new("Emotions are taken to be").strong());
        title.on_hover_text("How often each is shown, before a face is looked at");
        let current = self.settings.prior.clone();
        let standard = |prior| Some(PriorChoice::Standard(prior));
        let mut choices = vec![
            (None, "As the model has it".to_owned(), "What its makers found to serve best"),
            (standard(StandardPrior::Uniform), "Equally frequent".to_owned(), "Rare emotions are not passed over"),
            (
                standard(StandardPrior::Training),
                "As frequent as in training".to_owned(),
                "Fewest errors where most faces are neutral or happy, but rare emotions are often missed",
            ),
        ];
        let launched = self.launched.prior.clone();
        if let Some(PriorChoice::Given { path, .. }) = &launched {
            choices.push((launched.clone(), format!("As in {}", path.display()), "The file named at the start"));
        }
        for (choice, name, hint) in choices {
            if ui.radio(choice == current, name).on_hover_text(hint).clicked() {
                self.ask(Action::SetPrior(choice));
            }
        }
    }
}
