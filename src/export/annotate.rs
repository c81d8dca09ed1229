//! Draws faces into pictures that are written to files. The window paints over its picture instead.

use opencv::core::{Mat, MatTraitConst as _, Point, Rect, Scalar};
use opencv::imgproc;

use crate::classes::Classes;
use crate::face::Face;
use crate::verdict::Verdict;

/// Picture height at which lines are one pixel wide and text has [`REFERENCE_FONT_SCALE`].
const REFERENCE_HEIGHT: f64 = 240.0;

/// Font scale at [`REFERENCE_HEIGHT`]: letters of about 7 pixels, the smallest that read well.
const REFERENCE_FONT_SCALE: f64 = 0.35;

/// The gray of unsure faces, which have no class's colour: darker than the gray of neutral.
const UNSURE_GRAY: f64 = 70.0;

const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;

/// Draws each face's box, number and verdict into an 8-bit BGR picture, in proportion to the picture's height.
///
/// # Errors
/// When OpenCV can't draw, for example into a picture of another type.
pub fn annotate(picture: &mut Mat, faces: &[Face], classes: &Classes) -> opencv::Result<()> {
    annotate_titled(picture, faces, classes, |face| face.id.0.to_string())
}

/// Like [`annotate`], with `title` instead of the number. OpenCV's font has only ASCII characters; others are replaced by the nearest of
/// those.
///
/// # Errors
/// Those of [`annotate`].
pub fn annotate_titled(
    picture: &mut Mat,
    faces: &[Face],
    classes: &Classes,
    title: impl Fn(&Face) -> String,
) -> opencv::Result<()> {
    let scale = (f64::from(picture.rows()) / REFERENCE_HEIGHT).max(1.0);
    for face in faces {
        draw(picture, face, classes, &title(face), scale)?;
    }
    Ok(())
}

fn draw(picture: &mut Mat, face: &Face, classes: &Classes, title: &str, scale: f64) -> opencv::Result<()> {
    let line = scale.round() as i32;
    let verdict = Verdict::of(face);
    let (color, text_color) = colors(verdict, classes);
    let rect = Rect::new(
        face.rect.x.round() as i32,
        face.rect.y.round() as i32,
        face.rect.width.round() as i32,
        face.rect.height.round() as i32,
    );
    // A dark line under the coloured one keeps the box visible on a background of the same colour.
    imgproc::rectangle(picture, rect, Scalar::all(0.0), line + 2, imgproc::LINE_8, 0)?;
    imgproc::rectangle(picture, rect, color, line, imgproc::LINE_8, 0)?;

    let text = deunicode::deunicode(&format!("{title}  {}", verdict.words(classes, true)));
    let font_scale = REFERENCE_FONT_SCALE * scale;
    let mut below_baseline = 0;
    let size = imgproc::get_text_size(&text, FONT, font_scale, line, &mut below_baseline)?;
    let margin = 2 * line;
    let (width, height) = (size.width + 2 * margin, size.height + below_baseline + 2 * margin);
    // Above the box where there is room, else inside it; never out of the picture on the right.
    let top = if rect.y >= height { rect.y - height } else { rect.y.max(0) };
    let left = rect.x.min(picture.cols() - width).max(0);
    imgproc::rectangle(picture, Rect::new(left, top, width, height), color, imgproc::FILLED, imgproc::LINE_8, 0)?;
    let origin = Point::new(left + margin, top + margin + size.height);
    imgproc::put_text(picture, &text, origin, FONT, font_scale, text_color, line, imgproc::LINE_AA, false)
}

/// The colour of box and patch, and that of the text on the patch.
fn colors(verdict: Verdict, classes: &Classes) -> (Scalar, Scalar) {
    match verdict {
        Verdict::Leads(class, _) => {
            let [red, green, blue] = classes.rgb(class).map(f64::from);
            let text = if classes.wants_dark_text(class) { 0.0 } else { 255.0 };
            (Scalar::new(blue, green, red, 0.0), Scalar::all(text))
        }
        Verdict::Unsure => (Scalar::all(UNSURE_GRAY), Scalar::all(255.0)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;
    use opencv::core::Vec3b;

    #[test]
    fn box_and_patch_have_the_colour_of_the_emotion() {
        let mut scene = scene(0, Emotion::Happy);
        let rect = scene.faces[0].rect;
        annotate(Arc::make_mut(&mut scene.frame.image), &scene.faces, &scene.classes).unwrap();
        let [r, g, b] = Emotion::Happy.rgb();
        let yellow = Vec3b::from([b, g, r]);
        let middle_of_left_edge = (rect.y + rect.height / 2.0) as i32;
        assert_eq!(*scene.frame.image.at_2d::<Vec3b>(middle_of_left_edge, rect.x as i32).unwrap(), yellow);
        // The patch's upper left corner lies just above the box.
        assert_eq!(*scene.frame.image.at_2d::<Vec3b>(rect.y as i32 - 4, rect.x as i32 + 1).unwrap(), yellow);
        // The face itself isn't painted over.
        let (x, y) = rect.center();
        assert_eq!(*scene.frame.image.at_2d::<Vec3b>(y as i32, x as i32).unwrap(), Vec3b::from([90, 90, 90]));
    }

    #[test]
    fn a_name_of_any_letters_makes_the_patch_wider() {
        let width_of_patch = |title: &str| {
            let mut scene = scene(0, Emotion::Happy);
            annotate_titled(Arc::make_mut(&mut scene.frame.image), &scene.faces, &scene.classes, |_| title.to_owned())
                .unwrap();
            let (row, left) = (scene.faces[0].rect.y as i32 - 4, scene.faces[0].rect.x as i32);
            let at = |x: i32| *scene.frame.image.at_2d::<Vec3b>(row, x).unwrap();
            (left..320).take_while(|x| at(*x) != Vec3b::from([90, 90, 90])).count()
        };
        assert!(width_of_patch("Anna") > width_of_patch("1"));
        assert_eq!(width_of_patch("Jörg"), width_of_patch("Jorg"));
    }

    #[test]
    fn a_face_at_the_edge_is_drawn_without_an_error() {
        let mut scene = scene(0, Emotion::Sad);
        for (x, y) in [(-30.0, -30.0), (300.0, 200.0), (5000.0, 5000.0)] {
            scene.faces[0].rect.x = x;
            scene.faces[0].rect.y = y;
            annotate(Arc::make_mut(&mut scene.frame.image), &scene.faces, &scene.classes).unwrap();
        }
    }
}
