//! Errors and news in the corner. Errors stay until they are dismissed; all can be copied.

use egui::{Align2, Area, Button, Context, Frame, Id, Margin, Order, RichText, Stroke, vec2};

use crate::app::icons::Icon;
use crate::app::{Action, App};

/// Width of a message.
const WIDTH: f32 = 380.0;

/// Distance from the corner of the window, above the status bar.
const FROM_CORNER: egui::Vec2 = vec2(-14.0, -40.0);

impl App {
    pub(super) fn toasts_ui(&mut self, ctx: &Context) {
        let toasts = self.toasts.shown().to_vec();
        if toasts.is_empty() {
            return;
        }
        Area::new(Id::unique("toasts")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, FROM_CORNER).show(
            ctx,
            |ui| {
                ui.set_width(WIDTH);
                for toast in toasts {
                    let visuals = ui.visuals();
                    let edge = if toast.is_error() { visuals.error_fg_color } else { visuals.weak_text_color() };
                    let frame = Frame::popup(ui.style()).stroke(Stroke::new(1.5, edge)).inner_margin(Margin::same(12));
                    frame.show(ui, |ui| {
                        ui.set_width(WIDTH - 24.0);
                        ui.add(egui::Label::new(&toast.text).wrap().selectable(true));
                        ui.horizontal(|ui| {
                            if ui.button("Copy").on_hover_text("Copy this message").clicked() {
                                ctx.copy_text(toast.text.clone());
                            }
                            if ui.add(Button::new((Icon::Close.atom(), "Dismiss"))).clicked() {
                                self.ask(Action::Dismiss(toast.id));
                            }
                            if toast.times > 1 {
                                ui.label(RichText::new(format!("{} times", toast.times)).small().weak());
                            }
                        });
                    });
                    ui.add_space(6.0);
                }
            },
        );
    }
}
