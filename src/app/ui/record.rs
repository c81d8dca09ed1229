//! The buttons for recordings, marks and snapshots, the field for a mark's text, and the choice of the folder.

use egui::{
    Align2, Area, Button, Context, Frame, Id, Key, Margin, Order, Rect, RichText, TextEdit, TextStyle, Ui, vec2,
};

use super::settings::Given;
use super::{FROM_EDGE, SIGN_GAP, icon_button, text_width, top_bar};
use crate::app::action::{Action, Asks};
use crate::app::icons::Icon;
use crate::app::keys::Shortcut;
use crate::app::record::{OpenMark, RecordAsk, RecordingControl, State, why_no_recording};
use crate::app::theme;
use crate::blur::Blur;
use crate::clock::{clock, moment};

/// Width of the field for a mark's text, where there is room.
const MARK_WIDTH: f32 = 260.0;

/// Approximate width of what is beside that field. With less room, this is cut rather than the field.
const BESIDE_MARK: f32 = 270.0;
const SMALLEST_MARK_WIDTH: f32 = 80.0;

/// Width of the button that marks a moment, and of the gap before it, with the word and with the icon alone.
const MARK_BUTTON_WIDTH: f32 = 66.0;
const MARK_ICON_WIDTH: f32 = 31.0;

/// Maximum width of the folder's path in the settings.
const PATH_WIDTH: f32 = 300.0;

/// Status of the recording, for when the buttons are hidden.
pub(super) fn words(recording: &RecordingControl) -> Option<String> {
    match &recording.state {
        State::Off => None,
        State::Starting | State::On { .. } => Some(format!("Recording {}", time(recording))),
        State::Ending { .. } => Some("Ending the recording…".to_owned()),
    }
}

/// Whole seconds elapsed, as on a stopwatch.
fn time(recording: &RecordingControl) -> String {
    clock(recording.progress.elapsed.as_secs() as f64, 0)
}

/// What kind of video is recorded.
fn video(blur: Option<Blur>) -> &'static str {
    match blur {
        None => "video",
        Some(Blur::Faces) => "video with blurred faces",
        Some(Blur::Background) => "video with all but the faces blurred",
    }
}

/// What the button that starts or ends a recording says. `compact` is for the time while one runs.
fn button_words(recording: &RecordingControl, compact: bool) -> String {
    match &recording.state {
        State::Off => "Record".to_owned(),
        State::Starting => "Starting…".to_owned(),
        State::On { .. } if compact => time(recording),
        State::On { .. } => format!("Recording {}", time(recording)),
        State::Ending { .. } => "Ending…".to_owned(),
    }
}

/// Width that depends on the state of the recording: that of the words on its button, and of the button for marks.
pub(super) fn width_of_state(ui: &Ui, recording: &RecordingControl, compact: bool) -> f32 {
    let words = || text_width(ui, &button_words(recording, compact), &TextStyle::Button);
    match (recording.is_on(), compact) {
        (true, true) => SIGN_GAP + words() + MARK_ICON_WIDTH,
        (true, false) => words() + MARK_BUTTON_WIDTH,
        (false, true) => 0.0,
        (false, false) => words(),
    }
}

/// Buttons that start or end a recording, mark a moment, and save a picture.
pub(super) fn buttons(ui: &mut Ui, shown: &top_bar::Shown<'_>, compact: bool, asks: &mut Asks) {
    if record_button(ui, shown, compact) {
        asks.push(Action::Record(RecordAsk::Toggle));
    }
    if shown.recording.is_on() {
        let mark = icon_button(ui, Icon::Mark, "Mark", compact, true);
        let text = "Mark this moment in the recording, with optional text";
        if mark.on_hover_text(Shortcut::AddMark.hint(ui.ctx(), text)).clicked() {
            asks.push(Action::Record(RecordAsk::BeginMark));
        }
    }
    let snapshot = icon_button(ui, Icon::Snapshot, "Snapshot", compact, shown.has_picture);
    let text = "Save this picture, with and without the faces drawn in";
    let snapshot = snapshot.on_disabled_hover_text(Shortcut::Snapshot.hint(ui.ctx(), "Snapshot: there is no picture"));
    if snapshot.on_hover_text(Shortcut::Snapshot.hint(ui.ctx(), text)).clicked() {
        asks.push(Action::Record(RecordAsk::Snapshot));
    }
}

/// Returns whether it was clicked.
fn record_button(ui: &mut Ui, shown: &top_bar::Shown<'_>, compact: bool) -> bool {
    let recording = shown.recording;
    let words = button_words(recording, compact);
    let hint = |ui: &Ui, text: &str| Shortcut::Record.hint(ui.ctx(), text);
    let response = match &recording.state {
        State::Off => {
            let why_not = why_no_recording(shown.player);
            let button = icon_button(ui, Icon::Record, &words, compact, why_not.is_none());
            let folder = shown.settings.recordings_folder(&recording.default_folder);
            let text = format!("Record {}, tables and marks to {}", video(recording.blur), folder.display());
            let button = button.on_hover_text(hint(ui, &text));
            button.on_disabled_hover_text(hint(ui, why_not.unwrap_or_default()))
        }
        State::Starting | State::Ending { .. } => icon_button(ui, Icon::Record, &words, compact, false),
        State::On { folder } => {
            let button = Button::selectable(true, (Icon::Record.atom_in(theme::RECORDING), words)).gap(SIGN_GAP);
            let text = format!("End the recording in {}", folder.display());
            let response = ui.add(button).accessible_name(format!("Recording {}, press to end", time(recording)));
            response.on_hover_text(hint(ui, &text))
        }
    };
    response.clicked()
}

/// The field for the text of a mark, at the top of `room`. The mark's moment is when its key was pressed.
pub(super) fn mark_field(ctx: &Context, room: Rect, mark: &mut OpenMark, asks: &mut Asks) {
    let area = Area::new(Id::unique("mark")).order(Order::Foreground).pivot(Align2::CENTER_TOP);
    area.fixed_pos(room.center_top() + vec2(0.0, FROM_EDGE)).constrain_to(room).show(ctx, |ui| {
        Frame::popup(ui.style()).inner_margin(Margin::same(10)).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("Mark at {}", moment(mark.time))).strong());
                let width = MARK_WIDTH.min(room.width() - BESIDE_MARK).max(SMALLEST_MARK_WIDTH);
                let field = TextEdit::singleline(&mut mark.text).hint_text("Text (optional)").desired_width(width);
                let response = ui.add(field).accessible_name("Text of the mark");
                if std::mem::take(&mut mark.is_new) {
                    response.request_focus();
                } else if response.lost_focus() {
                    // A click elsewhere keeps the mark too.
                    let escaped = ui.input(|i| i.key_pressed(Key::Escape));
                    asks.push(Action::Record(if escaped { RecordAsk::DropMark } else { RecordAsk::KeepMark }));
                }
                ui.label(RichText::new("Enter saves it, Esc discards it").small().weak());
            });
        });
    });
}

/// The choice of the recordings folder, in the settings.
pub(super) fn folder_choice(ui: &mut Ui, given: &Given<'_>, asks: &mut Asks) {
    let Given { settings, recording, .. } = *given;
    ui.label(RichText::new("Recordings and pictures").strong());
    let path = settings.recordings_folder(&recording.default_folder).display().to_string();
    ui.scope(|ui| {
        ui.set_max_width(PATH_WIDTH);
        ui.add(egui::Label::new(&path).truncate().selectable(true)).on_hover_text(&path);
    });
    ui.horizontal(|ui| {
        let choose = ui.add_enabled(!given.discovery.choosing_folder, Button::new("Choose folder…"));
        if choose.on_hover_text("Each recording gets its own folder there").clicked() {
            asks.push(Action::Record(RecordAsk::ChooseFolder));
        }
        let default = ui.add_enabled(settings.recordings_folder.is_some(), Button::new("Default folder"));
        if default.on_hover_text(recording.default_folder.display().to_string()).clicked() {
            asks.change(settings, |settings| settings.recordings_folder = None);
        }
    });
}
