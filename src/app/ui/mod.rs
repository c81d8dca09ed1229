//! The panels, one per file. Each receives what it shows and requests [`Action`](super::action::Action)s.

mod faces;
mod help;
mod notice;
mod overlay;
mod picture;
mod playback_bar;
mod record;
mod replay;
mod rows;
mod settings;
mod status_bar;
mod timeline;
mod toasts;
mod top_bar;

use std::collections::BTreeSet;
use std::time::Duration;

use egui::accesskit::Live;
use egui::{
    Align2, Area, Button, Color32, Context, Frame, Id, Margin, Order, Panel, Rect, Response, TextStyle, Ui, Vec2,
};

pub(super) use self::picture::Screen;
pub(super) use self::replay::being_typed;
use super::App;
use super::action::{Action, Asks, Pane};
use super::icons::Icon;
use super::keys::Shortcut;
use super::replay::{Replay, names, results};

/// Default and minimum width of the faces panel. The minimum fits names, percentages and a short bar.
const FACES_WIDTH: f32 = 290.0;
const SMALLEST_FACES_WIDTH: f32 = 200.0;

/// Maximum share of the width for the faces, because the picture matters most.
const FACES_SHARE: f32 = 0.36;

/// Room at the right of the timeline for half of the axis' last label.
const AXIS_LABEL_OVERHANG: i8 = 24;

/// Gap between a button's icon and its word.
const SIGN_GAP: f32 = 6.0;

/// Default height of the timeline, and the minimum at which its lines can be told apart.
const TIMELINE_HEIGHT: f32 = 190.0;
const SMALLEST_TIMELINE_HEIGHT: f32 = 120.0;

/// Height and width of the window below which the timeline and the faces are hidden automatically. With them, a 4:3 picture
/// would be lower than 300 points or narrower than 400.
const ROOM_FOR_TIMELINE: f32 = 580.0;
const ROOM_FOR_FACES: f32 = 600.0;

/// Distance of floating elements from the edges of the picture.
const FROM_EDGE: f32 = 10.0;

/// For this many seconds after a pointer movement, the button that brings the panels back is shown.
const WAY_BACK_SECS: f32 = 3.0;

/// Which parts of the window are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Panes {
    pub(super) help: bool,
    pub(super) settings: bool,
    /// Whether only the picture is shown.
    pub(super) picture_alone: bool,
    /// The user's choices for the panels that can be hidden automatically; `None` leaves it to the available room.
    faces_wanted: Option<bool>,
    timeline_wanted: Option<bool>,
    /// What the window had room for when it was last drawn.
    faces_fit: bool,
    timeline_fits: bool,
    /// Lines of the timeline that the user has hidden, by the keys of their classes.
    hidden_lines: BTreeSet<String>,
}

impl Panes {
    /// Takes the user's choices for the panels; `None` leaves it to the available room.
    pub(super) fn new(faces_wanted: Option<bool>, timeline_wanted: Option<bool>) -> Self {
        Self { faces_wanted, timeline_wanted, ..Self::default() }
    }

    /// The user's choices for the faces and the timeline.
    pub(super) fn wanted(&self) -> (Option<bool>, Option<bool>) {
        (self.faces_wanted, self.timeline_wanted)
    }

    fn measure(&mut self, window: Rect) {
        self.faces_fit = window.width() >= ROOM_FOR_FACES;
        self.timeline_fits = window.height() >= ROOM_FOR_TIMELINE;
    }

    fn faces(&self) -> bool {
        self.faces_wanted.unwrap_or(self.faces_fit)
    }

    fn timeline(&self) -> bool {
        self.timeline_wanted.unwrap_or(self.timeline_fits)
    }

    pub(super) fn toggle(&mut self, pane: Pane) {
        match pane {
            Pane::Help => self.help = !self.help,
            Pane::Settings => self.settings = !self.settings,
            // A choice that matches the default for the available room isn't remembered: another window may be smaller.
            Pane::Faces => self.faces_wanted = Some(!self.faces()).filter(|wanted| *wanted != self.faces_fit),
            Pane::Timeline => {
                self.timeline_wanted = Some(!self.timeline()).filter(|wanted| *wanted != self.timeline_fits);
            }
        }
    }
}

impl App {
    /// Draws the window.
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        self.panes.measure(ui.max_rect());
        if !self.panes.picture_alone {
            self.draw_panels(ui);
        }
        let (mirrored, now) = (self.mirrored(), self.clock.now(ui.ctx()));
        let room = egui::CentralPanel::default()
            .frame(Frame::new().fill(super::theme::BACKDROP))
            .show(ui, |ui| {
                let shown = picture::Shown {
                    player: &self.player,
                    people: &self.people,
                    names: names(self.replay.as_ref()),
                    discovery: &self.discovery,
                    recording: &self.recording,
                    is_alone: self.panes.picture_alone,
                    settings: &self.preferences.now,
                    mirrored,
                    now,
                };
                picture::show(ui, &mut self.screen, &shown, &mut self.asks);
                ui.max_rect()
            })
            .inner;
        let ctx = ui.ctx();
        if self.panes.picture_alone {
            way_back(ctx, room, &mut self.asks);
        }
        if self.panes.settings {
            let given = settings::Given {
                settings: &self.preferences.now,
                launched: self.preferences.launched(),
                discovery: &self.discovery,
                recording: &self.recording,
                classes: self.people.classes(),
            };
            settings::show(ctx, room, &given, &mut self.asks);
        }
        if self.panes.help {
            help::show(ctx, &mut self.asks);
        }
        if let Some(mark) = &mut self.recording.open_mark {
            record::mark_field(ctx, room, mark, &mut self.asks);
        }
        toasts::show(ctx, room, &self.toasts, &mut self.asks);
    }

    fn draw_panels(&mut self, ui: &mut Ui) {
        let frame = Frame::new().fill(ui.visuals().panel_fill);
        let results = results(self.replay.as_ref());
        let names = names(self.replay.as_ref());
        let (settings, asks) = (&self.preferences.now, &mut self.asks);
        Panel::top("top-bar").frame(frame.inner_margin(Margin::symmetric(10, 7))).show(ui, |ui| {
            let shown = top_bar::Shown {
                player: &self.player,
                discovery: &self.discovery,
                recording: &self.recording,
                results: results.map(|replay| &replay.recording.metadata),
                has_picture: self.screen.frame().is_some(),
                panes: &self.panes,
                classes: self.people.classes(),
                settings,
            };
            top_bar::show(ui, &shown, asks);
        });
        Panel::bottom("status-bar")
            .frame(frame.inner_margin(Margin::symmetric(10, 5)))
            .show(ui, |ui| status_bar::show(ui, &self.player, results, &self.recording));
        let below = frame.inner_margin(Margin { left: 10, right: AXIS_LABEL_OVERHANG, top: 8, bottom: 4 });
        if self.panes.timeline() {
            let panel = Panel::bottom("timeline").frame(below).resizable(true);
            let panel = panel.default_size(TIMELINE_HEIGHT).min_size(SMALLEST_TIMELINE_HEIGHT);
            panel.max_size(ui.available_height() * 0.5).show(ui, |ui| {
                if self.player.is_video() {
                    playback_bar::show(ui, &self.player, asks);
                }
                let shown = timeline::Shown {
                    player: &self.player,
                    people: &self.people,
                    names,
                    is_recording: results.is_some(),
                    marks: self.replay.as_ref().map_or(self.recording.marks.as_slice(), Replay::marks),
                };
                timeline::show(ui, &shown, &mut self.panes.hidden_lines, asks);
            });
        } else if self.player.is_video() {
            Panel::bottom("playback-bar").frame(below).show(ui, |ui| playback_bar::show(ui, &self.player, asks));
        }
        if self.panes.faces() {
            let panel = Panel::right("faces").frame(frame.inner_margin(Margin::same(10))).resizable(true);
            let panel = panel.default_size(FACES_WIDTH).min_size(SMALLEST_FACES_WIDTH);
            panel.max_size((ui.available_width() * FACES_SHARE).max(SMALLEST_FACES_WIDTH)).show(ui, |ui| {
                if let Some(replay) = &self.replay {
                    replay::show(ui, replay, self.export.as_ref(), &self.people, asks);
                }
                faces::show(ui, &self.people, names, asks);
            });
        }
    }
}

/// A button with an icon and a word, or the icon alone if `compact`. Its accessible name is the word in either case.
fn icon_button(ui: &mut Ui, icon: Icon, word: &str, compact: bool, enabled: bool) -> Response {
    if compact {
        let name = word.to_owned();
        ui.add_enabled(enabled, Button::new(icon.atom())).accessible_name(name)
    } else {
        ui.add_enabled(enabled, Button::new((icon.atom(), word)).gap(SIGN_GAP))
    }
}

/// While the pointer moves over the picture alone, shows a button that brings the panels back without a keyboard.
fn way_back(ctx: &Context, room: Rect, asks: &mut Asks) {
    let left = WAY_BACK_SECS - ctx.input(|i| i.pointer.time_since_last_movement());
    if left <= 0.0 {
        return;
    }
    ctx.request_repaint_after(Duration::from_secs_f32(left));
    let area = Area::new(Id::unique("way back")).order(Order::Foreground).pivot(Align2::RIGHT_BOTTOM);
    area.fixed_pos(room.right_bottom() - Vec2::splat(FROM_EDGE)).constrain_to(room).show(ctx, |ui| {
        let button = icon_button(ui, Icon::FullScreen, "Show the panels", false, true);
        if button.on_hover_text(Shortcut::Escape.hint(ui.ctx(), "Back to the panels")).clicked() {
            asks.push(Action::LeaveFullScreen);
        }
    });
}

/// Makes screen readers announce it when it appears or changes.
fn say_aloud(response: &Response, how: Live) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_live(how));
}

/// Gives a menu's button its accessible name, and the current choice as its value.
fn name_choice(button: Response, name: &str, chosen: String) {
    let button = button.accessible_name(name);
    button.ctx.accesskit_node_builder(button.id, |node| node.set_value(chosen));
}

/// Cuts a name to at most `longest` characters.
fn shortened(name: String, longest: usize) -> String {
    if name.chars().count() <= longest { name } else { name.chars().take(longest - 1).chain(['…']).collect() }
}

/// Width of a text in one line.
fn text_width(ui: &Ui, text: &str, style: &TextStyle) -> f32 {
    let font = style.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

/// The play button, the same in all bars.
fn play_button(ui: &mut Ui, player: &super::player::Player, compact: bool) -> Response {
    use super::player::NextPress;
    let next = player.next_press();
    let icon = if next == NextPress::Pause { Icon::Pause } else { Icon::Play };
    let can = player.is_open() || player.source.is_some();
    let response = icon_button(ui, icon, next.word(), compact, can);
    let response = response.on_hover_text(Shortcut::Pause.hint(ui.ctx(), next.word()));
    response.on_disabled_hover_text(Shortcut::Pause.hint(ui.ctx(), "Play: choose a source first"))
}
