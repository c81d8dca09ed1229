//! The picture in the middle, as large as fits.

use std::sync::Arc;

use egui::accesskit::{Live, Role};
use egui::{Align2, Color32, Context, FontId, Rect, Response, TextureHandle, TextureOptions, Ui, pos2, vec2};
use opencv::core::Mat;

use super::{notice, overlay, record, say_aloud, shortened};
use crate::app::action::Asks;
use crate::app::discovery::Discovery;
use crate::app::people::People;
use crate::app::player::{Phase, Player};
use crate::app::record::RecordingControl;
use crate::app::settings::Settings;
use crate::app::theme;
use crate::app::transform::PictureTransform;
use crate::frame::RgbaPicture;
use crate::recording::Edits;

/// Room left around the picture, in points.
const MARGIN: f32 = 6.0;

/// Maximum length of a mark's text on the picture.
const MARK_LENGTH: usize = 40;

/// The picture on the screen, and the frame that it was made from.
#[derive(Default)]
pub(in crate::app) struct Screen {
    shown: Option<OnScreen>,
    /// Not uploaded to the graphics card yet.
    picture: Option<RgbaPicture>,
    texture: Option<TextureHandle>,
}

struct OnScreen {
    size: [usize; 2],
    frame: Arc<Mat>,
    /// Whether the network has seen it.
    analysed: bool,
}

impl Screen {
    /// Shows another picture.
    pub(in crate::app) fn show(&mut self, picture: RgbaPicture, frame: Arc<Mat>, analysed: bool) {
        self.shown = Some(OnScreen { size: [picture.width, picture.height], frame, analysed });
        self.picture = Some(picture);
    }

    pub(in crate::app) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The frame that is shown.
    pub(in crate::app) fn frame(&self) -> Option<Arc<Mat>> {
        self.shown.as_ref().map(|shown| Arc::clone(&shown.frame))
    }

    /// Uploads a new picture to the graphics card. The texture is created once and then reused.
    fn upload(&mut self, ctx: &Context) {
        let Some(picture) = self.picture.take() else { return };
        let image = color_image(fitted(picture, ctx.input(|i| i.max_texture_side)));
        match &mut self.texture {
            Some(texture) => texture.set(image, TextureOptions::LINEAR),
            None => self.texture = Some(ctx.load_texture("picture", image, TextureOptions::LINEAR)),
        }
    }
}

/// What is drawn over the picture, or in its place.
pub(super) struct Shown<'a> {
    pub(super) player: &'a Player,
    pub(super) people: &'a People,
    /// Names of the people.
    pub(super) names: &'a Edits,
    pub(super) discovery: &'a Discovery,
    pub(super) recording: &'a RecordingControl,
    /// Whether only the picture is shown.
    pub(super) is_alone: bool,
    pub(super) settings: &'a Settings,
    pub(super) mirrored: bool,
    /// Time on the window's clock.
    pub(super) now: f64,
}

pub(super) fn show(ui: &mut Ui, screen: &mut Screen, shown: &Shown<'_>, asks: &mut Asks) {
    let room = ui.max_rect();
    screen.upload(ui.ctx());
    let fit = |on_screen: &OnScreen| PictureTransform::fit(room.shrink(MARGIN), on_screen.size, shown.mirrored);
    let transform = screen.shown.as_ref().and_then(fit);
    if let (Some(texture), Some(transform)) = (&screen.texture, &transform) {
        ui.painter().image(texture.id(), transform.picture_on_screen, transform.uv(), Color32::WHITE);
    }
    if let Some(transform) = &transform {
        overlay::show(ui, transform, shown.people, shown.names, shown.settings.overlay, asks);
        let analysed = screen.shown.as_ref().is_none_or(|on_screen| on_screen.analysed);
        notices(ui, transform, shown, analysed);
    }
    if transform.is_none() || shown.player.phase == Phase::EndOfVideo {
        let Shown { player, discovery, now, .. } = *shown;
        let words = notice::Words { player, discovery, now };
        words.show(ui, transform.map(|t| t.picture_on_screen), asks);
    }
    let recording = record::words(shown.recording).filter(|_| shown.is_alone);
    if let Some(words) = recording {
        // A recording must always be visible.
        let corner = transform.map_or(room, |t| t.picture_on_screen).right_top();
        let patch = patch(ui, corner + vec2(-10.0, 10.0), Align2::RIGHT_TOP, &words);
        let edge = egui::Stroke::new(2.0, theme::RECORDING);
        ui.painter().rect_stroke(patch, 6.0, edge, egui::StrokeKind::Outside);
        announce(ui, patch, &words);
    }
    drop_hint(ui, room);
}

/// Short notices over the picture, such as “Paused” or “No face found”.
fn notices(ui: &mut Ui, transform: &PictureTransform, shown: &Shown<'_>, analysed: bool) {
    let Shown { player, people, .. } = shown;
    if player.phase != Phase::Running {
        return;
    }
    let picture = transform.picture_on_screen;
    if player.paused {
        notice(ui, picture.left_top() + vec2(10.0, 10.0), Align2::LEFT_TOP, "Paused");
    }
    if let Some(text) = shown.recording.just_marked() {
        let text = shortened(text.to_owned(), MARK_LENGTH);
        let words = if text.is_empty() { "Marked".to_owned() } else { format!("Marked: {text}") };
        notice(ui, picture.center_top() + vec2(0.0, 44.0), Align2::CENTER_TOP, &words);
    }
    let below = pos2(picture.center().x, picture.bottom() - 12.0);
    let nobody = people.nobody_at(player.position());
    // During playback, a notice for each frame that wasn't analysed would flicker.
    if !analysed && (player.paused || nobody) {
        notice(ui, below, Align2::CENTER_BOTTOM, "This frame was not analysed when it was recorded");
    } else if nobody {
        notice(ui, below, Align2::CENTER_BOTTOM, "No face found");
    }
}

/// While a file is dragged over the window, says what happens when it is dropped.
fn drop_hint(ui: &mut Ui, room: Rect) {
    if ui.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    ui.painter().rect_filled(room, 0.0, Color32::from_black_alpha(190));
    let frame = room.shrink(16.0);
    let stroke = egui::Stroke::new(2.0, ui.visuals().selection.bg_fill);
    ui.painter().rect_stroke(frame, 12.0, stroke, egui::StrokeKind::Inside);
    let words = "Drop the video or the recording's folder to replay it";
    label_at(ui, room.center(), Align2::CENTER_CENTER, words, 22.0, theme::BACKDROP_TEXT);
}

/// Shrinks a picture with sides of more than `most` pixels, the limit of the graphics card, by keeping every second pixel
/// of every second row, or every third, and so on.
fn fitted(picture: RgbaPicture, most: usize) -> RgbaPicture {
    let RgbaPicture { width, height, .. } = picture;
    let step = width.max(height).div_ceil(most.max(1));
    if step <= 1 || width == 0 {
        return picture;
    }
    let rows = picture.pixels.chunks_exact(width).step_by(step);
    let pixels = rows.flat_map(|row| row.iter().step_by(step).copied()).collect();
    RgbaPicture { width: width.div_ceil(step), height: height.div_ceil(step), pixels }
}

/// Reuses the pixels without a copy. They are opaque, so straight and premultiplied alpha are the same.
fn color_image(picture: RgbaPicture) -> egui::ColorImage {
    let size = [picture.width, picture.height];
    egui::ColorImage::new(size, bytemuck::cast_vec(picture.pixels))
}

/// Shows a notice on a dark patch, and announces it.
fn notice(ui: &mut Ui, at: egui::Pos2, anchor: Align2, text: &str) {
    let patch = patch(ui, at, anchor, text);
    say_aloud(&announce(ui, patch, text), Live::Polite);
}

/// Paints words on a dark patch, readable on any picture, and returns its rectangle.
fn patch(ui: &Ui, at: egui::Pos2, anchor: Align2, text: &str) -> Rect {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(15.0), theme::BACKDROP_TEXT);
    let patch = anchor.anchor_size(at, galley.size() + vec2(20.0, 10.0));
    ui.painter().rect_filled(patch, 6.0, Color32::from_black_alpha(190));
    ui.painter().galley(patch.min + vec2(10.0, 5.0), galley, theme::BACKDROP_TEXT);
    patch
}

/// Paints words and adds them to the accessibility tree.
fn label_at(ui: &mut Ui, at: egui::Pos2, anchor: Align2, text: &str, size: f32, color: Color32) {
    let rect = ui.painter().text(at, anchor, text, FontId::proportional(size), color);
    announce(ui, rect, text);
}

/// Adds painted words to the accessibility tree, which holds only widgets otherwise.
fn announce(ui: &mut Ui, rect: Rect, text: &str) -> Response {
    let id = ui.scope_id().with(("words", text));
    let response = ui.interact(rect, id, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(Role::Label, true, text));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_too_large_for_the_graphics_card_is_made_smaller_and_others_are_not() {
        let picture = RgbaPicture { width: 5, height: 3, pixels: (0..15).collect() };
        assert_eq!(fitted(picture.clone(), 5), picture);
        let smaller = RgbaPicture { width: 3, height: 2, pixels: vec![0, 2, 4, 10, 12, 14] };
        assert_eq!(fitted(picture.clone(), 4), smaller);
        assert_eq!(fitted(picture, 2), RgbaPicture { width: 2, height: 1, pixels: vec![0, 3] });
    }

    #[test]
    fn a_picture_becomes_a_texture_without_a_copy() {
        let pixels = vec![u32::from_ne_bytes([1, 2, 3, 255]); 6];
        let address = pixels.as_ptr() as usize;
        let image = color_image(RgbaPicture { width: 3, height: 2, pixels });
        assert_eq!(image.size, [3, 2]);
        assert_eq!(image.pixels[5], Color32::from_rgb(1, 2, 3));
        assert_eq!(image.pixels.as_ptr() as usize, address);
    }
}
