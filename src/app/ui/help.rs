//! The list of all keys.

use egui::{Align2, Context, Grid, Key, KeyboardShortcut, Modifiers, RichText, ScrollArea, Window};

use crate::app::action::{Action, Asks, Pane};
use crate::app::keys::Shortcut;

/// Height of the window's title and edges around the list.
const AROUND_LIST: f32 = 90.0;

pub(super) fn show(ctx: &Context, asks: &mut Asks) {
    let mut open = true;
    Window::new("Keyboard shortcuts")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            let height = ctx.content_rect().height() - AROUND_LIST;
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
                Grid::new("shortcuts").num_columns(2).spacing([24.0, 8.0]).show(ui, |ui| {
                    for shortcut in Shortcut::ALL {
                        ui.label(RichText::new(ctx.format_shortcut(&shortcut.key())).monospace().strong());
                        ui.label(shortcut.does());
                        ui.end_row();
                    }
                    let command = ctx.format_modifiers(Modifiers::COMMAND);
                    let quit = ctx.format_shortcut(&KeyboardShortcut::new(Modifiers::COMMAND, Key::Q));
                    let scale = format!("{command} and + - 0");
                    for (what, does) in [
                        (RichText::new(scale).monospace(), "Everything larger, smaller, normal size"),
                        (RichText::new(quit).monospace(), "Close the window"),
                        (RichText::new("1 … 9").monospace(), "Mark this moment in the recording with that number"),
                        (RichText::new("Drop a file"), "Open the video, or the folder of a recording"),
                        (RichText::new("Click a face"), "Show its curves in the timeline"),
                    ] {
                        ui.label(what.strong());
                        ui.label(does);
                        ui.end_row();
                    }
                });
            });
        });
    if !open {
        asks.push(Action::Toggle(Pane::Help));
    }
}
