//! The window's clock, for polling, countdowns and messages.

use std::time::Instant;

use egui::Context;

/// Seconds since the window was created. Keeps running while it is hidden.
pub(super) struct WindowClock {
    began: Instant,
}

impl WindowClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// The current time. egui's clock stops while nothing is drawn, so this uses the system's. Tests give egui no time; for
    /// them, egui's stepped time is used.
    pub(super) fn now(&self, ctx: &Context) -> f64 {
        let (given, stepped) = ctx.input(|i| (i.raw.time, i.time));
        given.map_or(stepped, |_| self.began.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use egui::RawInput;

    use super::*;

    /// Draws an empty window, and returns its time.
    fn drawn(ctx: &Context, input: RawInput, clock: &WindowClock) -> f64 {
        let mut now = 0.0;
        let mut output = ctx.run_ui(input, |ui| now = clock.now(ui.ctx()));
        // Nothing paints the output.
        output.textures_delta.clear();
        now
    }

    #[test]
    fn it_goes_on_while_the_window_is_hidden() {
        let (ctx, clock) = (Context::default(), WindowClock::new());
        let shown = drawn(&ctx, RawInput { time: Some(3.0), ..RawInput::default() }, &clock);
        std::thread::sleep(std::time::Duration::from_millis(1));
        let mut hidden = 0.0;
        drop(ctx.run_logic(&RawInput::default(), |ctx| hidden = clock.now(ctx)));
        assert!(hidden > shown, "{hidden} after {shown}");
    }

    #[test]
    fn a_test_steps_through_it() {
        let (ctx, clock) = (Context::default(), WindowClock::new());
        let step = || drawn(&ctx, RawInput { predicted_dt: 60.0, ..RawInput::default() }, &clock);
        let (first, second) = (step(), step());
        assert!(second > first + 59.0, "{second} after {first}");
    }
}
