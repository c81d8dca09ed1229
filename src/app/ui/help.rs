//! The overlay that lists all keys.

use egui::{Align2, Context, Grid, RichText, Window};

use crate::app::keys::SHORTCUTS;
use crate::app::{Action, App};

impl App {
    pub(super) fn help_ui(&mut self, ctx: &Context) {
        let mut open = self.help_open;
        Window::new("Keyboard shortcuts")
            .open(&mut open)
            .collapsible(false)
            .resizable(false)
            .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
            .show(ctx, |ui| {
                Grid::new("shortcuts").num_columns(2).spacing([24.0, 8.0]).show(ui, |ui| {
                    for shortcut in &SHORTCUTS {
                        ui.label(RichText::new(ctx.format_shortcut(&shortcut.key)).monospace().strong());
                        ui.label(shortcut.does);
                        ui.end_row();
                    }
                    ui.label(RichText::new("1 … 9").monospace().strong());
                    ui.label("Mark this moment of the recording with the number");
                    ui.end_row();
                    ui.label(RichText::new("Drop a file").strong());
                    ui.label("Replay the video or the folder of a recording that is dropped on the window");
                    ui.end_row();
                    ui.label(RichText::new("Click a face").strong());
                    ui.label("Show its lines in the timeline");
                    ui.end_row();
                });
            });
        if open != self.help_open {
            self.ask(Action::ToggleHelp);
        }
    }
}
