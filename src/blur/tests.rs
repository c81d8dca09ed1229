use opencv::core::{CV_8UC3, RNGTrait as _, Rect, Scalar, no_array};

use super::*;
use crate::emotion::COUNT;
use crate::face::FaceRect;
use crate::probabilities::Probabilities;

const WIDTH: i32 = 320;
const HEIGHT: i32 = 240;
const INTERVAL: Duration = Duration::from_millis(40);

/// A picture full of fine detail, always the same for the same seed.
fn noise(seed: u64) -> Mat {
    let mut generator = opencv::core::RNG::new(seed + 1).unwrap();
    let mut picture = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(0.0)).unwrap();
    generator.fill_def(&mut picture, opencv::core::RNG_UNIFORM, &Scalar::all(0.0), &Scalar::all(256.0)).unwrap();
    // Coarse structure as well, which the cut detector needs to tell scenes apart.
    let (mut coarse, mut large) = (Mat::default(), Mat::default());
    picture.roi(Rect::new(0, 0, 8, 6)).unwrap().copy_to(&mut coarse).unwrap();
    imgproc::resize(&coarse, &mut large, picture.size().unwrap(), 0.0, 0.0, imgproc::INTER_NEAREST).unwrap();
    let mut sum = Mat::default();
    opencv::core::add_weighted_def(&picture, 0.5, &large, 0.5, 0.0, &mut sum).unwrap();
    sum
}

fn face(id: u32, rect: Rect) -> Face {
    let Rect { x, y, width, height } = rect;
    let rect = FaceRect { x: x as f32, y: y as f32, width: width as f32, height: height as f32 };
    let raw = Probabilities::uniform(COUNT);
    Face { id: FaceId(id), rect, score: 9.0, landmarks: None, quality: None, raw, smoothed: raw }
}

const PLACE: Rect = Rect { x: 100, y: 80, width: 60, height: 60 };
const ELSEWHERE: Rect = Rect { x: 270, y: 180, width: 40, height: 40 };

/// How much fine detail is left in `part`: the largest standard deviation of a colour within 4×4 pixels.
fn detail(picture: &Mat, part: Rect) -> f64 {
    let mut most: f64 = 0.0;
    for y in (part.y..part.y + part.height).step_by(4) {
        for x in (part.x..part.x + part.width).step_by(4) {
            let (mut mean, mut deviation) = (Scalar::default(), Scalar::default());
            let cell = picture.roi(Rect::new(x, y, 4, 4)).unwrap();
            opencv::core::mean_std_dev(&cell, &mut mean, &mut deviation, &no_array()).unwrap();
            most = deviation.0.into_iter().take(3).fold(most, f64::max);
        }
    }
    most
}

fn is_blurred(picture: &Mat) -> bool {
    let is = detail(picture, PLACE) < 12.0;
    assert!(is || detail(picture, PLACE) > 30.0, "half blurred: {}", detail(picture, PLACE));
    is
}

/// Blurs a film. `scene` gives the seed of each frame's picture. Checks that all frames come out, in order.
fn film(blur: Blur, frames: u32, faces: impl Fn(u32) -> Vec<Face>, scene: impl Fn(u32) -> u64) -> Vec<Arc<Mat>> {
    let mut blurrer = Blurrer::new(blur);
    let mut out = Vec::new();
    for number in 0..frames {
        let picture = Arc::new(noise(scene(number)));
        out.extend(blurrer.push(picture, &faces(number), INTERVAL * number, number).unwrap());
    }
    out.extend(blurrer.finish().unwrap());
    assert_eq!(out.iter().map(|(_, number)| *number).collect::<Vec<_>>(), (0..frames).collect::<Vec<_>>());
    out.into_iter().map(|(picture, _)| picture).collect()
}

#[test]
fn a_face_loses_its_detail_and_the_rest_keeps_it() {
    let picture = &film(Blur::Faces, 1, |_| vec![face(1, PLACE)], |_| 0)[0];
    let sharp = noise(0);
    assert!(is_blurred(picture) && !is_blurred(&sharp));
    assert_eq!(detail(picture, ELSEWHERE), detail(&sharp, ELSEWHERE));
    // Hair and chin, which lie beyond the box.
    assert!(detail(picture, Rect::new(120, 64, 20, 16)) < 12.0 && detail(picture, Rect::new(120, 140, 20, 12)) < 12.0);
}

#[test]
fn a_face_is_blurred_in_the_half_second_before_it_is_found_and_two_seconds_after_it_was_lost() {
    // Found in frames 20 to 24, which are at 0.8 to 0.96 s.
    let found = |number: u32| if (20..25).contains(&number) { vec![face(1, PLACE)] } else { vec![] };
    let pictures = film(Blur::Faces, 90, found, |_| 0);
    let blurred: Vec<u32> = (0..90).filter(|number| is_blurred(&pictures[*number as usize])).collect();
    assert_eq!(blurred, (7..=74).collect::<Vec<_>>(), "0.28 to 2.96 s: all that were still waiting, and two seconds");
}

#[test]
fn a_gap_in_which_a_face_moves_on_is_blurred_at_both_places() {
    let far = Rect::new(180, 80, 60, 60);
    let found = |number: u32| match number {
        0..5 => vec![face(1, PLACE)],
        10.. => vec![face(1, far)],
        _ => vec![],
    };
    let pictures = film(Blur::Faces, 15, found, |_| 0);
    assert!((5..10).all(|number| is_blurred(&pictures[number]) && detail(&pictures[number], far) < 12.0));
}

#[test]
fn a_lost_face_grows_as_nobody_knows_where_it_is() {
    let pictures = film(Blur::Faces, 60, |number| if number < 2 { vec![face(1, PLACE)] } else { vec![] }, |_| 0);
    let beside = Rect::new(180, 100, 20, 20);
    assert!(detail(&pictures[1], beside) > 30.0 && detail(&pictures[40], beside) < 12.0);
}

#[test]
fn a_cut_ends_it_in_both_directions() {
    let found = |number: u32| match number {
        0..5 => vec![face(1, PLACE)],
        13.. => vec![face(2, PLACE)],
        _ => vec![],
    };
    // The scene changes at frames 5, 10 and 15.
    let pictures = film(Blur::Faces, 16, found, |number| u64::from(number / 5));
    let blurred: Vec<usize> = (0..16).filter(|number| is_blurred(&pictures[*number])).collect();
    assert_eq!(blurred, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn of_a_background_only_the_faces_that_are_surely_there_stay() {
    let found = |number: u32| if number == 3 { vec![face(1, PLACE)] } else { vec![] };
    let pictures = film(Blur::Background, 6, found, |_| 0);
    let sharp: Vec<usize> = (0..6).filter(|number| !is_blurred(&pictures[*number])).collect();
    assert_eq!(sharp, [3]);
    assert!(pictures.iter().all(|picture| detail(picture, ELSEWHERE) < 12.0));
}

#[test]
fn boxes_beyond_the_edge_and_such_that_are_no_numbers_do_no_harm() {
    let mut odd = face(1, Rect::new(-40, -40, 80, 80));
    let beyond = face(2, Rect::new(5000, 5000, 80, 80));
    for width in [f32::NAN, f32::INFINITY, 1.0e9, 0.0] {
        odd.rect.width = width;
        film(Blur::Faces, 2, |_| vec![odd, beyond], |_| 0);
        film(Blur::Background, 2, |_| vec![odd, beyond], |_| 0);
    }
}
