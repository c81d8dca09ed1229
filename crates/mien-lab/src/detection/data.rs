//! Pictures with marked faces, as `mien train` reads them for a detector.
//!
//! The folder holds `portraits/` and `scenes/`, each with `labels.csv` and its pictures. A row is a face: `file`, in scenes
//! `set`, `width`, `height`, the box `x, y, w, h`, five landmarks as `x, y`, in scenes `ignore`. A picture without a face has
//! one row without a box.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::split::{Side, side_of};
use crate::pictures::decode_gray;
use mien_core::face::FaceRect;
use mien_core::landmarks::{Landmarks, Point};
use mien_core::pixels::PixelLimit;

/// A marked face in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// The box, in pixels of the picture; may reach beyond it.
    pub rect: FaceRect,
    /// Eyes, nose and mouth, if they were marked.
    pub landmarks: Option<Landmarks>,
    /// Too small or unclear: counts neither as a face nor as a mistake.
    pub ignored: bool,
}

impl Face {
    /// Size of the face: the geometric mean of its width and height.
    pub fn size(&self) -> f32 {
        self.rect.area().sqrt()
    }
}

/// A picture at full size and at successive halvings. Shrunk pictures are drawn from the next larger level, which avoids aliasing.
#[derive(Clone, Debug)]
pub struct Pyramid(Vec<GrayLevel>);

/// A level of a pyramid.
#[derive(Clone, Debug)]
pub struct GrayLevel {
    /// Gray bytes, row by row.
    pub pixels: Vec<u8>,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// Levels whose shorter side is below this aren't halved.
const SMALLEST_SIDE: usize = 16;

impl Pyramid {
    /// Makes the levels of a picture.
    pub fn new(picture: GrayLevel) -> Self {
        let mut levels = vec![picture];
        while let Some(half) =
            levels.last().filter(|level| level.width.min(level.height) >= SMALLEST_SIDE).map(GrayLevel::half)
        {
            levels.push(half);
        }
        Self(levels)
    }

    /// The picture at full size.
    pub fn whole(&self) -> &GrayLevel {
        &self.0[0]
    }

    /// Returns the level to draw from when the picture is scaled by `scale`, and the scale of that level itself.
    pub fn level_for(&self, scale: f32) -> (&GrayLevel, f32) {
        let halvings = (1.0 / scale).log2().floor().clamp(0.0, (self.0.len() - 1) as f32) as usize;
        (&self.0[halvings], 0.5_f32.powi(halvings as i32))
    }
}

impl GrayLevel {
    /// Half as wide and high: each pixel the mean of four.
    fn half(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = &self.pixels[2 * y * self.width..];
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2)).take(width);
            pixels.extend(pairs.map(|(a, b)| {
                let sum: u16 = [a[0], a[1], b[0], b[1]].into_iter().map(u16::from).sum();
                ((sum + 2) / 4) as u8
            }));
        }
        Self { pixels, width, height }
    }
}

/// A picture with the faces in it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Folder and file, `scenes/wider-00000.webp`.
    pub name: String,
    /// `portraits`, or the set named in the table of scenes.
    pub set: String,
    /// The pixels.
    pub picture: Pyramid,
    /// All marked faces in it.
    pub faces: Vec<Face>,
}

/// All pictures, split.
pub struct FaceData {
    /// For training.
    pub training: Arc<Vec<Scene>>,
    /// For validation.
    pub validation: Vec<Scene>,
    /// SHA-256 of the label files, and of all pictures one after the other.
    pub sha256: Vec<String>,
}

/// Pictures with faces can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FaceDataError {
    /// A file or folder can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table is damaged.
    #[error("can't use {path}: {source}")]
    Table {
        /// Which one.
        path: PathBuf,
        /// Where and why.
        source: csv::Error,
    },
    /// A row has invalid contents.
    #[error("can't use {path}: the row of {file} {problem}")]
    Row {
        /// Which table.
        path: PathBuf,
        /// The picture that the row names.
        file: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A picture can't be decoded.
    #[error("{path} {problem}")]
    Picture {
        /// Which one.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Nothing to learn from or to measure on.
    #[error("{path} holds no {what}; it needs portraits/ or scenes/ with labels.csv and the pictures")]
    Empty {
        /// Which folder.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A table of found faces that belongs to other pictures.
    #[error("{path} names none of the validation pictures, such as {example}")]
    OtherPictures {
        /// The table.
        path: PathBuf,
        /// The name of a validation picture.
        example: String,
    },
}

/// A row of `labels.csv`.
#[derive(Debug, Deserialize)]
struct Row {
    file: String,
    set: Option<String>,
    x: Option<f32>,
    y: Option<f32>,
    w: Option<f32>,
    h: Option<f32>,
    right_eye_x: Option<f32>,
    right_eye_y: Option<f32>,
    left_eye_x: Option<f32>,
    left_eye_y: Option<f32>,
    nose_x: Option<f32>,
    nose_y: Option<f32>,
    mouth_right_x: Option<f32>,
    mouth_right_y: Option<f32>,
    mouth_left_x: Option<f32>,
    mouth_left_y: Option<f32>,
    ignore: Option<u8>,
}

impl Row {
    /// The face that it marks, if any.
    fn face(&self) -> Result<Option<Face>, &'static str> {
        let rect = match (self.x, self.y, self.w, self.h) {
            (None, None, None, None) => return Ok(None),
            (Some(x), Some(y), Some(width), Some(height)) => FaceRect { x, y, width, height },
            _ => return Err("has an incomplete box"),
        };
        if !(rect.area() > 0.0 && rect.area().is_finite() && rect.x.is_finite() && rect.y.is_finite()) {
            return Err("holds a box without an area");
        }
        let point = |x: Option<f32>, y: Option<f32>| -> Option<Point> { Some([x?, y?]) };
        let points = [
            point(self.right_eye_x, self.right_eye_y),
            point(self.left_eye_x, self.left_eye_y),
            point(self.nose_x, self.nose_y),
            point(self.mouth_right_x, self.mouth_right_y),
            point(self.mouth_left_x, self.mouth_left_y),
        ];
        let known = points.into_iter().collect::<Option<Vec<Point>>>();
        let landmarks = known.and_then(|points| <[Point; 5]>::try_from(points).ok()).map(Landmarks::from_points);
        Ok(Some(Face { rect, landmarks, ignored: self.ignore == Some(1) }))
    }
}

/// The folders that data are read from.
const PORTRAITS: &str = "portraits";
const SCENES: &str = "scenes";

impl FaceData {
    /// Reads a folder with `portraits/`, `scenes/` or both.
    ///
    /// # Errors
    /// When a table or picture can't be read, or there is nothing to learn from or to measure on.
    pub fn read(folder: &Path) -> Result<Self, FaceDataError> {
        let (mut training, mut validation, mut sha256) = (Vec::new(), Vec::new(), Vec::new());
        for part in [PORTRAITS, SCENES] {
            if !folder.join(part).join("labels.csv").is_file() {
                continue;
            }
            let (scenes, sums) = read_part(folder, part)?;
            sha256.extend(sums);
            let mut sets: BTreeMap<String, Vec<Scene>> = BTreeMap::new();
            for scene in scenes {
                sets.entry(scene.set.clone()).or_default().push(scene);
            }
            for (set, scenes) in sets {
                let count = scenes.len();
                for (index, scene) in scenes.into_iter().enumerate() {
                    match side_of(&set, index, count) {
                        Side::Training => training.push(scene),
                        Side::Validation => validation.push(scene),
                        Side::Neither => {}
                    }
                }
            }
        }
        let empty = |what| FaceDataError::Empty { path: folder.to_owned(), what };
        let has_face = |scenes: &[Scene]| scenes.iter().any(|scene| scene.faces.iter().any(|face| !face.ignored));
        if !has_face(&training) {
            return Err(empty("pictures with faces to learn from"));
        }
        if !has_face(&validation) {
            return Err(empty("pictures with faces to measure on"));
        }
        Ok(Self { training: Arc::new(training), validation, sha256 })
    }
}

/// The pictures of one table in the order of their names, and the SHA-256 of the table and of all pictures.
fn read_part(folder: &Path, part: &str) -> Result<(Vec<Scene>, [String; 2]), FaceDataError> {
    let path = folder.join(part).join("labels.csv");
    let table = std::fs::read(&path).map_err(|source| FaceDataError::Read { path: path.clone(), source })?;
    let mut files: BTreeMap<String, (String, Vec<Face>)> = BTreeMap::new();
    for row in csv::Reader::from_reader(table.as_slice()).deserialize() {
        let row: Row = row.map_err(|source| FaceDataError::Table { path: path.clone(), source })?;
        let face =
            row.face().map_err(|problem| FaceDataError::Row { path: path.clone(), file: row.file.clone(), problem })?;
        let set = row.set.unwrap_or_else(|| part.to_owned());
        files.entry(row.file).or_insert_with(|| (set, Vec::new())).1.extend(face);
    }
    let mut pictures = Sha256::new();
    let mut scenes = Vec::with_capacity(files.len());
    for (file, (set, faces)) in files {
        let path = folder.join(part).join(&file);
        let bytes = std::fs::read(&path).map_err(|source| FaceDataError::Read { path: path.clone(), source })?;
        pictures.update(&bytes);
        let picture = decode_gray(&bytes, PixelLimit::default())
            .map_err(|problem| FaceDataError::Picture { path: path.clone(), problem })?;
        let Some(view) = picture.view() else { continue };
        let level = GrayLevel { pixels: view.pixels().to_vec(), width: view.width(), height: view.height() };
        scenes.push(Scene { name: format!("{part}/{file}"), set, picture: Pyramid::new(level), faces });
    }
    Ok((scenes, [format!("{:x}", Sha256::digest(&table)), format!("{:x}", pictures.finalize())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_faces_with_or_without_landmarks_or_pictures_without_a_face() {
        let text = "file,set,width,height,x,y,w,h,right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y,\
            mouth_right_x,mouth_right_y,mouth_left_x,mouth_left_y,source,ignore\n\
            a.png,wider,10,10,-1,2,3,4,1,2,3,4,5,6,7,8,9,10,drawn,0\n\
            a.png,wider,10,10,1,2,3,4,,,,,,,,,,,drawn,1\n\
            b.png,empty,10,10,,,,,,,,,,,,,,,none,0\n\
            c.png,wider,10,10,1,,3,4,,,,,,,,,,,drawn,0\n\
            d.png,wider,10,10,1,2,0,4,,,,,,,,,,,drawn,0\n";
        let rows: Vec<Row> = csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect();
        let first = rows[0].face().unwrap().unwrap();
        assert_eq!(first.rect, FaceRect { x: -1.0, y: 2.0, width: 3.0, height: 4.0 });
        assert_eq!(first.landmarks.unwrap().mouth_left, [9.0, 10.0]);
        let second = rows[1].face().unwrap().unwrap();
        assert!(second.ignored && second.landmarks.is_none() && !first.ignored);
        assert_eq!(rows[2].face(), Ok(None));
        assert!(rows[3].face().is_err() && rows[4].face().is_err());
    }

    #[test]
    fn a_pyramid_halves_by_means_and_gives_the_level_just_larger_than_what_is_shown() {
        let pixels: Vec<u8> = (0..64 * 40).map(|i| if i % 2 == 0 { 10 } else { 31 }).collect();
        let pyramid = Pyramid::new(GrayLevel { pixels, width: 64, height: 40 });
        let (whole, shrunk) = pyramid.level_for(0.6);
        assert_eq!((whole.width, shrunk), (64, 1.0));
        let (half, shrunk) = pyramid.level_for(0.5);
        assert_eq!((half.width, half.height, shrunk), (32, 20, 0.5));
        assert!(half.pixels.iter().all(|pixel| *pixel == 21), "the mean of 10 and 31, rounded");
        assert_eq!(pyramid.level_for(0.01).1, 0.25, "no side below eight pixels");
        assert_eq!(pyramid.level_for(3.0).1, 1.0);
    }
}
