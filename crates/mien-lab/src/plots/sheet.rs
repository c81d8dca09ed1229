//! A contact sheet: examples of each class, to see what a data set shows.

use image::{GrayImage, imageops};
use plotters::element::BitMapElement;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{HEAD, INK, LABEL, MARGIN, Plot, PlotError, drawing, plot, text};
use crate::datasets::Pictures;
use mien_core::crop::{CROP_PIXELS, CROP_SIZE};

/// Examples of each class.
const COLUMNS: usize = 12;
/// Side of an example in pixels: twice that of the crops, so that faces can be judged on an ordinary screen.
const SIDE: u32 = 2 * CROP_SIZE as u32;
/// Distance from one example to the next, in pixels.
const STEP: u32 = SIDE + 4;
/// Room for the classes' names.
const NAMES: u32 = 100;

/// Draws a row of examples for each class that occurs, spread evenly over the pictures.
///
/// # Errors
/// When there is no picture.
pub fn contact_sheet(title: &str, subtitle: &str, pictures: &Pictures) -> Result<Plot, PlotError> {
    let classes = pictures.classes.names().enumerate();
    let rows: Vec<(String, Vec<usize>)> = classes
        .map(|(class, name)| (name, examples(pictures, class)))
        .filter(|(_, examples)| !examples.is_empty())
        .collect();
    if rows.is_empty() {
        return Err(PlotError::Empty("the data set holds no picture"));
    }
    let pixels = pictures.pixels();
    let size = (NAMES + COLUMNS as u32 * STEP + MARGIN as u32, HEAD + rows.len() as u32 * STEP + MARGIN as u32);
    plot(size, title, subtitle, |canvas| {
        for (top, (class, examples)) in (0..).step_by(STEP as usize).zip(&rows) {
            let name = text(LABEL, INK).pos(Pos::new(HPos::Left, VPos::Center));
            canvas.draw_text(class, &name, (MARGIN, top + SIDE as i32 / 2)).map_err(drawing)?;
            for (left, index) in (NAMES as i32..).step_by(STEP as usize).zip(examples) {
                let Some(face) = face(&pixels, *index) else { continue };
                let place = BitMapElement::with_owned_buffer((left, top), (SIDE, SIDE), face);
                let Some(face) = place else { continue };
                canvas.draw(&face).map_err(drawing)?;
            }
        }
        Ok(())
    })
}

/// Up to [`COLUMNS`] pictures of a class, evenly spread.
fn examples(pictures: &Pictures, class: usize) -> Vec<usize> {
    let all: Vec<usize> = (0..pictures.len()).filter(|index| pictures.labels[*index] == class).collect();
    let count = all.len().min(COLUMNS);
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// A picture, enlarged, as RGB bytes.
fn face(pixels: &[u8], index: usize) -> Option<Vec<u8>> {
    let pixels = pixels.get(index * CROP_PIXELS..(index + 1) * CROP_PIXELS)?.to_vec();
    let face = GrayImage::from_raw(CROP_SIZE as u32, CROP_SIZE as u32, pixels)?;
    let face = imageops::resize(&face, SIDE, SIDE, imageops::FilterType::CatmullRom);
    Some(face.into_raw().into_iter().flat_map(|gray| [gray; 3]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::Split;
    use crate::datasets::tests::Folder;

    #[test]
    fn a_sheet_has_a_row_for_each_emotion_that_occurs() {
        let folder = Folder::new();
        (0..30).for_each(|i| folder.picture(&format!("happy/{i:02}.png"), 100 + i));
        folder.picture("fear/0.png", 7);
        let pictures = folder.read().unwrap().split(Split::All);
        let sheet = contact_sheet("Faces", "31 pictures", &pictures).unwrap();
        assert_eq!(sheet.image().height(), HEAD + 2 * STEP + MARGIN as u32);
        let middle = |row: u32, column: u32| {
            sheet.image().get_pixel(NAMES + column * STEP + SIDE / 2, HEAD + row * STEP + SIDE / 2).0
        };
        assert_eq!(middle(0, 0), [7; 3]);
        assert_eq!(middle(0, 1), [255; 3], "there is one example of fear");
        assert!(middle(1, 11)[0] > middle(1, 0)[0], "spread over all pictures");
    }
}
