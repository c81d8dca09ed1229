//! Recording a camera with the real program: what is in the folder afterwards, also after a kill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mien::recording::{FACES, FRAMES, MARKS, METADATA, Metadata, VIDEO, read_marks};
use opencv::core::{Mat, Rect};
use opencv::videoio::{self, VideoCapture, VideoCaptureTrait as _, VideoCaptureTraitConst as _};
use serde_json::Value;

use crate::support::drawn_face;
use crate::support::emulated_cameras::{Bus, Mode};
use crate::support::program;

/// A machine with a camera that looks at one person.
fn bus() -> Bus {
    let pictures: Vec<Mat> =
        (0..10).map(|i| drawn_face::picture_with_face(640, 480, Rect::new(200 + 2 * i, 120, 220, 220))).collect();
    let bus = Bus::new();
    bus.plug(0, "Test Webcam", &[Mode::jpeg(640, 480, 30, &pictures)]);
    bus
}

fn record(bus: &Bus, parent: &Path, arguments: &[&str]) -> Command {
    let mut command = bus.command(program::binary());
    command.args(["live", "--headless", "--record"]).arg(parent).args(arguments);
    command
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The one recording in a folder, once it is there.
fn recording_in(parent: &Path) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(parent).ok()?.map(|entry| entry.unwrap().path()).collect();
    assert!(entries.len() <= 1, "{entries:?}");
    entries.into_iter().next()
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// How many pictures of the camera's size can be read.
fn pictures_in(video: &Path) -> u64 {
    let mut capture = VideoCapture::from_file(video, videoio::CAP_FFMPEG).unwrap();
    assert!(capture.is_opened().unwrap(), "{} can't be opened", video.display());
    let size = [videoio::CAP_PROP_FRAME_WIDTH, videoio::CAP_PROP_FRAME_HEIGHT].map(|it| capture.get(it).unwrap());
    assert_eq!(size, [640.0, 480.0]);
    let mut picture = Mat::default();
    let mut count = 0;
    while capture.read(&mut picture).unwrap() {
        count += 1;
    }
    count
}

fn metadata_in(folder: &Path) -> Metadata {
    serde_json::from_slice(&fs::read(folder.join(METADATA)).unwrap()).unwrap()
}

#[test]
fn a_recording_holds_what_the_camera_gave_and_what_was_seen() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let (parent, table) = (home.path().join("recordings"), home.path().join("faces.csv"));
    let arguments = ["--duration", "4", "--json", "--smoothing", "0.3", "--csv", table.to_str().unwrap()];
    let output = record(&bus, &parent, &arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let folder = recording_in(&parent).unwrap();
    assert!(stderr.contains(&format!("Recording to {}", folder.display())), "{stderr}");

    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let metadata = metadata_in(&folder);
    let counts = metadata.counts.unwrap();
    assert_eq!(json["recording"]["frames"], counts.frames, "{json:#}");
    assert!(metadata.ended.is_some());
    assert_eq!((metadata.device.as_str(), metadata.width, metadata.height), ("Test Webcam", 640, 480));
    assert_eq!((metadata.fps, metadata.fourcc.as_str(), metadata.model.as_str()), (30.0, "MJPG", "mien-joint"));
    assert_eq!((metadata.model_sha256.len(), metadata.prior.as_str()), (64, "uniform"));
    assert!((metadata.smoothing_secs - 0.3).abs() < 1e-6);

    // Every frame, including those that were dropped before they were labelled.
    let captured = json["captured"].as_u64().unwrap();
    assert!(counts.frames >= 30 && counts.frames + counts.frames_lost <= captured + 1, "{counts:?} of {captured}");
    assert!(counts.frames + counts.frames_lost + 5 >= captured, "{counts:?} of {captured}");
    assert_eq!(pictures_in(&folder.join(VIDEO)), counts.frames);
    let frames = rows(&folder.join(FRAMES));
    assert_eq!(frames.len() as u64, counts.frames);
    let times: Vec<f64> = frames.iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] < 1.0, "{times:?}");

    // The same columns as any table; each row belongs to a recorded frame.
    let header = |path: &Path| fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(header(&folder.join(FACES)), header(&table));
    let faces = rows(&folder.join(FACES));
    assert_eq!(faces.len() as u64, counts.faces);
    assert!(!faces.is_empty());
    let numbers: Vec<&str> = frames.iter().map(|row| row[1].as_str()).collect();
    assert!(faces.iter().all(|row| row[0] == "Test Webcam" && numbers.contains(&row[1].as_str())));
    assert!(!folder.join(MARKS).exists());
}

#[test]
fn a_recording_with_blurred_faces_never_shows_one() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let output = record(&bus, home.path(), &["--duration", "3", "--blur", "faces"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = recording_in(home.path()).unwrap();
    let metadata = metadata_in(&folder);
    assert_eq!(metadata.blur, Some(mien::blur::Blur::Faces));
    let frames = rows(&folder.join(FRAMES));
    assert!(frames.len() >= 5 && frames.len() as u64 == metadata.counts.unwrap().frames, "{}", frames.len());
    assert!(!rows(&folder.join(FACES)).is_empty());
    let mut capture = VideoCapture::from_file(folder.join(VIDEO), videoio::CAP_FFMPEG).unwrap();
    let mut picture = Mat::default();
    let mut edges = Vec::new();
    while capture.read(&mut picture).unwrap() {
        // The row of the eyes, in columns that are within the face on every frame.
        edges.push(drawn_face::steepest_across(&picture, 120 + 88, (240, 400)));
    }
    assert_eq!(edges.len(), frames.len());
    assert!(edges.iter().all(|edge| *edge < 18), "{edges:?}");
    // Nothing else in the folder holds a picture.
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["analysed.csv", "faces.csv", "frames.csv", "session.json", "video.mkv"]);
}

#[test]
fn a_killed_recording_can_be_read_up_to_the_kill() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let mut child = start(record(&bus, home.path(), &[]));
    let frames_in = || recording_in(home.path()).map_or(0, |folder| lines(&folder.join(FRAMES)));
    program::wait_until("two seconds of recording", || frames_in() > 60);
    let seen = frames_in();
    child.kill().unwrap();
    child.wait().unwrap();

    let folder = recording_in(home.path()).unwrap();
    let frames = rows(&folder.join(FRAMES));
    assert!(frames.len() + 1 >= seen, "{} rows, {seen} lines were there before", frames.len());
    let pictures = pictures_in(&folder.join(VIDEO));
    assert!(pictures.abs_diff(frames.len() as u64) <= 1, "{pictures} pictures, {} rows", frames.len());
    assert!(!rows(&folder.join(FACES)).is_empty());
    let metadata = metadata_in(&folder);
    assert_eq!((metadata.ended, metadata.counts), (None, None));
}

#[test]
fn ctrl_c_completes_a_recording() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let child = start(record(&bus, home.path(), &[]));
    program::wait_until("a second of recording", || {
        recording_in(home.path()).is_some_and(|folder| lines(&folder.join(FRAMES)) > 30)
    });
    program::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = recording_in(home.path()).unwrap();
    let counts = metadata_in(&folder).counts.unwrap();
    assert_eq!(pictures_in(&folder.join(VIDEO)), counts.frames);
}

#[test]
fn a_camera_that_is_pulled_out_and_comes_back_leaves_a_gap_and_two_marks() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let child = start(record(&bus, home.path(), &[]));
    let frames_in = || recording_in(home.path()).map_or(0, |folder| lines(&folder.join(FRAMES)));
    program::wait_until("a second of recording", || frames_in() > 30);
    bus.unplug(0);
    std::thread::sleep(Duration::from_millis(1500));
    let before = frames_in();
    bus.plug_in_again(0);
    program::wait_until("the camera to be back", || frames_in() > before + 30);
    program::interrupt(&child);
    child.wait_with_output().unwrap();

    let folder = recording_in(home.path()).unwrap();
    let frames = rows(&folder.join(FRAMES));
    let times: Vec<f64> = frames.iter().map(|row| row[2].parse().unwrap()).collect();
    let largest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(largest > 1.0, "no gap: {largest}");
    assert!(frames.is_sorted_by_key(|row| row[1].parse::<u64>().unwrap()));
    let marks = read_marks(&folder.join(MARKS)).unwrap();
    assert_eq!(marks.iter().map(|mark| mark.text.as_str()).collect::<Vec<_>>(), ["camera: lost", "camera: back"]);
    assert_eq!(pictures_in(&folder.join(VIDEO)), frames.len() as u64);
    assert!(metadata_in(&folder).ended.is_some());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error() {
    let (bus, home) = (bus(), tempfile::tempdir().unwrap());
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let output = record(&bus, &file, &["--duration", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("can't record to") && stderr.contains("file"), "{stderr}");
}
