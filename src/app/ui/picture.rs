//! The picture in the middle, as large as fits.

use egui::{Align2, Color32, FontId, Rect, TextureOptions, Ui, pos2, vec2};

use crate::app::transform::PictureTransform;
use crate::app::{App, Stage, theme};
use crate::frame::RgbaPicture;

/// Room left around the picture, in points.
const MARGIN: f32 = 6.0;

/// A face that is lost for less than this (a blink of the detector) is no news.
const NO_FACE_AFTER_SECS: f64 = 0.7;

impl App {
    pub(super) fn picture_ui(&mut self, ui: &mut Ui) {
        let room = ui.max_rect();
        self.upload_picture(ui.ctx());
        let transform = self.shown.as_ref().and_then(|shown| {
            let room = room.shrink(MARGIN);
            PictureTransform::fit(room, shown.size, self.mirrored())
        });
        if let (Some(texture), Some(transform)) = (&self.texture, &transform) {
            ui.painter().image(texture.id(), transform.picture_on_screen, transform.uv(), Color32::WHITE);
        }
        if let Some(transform) = transform {
            self.overlay_ui(ui, &transform);
            self.notices(ui, &transform);
        }
        if transform.is_none() || self.stage == Stage::EndOfVideo {
            self.stage_ui(ui, transform.map(|t| t.picture_on_screen));
        }
        self.drop_hint(ui, room);
    }

    /// Gives a new picture to the graphics card. The texture is made once and then only filled anew.
    fn upload_picture(&mut self, ctx: &egui::Context) {
        let Some(picture) = self.picture.take() else { return };
        let image = color_image(picture);
        match &mut self.texture {
            Some(texture) => texture.set(image, TextureOptions::LINEAR),
            None => self.texture = Some(ctx.load_texture("picture", image, TextureOptions::LINEAR)),
        }
    }

    /// Short words over the picture: paused, no face found.
    fn notices(&self, ui: &mut Ui, transform: &PictureTransform) {
        let picture = transform.picture_on_screen;
        if self.playback.paused && self.stage == Stage::Running {
            notice(ui, picture.left_top() + vec2(10.0, 10.0), Align2::LEFT_TOP, "Paused");
        }
        let now = self.playback.position.as_secs_f64();
        let seen = self.playback.face_seen.map_or(0.0, |seen| seen.as_secs_f64());
        let nobody = self.faces().is_empty() && (now - seen).abs() >= NO_FACE_AFTER_SECS;
        if nobody && self.stage == Stage::Running {
            notice(ui, pos2(picture.center().x, picture.bottom() - 12.0), Align2::CENTER_BOTTOM, "No face found");
        }
    }

    /// While a file is dragged over the window: what happens when it is dropped.
    fn drop_hint(&self, ui: &mut Ui, room: Rect) {
        if ui.input(|i| i.raw.hovered_files.is_empty()) {
            return;
        }
        ui.painter().rect_filled(room, 0.0, Color32::from_black_alpha(190));
        let frame = room.shrink(16.0);
        let stroke = egui::Stroke::new(2.0, ui.visuals().selection.bg_fill);
        ui.painter().rect_stroke(frame, 12.0, stroke, egui::StrokeKind::Inside);
        label_at(
            ui,
            room.center(),
            Align2::CENTER_CENTER,
            "Drop the video or the recording's folder to replay it",
            22.0,
            theme::STAGE_TEXT,
        );
    }
}

/// Takes the pixels over as they are: opaque, so straight and premultiplied alpha are the same.
fn color_image(picture: RgbaPicture) -> egui::ColorImage {
    let size = [picture.width, picture.height];
    egui::ColorImage::new(size, bytemuck::cast_vec(picture.pixels))
}

/// Words on a dark patch, readable on any picture.
fn notice(ui: &mut Ui, at: egui::Pos2, anchor: Align2, text: &str) {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(15.0), theme::STAGE_TEXT);
    let patch = anchor.anchor_size(at, galley.size() + vec2(20.0, 10.0));
    ui.painter().rect_filled(patch, 6.0, Color32::from_black_alpha(190));
    ui.painter().galley(patch.min + vec2(10.0, 5.0), galley, theme::STAGE_TEXT);
    announce(ui, patch, text);
}

/// Paints words at a place and tells screen readers of them.
fn label_at(ui: &mut Ui, at: egui::Pos2, anchor: Align2, text: &str, size: f32, color: Color32) {
    let rect = ui.painter().text(at, anchor, text, FontId::proportional(size), color);
    announce(ui, rect, text);
}

/// Words that are painted and not laid out belong in the accessibility tree all the same.
fn announce(ui: &mut Ui, rect: Rect, text: &str) {
    let id = ui.scope_id().with(("words", text));
    let response = ui.interact(rect, id, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, text));
}

#[cfg(test)]
mod tests {
    use super::*;

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
