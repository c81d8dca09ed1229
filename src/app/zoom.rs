//! How large everything is drawn: as the user chose with Ctrl and + - 0, as far as the window has room.

use egui::Context;
use egui::gui_zoom::kb_shortcuts::{ZOOM_IN, ZOOM_IN_SECONDARY, ZOOM_RESET};

use super::SMALLEST_SIZE;

/// How many steps of egui's keys double the usual size.
const STEPS_PER_ONE: f32 = 10.0;

/// What is lost when a size is divided by a factor and multiplied again.
const ROUNDING: f32 = 0.01;

/// The zoom that the user chose, and the one in use. egui saves the one in use.
#[derive(Debug, Default)]
pub(super) struct Zoom {
    chosen: f32,
    used: f32,
}

impl Zoom {
    /// Keeps the zoom so low that the window has room for its smallest size in points; without that, panels would lie over each other. In
    /// a window that is too small for it without zoom, nothing is enlarged.
    pub(super) fn limit(&mut self, ctx: &Context) {
        let now = ctx.zoom_factor();
        if ctx.input_mut(|input| input.consume_shortcut(&ZOOM_RESET)) {
            // egui would see nothing to do where the zoom is limited to 1.
            self.chosen = 1.0;
        } else if now != self.used {
            // At the start, and when egui has obeyed a key.
            self.chosen = now;
        }
        let room = ctx.content_rect().size();
        let spare = (room.x / SMALLEST_SIZE[0]).min(room.y / SMALLEST_SIZE[1]);
        let most = ((now * spare * STEPS_PER_ONE + ROUNDING).floor() / STEPS_PER_ONE).max(1.0);
        self.used = self.chosen.min(most);
        ctx.set_zoom_factor(self.used);
        if self.used + 0.5 / STEPS_PER_ONE > most {
            // Otherwise, egui would zoom in, and everything would jump.
            ctx.input_mut(|input| {
                for keys in [ZOOM_IN, ZOOM_IN_SECONDARY] {
                    input.consume_shortcut(&keys);
                }
            });
        }
    }
}
