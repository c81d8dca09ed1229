//! Boxes that another program found in the pictures of a data set: a CSV table with one row per box.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::data::{FaceDataError, Scene};
use super::metrics::Judged;
use mien_core::face::FaceRect;
use mien_core::landmarks::{Landmarks, Point};
use mien_net::faces::FoundFace;

/// A row: the picture's folder and name, the box in its pixels, the score, and the landmarks in the order of `labels.csv`.
#[derive(Debug, Deserialize)]
struct Row {
    file: String,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    score: f32,
    right_eye_x: f32,
    right_eye_y: f32,
    left_eye_x: f32,
    left_eye_y: f32,
    nose_x: f32,
    nose_y: f32,
    mouth_right_x: f32,
    mouth_right_y: f32,
    mouth_left_x: f32,
    mouth_left_y: f32,
}

impl Row {
    fn face(&self) -> FoundFace {
        let points: [Point; 5] = [
            [self.right_eye_x, self.right_eye_y],
            [self.left_eye_x, self.left_eye_y],
            [self.nose_x, self.nose_y],
            [self.mouth_right_x, self.mouth_right_y],
            [self.mouth_left_x, self.mouth_left_y],
        ];
        let rect = FaceRect { x: self.x, y: self.y, width: self.width, height: self.height };
        FoundFace { rect, score: self.score, landmarks: Landmarks::from_points(points) }
    }
}

/// Reads the boxes in each scene from the table at `path`. In a scene without a row, nothing was found.
///
/// # Errors
/// When the table can't be read, or names none of the scenes.
pub fn found_by_table<'a>(path: &Path, scenes: &'a [Scene]) -> Result<Vec<Judged<'a>>, FaceDataError> {
    let table_error = |source| FaceDataError::Table { path: path.to_owned(), source };
    let mut found: HashMap<String, Vec<FoundFace>> = HashMap::new();
    for row in csv::Reader::from_path(path).map_err(table_error)?.deserialize() {
        let row: Row = row.map_err(table_error)?;
        let face = row.face();
        found.entry(row.file).or_default().push(face);
    }
    if !scenes.iter().any(|scene| found.contains_key(&scene.name)) {
        let example = scenes.first().map(|scene| scene.name.clone()).unwrap_or_default();
        return Err(FaceDataError::OtherPictures { path: path.to_owned(), example });
    }
    Ok(scenes.iter().map(|scene| Judged::new(scene, found.remove(&scene.name).unwrap_or_default())).collect())
}
