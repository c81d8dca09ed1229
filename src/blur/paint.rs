//! Blurring pixels.

use opencv::core::{CV_8UC1, Mat, MatTraitConst as _, Point, Rect, Scalar, Size, ToInputArray};
use opencv::imgproc;

use super::Blur;
use super::ellipse::{Ellipse, head};
use crate::face::Face;

/// A head is reduced to this many cells along the ellipse's longer axis, which are then blended: a face is about two cells wide, and its
/// eyes are less than one cell apart.
const FIELDS: f32 = 4.0;

/// The background is reduced to this many cells over the picture's height: somebody standing in it is at most two cells wide.
const BACKGROUND_FIELDS: f64 = 9.0;

/// Blurs a still picture (8-bit BGR), using only the faces found in it.
///
/// # Errors
/// When OpenCV fails.
pub fn blur_still(blur: Blur, picture: &mut Mat, faces: &[Face]) -> opencv::Result<()> {
    let heads: Vec<Ellipse> = faces.iter().flat_map(head).collect();
    blur_picture(blur, picture, &heads, faces)
}

/// Blurs `heads`, or everything except the heads of `faces`, which were detected in this picture itself.
pub(super) fn blur_picture(blur: Blur, picture: &mut Mat, heads: &[Ellipse], faces: &[Face]) -> opencv::Result<()> {
    match blur {
        Blur::Faces => heads.iter().try_for_each(|head| blur_within(picture, head)),
        Blur::Background => blur_around(picture, &faces.iter().flat_map(head).collect::<Vec<_>>()),
    }
}

fn blur_within(picture: &mut Mat, ellipse: &Ellipse) -> opencv::Result<()> {
    let Some(part) = around(ellipse, picture.size()?) else { return Ok(()) };
    let field = 2.0 * ellipse.reach() / FIELDS;
    let fields = |pixels: i32| ((pixels as f32 / field).round() as i32).max(1);
    let blurred = in_fields(&picture.roi(part)?, part.size(), Size::new(fields(part.width), fields(part.height)))?;
    let mut mask = Mat::new_rows_cols_with_default(part.height, part.width, CV_8UC1, Scalar::all(0.0))?;
    fill(&mut mask, ellipse, part.tl())?;
    blurred.copy_to_masked(&mut Mat::roi_mut(picture, part)?, &mask)
}

fn blur_around(picture: &mut Mat, heads: &[Ellipse]) -> opencv::Result<()> {
    let Size { width, height } = picture.size()?;
    let fields = |pixels: i32| ((f64::from(pixels) * BACKGROUND_FIELDS / f64::from(height)).round() as i32).max(1);
    let mut blurred = in_fields(picture, picture.size()?, Size::new(fields(width), fields(height)))?;
    let mut mask = Mat::new_rows_cols_with_default(height, width, CV_8UC1, Scalar::all(0.0))?;
    for ellipse in heads {
        fill(&mut mask, ellipse, Point::default())?;
    }
    picture.copy_to_masked(&mut blurred, &mask)?;
    *picture = blurred;
    Ok(())
}

/// Reduces a picture to `fields` cells, each the mean of its pixels, and enlarges it to `size` again.
fn in_fields(picture: &impl ToInputArray, size: Size, fields: Size) -> opencv::Result<Mat> {
    let (mut means, mut blurred) = (Mat::default(), Mat::default());
    imgproc::resize(picture, &mut means, fields, 0.0, 0.0, imgproc::INTER_AREA)?;
    imgproc::resize(&means, &mut blurred, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
    Ok(blurred)
}

/// The part of a picture of this size inside the square around an ellipse, if any.
fn around(ellipse: &Ellipse, size: Size) -> Option<Rect> {
    let [x, y] = ellipse.center;
    let reach = ellipse.reach();
    let inside = |place: f32, length: i32| place.clamp(0.0, length as f32) as i32;
    let (left, top) = (inside(x - reach, size.width), inside(y - reach, size.height));
    let (right, bottom) = (inside((x + reach).ceil(), size.width), inside((y + reach).ceil(), size.height));
    // A box with NaN or infinite coordinates has no position.
    let is_somewhere = reach.is_finite() && x.is_finite() && y.is_finite() && right > left && bottom > top;
    is_somewhere.then(|| Rect::new(left, top, right - left, bottom - top))
}

fn fill(mask: &mut Mat, ellipse: &Ellipse, corner: Point) -> opencv::Result<()> {
    let [x, y] = ellipse.center.map(|place| place.round() as i32);
    let center = Point::new(x.saturating_sub(corner.x), y.saturating_sub(corner.y));
    let [width, height] = ellipse.axes.map(|axis| axis.ceil() as i32);
    let (axes, white) = (Size::new(width.max(0), height.max(0)), Scalar::all(255.0));
    let degrees = f64::from(ellipse.degrees);
    imgproc::ellipse(mask, center, axes, degrees, 0.0, 360.0, white, imgproc::FILLED, imgproc::LINE_8, 0)
}
