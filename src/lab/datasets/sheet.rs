//! A contact sheet: examples of each emotion, to see with one's own eyes what a data set shows.

use std::io::Cursor;

use image::imageops::FilterType;
use image::{GrayImage, ImageFormat, Rgb, RgbImage, imageops};

use super::Pictures;
use crate::emotion::Emotion;
use crate::preprocess::{CROP_PIXELS, CROP_SIZE};

/// Examples of each emotion.
const COLUMNS: usize = 12;
/// Side of an example in pixels: twice that of the crops, so that faces can be judged on a usual screen.
const SIDE: usize = 2 * CROP_SIZE;
/// Space between examples, and width of the strip that shows a row's emotion by its colour.
const GAP: usize = 4;
const STRIP: usize = 16;
/// What lies behind.
const BACKGROUND: Rgb<u8> = Rgb([255, 255, 255]);

/// A PNG with a row for each emotion that occurs, in FER2013 order, and a strip of the emotion's colour before it. The
/// examples are spread evenly over the pictures. `None` for no pictures.
///
/// # Errors
/// When it can't be encoded.
pub fn contact_sheet(pictures: &Pictures) -> Option<Result<Vec<u8>, image::ImageError>> {
    let rows: Vec<(Emotion, Vec<usize>)> = Emotion::ALL
        .into_iter()
        .map(|emotion| (emotion, examples(pictures, emotion)))
        .filter(|(_, examples)| !examples.is_empty())
        .collect();
    if rows.is_empty() {
        return None;
    }
    let step = SIDE + GAP;
    let (width, height) = (STRIP + GAP + COLUMNS * step, rows.len() * step + GAP);
    let mut sheet = RgbImage::from_pixel(width as u32, height as u32, BACKGROUND);
    let pixels = pictures.pixels();
    for (row, (emotion, examples)) in rows.iter().enumerate() {
        let top = (GAP + row * step) as i64;
        let strip = RgbImage::from_pixel(STRIP as u32, SIDE as u32, Rgb(emotion.rgb()));
        imageops::replace(&mut sheet, &strip, 0, top);
        for (column, index) in examples.iter().enumerate() {
            let face = pixels.get(index * CROP_PIXELS..(index + 1) * CROP_PIXELS).map(<[u8]>::to_vec);
            let face = face.and_then(|face| GrayImage::from_raw(CROP_SIZE as u32, CROP_SIZE as u32, face))?;
            let face = imageops::resize(&face, SIDE as u32, SIDE as u32, FilterType::CatmullRom);
            let face = image::DynamicImage::ImageLuma8(face).into_rgb8();
            imageops::replace(&mut sheet, &face, (STRIP + GAP + column * step) as i64, top);
        }
    }
    let mut png = Cursor::new(Vec::new());
    Some(sheet.write_to(&mut png, ImageFormat::Png).map(|()| png.into_inner()))
}

/// Up to [`COLUMNS`] pictures of an emotion, evenly spread.
fn examples(pictures: &Pictures, emotion: Emotion) -> Vec<usize> {
    let all: Vec<usize> = (0..pictures.len()).filter(|index| pictures.labels[*index] == emotion).collect();
    let count = all.len().min(COLUMNS);
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::datasets::Split;
    use crate::lab::datasets::tests::Folder;

    #[test]
    fn a_sheet_has_a_row_for_each_emotion_that_occurs() {
        let folder = Folder::new();
        (0..30).for_each(|i| folder.picture(&format!("happy/{i:02}.png"), 100 + i));
        folder.picture("fear/0.png", 7);
        let pictures = folder.read().unwrap().split(Split::All);
        let sheet = image::load_from_memory(&contact_sheet(&pictures).unwrap().unwrap()).unwrap().into_rgb8();
        assert_eq!(sheet.height() as usize, 2 * (SIDE + GAP) + GAP);
        let middle = |row: usize, column: usize| {
            let (x, y) = (STRIP + GAP + column * (SIDE + GAP) + SIDE / 2, GAP + row * (SIDE + GAP) + SIDE / 2);
            sheet.get_pixel(x as u32, y as u32).0
        };
        assert_eq!(middle(0, 0), [7; 3]);
        assert_eq!(middle(0, 1), [255; 3], "there is one example of fear");
        assert!(middle(1, 11)[0] > middle(1, 0)[0], "spread over all pictures");
        assert_eq!(sheet.get_pixel(1, GAP as u32 + 1).0, Emotion::Fear.rgb());
    }
}
