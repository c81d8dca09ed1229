//! A clip of people who act seven expressions in turn, made from JAFFE's pictures.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use opencv::core::{CV_8UC3, Mat, MatExprTraitConst as _, Scalar, Size, add, no_array, randn, subtract};
use opencv::imgcodecs;
use opencv::imgproc::{self, INTER_AREA};
use opencv::prelude::MatTraitConst as _;
use opencv::videoio::{VideoWriter, VideoWriterTrait as _};

const FPS: f64 = 30.0;
const WIDTH: i32 = 640;
const HEIGHT: i32 = 480;
/// The number of frames for which each picture is shown.
const FRAMES: i32 = 60;
/// Side of the square that JAFFE's picture fills.
const SIDE: f64 = 440.0;
/// What a webcam's sensor adds, in gray levels.
const NOISE: f64 = 8.0;

/// Writes `clip.mp4` and `truth.csv` into `folder`: for each of JAFFE's ten people, one picture of each emotion, shown for two
/// seconds as an unsteady camera with a noisy sensor would film it.
pub fn seven_expressions(jaffe: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    // Named KA.AN1.39.tiff: person, emotion and its number, running number. The first picture of each is taken.
    let mut pictures: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut names: Vec<_> =
        fs::read_dir(jaffe).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.into_iter().filter(|name| name.ends_with(".tiff")) {
        let mut parts = name.split('.');
        let (person, emotion) = (parts.next().unwrap().to_owned(), parts.next().unwrap()[..2].to_owned());
        pictures.entry((person, emotion)).or_insert(name);
    }
    let codec = i32::from_le_bytes(*b"mp4v");
    let mut writer = VideoWriter::new(folder.join("clip.mp4"), codec, FPS, Size::new(WIDTH, HEIGHT), true).unwrap();
    let mut truth = "start,end,emotion\n".to_owned();
    for (number, ((_, code), name)) in pictures.iter().enumerate() {
        let emotion = match code.as_str() {
            "AN" => "angry",
            "DI" => "disgust",
            "FE" => "fear",
            "HA" => "happy",
            "SA" => "sad",
            "SU" => "surprise",
            "NE" => "neutral",
            _ => panic!("{name}"),
        };
        let picture = imgcodecs::imread(jaffe.join(name), imgcodecs::IMREAD_COLOR).unwrap();
        let start = number as i32 * FRAMES;
        for frame in start..start + FRAMES {
            writer.write(&filmed(&picture, frame)).unwrap();
        }
        let second = |frame: i32| f64::from(frame) / FPS;
        writeln!(truth, "{},{},{emotion}", second(start), second(start + FRAMES)).unwrap();
    }
    writer.release().unwrap();
    fs::write(folder.join("truth.csv"), truth).unwrap();
}

/// The picture as frame number `frame` of a handheld camera.
fn filmed(picture: &Mat, frame: i32) -> Mat {
    let phase = |seconds: f64| (TAU * f64::from(frame) / FPS / seconds).sin();
    let scale = SIDE / f64::from(picture.cols()) * (1.0 + 0.03 * phase(3.1));
    let (x, y) = (100.0 + 14.0 * phase(2.3), 20.0 + 8.0 * phase(1.7));
    let place = Mat::from_slice_2d(&[[scale, 0.0, x], [0.0, scale, y]]).unwrap();
    let mut moved = Mat::default();
    let gray = Scalar::all(128.0);
    let size = Size::new(WIDTH, HEIGHT);
    imgproc::warp_affine(picture, &mut moved, &place, size, INTER_AREA, opencv::core::BORDER_CONSTANT, gray).unwrap();
    // Adds and subtracts noise separately, because pixels can't hold negative numbers.
    for sign in [1, -1] {
        let mut noise = Mat::zeros(HEIGHT, WIDTH, CV_8UC3).unwrap().to_mat().unwrap();
        randn(&mut noise, &Scalar::all(0.0), &Scalar::all(NOISE)).unwrap();
        let before = moved.clone();
        if sign > 0 {
            add(&before, &noise, &mut moved, &no_array(), -1).unwrap();
        } else {
            subtract(&before, &noise, &mut moved, &no_array(), -1).unwrap();
        }
    }
    moved
}
