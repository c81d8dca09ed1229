//! Recordings that tests make: each frame shows its place in the video as a pattern of bits, and the table alone says where
//! faces are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mien::classes::Classes;
use mien::detect::DetectionOptions;
use mien::emotion::{COUNT, Emotion};
use mien::export::{FaceTable, TableFormat};
use mien::face::FaceRect;
use mien::face::{Face, FaceId};
use mien::frame::Frame;
use mien::landmarks::Landmarks;
use mien::pipeline::{Scene, StageTimings};
use mien::probabilities::Probabilities;
use mien::recording::{self, Counts, Mark, Metadata, OWN_CLASSES_SCHEMA, RECORDING_SCHEMA, append_mark};
use mien::version::Versions;
use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Rect, Scalar, Size, Vec3b};
use opencv::imgproc;
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

pub const WIDTH: i32 = 320;
pub const HEIGHT: i32 = 240;

/// The rate that the camera declared. The frames came at another.
pub const FPS: f64 = 30.0;

/// Side of a bit.
const BIT: i32 = 20;
const BITS: i32 = 12;

/// Number of the frame at a place in the video: after every ten frames, one was lost on the way to the disk.
pub fn number(place: u64) -> u64 {
    place + place / 10
}

/// Time of the frame at a place in the video: about 25 frames a second, unevenly.
pub fn time(place: u64) -> Duration {
    Duration::from_millis(number(place) * 40 + (place % 3) * 7)
}

/// The faces on a frame: face 1 at the beginning, face 2 for longer, and face 7, which is the person of face 1 again.
pub fn people(place: u64) -> Vec<u32> {
    let seen = [(1, 3..20), (2, 10..45), (7, 30..u64::MAX)];
    seen.into_iter().filter(|(_, places)| places.contains(&place)).map(|(id, _)| id).collect()
}

/// A face at a place in the video.
pub fn face(id: u32, place: u64) -> Face {
    let emotion = if id == 2 { Emotion::Sad } else { Emotion::Happy };
    let probabilities = |leader: f32| {
        let mut weights = [(1.0 - leader) / (COUNT - 1) as f32; COUNT];
        weights[emotion.index()] = leader;
        Probabilities::from_weights(&weights).unwrap()
    };
    let left = if id == 2 { 200.0 } else { 40.0 };
    let rect = FaceRect { x: left + place as f32 * 0.5, y: 100.0, width: 80.0, height: 80.0 };
    // Eyes, nose and mouth of a slightly tilted head. Only face 1 has them.
    let points = [[22.0, 30.0], [58.0, 34.5], [40.3, 50.0], [25.0, 64.0], [53.0, 66.2]];
    let landmarks = Landmarks::from_points(points).map(|[x, y]| [rect.x + x, rect.y + y]);
    Face {
        id: FaceId(id),
        rect,
        score: 9.0,
        landmarks: (id == 1).then_some(landmarks),
        quality: Some(0.9),
        raw: probabilities(0.7),
        smoothed: probabilities(0.8),
    }
}

/// Records this many frames into `folder`, with two marks, as after a normal end.
pub fn record(folder: &Path, frames: u64) -> PathBuf {
    record_of(folder, frames, &Classes::emotions())
}

/// The same with a network of these classes. With custom classes, everybody shows the first.
pub fn record_of(folder: &Path, frames: u64, classes: &Classes) -> PathBuf {
    let of_classes = |face: Face| {
        if classes.are_emotions() {
            return face;
        }
        let mut weights = vec![0.2 / (classes.len() - 1) as f32; classes.len()];
        weights[0] = 0.8;
        let probabilities = Probabilities::from_weights(&weights).unwrap();
        Face { raw: probabilities, smoothed: probabilities, ..face }
    };
    fs::create_dir_all(folder).unwrap();
    let size = Size::new(WIDTH, HEIGHT);
    let codec = i32::from_le_bytes(*b"MJPG");
    let mut video = VideoWriter::new(folder.join(recording::VIDEO), codec, FPS, size, true).unwrap();
    assert!(video.is_opened().unwrap());
    let mut times = "video_frame,frame,time_s\n".to_owned();
    let mut table = FaceTable::create(&folder.join(recording::FACES), TableFormat::Csv, classes).unwrap();
    let mut faces = 0;
    for place in 0..frames {
        let (index, media_time) = (number(place), time(place));
        let image = picture(place);
        video.write(&image).unwrap();
        times += &format!("{place},{index},{:.4}\n", media_time.as_secs_f64());
        let on_frame: Vec<Face> = people(place).into_iter().map(|id| of_classes(face(id, place))).collect();
        faces += on_frame.len() as u64;
        let now = Instant::now();
        let frame = Frame { index, media_time, captured_at: now, image: image.into() };
        let timings = StageTimings::default();
        let classes = classes.clone();
        let scene = Scene { frame, picture: None, classes, faces: on_frame, timings, labelled_at: now };
        table.push("Test Webcam", &scene).unwrap();
    }
    video.release().unwrap();
    table.finish().unwrap();
    fs::write(folder.join(recording::FRAMES), times).unwrap();
    for (millis, text) in [(400, "sits down"), (1200, "laughs, loudly")] {
        let mark = Mark { time: Duration::from_millis(millis), text: text.to_owned() };
        append_mark(&folder.join(recording::MARKS), &mark).unwrap();
    }
    let counts = Some(Counts { frames, frames_lost: frames / 10, faces, ..Counts::default() });
    write_metadata(folder, Some("2026-03-04T10:05:30+01:00"), counts, classes);
    folder.to_owned()
}

fn write_metadata(folder: &Path, ended: Option<&str>, counts: Option<Counts>, classes: &Classes) {
    let metadata = Metadata {
        schema: if classes.are_emotions() { RECORDING_SCHEMA } else { OWN_CLASSES_SCHEMA },
        started: "2026-03-04T10:05:12+01:00".to_owned(),
        ended: ended.map(str::to_owned),
        device: "Test Webcam".to_owned(),
        width: WIDTH as usize,
        height: HEIGHT as usize,
        fps: FPS,
        fourcc: "MJPG".to_owned(),
        model: "mien-of-old".to_owned(),
        model_sha256: "ab12".to_owned(),
        prior: "uniform".to_owned(),
        classes: classes.clone(),
        flip: false,
        network_device: "CPU".to_owned(),
        smoothing_secs: 0.2,
        blur: None,
        detection: DetectionOptions::default(),
        versions: Versions::here(),
        counts,
    };
    fs::write(folder.join(recording::METADATA), serde_json::to_vec_pretty(&metadata).unwrap()).unwrap();
}

/// Turns a recording into what a kill leaves: no end, and tables and video cut off in the middle of a row or a frame.
pub fn kill(folder: &Path) {
    write_metadata(folder, None, None, &Classes::emotions());
    for (name, share) in [(recording::VIDEO, 0.8), (recording::FACES, 0.7), (recording::FRAMES, 0.9)] {
        let path = folder.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
    }
}

/// A picture that shows a number.
fn picture(place: u64) -> Mat {
    let mut image = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(60.0)).unwrap();
    for bit in (0..BITS).filter(|bit| place >> bit & 1 == 1) {
        let rect = Rect::new(bit * BIT, 0, BIT, BIT);
        imgproc::rectangle(&mut image, rect, Scalar::all(240.0), imgproc::FILLED, imgproc::LINE_8, 0).unwrap();
    }
    // Something with edges where the faces are.
    for x in (0..WIDTH).step_by(12) {
        let stripe = Rect::new(x, 120, 6, 40);
        imgproc::rectangle(&mut image, stripe, Scalar::all(200.0), imgproc::FILLED, imgproc::LINE_8, 0).unwrap();
    }
    image
}

/// The number that a picture shows.
pub fn place_shown(image: &Mat) -> u64 {
    let is_set = |bit: i32| image.at_2d::<Vec3b>(BIT / 2, bit * BIT + BIT / 2).unwrap().0[0] > 150;
    (0..BITS).filter(|bit| is_set(*bit)).map(|bit| 1 << bit).sum()
}
