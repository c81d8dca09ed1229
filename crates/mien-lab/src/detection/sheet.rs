//! A contact sheet of faces that a detector found and missed, and of false boxes, which shows how it fails.

use image::{Rgb, RgbImage, imageops};
use plotters::element::BitMapElement;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::data::Scene;
use super::metrics::{Judged, Outcome, Range, outcomes};
use crate::plots::{HEAD, INK, LABEL, MARGIN, Plot, PlotError, drawing, plot, text};
use mien_core::face::FaceRect;
use mien_core::landmarks::{Landmarks, Point};

/// Examples per row, and rows per kind.
const COLUMNS: usize = 12;
const ROWS: usize = 3;
/// Side of an example in pixels.
const SIDE: u32 = 112;
/// From one example to the next.
const STEP: u32 = SIDE + 4;
/// Room for the names of the kinds.
const NAMES: u32 = 100;
/// How much of the picture around a box is shown, in sizes of the box.
const AROUND: f32 = 2.0;
/// Colours of marked boxes, of the network's boxes, and of its landmarks.
const DRAWN: Rgb<u8> = Rgb([0x00, 0x9E, 0x73]);
const GUESSED: Rgb<u8> = Rgb([0xE6, 0x9F, 0x00]);
const POINTS: Rgb<u8> = Rgb([0x56, 0xB4, 0xE9]);

/// An example: the picture, the box in the middle, and what was found there.
struct Example {
    picture: usize,
    rect: FaceRect,
    color: Rgb<u8>,
    landmarks: Option<Landmarks>,
}

/// Draws rows of found faces, missed faces and false boxes, spread evenly over the pictures.
///
/// # Errors
/// When there is no example, or drawing fails.
pub fn found_and_missed(
    name: &str,
    on: &str,
    scenes: &[Scene],
    judged: &[Judged<'_>],
    threshold: f32,
) -> Result<Plot, PlotError> {
    let mut kinds: [(&str, Vec<Example>); 3] = [("found", vec![]), ("missed", vec![]), ("mistaken", vec![])];
    for (picture, judged) in judged.iter().enumerate() {
        for outcome in outcomes(judged, threshold, &Range::ALL) {
            let (kind, rect, color, landmarks) = match outcome {
                Outcome::Found(face) => (0, face.rect, GUESSED, Some(face.landmarks)),
                Outcome::Missed(face) => (1, face.rect, DRAWN, None),
                Outcome::Mistaken(face) => (2, face.rect, GUESSED, Some(face.landmarks)),
            };
            kinds[kind].1.push(Example { picture, rect, color, landmarks });
        }
    }
    let counts = kinds.iter().map(|(kind, all)| format!("{} {kind}", all.len())).collect::<Vec<_>>().join(", ");
    let rows: Vec<(&str, &[Example], usize)> = kinds
        .iter()
        .flat_map(|(kind, all)| {
            let rows = all.len().div_ceil(COLUMNS).min(ROWS);
            (0..rows).map(move |row| (if row == 0 { *kind } else { "" }, all.as_slice(), row))
        })
        .collect();
    if rows.is_empty() {
        return Err(PlotError::Empty("there is no face to be found"));
    }
    let size = (NAMES + COLUMNS as u32 * STEP + MARGIN as u32, HEAD + rows.len() as u32 * STEP + MARGIN as u32);
    plot(size, &format!("What {name} finds"), &format!("{on}: {counts}"), |canvas| {
        for (top, (kind, all, row)) in (0..).step_by(STEP as usize).zip(&rows) {
            let name = text(LABEL, INK).pos(Pos::new(HPos::Left, VPos::Center));
            canvas.draw_text(kind, &name, (MARGIN, top + SIDE as i32 / 2)).map_err(drawing)?;
            let shown = all.len().min(ROWS * COLUMNS);
            for column in 0..COLUMNS {
                let index = row * COLUMNS + column;
                let Some(example) = (index < shown).then(|| &all[index * all.len() / shown]) else { continue };
                let left = NAMES as i32 + column as i32 * STEP as i32;
                let image = draw(example, &scenes[example.picture]).into_raw();
                if let Some(place) = BitMapElement::with_owned_buffer((left, top), (SIDE, SIDE), image) {
                    canvas.draw(&place).map_err(drawing)?;
                }
            }
        }
        Ok(())
    })
}

/// Draws an example with its surroundings.
fn draw(example: &Example, scene: &Scene) -> RgbImage {
    let (x, y) = example.rect.center();
    let around = AROUND * example.rect.width.max(example.rect.height).max(8.0);
    let scale = SIDE as f32 / around;
    let (level, shrunk) = scene.picture.level_for(scale);
    let place = |[px, py]: Point| [(px - x) * scale + SIDE as f32 / 2.0, (py - y) * scale + SIDE as f32 / 2.0];
    let mut image = RgbImage::from_fn(SIDE, SIDE, |column, row| {
        let back = |at: u32, middle: f32| ((at as f32 + 0.5 - SIDE as f32 / 2.0) / scale + middle) * shrunk - 0.5;
        let (px, py) = (back(column, x), back(row, y));
        let inside = px > -1.0 && py > -1.0 && px < level.width as f32 && py < level.height as f32;
        // Between the outermost pixels and the edge, those pixels repeat.
        let (px, py) = (px.clamp(0.0, level.width as f32 - 1.0), py.clamp(0.0, level.height as f32 - 1.0));
        let gray = if inside { level.sample(px, py) } else { 0x80 };
        Rgb([gray; 3])
    });
    let FaceRect { x, y, width, height } = example.rect;
    outline(&mut image, place([x, y]), place([x + width, y + height]), example.color);
    for point in example.landmarks.iter().flat_map(Landmarks::points) {
        let [px, py] = place(point).map(|at| at as i64 - 1);
        imageops::replace(&mut image, &RgbImage::from_pixel(3, 3, POINTS), px, py);
    }
    image
}

fn outline(image: &mut RgbImage, [left, top]: Point, [right, bottom]: Point, color: Rgb<u8>) {
    let (width, height) = ((right - left).max(1.0) as u32, (bottom - top).max(1.0) as u32);
    let mut bar = |x: f32, y: f32, width: u32, height: u32| {
        imageops::replace(image, &RgbImage::from_pixel(width, height, color), x as i64, y as i64);
    };
    bar(left, top, width, 1);
    bar(left, bottom, width, 1);
    bar(left, top, 1, height);
    bar(right, top, 1, height);
}
