//! Maps pixels of the picture to points on the screen. Mirroring happens only here.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

use crate::face::FaceRect;

/// Placement of a picture on the screen: centred, as large as fits, with its aspect ratio kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PictureTransform {
    /// The part of the screen that the picture fills, in points.
    pub picture_on_screen: Rect,
    image_size: Vec2,
    mirrored: bool,
}

impl PictureTransform {
    /// Fits a picture of `image_size` pixels into `room`. `None` if one of the two has no area.
    pub fn fit(room: Rect, image_size: [usize; 2], mirrored: bool) -> Option<Self> {
        let image_size = vec2(image_size[0] as f32, image_size[1] as f32);
        if image_size.min_elem() < 1.0 || !room.is_positive() {
            return None;
        }
        let scale = (room.size() / image_size).min_elem();
        let picture_on_screen = Rect::from_center_size(room.center(), image_size * scale);
        Some(Self { picture_on_screen, image_size, mirrored })
    }

    /// Screen points per pixel of the picture.
    pub fn scale(&self) -> f32 {
        self.picture_on_screen.width() / self.image_size.x
    }

    /// Texture coordinates of the top left and bottom right corners of [`Self::picture_on_screen`].
    pub fn uv(&self) -> Rect {
        if self.mirrored {
            Rect::from_min_max(pos2(1.0, 0.0), pos2(0.0, 1.0))
        } else {
            Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0))
        }
    }

    /// Maps a point of the picture to the screen.
    pub fn screen_from_image(&self, point: Pos2) -> Pos2 {
        let x = if self.mirrored { self.image_size.x - point.x } else { point.x };
        self.picture_on_screen.min + vec2(x, point.y) * self.scale()
    }

    /// Maps a face's box to the screen. Its left edge stays on the left even when mirrored.
    pub fn screen_from_face(&self, face: FaceRect) -> Rect {
        let corner = self.screen_from_image(pos2(face.x, face.y));
        let opposite = self.screen_from_image(pos2(face.x + face.width, face.y + face.height));
        Rect::from_two_pos(corner, opposite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(width: f32, height: f32) -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), vec2(width, height))
    }

    const FACE: FaceRect = FaceRect { x: 100.0, y: 50.0, width: 40.0, height: 60.0 };

    #[test]
    fn a_wide_picture_in_a_square_room_gets_bars_above_and_below() {
        let t = PictureTransform::fit(room(640.0, 640.0), [640, 360], false).unwrap();
        assert_eq!(t.picture_on_screen, Rect::from_min_size(pos2(10.0, 160.0), vec2(640.0, 360.0)));
        assert_eq!(t.scale(), 1.0);
    }

    #[test]
    fn a_portrait_picture_gets_bars_at_the_sides() {
        let t = PictureTransform::fit(room(400.0, 400.0), [360, 720], false).unwrap();
        assert_eq!(t.picture_on_screen.size(), vec2(200.0, 400.0));
        assert_eq!(t.picture_on_screen.center(), room(400.0, 400.0).center());
    }

    #[test]
    fn mirroring_flips_the_box_and_the_texture_alike() {
        let straight = PictureTransform::fit(room(640.0, 360.0), [640, 360], false).unwrap();
        let mirrored = PictureTransform::fit(room(640.0, 360.0), [640, 360], true).unwrap();
        let (a, b) = (straight.screen_from_face(FACE), mirrored.screen_from_face(FACE));
        assert_eq!(a.min, pos2(110.0, 70.0));
        assert_eq!(b.size(), a.size());
        // As far from the right edge as it was from the left one.
        assert_eq!(mirrored.picture_on_screen.right() - b.right(), a.left() - straight.picture_on_screen.left());
        assert_eq!(mirrored.uv().min.x, 1.0);
        assert!(b.is_positive());
    }

    #[test]
    fn nothing_to_show_has_no_transform() {
        assert!(PictureTransform::fit(room(100.0, 100.0), [0, 10], false).is_none());
        assert!(PictureTransform::fit(room(0.0, 100.0), [10, 10], false).is_none());
    }
}
