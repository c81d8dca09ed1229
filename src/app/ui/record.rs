//! The buttons for recording and pictures, the field for a mark's text, and where it all goes.

use egui::{Align2, Area, Button, Context, Frame, Id, Key, Margin, Order, RichText, TextEdit, Ui, vec2};

use super::{SIGN_GAP, clock, icon_button};
use crate::app::icons::Icon;
use crate::app::keys::{self, hint};
use crate::app::record::{Ask, State};
use crate::app::{Action, App, theme};

/// Width of the field for a mark's text.
const MARK_WIDTH: f32 = 260.0;

/// Distance of that field from the lower edge of the window: above timeline and status bar.
const MARK_FROM_EDGE: egui::Vec2 = vec2(0.0, -250.0);

/// Width of the folder's path in the settings before it is cut off.
const PATH_WIDTH: f32 = 300.0;

impl App {
    pub(super) fn record_buttons(&mut self, ui: &mut Ui, compact: bool) {
        let why_not = self.why_no_recording();
        let response = match &self.recording.state {
            State::Off => {
                let button = icon_button(ui, Icon::Record, "Record", compact, why_not.is_none());
                let text = format!("Record video, table and marks to {}", self.recordings_folder().display());
                button.on_hover_text(hint(ui.ctx(), &text, keys::RECORD)).on_disabled_hover_text(hint(
                    ui.ctx(),
                    why_not.unwrap_or_default(),
                    keys::RECORD,
                ))
            }
            State::Starting | State::Ending { .. } => {
                let word = if self.recording.state == State::Starting { "Starting…" } else { "Ending…" };
                icon_button(ui, Icon::Record, word, compact, false)
            }
            State::On { folder } => {
                let secs = self.recording.progress.elapsed.as_secs();
                // Whole seconds: this is a clock and no measurement.
                let time = format!("{}:{:02}", secs / 60, secs % 60);
                let words = if compact { time.clone() } else { format!("Recording {time}") };
                let button = Button::selectable(true, (Icon::Record.atom_in(theme::RECORDING), words)).gap(SIGN_GAP);
                let text = format!("End the recording to {}", folder.display());
                let response = ui.add(button).accessible_name(format!("Recording {time}, press to end"));
                response.on_hover_text(hint(ui.ctx(), &text, keys::RECORD))
            }
        };
        if response.clicked() {
            self.ask(Action::Record(Ask::Toggle));
        }
        let snapshot = icon_button(ui, Icon::Snapshot, "Snapshot", compact, self.shown.is_some());
        let text = "Keep this picture, once clean and once with the faces";
        if snapshot.on_hover_text(hint(ui.ctx(), text, keys::SNAPSHOT)).clicked() {
            self.ask(Action::Record(Ask::Snapshot));
        }
    }

    /// The field for the text of a mark. The mark's moment is that of its key.
    pub(super) fn mark_ui(&mut self, ctx: &Context) {
        let Some(mark) = &mut self.recording.open_mark else { return };
        let mut asks = None;
        let area = Area::new(Id::unique("mark")).order(Order::Foreground).anchor(Align2::CENTER_BOTTOM, MARK_FROM_EDGE);
        area.show(ctx, |ui| {
            Frame::popup(ui.style()).inner_margin(Margin::same(10)).show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.label(RichText::new(format!("Mark at {}", clock(mark.time))).strong());
                    let field =
                        TextEdit::singleline(&mut mark.text).hint_text("Text, or none").desired_width(MARK_WIDTH);
                    let response = ui.add(field).accessible_name("Text of the mark");
                    if std::mem::take(&mut mark.is_new) {
                        response.request_focus();
                    } else if response.lost_focus() {
                        // Whoever clicks elsewhere wanted the mark too.
                        let escaped = ui.input(|i| i.key_pressed(Key::Escape));
                        asks = Some(if escaped { Ask::DropMark } else { Ask::KeepMark });
                    }
                    ui.label(RichText::new("Enter keeps it, Esc drops it").small().weak());
                });
            });
        });
        if let Some(ask) = asks {
            self.ask(Action::Record(ask));
        }
    }

    /// Where recordings go, in the settings.
    pub(super) fn recordings_choice(&mut self, ui: &mut Ui) {
        ui.label(RichText::new("Recordings and pictures").strong());
        let path = self.recordings_folder().display().to_string();
        ui.scope(|ui| {
            ui.set_max_width(PATH_WIDTH);
            ui.add(egui::Label::new(&path).truncate().selectable(true)).on_hover_text(&path);
        });
        ui.horizontal(|ui| {
            let choose = ui.add_enabled(!self.recording.choosing_folder, Button::new("Choose folder…"));
            if choose.on_hover_text("Each recording gets a folder of its own in it").clicked() {
                self.ask(Action::Record(Ask::ChooseFolder));
            }
            let chosen = self.settings.recordings_folder.is_some();
            let usual = ui.add_enabled(chosen, Button::new("Usual place"));
            let text = self.recording.usual_folder.display().to_string();
            if usual.on_hover_text(text).clicked() {
                self.ask(Action::Record(Ask::SetFolder(None)));
            }
        });
    }
}
