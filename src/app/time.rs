//! The window's own clock, which polls, countdowns and messages go by.

use std::time::Instant;

use egui::Context;

/// Seconds since the window was made, also while it is hidden.
pub(super) struct WindowClock {
    began: Instant,
}

impl WindowClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// The time now. egui's clock stops while nothing is drawn, so we use the system's. Tests give egui no time; there its step clock
    /// counts.
    pub(super) fn now(&self, ctx: &Context) -> f64 {
        let (given, stepped) = ctx.input(|i| (i.raw.time, i.time));
        given.map_or(stepped, |_| self.began.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use egui::RawInput;

    use super::*;

    /// Draws an empty window, and gives its time.
    fn drawn(ctx: &Context, input: RawInput, clock: &WindowClock) -> f64 {
        let mut now = 0.0;
        let mut output = ctx.run_ui(input, |ui| now = clock.now(ui.ctx()));
        // Nobody paints it.
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
