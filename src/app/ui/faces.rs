//! The panel beside the picture: for each face, seven bars in an order that never changes.

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, Frame, Margin, Rect, RichText, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::app::action::{Action, Asks};
use crate::app::people::People;
use crate::app::replay::Names;
use crate::app::theme;
use crate::app::verdict::{Verdict, percentage};
use crate::emotion::{COUNT, Emotion};
use crate::face::Face;

/// Height of a row with a name, a bar and a percentage, and the least that letters allow.
const ROW_HEIGHT: f32 = 20.0;
const SMALLEST_ROW: f32 = 15.0;

/// Between two rows.
const ROW_GAP: f32 = 3.0;

/// Of a card without its rows: edges, heading and the distance to the next card.
const AROUND_ROWS: f32 = 56.0;

/// Width of the longest name, “Surprise”, with a gap after it.
const NAME_WIDTH: f32 = 66.0;

/// Width of “100 %” with a gap before it.
const PERCENT_WIDTH: f32 = 48.0;

const BAR_HEIGHT: f32 = 12.0;

/// What a card of bars needs in height at least.
pub(super) const SMALLEST_CARD: f32 = AROUND_ROWS + COUNT as f32 * (SMALLEST_ROW + ROW_GAP);

/// Shows a card for each face. Where there is no room for all of them, those that the timeline doesn't show keep their
/// winning bar alone.
pub(super) fn show(ui: &mut Ui, people: &People, names: Names<'_>, asks: &mut Asks) {
    let room = ui.available_height();
    let faces = people.faces();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if faces.is_empty() {
            ui.add_space(8.0);
            ui.vertical_centered(|ui| {
                ui.label(RichText::new("Each face in the picture gets its bars here").weak());
            });
        }
        let of_timeline = people.of_timeline();
        let row = ((room - AROUND_ROWS) / COUNT as f32 - ROW_GAP).clamp(SMALLEST_ROW, ROW_HEIGHT);
        let whole = AROUND_ROWS + COUNT as f32 * (row + ROW_GAP);
        let all_fit = faces.len() as f32 * whole <= room + 1.0;
        let open = of_timeline.filter(|id| people.is_on_screen(*id)).or(faces.first().map(|face| face.id));
        for face in faces {
            let card = Card {
                face,
                lengths: people.bars.of(face.id).copied().unwrap_or(*face.smoothed.as_array()),
                title: names.title(face.id),
                words: names.words(face.id),
                is_chosen: of_timeline == Some(face.id) && faces.len() > 1,
                is_whole: all_fit || open == Some(face.id),
                row_height: row,
            };
            card.show(ui, asks);
        }
    });
}

/// The bars of one face.
struct Card<'a> {
    face: &'a Face,
    lengths: [f32; COUNT],
    /// `Anna`, `Face 3`.
    title: String,
    /// `Anna`, `face 3`.
    words: String,
    is_chosen: bool,
    is_whole: bool,
    row_height: f32,
}

impl Card<'_> {
    fn show(&self, ui: &mut Ui, asks: &mut Asks) {
        let visuals = ui.visuals();
        let stroke = if self.is_chosen {
            Stroke::new(2.0, visuals.selection.bg_fill)
        } else {
            Stroke::new(1.0, visuals.widgets.noninteractive.bg_stroke.color)
        };
        let frame = Frame::new()
            .fill(visuals.faint_bg_color)
            .stroke(stroke)
            .corner_radius(CornerRadius::same(8))
            .inner_margin(Margin::same(10));
        // Below its contents, so that hover texts of the bars come through.
        let sensed = UiBuilder::new().id_salt(("face", self.face.id)).sense(Sense::click());
        let response = ui.scope_builder(sensed, |ui| frame.show(ui, |ui| self.contents(ui))).response;
        response.widget_info(|| {
            let name = format!("Show {} in the timeline", self.words);
            WidgetInfo::selected(Role::Button, true, self.is_chosen, name)
        });
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            asks.push(Action::Choose(Some(self.face.id)));
        }
        ui.add_space(6.0);
    }

    fn contents(&self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = ROW_GAP;
        heading(ui, &self.title, self.face);
        ui.add_space(2.0);
        let (winner, _) = self.face.smoothed.top();
        for (emotion, probability) in self.face.smoothed.iter() {
            if self.is_whole || emotion == winner {
                bar(ui, emotion, probability, self.lengths[emotion.index()], self.row_height);
            }
        }
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
                Verdict::Leads(..) => {
                    ui.label(text.strong()).on_hover_text("The emotion that leads, and how likely the network holds it")
                }
                Verdict::Unsure => {
                    ui.label(text.weak()).on_hover_text("No emotion leads clearly, or the face is too small to tell")
                }
            };
        });
    });
}

/// One emotion: name, bar, percentage. The bar glides, the number is the true one.
fn bar(ui: &mut Ui, emotion: Emotion, probability: f32, length: f32, height: f32) {
    let (row, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
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
    response.on_hover_text(format!("{emotion}: {percent} likely, after smoothing"));
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
