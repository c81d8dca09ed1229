//! The keyboard: one table for what keys do, what the help lists and what hover texts mention.

use egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::record::Ask;
use super::recorded::Wish;
use super::session::Source;
use super::{Action, App};

/// How far ← and → go in a video that plays.
const JUMP_SECS: f64 = 5.0;

/// A key and what it is for.
pub(super) struct Shortcut {
    pub(super) key: KeyboardShortcut,
    pub(super) does: &'static str,
    action: ActionOf,
    /// Belongs to a widget that has the focus (Space presses a button, arrows move a slider) before it is ours.
    yields_to_focus: bool,
}

type ActionOf = fn(&App, &Context) -> Option<Action>;

const fn key(key: Key, does: &'static str, yields_to_focus: bool, action: ActionOf) -> Shortcut {
    Shortcut { key: KeyboardShortcut::new(Modifiers::NONE, key), does, action, yields_to_focus }
}

pub(super) const PAUSE: usize = 0;
pub(super) const BACK: usize = 1;
pub(super) const FORWARD: usize = 2;
pub(super) const MIRROR: usize = 3;
pub(super) const FULL_SCREEN: usize = 4;
pub(super) const OPEN: usize = 5;
pub(super) const RECORD: usize = 6;
pub(super) const SNAPSHOT: usize = 7;
pub(super) const ADD_MARK: usize = 8;
pub(super) const HELP: usize = 10;
pub(super) const PREVIOUS_MARK: usize = 11;
pub(super) const NEXT_MARK: usize = 12;
pub(super) const UNDO: usize = 13;

/// All shortcuts, in the order in which the help lists them.
pub(super) const SHORTCUTS: [Shortcut; 14] = [
    key(Key::Space, "Pause or go on", true, |_, _| Some(Action::TogglePause)),
    key(Key::ArrowLeft, "5 seconds back; one frame when paused", true, |app, _| back_or_forth(app, -1)),
    key(Key::ArrowRight, "5 seconds on; one frame when paused", true, |app, _| back_or_forth(app, 1)),
    key(Key::M, "Mirror the picture", false, |_, _| Some(Action::ToggleMirror)),
    key(Key::F, "Full screen", false, |_, _| Some(Action::ToggleFullScreen)),
    Shortcut {
        key: KeyboardShortcut::new(Modifiers::COMMAND, Key::O),
        does: "Open a video or a recording",
        action: |_, _| Some(Action::AskForVideo),
        yields_to_focus: false,
    },
    key(Key::R, "Record, or end the recording", false, |_, _| Some(Action::Record(Ask::Toggle))),
    key(Key::S, "Snapshot: keep this picture", false, |_, _| Some(Action::Record(Ask::Snapshot))),
    key(Key::K, "Mark this moment of the recording, with a text", false, |app, _| {
        of_recording(app, Wish::AddMark).or(Some(Action::Record(Ask::BeginMark)))
    }),
    key(Key::Escape, "Leave full screen, close this help", false, |app, ctx| {
        let full_screen = ctx.input(|i| i.viewport().fullscreen.unwrap_or(false));
        if app.help_open { Some(Action::ToggleHelp) } else { full_screen.then_some(Action::LeaveFullScreen) }
    }),
    key(Key::F1, "Show or hide this help", false, |_, _| Some(Action::ToggleHelp)),
    key(Key::PageUp, "In a recording: to the mark before", false, |app, _| {
        of_recording(app, Wish::GoToMark { forward: false })
    }),
    key(Key::PageDown, "In a recording: to the next mark", false, |app, _| {
        of_recording(app, Wish::GoToMark { forward: true })
    }),
    Shortcut {
        key: KeyboardShortcut::new(Modifiers::COMMAND, Key::Z),
        does: "In a recording: take the last change back",
        action: |app, _| of_recording(app, Wish::Undo),
        yields_to_focus: false,
    },
];

/// A hover text with its shortcut: `Pause (Space)`.
pub(super) fn hint(ctx: &Context, text: &str, shortcut: usize) -> String {
    match SHORTCUTS.get(shortcut) {
        Some(shortcut) => format!("{text} ({})", ctx.format_shortcut(&shortcut.key)),
        None => text.to_owned(),
    }
}

fn of_recording(app: &App, wish: Wish) -> Option<Action> {
    app.recorded.is_some().then_some(Action::Recorded(wish))
}

fn back_or_forth(app: &App, direction: i32) -> Option<Action> {
    if !app.is_video() {
        return None;
    }
    let jump = Action::Jump { secs: JUMP_SECS * f64::from(direction) };
    Some(if app.playback.paused { Action::Step(direction) } else { jump })
}

impl App {
    pub(super) fn take_shortcuts(&mut self, ctx: &Context) {
        if ctx.text_edit_focused() {
            return;
        }
        let focused = ctx.memory(|m| m.focused().is_some());
        for shortcut in SHORTCUTS.iter().filter(|shortcut| !(focused && shortcut.yields_to_focus)) {
            // The key is left to egui (Esc closes menus) when it has nothing to do here.
            if let Some(action) = (shortcut.action)(self, ctx)
                && ctx.input_mut(|i| i.consume_shortcut(&shortcut.key))
            {
                self.ask(action);
            }
        }
        self.take_quick_marks(ctx);
    }

    pub(super) fn take_dropped_file(&mut self, ctx: &Context) {
        let dropped = ctx.input_mut(|i| std::mem::take(&mut i.raw.dropped_files));
        let mut files = dropped.into_iter();
        let Some(file) = files.next() else { return };
        if files.next().is_some() {
            self.toasts.error("Drop one video or recording at a time; the first one is opened");
        }
        self.ask(Action::Open(Source::of(file.path().to_owned())));
    }
}
