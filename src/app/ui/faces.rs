//! The panel beside the picture: for each face, a bar for each class in an order that never changes.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, Frame, Galley, Label, Margin, Painter, Rect, RichText,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::app::action::{Action, Asks};
use crate::app::people::People;
use crate::app::theme;
use crate::app::verdict::{Verdict, percentage};
use crate::classes::Classes;
use crate::face::Face;
use crate::recording::Edits;

/// Height of a row with a name, a bar and a percentage, and the minimum for readable text.
const ROW_HEIGHT: f32 = 20.0;
const SMALLEST_ROW: f32 = 15.0;

const ROW_GAP: f32 = 3.0;

/// Height of a card without its rows: edges, heading and the gap to the next card.
const AROUND_ROWS: f32 = 56.0;

/// Minimum width of the names: that of “Surprise” with a gap after it.
const NAME_WIDTH: f32 = 66.0;

/// Gap after the longest name.
const NAME_GAP: f32 = 8.0;

/// Maximum share of a row for the name. Longer ones are cut; the hover text has them in full.
const NAMES_SHARE: f32 = 0.5;

/// Font size of names and percentages.
const LETTERS: f32 = 13.5;

/// Width of “100 %” with a gap before it.
const PERCENT_WIDTH: f32 = 48.0;

const BAR_HEIGHT: f32 = 12.0;

/// Minimum height of a card of bars.
pub(super) fn smallest_card(classes: &Classes) -> f32 {
    AROUND_ROWS + classes.len() as f32 * (SMALLEST_ROW + ROW_GAP)
}

/// Shows a card for each face. If there isn't room for all, faces that the timeline doesn't show get only their winning bar.
pub(super) fn show(ui: &mut Ui, people: &People, names: &Edits, asks: &mut Asks) {
    let room = ui.available_height();
    let (faces, classes) = (people.faces(), people.classes());
    let rows = classes.len() as f32;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if faces.is_empty() {
            ui.add_space(8.0);
            ui.vertical_centered(|ui| {
                ui.label(RichText::new("The bars of each face in the picture appear here").weak());
            });
        }
        let of_timeline = people.of_timeline();
        let row = ((room - AROUND_ROWS) / rows - ROW_GAP).clamp(SMALLEST_ROW, ROW_HEIGHT);
        let whole = AROUND_ROWS + rows * (row + ROW_GAP);
        let names_width = names_width(ui, classes);
        let all_fit = faces.len() as f32 * whole <= room + 1.0;
        let open = of_timeline.filter(|id| people.is_on_screen(*id)).or(faces.first().map(|face| face.id));
        for face in faces {
            let card = Card {
                face,
                classes,
                lengths: people.bars.of(face.id).unwrap_or(face.smoothed.as_slice()),
                names_width,
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
    classes: &'a Classes,
    lengths: &'a [f32],
    names_width: f32,
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
        // Sensed below its contents, so that the hover texts of the bars still work.
        let sensed = UiBuilder::new().id_salt(("face", self.face.id)).sense(Sense::click());
        let response = ui.scope_builder(sensed, |ui| frame.show(ui, |ui| self.contents(ui))).response;
        response.widget_info(|| {
            let name = format!("Show {} in the timeline", self.words);
            WidgetInfo::selected(Role::Button, true, self.is_chosen, name)
        });
        if response.has_focus() {
            let edge = Stroke::new(2.0, ui.visuals().strong_text_color());
            ui.painter().rect_stroke(response.rect, CornerRadius::same(8), edge, StrokeKind::Inside);
        }
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            asks.push(Action::Choose(Some(self.face.id)));
        }
        ui.add_space(6.0);
    }

    fn contents(&self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = ROW_GAP;
        heading(ui, &self.title, self.classes, self.face);
        ui.add_space(2.0);
        let (winner, _) = self.face.smoothed.top();
        for (class, probability) in self.face.smoothed.iter() {
            if self.is_whole || class == winner {
                let length = self.lengths.get(class).copied().unwrap_or(probability);
                self.bar(ui, class, probability, length);
            }
        }
    }
}

/// `Face 1` on the left, what it shows on the right.
fn heading(ui: &mut Ui, title: &str, classes: &Classes, face: &Face) {
    let verdict = Verdict::of(face);
    ui.horizontal(|ui| {
        // The result is laid out first, so that the name is cut if there isn't room for both.
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let text = RichText::new(verdict.words(classes, true));
            let noun = classes.noun();
            match verdict {
                Verdict::Leads(..) => {
                    let hint = format!("The leading {noun} and its probability");
                    ui.add(Label::new(text.strong()).truncate()).on_hover_text(hint)
                }
                Verdict::Unsure => {
                    let hint =
                        format!("No {noun} leads clearly, or the face is too small, blurred, badly lit or turned away");
                    ui.label(text.weak()).on_hover_text(hint)
                }
            };
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(title).strong()).truncate()).on_hover_text(title);
            });
        });
    });
}

/// Room for the longest name, with a gap after it.
fn names_width(ui: &Ui, classes: &Classes) -> f32 {
    let font = FontId::proportional(LETTERS);
    let width =
        |name: String| ui.painter().layout_no_wrap(name, font.clone(), Color32::PLACEHOLDER).size().x + NAME_GAP;
    let longest = classes.names().map(width).fold(NAME_WIDTH, f32::max);
    longest.min((ui.available_width() * NAMES_SHARE).max(NAME_WIDTH))
}

/// Lays out a name, cut to `width` points.
fn name(painter: &Painter, name: String, color: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(name, FontId::proportional(LETTERS), color);
    job.wrap = TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

impl Card<'_> {
    /// One class: name, bar, percentage. The bar glides; the number is exact.
    fn bar(&self, ui: &mut Ui, class: usize, probability: f32, length: f32) {
        let class_name = self.classes.name(class);
        let (row, response) = ui.allocate_exact_size(vec2(ui.available_width(), self.row_height), Sense::hover());
        let percent = percentage(probability);
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, &class_name);
            info.value = Some(f64::from((probability * 100.0).round()));
            info.current_text_value = Some(format!("{class_name} {percent}"));
            info
        });
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(0.0);
            node.set_max_numeric_value(100.0);
        });
        response.on_hover_text(format!("{class_name}: {percent} likely, after smoothing"));
        if !ui.is_rect_visible(row) {
            return;
        }
        let visuals = ui.visuals();
        let text_color = visuals.text_color();
        let track_color = visuals.extreme_bg_color;
        let background = visuals.faint_bg_color;
        let painter = ui.painter();
        let galley = name(painter, class_name, text_color, self.names_width - NAME_GAP);
        painter.galley(pos2(row.left(), row.center().y - galley.size().y / 2.0), galley, text_color);
        painter.text(row.right_center(), Align2::RIGHT_CENTER, percent, FontId::proportional(LETTERS), text_color);

        let track = Rect::from_min_max(
            pos2(row.left() + self.names_width, row.center().y - BAR_HEIGHT / 2.0),
            pos2(row.right() - PERCENT_WIDTH, row.center().y + BAR_HEIGHT / 2.0),
        );
        if !track.is_positive() {
            return;
        }
        let radius = CornerRadius::same(3);
        painter.rect_filled(track, radius, track_color);
        let filled = Rect::from_min_size(track.min, vec2(track.width() * length.clamp(0.0, 1.0), BAR_HEIGHT));
        // A bar narrower than a point would look like a speck of dirt.
        if filled.width() >= 1.0 {
            let color = theme::color(self.classes, class);
            let edge = theme::casing(color, background).unwrap_or(Color32::TRANSPARENT);
            painter.rect(filled, radius, color, Stroke::new(1.0, edge), StrokeKind::Inside);
        }
    }
}
