//! Lists of possibly thousands of rows. Only those in view and some around them are laid out.

use egui::{Button, Rect, Response, TextWrapMode, Ui, UiBuilder, vec2};

/// Rows laid out beyond each edge of the view, for Tab and screen readers.
const AROUND: f32 = 20.0;

/// Shows a list of `count` rows, each as high as a button. `row` lays out the row at an index, and returns whether its text
/// is being typed. Such a row is laid out even out of view, because unfinished text would be lost with its field.
///
/// `name` tells neighbouring lists apart.
pub(super) fn show(ui: &mut Ui, name: &str, count: usize, mut row: impl FnMut(&mut Ui, usize) -> bool) {
    if count == 0 {
        return;
    }
    let (height, gap) = (ui.spacing().interact_size.y, ui.spacing().item_spacing.y);
    let step = height + gap;
    let room = ui.available_rect_before_wrap();
    // The rows determine the width.
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
        // The id follows from the index, so that a button keeps it when the list scrolls.
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
