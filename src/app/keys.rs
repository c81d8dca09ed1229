//! Keyboard shortcuts: what each key does, and its words for the help and hover texts.

use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

use super::App;
use super::action::{Action, Pane};
use super::record::RecordAsk;
use super::replay::ReplayAsk;
use crate::pipeline::Command;

/// How far ← and → jump in a playing video.
const JUMP_SECS: f64 = 5.0;

/// How a key was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Press {
    /// Repeated, because it is held.
    Repeated,
    /// It went down.
    First,
}

/// A keyboard shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortcut {
    Pause,
    Back,
    Forward,
    Mirror,
    FullScreen,
    Panels,
    Open,
    Record,
    Snapshot,
    AddMark,
    Escape,
    Help,
    PreviousMark,
    NextMark,
    Undo,
}

impl Shortcut {
    /// All shortcuts, in the order of the help.
    pub(super) const ALL: [Self; 15] = [
        Self::Pause,
        Self::Back,
        Self::Forward,
        Self::Mirror,
        Self::FullScreen,
        Self::Panels,
        Self::Open,
        Self::Record,
        Self::Snapshot,
        Self::AddMark,
        Self::Escape,
        Self::Help,
        Self::PreviousMark,
        Self::NextMark,
        Self::Undo,
    ];

    pub(super) fn key(self) -> KeyboardShortcut {
        let alone = |key| KeyboardShortcut::new(Modifiers::NONE, key);
        match self {
            Self::Pause => alone(Key::Space),
            Self::Back => alone(Key::ArrowLeft),
            Self::Forward => alone(Key::ArrowRight),
            Self::Mirror => alone(Key::M),
            Self::FullScreen => alone(Key::F),
            Self::Panels => alone(Key::P),
            Self::Open => KeyboardShortcut::new(Modifiers::COMMAND, Key::O),
            Self::Record => alone(Key::R),
            Self::Snapshot => alone(Key::S),
            Self::AddMark => alone(Key::K),
            Self::Escape => alone(Key::Escape),
            Self::Help => alone(Key::F1),
            Self::PreviousMark => alone(Key::PageUp),
            Self::NextMark => alone(Key::PageDown),
            Self::Undo => KeyboardShortcut::new(Modifiers::COMMAND, Key::Z),
        }
    }

    /// Description for the help.
    pub(super) fn does(self) -> &'static str {
        match self {
            Self::Pause => "Pause or resume",
            Self::Back => "Back 5 seconds; one frame when paused",
            Self::Forward => "Forward 5 seconds; one frame when paused",
            Self::Mirror => "Mirror the picture",
            Self::FullScreen => "Full screen with the picture alone",
            Self::Panels => "Show or hide the panels",
            Self::Open => "Open a video or a recording",
            Self::Record => "Start or end a recording",
            Self::Snapshot => "Save this picture",
            Self::AddMark => "Mark this moment in the recording, with optional text",
            Self::Escape => "Close what is open, show the panels, leave full screen",
            Self::Help => "Show or hide this help",
            Self::PreviousMark => "In a recording: go to the previous mark",
            Self::NextMark => "In a recording: go to the next mark",
            Self::Undo => "In a recording: undo the last change",
        }
    }

    /// Adds the key to a hover text: `Pause (Space)`.
    pub(super) fn hint(self, ctx: &Context, text: &str) -> String {
        format!("{text} ({})", ctx.format_shortcut(&self.key()))
    }

    /// Whether a focused widget gets the key first: Space presses a button, arrows move a slider.
    fn yields_to_focus(self) -> bool {
        matches!(self, Self::Pause | Self::Back | Self::Forward)
    }

    /// Whether it repeats while its key is held.
    fn repeats(self) -> bool {
        matches!(self, Self::Back | Self::Forward | Self::PreviousMark | Self::NextMark)
    }

    /// Takes the presses of its key from egui, and returns whether they trigger it.
    fn is_pressed(self, ctx: &Context) -> bool {
        let KeyboardShortcut { modifiers, logical_key } = self.key();
        let press = take_press(ctx, logical_key, |held| match self {
            // With Shift, other programs redo.
            Self::Undo => held.matches_exact(modifiers),
            // With Alt, the key belongs to the system or types another letter.
            _ => !held.alt && held.matches_logically(modifiers),
        });
        press.is_some_and(|press| press == Press::First || self.repeats())
    }

    /// The action it triggers now; `None` leaves the key to egui.
    fn action(self, app: &App, ctx: &Context) -> Option<Action> {
        let of_recording = |ask| app.replay.is_some().then_some(Action::Replay(ask));
        Some(match self {
            Self::Pause => Action::TogglePause,
            Self::Back => back_or_forth(app, -1)?,
            Self::Forward => back_or_forth(app, 1)?,
            Self::Mirror => Action::ToggleMirror,
            Self::FullScreen => Action::ToggleFullScreen,
            Self::Panels => Action::TogglePanels,
            Self::Open => Action::AskForVideo,
            Self::Record => Action::Record(RecordAsk::Toggle),
            Self::Snapshot => Action::Record(RecordAsk::Snapshot),
            Self::AddMark => of_recording(ReplayAsk::AddMark).unwrap_or(Action::Record(RecordAsk::BeginMark)),
            Self::Escape => return escape(app, ctx),
            Self::Help => Action::Toggle(Pane::Help),
            Self::PreviousMark => of_recording(ReplayAsk::GoToMark { forward: false })?,
            Self::NextMark => of_recording(ReplayAsk::GoToMark { forward: true })?,
            Self::Undo => of_recording(ReplayAsk::Undo)?,
        })
    }
}

/// The action that closes what is on top.
fn escape(app: &App, ctx: &Context) -> Option<Action> {
    let full_screen = ctx.input(|i| i.viewport().fullscreen.unwrap_or(false));
    if egui::Popup::is_any_open(ctx) || app.typed_last {
        // egui closes a menu by itself. It has already taken the focus from a text field, which restores its old text.
        None
    } else if app.panes.help {
        Some(Action::Toggle(Pane::Help))
    } else if app.panes.settings {
        Some(Action::Toggle(Pane::Settings))
    } else {
        (full_screen || app.panes.picture_alone).then_some(Action::LeaveFullScreen)
    }
}

fn back_or_forth(app: &App, direction: i32) -> Option<Action> {
    if !app.player.is_video() {
        return None;
    }
    let jump = Action::Jump { secs: JUMP_SECS * f64::from(direction) };
    Some(if app.player.paused { Action::Send(Command::Step(direction)) } else { jump })
}

/// Takes all presses of a key with matching modifiers from egui. Among several, a first press outranks repeats.
pub(super) fn take_press(ctx: &Context, key: Key, matches: impl Fn(&Modifiers) -> bool) -> Option<Press> {
    let mut taken = None;
    ctx.input_mut(|input| {
        input.events.retain(|event| match event {
            Event::Key { key: of, pressed: true, repeat, modifiers, .. } if *of == key && matches(modifiers) => {
                taken = taken.max(Some(if *repeat { Press::Repeated } else { Press::First }));
                false
            }
            _ => true,
        });
    });
    taken
}

/// The actions of the pressed keys.
pub(super) fn pressed(app: &App, ctx: &Context) -> Vec<Action> {
    if ctx.text_edit_focused() {
        return Vec::new();
    }
    let focused = ctx.memory(|m| m.focused().is_some());
    let shortcuts = Shortcut::ALL.into_iter().filter(|shortcut| !(focused && shortcut.yields_to_focus()));
    let asked = shortcuts.filter_map(|shortcut| {
        let action = shortcut.action(app, ctx)?;
        shortcut.is_pressed(ctx).then_some(action)
    });
    let mut asked: Vec<Action> = asked.collect();
    asked.extend(app.recording.take_quick_mark(ctx).map(|number| Action::Record(RecordAsk::QuickMark(number))));
    asked
}
