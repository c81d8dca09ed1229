//! People made unrecognisable in the outputs of `mien analyze` and `mien replay`, checked by their pixels.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;

use base64::Engine as _;
use mien::source::{FrameSource as _, VideoSource};
use opencv::core::{Mat, Rect, Vector};
use opencv::imgcodecs;

use crate::support::drawn_face::{picture_with_face, steepest_across};
use crate::support::program::{mien, video_with_face};

/// Columns that are within the face on every frame of [`video_with_face`] (its box is 110 wide and moves from 100 to 119), and the
/// row of its eyes.
const INSIDE: (i32, i32) = (125, 205);
const EYES: i32 = 70 + 44;

/// Change in gray level over six pixels: more than `EDGE` at a drawn eye, less than `SOFT` in a blurred head.
const EDGE: i32 = 40;
const SOFT: i32 = 18;

fn run(home: &Path, arguments: &[&str]) {
    mien().current_dir(home).args(arguments).assert().success();
}

fn edges(video: &Path) -> Vec<i32> {
    let mut source = VideoSource::open(video).unwrap();
    std::iter::from_fn(|| source.read().unwrap()).map(|frame| steepest_across(&frame.image, EYES, INSIDE)).collect()
}

/// The pictures in a page.
fn pictures_in(page: &Path) -> Vec<Mat> {
    let page = fs::read_to_string(page).unwrap();
    let coded = page.split("data:image/jpeg;base64,").skip(1).map(|rest| rest.split(['"', ')']).next().unwrap());
    let decode = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.replace("&#x2F;", "/")).unwrap();
        imgcodecs::imdecode(&Vector::from_slice(&bytes), imgcodecs::IMREAD_COLOR).unwrap()
    };
    coded.map(decode).collect()
}

#[test]
fn annotated_videos_and_reports_show_nobody_from_the_first_frame_to_the_last() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 30);
    let copies = ["analyze", "clip.mp4", "--video", "--summary", "--output"];
    run(home, &[&copies[..], &["sharp"]].concat());
    run(home, &[&copies[..], &["blurred", "--blur", "faces"]].concat());
    let (sharp, blurred) =
        (edges(&home.join("sharp/clip.mp4.annotated.mp4")), edges(&home.join("blurred/clip.mp4.annotated.mp4")));
    assert_eq!((sharp.len(), blurred.len()), (30, 30));
    assert!(sharp.iter().all(|edge| *edge > EDGE), "{sharp:?}");
    // Also on the first two frames, where the face isn't confirmed yet.
    assert!(blurred.iter().all(|edge| *edge < SOFT), "{blurred:?}");
    // The tables stay the same.
    let table = |folder: &str| fs::read(home.join(folder).join("clip.mp4.csv")).unwrap();
    assert_eq!(table("sharp"), table("blurred"));

    let faces = |folder: &str| {
        let pictures = pictures_in(&home.join(folder).join("clip.mp4.html"));
        assert!(!pictures.is_empty());
        // The box is in the middle, two thirds of the picture's 144 pixels.
        pictures.iter().map(|picture| steepest_across(picture, 62, (45, 100))).collect::<Vec<_>>()
    };
    assert!(faces("sharp").iter().all(|edge| *edge > EDGE), "{:?}", faces("sharp"));
    assert!(faces("blurred").iter().all(|edge| *edge < SOFT), "{:?}", faces("blurred"));

    // The same in a replay.
    run(home, &["replay", "clip.mp4", "--headless", "--blur", "faces", "--output", "replayed"]);
    let replayed = edges(&home.join("replayed/clip-emotions.mp4"));
    assert!(replayed.len() == 30 && replayed.iter().all(|edge| *edge < SOFT), "{replayed:?}");
}

#[test]
fn annotated_pictures_show_nobody_or_nothing_but_faces() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut picture = picture_with_face(640, 480, Rect::new(200, 120, 200, 200));
    // Something readable in the background.
    for x in (20..100).step_by(12) {
        let stripe = Rect::new(x, 20, 6, 60);
        opencv::imgproc::rectangle(&mut picture, stripe, opencv::core::Scalar::all(255.0), -1, 8, 0).unwrap();
    }
    assert!(imgcodecs::imwrite(home.join("a.png"), &picture, &Vector::new()).unwrap());
    let edges = |blur: &str| {
        run(home, &["analyze", "a.png", "--video", "--blur", blur, "--output", blur]);
        let copy = imgcodecs::imread_def(home.join(blur).join("a.png.annotated.png")).unwrap();
        (steepest_across(&copy, 120 + 80, (230, 370)), steepest_across(&copy, 50, (20, 100)))
    };
    let (face, background) = edges("faces");
    assert!(face < SOFT && background > EDGE, "{face} {background}");
    let (face, background) = edges("background");
    assert!(face > EDGE && background < SOFT, "{face} {background}");
}
