//! Errors and news in the lower left corner of the picture. Errors stay until they are dismissed; all can be copied.

use egui::accesskit::Live;
use egui::{Align2, Area, Button, Context, Frame, Id, Margin, Order, Rect, RichText, ScrollArea, Stroke, vec2};

use super::{FROM_EDGE, SIGN_GAP, say_aloud};
use crate::app::action::{Action, Asks};
use crate::app::icons::Icon;
use crate::app::session::{Results, Source};
use crate::app::toasts::{Toast, Toasts};

/// Maximum width of a message.
const WIDTH: f32 = 380.0;

/// Between a message's text and its edge.
const PADDING: i8 = 12;

/// Shows the messages within `room`, the picture area, so that they cover no panel.
pub(super) fn show(ctx: &Context, room: Rect, toasts: &Toasts, asks: &mut Asks) {
    if toasts.shown().is_empty() {
        return;
    }
    let width = WIDTH.min(room.width() - 2.0 * FROM_EDGE);
    let area = Area::new(Id::unique("toasts")).order(Order::Foreground).pivot(Align2::LEFT_BOTTOM);
    area.fixed_pos(room.left_bottom() + vec2(FROM_EDGE, -FROM_EDGE)).constrain_to(room).show(ctx, |ui| {
        ui.set_width(width);
        let height = room.height() - 2.0 * FROM_EDGE;
        // Without the minimum height, it would stay as high as the first message and hide later ones.
        ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
            for toast in toasts.shown() {
                let visuals = ui.visuals();
                let edge = if toast.is_error { visuals.error_fg_color } else { visuals.weak_text_color() };
                let frame = Frame::popup(ui.style()).stroke(Stroke::new(1.5, edge)).inner_margin(Margin::same(PADDING));
                frame.show(ui, |ui| {
                    ui.set_width(width - 2.0 * f32::from(PADDING) - 4.0);
                    let text = ui.add(egui::Label::new(&toast.text).wrap().selectable(true));
                    say_aloud(&text, if toast.is_error { Live::Assertive } else { Live::Polite });
                    ui.horizontal_wrapped(|ui| buttons(ui, toast, asks));
                });
                ui.add_space(6.0);
            }
        });
    });
}

fn buttons(ui: &mut egui::Ui, toast: &Toast, asks: &mut Asks) {
    if let Some(folder) = toast.opens.clone() {
        let open = ui.add(Button::new((Icon::Play.atom(), "Open recording")).gap(SIGN_GAP));
        if open.on_hover_text("Show the recording in this window").clicked() {
            asks.push(Action::Dismiss(toast.id));
            asks.push(Action::Open(Source::Recording { folder, results: Results::Recorded }));
        }
    }
    if ui.button("Copy").on_hover_text("Copy this message").clicked() {
        ui.ctx().copy_text(toast.text.clone());
    }
    if ui.add(Button::new((Icon::Close.atom(), "Dismiss")).gap(SIGN_GAP)).clicked() {
        asks.push(Action::Dismiss(toast.id));
    }
    if toast.times > 1 {
        ui.label(RichText::new(format!("{} times", toast.times)).small().weak());
    }
}
