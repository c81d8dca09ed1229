//! Lists that may have thousands of rows: those in view are laid out, and some around them.

use egui::{Button, Rect, Response, TextWrapMode, Ui, UiBuilder, vec2};

/// Rows beyond either edge of the view that are laid out too: that far Tab and screen readers see ahead.
const AROUND: f32 = 20.0;

/// Shows a list of so many rows, each as high as a button, below what is there. `row` lays one out, by its place, and says whether its
/// text is being typed: that row is laid out wherever it is, for a field that goes away takes with it what isn't finished.
///
/// `name` tells the lists beside each other apart.
pub(super) fn show(ui: &mut Ui, name: &str, count: usize, mut row: impl FnMut(&mut Ui, usize) -> bool) {
    if count == 0 {
        return;
    }
    let (height, gap) = (ui.spacing().interact_size.y, ui.spacing().item_spacing.y);
    let step = height + gap;
    let room = ui.available_rect_before_wrap();
    // As wide as its rows will make it.
    ui.allocate_space(vec2(0.0, step * count as f32 - gap));

    let view = ui.clip_rect();
    let place_at = |y: f32| ((y - room.top()) / step).max(0.0) as usize;
    let from = place_at(view.top() - AROUND * step).min(count);
    let to = place_at(view.bottom() + (AROUND + 1.0) * step).clamp(from, count);

    let id = ui.make_persistent_id(name);
    let typed: Option<usize> = ui.data(|data| data.get_temp(id));
    let before = typed.filter(|place| *place < from);
    let after = typed.filter(|place| (to..count).contains(place));
    let mut typed = None;
    for place in before.into_iter().chain(from..to).chain(after) {
        let top = room.top() + step * place as f32;
        let rect = Rect::from_x_y_ranges(room.x_range(), top..=top + height);
        // By its place, so that a button is the same one wherever the view begins.
        let mut ui_of_row = ui.new_child(UiBuilder::new().scope_id(id.with(place)).max_rect(rect));
        if row(&mut ui_of_row, place) {
            typed = Some(place);
        }
        ui.expand_to_include_rect(ui_of_row.min_rect());
    }
    ui.data_mut(|data| {
        data.remove::<usize>(id);
        if let Some(place) = typed {
            data.insert_temp(id, place);
        }
    });
}

/// A one-line menu row; the menu grows to its widest row. Tab scrolls it into view, because rows far outside aren't laid out.
pub(super) fn button(ui: &mut Ui, button: Button<'_>) -> Response {
    let response = ui.add(button.wrap_mode(TextWrapMode::Extend));
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
    response
}
