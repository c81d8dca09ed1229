//! The section for a recording, below the bars: people, marks, export and another analysis.

use std::time::Duration;

use egui::{Button, CollapsingHeader, Context, Frame, Id, Margin, Panel, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::SIGN_GAP;
use super::faces::smallest_card;
use super::rows;
use super::settings::seconds_or_off;
use crate::app::action::{Action, Asks};
use crate::app::export::RunningExport;
use crate::app::icons::Icon;
use crate::app::keys::Shortcut;
use crate::app::people::People;
use crate::app::replay::{Replay, ReplayAsk, results};
use crate::app::session::Results;
use crate::clock::moment;
use crate::face::FaceId;
use crate::pipeline::Command;
use crate::recording::{Mark, Presence};

/// Default share of the panel's height for people and marks, and the minimum height at which some of them are visible.
const SHARE: f32 = 0.55;
const SMALLEST: f32 = 96.0;

/// Height of the list of other people in a menu before it scrolls: about six of them.
const LIST_HEIGHT: f32 = 170.0;

/// Room for the button that follows a name in its row.
const BEHIND_NAME: f32 = 48.0;

/// Reduced padding and spacing of buttons and rows, where many must fit.
const NARROW_PADDING: f32 = 6.0;
const NARROW_SPACING: f32 = 4.0;

/// Why new results can't be exported, and what writes them.
const ONLY_RECORDED: &str = "Only recorded results can be exported here. New ones are written by `mien replay FOLDER \
                             --again --headless --output RESULTS`, with --model and other options as chosen here";

/// A person in the list.
struct Person {
    id: FaceId,
    /// `Anna`, `Face 3`.
    title: String,
    /// `Anna`, `face 3`.
    words: String,
    name: String,
    hidden: bool,
    /// When the person was seen, and as which faces.
    details: String,
    first: Duration,
}

impl Person {
    /// One of the people of a recording.
    fn of(replay: &Replay, id: FaceId) -> Option<Self> {
        let faces = replay.recording.faces.faces();
        let merged = replay.edits.merged_into(id);
        let seen = [id].iter().chain(&merged).filter_map(|face| faces.get(face)).copied().reduce(together)?;
        let mut details = format!("{} to {}, on {} frames", moment(seen.first), moment(seen.last), seen.frames);
        if !merged.is_empty() {
            let numbers: Vec<_> = [id].iter().chain(&merged).map(|face| face.0.to_string()).collect();
            details = format!("{details}; as faces {}", numbers.join(", "));
        }
        Some(Self {
            id,
            title: replay.edits.title(id),
            words: replay.edits.words(id),
            name: replay.edits.name(id).unwrap_or_default().to_owned(),
            hidden: replay.edits.is_hidden(id),
            details,
            first: seen.first,
        })
    }
}

/// Shows the section at the bottom of the panel. Above it, there is room for one card of bars.
pub(super) fn show(ui: &mut Ui, replay: &Replay, export: Option<&RunningExport>, people: &People, asks: &mut Asks) {
    let height = ui.available_height();
    let panel = Panel::bottom("recording").frame(Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO }));
    let most = (height - smallest_card(people.classes())).max(SMALLEST);
    panel.resizable(true).default_size((height * SHARE).min(most)).max_size(most).show(ui, |ui| {
        let mut section = Section { replay, export, people, asks };
        section.buttons(ui);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = NARROW_SPACING;
            section.people_ui(ui);
            section.marks_ui(ui);
        });
    });
}

struct Section<'a> {
    replay: &'a Replay,
    /// A running export, of this recording or of one opened before.
    export: Option<&'a RunningExport>,
    people: &'a People,
    asks: &'a mut Asks,
}

impl Section<'_> {
    fn ask(&mut self, ask: ReplayAsk) {
        self.asks.push(Action::Replay(ask));
    }

    fn people_ui(&mut self, ui: &mut Ui) {
        let people = results(Some(self.replay)).map(Replay::people).unwrap_or_default();
        if people.is_empty() {
            return;
        }
        let header = CollapsingHeader::new(format!("People ({})", people.len())).id_salt("people").default_open(true);
        header.show_unindented(ui, |ui| {
            rows::show(ui, "people", people.len(), |ui, place| self.person_ui(ui, people[place]));
        });
    }

    /// The origin of the results, and the buttons.
    fn buttons(&mut self, ui: &mut Ui) {
        let recorded = self.replay;
        let metadata = &recorded.recording.metadata;
        let (can_undo, is_edited) = (recorded.can_undo(), !recorded.edits.is_empty());
        let percent = self.export.map(RunningExport::percent);
        let made = format!(
            "Recorded {} with {}, {} prior, smoothing {}",
            metadata.started,
            metadata.model,
            metadata.prior,
            seconds_or_off(metadata.smoothing_secs)
        );
        let what = match recorded.results {
            Results::Recorded => format!("Recorded by {}", metadata.model),
            Results::Anew => "Analysed again".to_owned(),
        };
        ui.label(RichText::new(what).strong()).on_hover_text(made);
        ui.horizontal_wrapped(|ui| {
            // Fits in one line at the panel's default width.
            ui.spacing_mut().button_padding.x = NARROW_PADDING;
            ui.spacing_mut().item_spacing.x = NARROW_SPACING;
            let (words, why, others) = match recorded.results {
                Results::Recorded => {
                    let why = "Detect and label the faces again, with the current model and settings";
                    ("Analyse again", why, Results::Anew)
                }
                Results::Anew => {
                    let why = "Show the results from when this was recorded";
                    ("Recorded results", why, Results::Recorded)
                }
            };
            if ui.button(words).on_hover_text(why).clicked() {
                self.asks.push(Action::ShowResults(others));
            }
            match percent {
                None => {
                    let why = "Write a table with the names, a video with the boxes, and the marks to the folder “exports” \
                               in the recording";
                    let export = ui.add_enabled(results(Some(recorded)).is_some(), Button::new("Export"));
                    if export.on_disabled_hover_text(ONLY_RECORDED).on_hover_text(why).clicked() {
                        self.asks.push(Action::Export);
                    }
                }
                Some(_) if self.export.is_some_and(RunningExport::is_stopping) => {
                    ui.label("Cancelling the export…");
                }
                Some(percent) => {
                    ui.label(format!("Exporting… {percent} %"));
                    if ui.button("Cancel").on_hover_text("Stop the export and keep no files").clicked() {
                        self.asks.push(Action::StopExport);
                    }
                }
            }
            let undo = ui.add_enabled(can_undo, Button::new("Undo"));
            if undo.on_hover_text(Shortcut::Undo.hint(ui.ctx(), "Undo the last change")).clicked() {
                self.ask(ReplayAsk::Undo);
            }
            let reset = ui.add_enabled(is_edited, Button::new("Reset"));
            if reset.on_hover_text("Undo all changes: names, merges, hidden faces, marks").clicked() {
                self.ask(ReplayAsk::Reset);
            }
        });
    }

    /// A person's row. Returns whether the name is being typed.
    fn person_ui(&mut self, ui: &mut Ui, id: FaceId) -> bool {
        let Some(person) = Person::of(self.replay, id) else { return false };
        let words = &person.words;
        let label = name_label(id);
        let field = field(self.replay, &label);
        ui.horizontal(|ui| {
            let mut shown = !person.hidden;
            let response = ui.checkbox(&mut shown, "").accessible_name(format!("Show {words}"));
            if response.on_hover_text("Show this person on the picture, beside it and in the timeline").changed() {
                self.ask(ReplayAsk::Hide(id, !shown));
            }
            let chosen = self.people.of_timeline() == Some(id);
            let number = ui.selectable_label(chosen, id.0.to_string()).accessible_name(format!("Choose {words}"));
            if number.on_hover_text(format!("Show in the timeline. {}", person.details)).clicked() {
                self.asks.push(Action::Choose(Some(id)));
            }
            let width = ui.available_width() - BEHIND_NAME;
            if let Some(name) = typed(ui, field, &label, &person.name, &format!("Face {}", id.0), width) {
                self.ask(ReplayAsk::Rename(id, name));
            }
            self.person_menu(ui, &person);
        });
        is_typed(ui, field)
    }

    fn person_menu(&mut self, ui: &mut Ui, person: &Person) {
        let response = ui.menu_button("…", |ui| {
            ui.label(RichText::new(&person.details).small().weak());
            if ui.button("Go to the first frame").clicked() {
                self.asks.push(Action::Send(Command::Seek(person.first)));
            }
            ui.separator();
            let others: Vec<FaceId> =
                self.replay.people().iter().copied().filter(|other| *other != person.id).collect();
            if others.is_empty() {
                return;
            }
            ui.label("Merge with");
            ScrollArea::vertical().max_height(LIST_HEIGHT).show(ui, |ui| {
                rows::show(ui, "others", others.len(), |ui, place| {
                    self.other_ui(ui, person.id, others[place]);
                    false
                });
            });
        });
        response
            .response
            .on_hover_text("Merge with another person, or go to the first frame")
            .accessible_name(format!("More about {}", person.words));
    }

    /// A button that merges `person` with `other`.
    fn other_ui(&mut self, ui: &mut Ui, person: FaceId, other: FaceId) {
        let Some(other) = Person::of(self.replay, other) else { return };
        let button = rows::button(ui, Button::new(&other.title)).on_hover_text(&other.details);
        if button.accessible_name(format!("Merge with {}", other.words)).clicked() {
            self.ask(ReplayAsk::Merge(person, other.id));
        }
    }

    /// The marks: to go to, edit and remove.
    fn marks_ui(&mut self, ui: &mut Ui) {
        let marks = self.replay.marks();
        let header = CollapsingHeader::new(format!("Marks ({})", marks.len())).id_salt("marks").default_open(true);
        header.show_unindented(ui, |ui| {
            ui.horizontal(|ui| {
                let ctx = ui.ctx().clone();
                let mut button = |words: &str, why: &str, key: Shortcut, enabled| {
                    ui.add_enabled(enabled, Button::new(words).gap(SIGN_GAP))
                        .on_hover_text(key.hint(&ctx, why))
                        .clicked()
                };
                if button("Add mark", "Mark this moment", Shortcut::AddMark, true) {
                    self.ask(ReplayAsk::AddMark);
                }
                for (words, why, key, forward) in [
                    ("Previous", "Go to the previous mark", Shortcut::PreviousMark, false),
                    ("Next", "Go to the next mark", Shortcut::NextMark, true),
                ] {
                    if button(words, why, key, !marks.is_empty()) {
                        self.ask(ReplayAsk::GoToMark { forward });
                    }
                }
            });
            rows::show(ui, "marks", marks.len(), |ui, place| self.mark_row(ui, place, &marks[place]));
        });
    }

    /// Returns whether its text is being typed.
    fn mark_row(&mut self, ui: &mut Ui, place: usize, mark: &Mark) -> bool {
        let when = moment(mark.time);
        let label = mark_label(place, mark);
        let field = field(self.replay, &label);
        ui.horizontal(|ui| {
            let go = ui.button(&when).accessible_name(format!("Go to {when} {}", mark.text));
            if go.on_hover_text("Go there").clicked() {
                self.asks.push(Action::Send(Command::Seek(mark.time)));
            }
            let width = ui.available_width() - BEHIND_NAME;
            if let Some(text) = typed(ui, field, &label, &mark.text, "What happens here", width) {
                self.ask(ReplayAsk::SetMark(mark.clone(), text));
            }
            let remove = ui.button(Icon::Close.atom()).accessible_name(format!("Remove mark {} at {when}", place + 1));
            if remove.on_hover_text("Remove this mark").clicked() {
                self.ask(ReplayAsk::RemoveMark(mark.clone()));
            }
        });
        is_typed(ui, field)
    }
}

/// The requests that would follow if every field being typed in lost the focus now.
pub(in crate::app) fn being_typed(ctx: &Context, replay: &Replay) -> Vec<ReplayAsk> {
    let text = |label: &str| ctx.data(|data| data.get_temp::<String>(field(replay, label)));
    let names = replay.people().iter().filter_map(|id| Some(ReplayAsk::Rename(*id, text(&name_label(*id))?)));
    let marks = replay.marks().iter().enumerate();
    let texts =
        marks.filter_map(|(place, mark)| Some(ReplayAsk::SetMark(mark.clone(), text(&mark_label(place, mark))?)));
    names.chain(texts).collect()
}

/// Id of a text field, under which egui's memory keeps its unfinished text. It includes the folder, so half-typed text
/// can't end up in another recording.
fn field(replay: &Replay, label: &str) -> Id {
    Id::unique(("typed", replay.recording.folder(), label))
}

fn name_label(id: FaceId) -> String {
    format!("Name of face {}", id.0)
}

fn mark_label(place: usize, mark: &Mark) -> String {
    format!("Text of mark {} at {}", place + 1, moment(mark.time))
}

/// A text field. Returns its text once it loses the focus or Enter is pressed, if it has changed. Esc keeps the old text.
fn typed(ui: &mut Ui, id: Id, label: &str, text: &str, empty: &str, width: f32) -> Option<String> {
    let mut now = ui.data_mut(|data| data.remove_temp::<String>(id)).unwrap_or_else(|| text.to_owned());
    let edit = TextEdit::singleline(&mut now).id(id).hint_text(empty).desired_width(width);
    let response = ui.add_sized(vec2(width, ui.spacing().interact_size.y), edit).accessible_name(label);
    if response.lost_focus() {
        let given_up = ui.input(|i| i.key_pressed(egui::Key::Escape));
        return (!given_up && now != text).then_some(now);
    }
    if is_typed(ui, id) {
        ui.data_mut(|data| data.insert_temp(id, now));
        return None;
    }
    // Its panel was hidden, or another source opened, while it had the focus.
    (now != text).then_some(now)
}

/// Whether the field has the focus.
fn is_typed(ui: &Ui, id: Id) -> bool {
    ui.memory(|memory| memory.has_focus(id))
}

/// Combines the presence of two faces of one person.
fn together(a: Presence, b: Presence) -> Presence {
    Presence { first: a.first.min(b.first), last: a.last.max(b.last), frames: a.frames + b.frames }
}
