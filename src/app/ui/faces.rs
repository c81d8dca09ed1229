//! The panel beside the picture: for each face, seven bars in an order that never changes.

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, Frame, Margin, Panel, Rect, RichText, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use crate::app::theme;
use crate::app::verdict::{Verdict, percentage};
use crate::app::{Action, App};
use crate::emotion::Emotion;
use crate::face::Face;

/// Share of the panel's height that a recording's people and marks have at first: one face's bars fit above.
const RECORDING_SHARE: f32 = 0.55;

/// Height of a row with a name, a bar and a percentage.
const ROW_HEIGHT: f32 = 20.0;

/// Width of the longest name, “Surprise”, with a gap after it.
const NAME_WIDTH: f32 = 66.0;

/// Width of “100 %” with a gap before it.
const PERCENT_WIDTH: f32 = 48.0;

const BAR_HEIGHT: f32 = 12.0;

impl App {
    pub(super) fn faces_ui(&mut self, ui: &mut Ui) {
        if self.recorded.is_some() {
            let height = ui.available_height() * RECORDING_SHARE;
            let panel = Panel::bottom("recording").frame(Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO }));
            panel.resizable(true).default_size(height).show(ui, |ui| self.recording_ui(ui));
        }
        let faces = self.faces().to_vec();
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if faces.is_empty() {
                ui.add_space(8.0);
                ui.vertical_centered(|ui| {
                    ui.label(RichText::new("Each face in the picture gets its bars here").weak());
                });
            }
            let chosen = self.face_of_timeline();
            for face in &faces {
                self.face_card(ui, face, chosen == Some(face.id) && faces.len() > 1);
            }
        });
    }

    fn face_card(&mut self, ui: &mut Ui, face: &Face, chosen: bool) {
        let elapsed = ui.input(|i| i.stable_dt);
        if !self.bars.approach(face.id, &face.smoothed, elapsed) {
            ui.ctx().request_repaint();
        }
        let stroke = if chosen {
            Stroke::new(2.0, ui.visuals().selection.bg_fill)
        } else {
            Stroke::new(1.0, ui.visuals().widgets.noninteractive.bg_stroke.color)
        };
        let card = Frame::new()
            .fill(ui.visuals().faint_bg_color)
            .stroke(stroke)
            .corner_radius(CornerRadius::same(8))
            .inner_margin(Margin::same(10));
        let inner = card.show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            heading(ui, &self.face_title(face.id), face);
            ui.add_space(2.0);
            for (emotion, probability) in face.smoothed.iter() {
                let length = self.bars.of(face.id).map_or(probability, |bars| bars[emotion.index()]);
                bar(ui, emotion, probability, length);
            }
        });
        let response = ui.interact(inner.response.rect, ui.scope_id().with(("face", face.id)), Sense::click());
        response.widget_info(|| {
            WidgetInfo::selected(
                Role::Button,
                true,
                chosen,
                format!("Show {} in the timeline", self.face_words(face.id)),
            )
        });
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            self.ask(Action::Choose(face.id));
        }
        ui.add_space(6.0);
    }
}

/// `Face 1` on the left, what it shows on the right.
fn heading(ui: &mut Ui, title: &str, face: &Face) {
    let verdict = Verdict::of(face);
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).strong());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let text = RichText::new(verdict.words(true));
            match verdict {
                Verdict::Leads(..) => ui.label(text.strong()),
                Verdict::Unsure => {
                    ui.label(text.weak()).on_hover_text("No emotion leads clearly, or the face is too small to tell")
                }
            };
        });
    });
}

/// One emotion: name, bar, percentage. The bar glides, the number is the true one.
fn bar(ui: &mut Ui, emotion: Emotion, probability: f32, length: f32) {
    let (row, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::hover());
    let percent = percentage(probability);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, emotion.name());
        info.value = Some(f64::from((probability * 100.0).round()));
        info.current_text_value = Some(format!("{emotion} {percent}"));
        info
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
    });
    if !ui.is_rect_visible(row) {
        return;
    }
    let visuals = ui.visuals();
    let text_color = visuals.text_color();
    let track_color = visuals.extreme_bg_color;
    let background = visuals.faint_bg_color;
    let font = FontId::proportional(13.5);
    let painter = ui.painter();
    painter.text(row.left_center(), Align2::LEFT_CENTER, emotion.name(), font.clone(), text_color);
    painter.text(row.right_center(), Align2::RIGHT_CENTER, percent, font, text_color);

    let track = Rect::from_min_max(
        pos2(row.left() + NAME_WIDTH, row.center().y - BAR_HEIGHT / 2.0),
        pos2(row.right() - PERCENT_WIDTH, row.center().y + BAR_HEIGHT / 2.0),
    );
    if !track.is_positive() {
        return;
    }
    let radius = CornerRadius::same(3);
    painter.rect_filled(track, radius, track_color);
    let filled = Rect::from_min_size(track.min, vec2(track.width() * length.clamp(0.0, 1.0), BAR_HEIGHT));
    // Less than a point would be a speck of dirt.
    if filled.width() >= 1.0 {
        let edge = theme::casing(emotion, background).unwrap_or(Color32::TRANSPARENT);
        painter.rect(filled, radius, theme::color(emotion), Stroke::new(1.0, edge), StrokeKind::Inside);
    }
}
