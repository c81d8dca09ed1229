//! Boxes and labels over the picture. They are painted over exactly the frame that was analysed, never into its pixels.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{
    Color32, CornerRadius, CursorIcon, FontId, Galley, Painter, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use super::shortened;
use crate::app::action::{Action, Asks};
use crate::app::people::People;
use crate::app::settings::Overlay;
use crate::app::theme;
use crate::app::transform::PictureTransform;
use crate::app::verdict::Verdict;
use crate::classes::Classes;
use crate::face::Face;
use crate::recording::Edits;

/// Line width of a box, and of the chosen face's box, in points.
const LINE: f32 = 2.5;
const CHOSEN_LINE: f32 = 4.0;

/// Font size of labels: a share of the picture's height, limited to stay readable and out of the way.
const LETTERS_OF_HEIGHT: f32 = 1.0 / 26.0;
const SMALLEST_LETTERS: f32 = 14.0;
const LARGEST_LETTERS: f32 = 22.0;

/// Room between a label's letters and the edge of its patch.
const PADDING: egui::Vec2 = vec2(8.0, 3.0);

/// Patch and box of a face without a clear result, in no class's colour.
const UNSURE: Color32 = Color32::from_rgb(0x3A, 0x3F, 0x47);
const UNSURE_LINE: Color32 = Color32::from_rgb(0xDD, 0xE1, 0xE6);

/// Maximum length of a name on the picture. A longer one is cut, to leave room for the result.
const NAME_LENGTH: usize = 24;

/// Gap between a face's box and the outline that shows the keyboard focus.
const FOCUS_GAP: f32 = 6.0;

/// Dark edge beside a line, so that it shows on a picture of the same colour.
const EDGE: Color32 = Color32::from_black_alpha(120);

/// Paints the layers that `overlay` enables.
pub(super) fn show(
    ui: &mut Ui,
    transform: &PictureTransform,
    people: &People,
    names: &Edits,
    overlay: Overlay,
    asks: &mut Asks,
) {
    let (faces, classes) = (people.faces(), people.classes());
    let of_timeline = people.of_timeline();
    let painter = ui.painter().with_clip_rect(transform.picture_on_screen.intersect(ui.clip_rect()));
    let mut labels = Labels::new(transform.picture_on_screen);
    for face in faces {
        let emphasised = faces.len() > 1 && of_timeline == Some(face.id);
        let rect = transform.screen_from_face(face.rect);
        let verdict = Verdict::of(face);
        if overlay.boxes {
            paint_box(&painter, rect, line_color(classes, verdict), emphasised);
        }
        if let Some(text) = label_text(&shortened(names.short(face.id), NAME_LENGTH), classes, verdict, overlay) {
            labels.paint(&painter, rect, text, patch_colors(classes, verdict));
        }
        let title = format!("{}: {}", names.title(face.id), verdict.words(classes, true));
        face_on_picture(ui, face, rect, &title, asks);
    }
}

/// Makes a face clickable and visible to screen readers.
fn face_on_picture(ui: &mut Ui, face: &Face, rect: Rect, title: &str, asks: &mut Asks) {
    let response = ui.interact(rect, ui.scope_id().with(("face on picture", face.id)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, title));
    if response.has_focus() {
        paint_box(ui.painter(), rect.expand(FOCUS_GAP), theme::BACKDROP_TEXT, false);
    }
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        asks.push(Action::Choose(Some(face.id)));
    }
}

fn line_color(classes: &Classes, verdict: Verdict) -> Color32 {
    match verdict {
        Verdict::Leads(class, _) => theme::color(classes, class),
        Verdict::Unsure => UNSURE_LINE,
    }
}

/// Colours of a label's patch and text.
fn patch_colors(classes: &Classes, verdict: Verdict) -> (Color32, Color32) {
    match verdict {
        Verdict::Leads(class, _) => (theme::color(classes, class), theme::text_on(classes, class)),
        Verdict::Unsure => (UNSURE, Color32::WHITE),
    }
}

fn paint_box(painter: &Painter, rect: Rect, color: Color32, emphasised: bool) {
    let width = if emphasised { CHOSEN_LINE } else { LINE };
    let radius = CornerRadius::same(5);
    painter.rect_stroke(rect, radius, Stroke::new(width + 2.0, EDGE), StrokeKind::Middle);
    painter.rect_stroke(rect, radius, Stroke::new(width, color), StrokeKind::Middle);
}

/// Text of a face's label with these layers on, such as `1  Happy 87 %`. `None` if all are off.
fn label_text(title: &str, classes: &Classes, verdict: Verdict, overlay: Overlay) -> Option<String> {
    let id = overlay.ids.then(|| title.to_owned());
    let words = match (verdict, overlay.labels, overlay.percentages) {
        (_, true, percent) => Some(verdict.words(classes, percent)),
        (Verdict::Leads(_, probability), false, true) => Some(crate::app::verdict::percentage(probability)),
        (_, false, _) => None,
    };
    match (id, words) {
        (Some(id), Some(words)) => Some(format!("{id}  {words}")),
        (id, words) => id.or(words),
    }
}

/// Places labels within the picture, if possible without overlaps.
struct Labels {
    picture: Rect,
    taken: Vec<Rect>,
}

impl Labels {
    fn new(picture: Rect) -> Self {
        Self { picture, taken: Vec::new() }
    }

    fn paint(&mut self, painter: &Painter, face: Rect, text: String, (fill, color): (Color32, Color32)) {
        let size = (self.picture.height() * LETTERS_OF_HEIGHT).clamp(SMALLEST_LETTERS, LARGEST_LETTERS);
        let galley: Arc<Galley> = painter.layout_no_wrap(text, FontId::proportional(size), color);
        let patch = self.place(face, galley.size() + 2.0 * PADDING);
        painter.rect_filled(patch.expand(1.0), CornerRadius::same(5), EDGE);
        painter.rect_filled(patch, CornerRadius::same(4), fill);
        painter.galley(patch.min + PADDING, galley, color);
    }

    /// Tries above the face, inside it at the top, below it, and inside it at the bottom. Takes the first free place within
    /// the picture, else the first one within the picture.
    fn place(&mut self, face: Rect, size: egui::Vec2) -> Rect {
        let gap = LINE / 2.0 + 2.0;
        let tops = [face.top() - size.y - gap, face.top() + gap, face.bottom() + gap, face.bottom() - size.y - gap];
        let left = face.left() - LINE / 2.0;
        let inside = |top: f32| {
            let x = left.min(self.picture.right() - size.x).max(self.picture.left());
            let y = top.min(self.picture.bottom() - size.y).max(self.picture.top());
            Rect::from_min_size(pos2(x, y), size)
        };
        let free = |rect: &Rect| !self.taken.iter().any(|taken| taken.intersects(*rect));
        let fits = |top: &f32| *top >= self.picture.top() && top + size.y <= self.picture.bottom();
        let places = || tops.iter().filter(|top| fits(top)).map(|top| inside(*top));
        let place = places().find(|rect| free(rect)).or_else(|| places().next()).unwrap_or_else(|| inside(face.top()));
        self.taken.push(place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::FaceId;
    use crate::face::FaceRect;
    use crate::probabilities::Probabilities;

    const PICTURE: Rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(400.0, 300.0));

    fn face_at(left: f32, top: f32) -> Rect {
        Rect::from_min_size(pos2(left, top), vec2(80.0, 80.0))
    }

    #[test]
    fn labels_stay_inside_the_picture() {
        let mut labels = Labels::new(PICTURE);
        for face in
            [face_at(100.0, 100.0), face_at(0.0, 0.0), face_at(380.0, 0.0), face_at(350.0, 250.0), PICTURE.expand(9.0)]
        {
            let place = labels.place(face, vec2(120.0, 24.0));
            assert!(PICTURE.contains_rect(place), "{place:?} for {face:?}");
        }
    }

    #[test]
    fn labels_of_neighbours_do_not_cover_each_other() {
        let mut labels = Labels::new(PICTURE);
        let a = labels.place(face_at(100.0, 100.0), vec2(120.0, 24.0));
        let b = labels.place(face_at(150.0, 104.0), vec2(120.0, 24.0));
        assert!(!a.intersects(b), "{a:?} {b:?}");
    }

    #[test]
    fn each_layer_can_be_left_out() {
        let mut weights = [0.0; crate::emotion::COUNT];
        weights[3] = 1.0;
        let smoothed = Probabilities::from_weights(&weights).unwrap();
        let rect = FaceRect { x: 0.0, y: 0.0, width: 99.0, height: 99.0 };
        let face = Face { id: FaceId(2), rect, score: 5.0, landmarks: None, quality: None, raw: smoothed, smoothed };
        let text = |labels, ids, percentages| {
            label_text("2", &Classes::emotions(), Verdict::of(&face), Overlay { boxes: true, labels, ids, percentages })
        };
        assert_eq!(text(true, true, true).unwrap(), "2  Happy 100 %");
        assert_eq!(text(true, false, false).unwrap(), "Happy");
        assert_eq!(text(false, true, true).unwrap(), "2  100 %");
        assert_eq!(text(false, false, false), None);
        let unsure = label_text("Anna", &Classes::emotions(), Verdict::Unsure, Overlay::default());
        assert_eq!(unsure.unwrap(), "Anna  unsure");
    }
}
