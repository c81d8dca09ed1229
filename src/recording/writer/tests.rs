use std::fs;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Scalar, Vec3b};
use opencv::videoio::{self, VideoCapture, VideoCaptureTrait as _, VideoCaptureTraitConst as _};

use super::*;
use crate::classes::Classes;
use crate::emotion::Emotion;
use crate::export::testing::{SCENE_HEIGHT, SCENE_WIDTH, scene};
use crate::pipeline::Scene;
use crate::recording::{FACES, FRAMES, MARKS, METADATA, Metadata, VIDEO, read_marks};
use crate::source::SourceKind;

mod asleep;
mod full_disk;
mod memory;
mod own_classes;

struct Plenty;

impl Space for Plenty {
    fn free(&self, _folder: &Path) -> Option<u64> {
        Some(u64::MAX)
    }
}

fn subject(name: &str) -> Subject {
    let text = str::to_owned;
    Subject {
        source: SourceInfo {
            name: text(name),
            kind: SourceKind::Camera,
            width: SCENE_WIDTH,
            height: SCENE_HEIGHT,
            fps: 25.0,
            fourcc: text("MJPG"),
        },
        network: NetworkInUse {
            model: text("mien"),
            sha256: text("abc"),
            prior: text("uniform"),
            flip: false,
            device: text("CPU"),
            arithmetic: None,
            classes: Classes::emotions(),
            never_named: vec![],
        },
        smoothing: Some(Duration::from_millis(200)),
        blur: None,
        detection: DetectionOptions::default(),
    }
}

fn start(parent: &Path, space: impl Space + 'static) -> SessionWriter {
    start_of(parent, subject("Desk cam"), space)
}

fn start_of(parent: &Path, subject: Subject, space: impl Space + 'static) -> SessionWriter {
    start_in(parent, subject, Waiting::default(), space)
}

fn start_in(parent: &Path, subject: Subject, waiting: Waiting, space: impl Space + 'static) -> SessionWriter {
    let (parent, space, slept_for) = (parent.to_owned(), Box::new(space), Box::new(|| Duration::ZERO));
    SessionWriter::start_on(parent, subject, waiting, space, slept_for, || ()).unwrap()
}

/// The events up to the end of a recording that ends by itself.
fn until_it_ends(writer: &SessionWriter) -> Vec<RecordingEvent> {
    let mut events = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !events.iter().any(RecordingEvent::is_end) && Instant::now() < deadline {
        events.extend(writer.events());
        std::thread::sleep(Duration::from_millis(5));
    }
    events
}

/// A scene whose gray encodes its number.
fn numbered(index: u64) -> Scene {
    let mut scene = scene(index, Emotion::Happy);
    let gray = Scalar::all(10.0 * index as f64);
    let image = Mat::new_rows_cols_with_default(SCENE_HEIGHT as i32, SCENE_WIDTH as i32, CV_8UC3, gray);
    scene.frame.image = image.unwrap().into();
    scene.frame.captured_at = Instant::now();
    scene
}

/// Passes frames to a writer. Those not in `labelled` were dropped.
fn pass(writer: &SessionWriter, frames: std::ops::Range<u64>, labelled: impl Fn(u64) -> bool) {
    let tap = writer.tap();
    for index in frames {
        let scene = numbered(index);
        tap.captured(&scene.frame);
        if labelled(index) {
            tap.labelled(&scene);
        }
    }
}

fn folder_of(events: &[RecordingEvent]) -> PathBuf {
    let folder = events.iter().find_map(|event| match event {
        RecordingEvent::Started(folder) => Some(folder.clone()),
        _ => None,
    });
    folder.unwrap_or_else(|| panic!("nothing was started: {events:?}"))
}

fn ending(events: &[RecordingEvent]) -> (Counts, Option<EndReason>) {
    let Some(RecordingEvent::Ended { counts, reason, .. }) = events.last() else { panic!("not ended: {events:?}") };
    (*counts, reason.clone())
}

fn metadata_in(folder: &Path) -> Metadata {
    serde_json::from_slice(&fs::read(folder.join(METADATA)).unwrap()).unwrap()
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The numbers of the frames that can be read.
fn numbers_in(video: &Path) -> Vec<u64> {
    let mut capture = VideoCapture::from_file(video, videoio::CAP_FFMPEG).unwrap();
    let mut picture = Mat::default();
    let mut numbers = Vec::new();
    while capture.is_opened().unwrap() && capture.read(&mut picture).unwrap() {
        let gray = f64::from(picture.at_2d::<Vec3b>(100, 100).unwrap()[1]);
        numbers.push((gray / 10.0).round() as u64);
    }
    numbers
}

#[test]
fn a_recording_holds_every_frame_and_the_faces_of_those_that_were_labelled() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass(&writer, 3..9, |index| index != 5);
    let at = Instant::now();
    writer.mark(at, "laughs".to_owned());
    let events = writer.finish();
    let folder = folder_of(&events);
    assert!(folder.file_name().unwrap().to_str().unwrap().ends_with(" Desk cam"), "{}", folder.display());
    assert!(events.contains(&RecordingEvent::Marked { at, text: "laughs".to_owned() }), "{events:?}");

    assert_eq!(numbers_in(&folder.join(VIDEO)), [3, 4, 5, 6, 7, 8]);
    let frames = rows(&folder.join(FRAMES));
    let numbers: Vec<_> = frames.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(numbers, [("0", "3"), ("1", "4"), ("2", "5"), ("3", "6"), ("4", "7"), ("5", "8")]);
    assert!(frames.is_sorted_by_key(|row| row[2].parse::<f64>().unwrap().to_bits()));
    let faces = rows(&folder.join(FACES));
    assert_eq!(faces.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["3", "4", "6", "7", "8"]);
    assert!(faces.iter().all(|row| (row[0].as_str(), row[9].as_str()) == ("Desk cam", "happy")));
    // The same moment in both tables.
    assert_eq!(faces[2][2], frames[3][2]);
    assert_eq!(read_marks(&folder.join(MARKS)).unwrap()[0].text, "laughs");

    let counts = Counts { frames: 6, faces: 5, ..Counts::default() };
    assert_eq!(ending(&events), (counts, None));
    let metadata = metadata_in(&folder);
    assert_eq!((metadata.counts, metadata.device.as_str()), (Some(counts), "Desk cam"));
    let moment = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    assert!(moment(&metadata.started) <= moment(&metadata.ended.unwrap()));
}

#[test]
fn a_whole_video_says_how_long_it_is_and_can_be_jumped_in() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(VIDEO);
    let mut video = super::super::matroska::MotionJpeg::create(&path, SCENE_WIDTH, SCENE_HEIGHT, 7.5).unwrap();
    let mut jpeg = opencv::core::Vector::new();
    for index in 0..25 {
        opencv::imgcodecs::imencode_def(".jpg", &*numbered(index).frame.image, &mut jpeg).unwrap();
        video.push(jpeg.as_slice()).unwrap();
    }
    video.complete().unwrap();
    let mut capture = VideoCapture::from_file(&path, videoio::CAP_FFMPEG).unwrap();
    assert_eq!(capture.get(videoio::CAP_PROP_FRAME_COUNT).unwrap(), 25.0);
    assert!((capture.get(videoio::CAP_PROP_FPS).unwrap() - 7.5).abs() < 0.01);
    let mut picture = Mat::default();
    for index in [20_u8, 3, 24, 11] {
        capture.set(videoio::CAP_PROP_POS_FRAMES, f64::from(index)).unwrap();
        assert!(capture.read(&mut picture).unwrap());
        let gray = picture.at_2d::<Vec3b>(100, 100).unwrap()[1];
        assert!(gray.abs_diff(10 * index) < 3, "{gray} for frame {index}");
    }
}

#[test]
fn however_a_video_is_cut_all_whole_pictures_before_the_cut_can_be_read() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass(&writer, 0..20, |_| true);
    let folder = folder_of(&writer.finish());
    let whole = fs::read(folder.join(VIDEO)).unwrap();
    let cut = home.path().join("cut.mkv");
    // Each picture is of one gray, so all have about the same size.
    let head = 400;
    for parts in 1..=60 {
        let length = whole.len() * parts / 60;
        fs::write(&cut, &whole[..length]).unwrap();
        let read = numbers_in(&cut).len();
        let expected = 20 * length.saturating_sub(head) / whole.len();
        assert!(read + 2 >= expected, "{read} pictures of about {expected} when cut after {length} bytes");
    }
}

#[test]
fn while_it_runs_everything_is_on_the_disk_already() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass(&writer, 0..20, |_| true);
    let deadline = Instant::now() + Duration::from_secs(20);
    while writer.progress().frames < 20 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The last notes may be a moment behind the last picture.
    std::thread::sleep(Duration::from_millis(200));
    let folder = folder_of(&writer.events().collect::<Vec<_>>());
    // As a kill would leave it: the files as they are now.
    let killed = home.path().join("killed");
    fs::create_dir(&killed).unwrap();
    for file in [VIDEO, FRAMES, FACES, METADATA] {
        fs::copy(folder.join(file), killed.join(file)).unwrap();
    }
    assert_eq!(numbers_in(&killed.join(VIDEO)), (0..20).collect::<Vec<_>>());
    assert_eq!((rows(&killed.join(FRAMES)).len(), rows(&killed.join(FACES)).len()), (20, 20));
    let metadata = metadata_in(&killed);
    assert_eq!((metadata.ended, metadata.counts), (None, None));
}

#[test]
fn a_camera_that_comes_back_with_another_size_ends_the_recording_whole() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass(&writer, 0..4, |_| true);
    let mut other = numbered(4);
    let image = Mat::new_rows_cols_with_default(100, 200, CV_8UC3, Scalar::all(0.0)).unwrap();
    other.frame.image = image.into();
    writer.tap().captured(&other.frame);
    let events = until_it_ends(&writer);
    let (counts, reason) = ending(&events);
    assert_eq!(counts, Counts { frames: 4, faces: 4, ..Counts::default() }, "all that belongs to it");
    assert!(
        reason.as_ref().is_some_and(|reason| reason.words.contains("200×100") && reason.words.contains("320×240")),
        "{reason:?}"
    );
    assert_eq!(metadata_in(&folder_of(&events)).counts, Some(counts));
    // Frames after the end don't count as lost.
    pass(&writer, 5..8, |_| true);
    assert_eq!(writer.progress().lost, 0);
}

#[test]
fn frames_from_before_the_beginning_are_not_recorded() {
    let home = tempfile::tempdir().unwrap();
    let early = numbered(0);
    let writer = start(home.path(), Plenty);
    writer.tap().captured(&early.frame);
    writer.tap().labelled(&early);
    pass(&writer, 1..3, |_| true);
    let (counts, _) = ending(&writer.finish());
    assert_eq!((counts.frames, counts.faces), (2, 2));
}

#[test]
fn the_last_frames_get_their_labels_after_the_end_was_asked_for_and_later_ones_none() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass(&writer, 0..3, |index| index != 2);
    let (last, later) = (numbered(2), numbered(3));
    writer.end();
    writer.tap().labelled(&last);
    writer.tap().captured(&later.frame);
    writer.tap().labelled(&later);
    let (counts, _) = ending(&writer.finish());
    assert_eq!((counts.frames, counts.faces), (3, 3));
}

/// A disk that reports on the first channel that it stalls, and does so until the other end of the second is dropped. Then it has this
/// many free bytes.
struct Stuck(Sender<()>, Receiver<()>, u64);

impl Space for Stuck {
    fn free(&self, _folder: &Path) -> Option<u64> {
        self.0.send(()).ok();
        self.1.recv().ok();
        Some(self.2)
    }
}

/// Waits for something that another thread brings about.
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_disk_that_is_too_slow_is_not_waited_for_and_the_recording_still_ends_whole() {
    let home = tempfile::tempdir().unwrap();
    let ((stuck, is_stuck), (moves_again, stands_still)) = (unbounded(), bounded(0));
    let writer = start(home.path(), Stuck(stuck, stands_still, u64::MAX));
    pass(&writer, 0..3, |_| true);
    is_stuck.recv().unwrap();
    let events = writer.finish_by(Instant::now());
    let (_, reason) = ending(&events);
    assert!(reason.as_ref().is_some_and(|reason| reason.words.contains("too slow")), "{reason:?}");
    let folder = folder_of(&events);
    assert_eq!(metadata_in(&folder).ended, None);

    drop(moves_again);
    until("it is written all the same", || metadata_in(&folder).ended.is_some());
    assert_eq!(metadata_in(&folder).counts.unwrap().frames, 3);
}

/// A disk whose check panics.
struct Broken;

impl Space for Broken {
    fn free(&self, _folder: &Path) -> Option<u64> {
        panic!("this crash is meant")
    }
}

#[test]
fn a_writer_that_crashes_says_that_it_has_ended() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Broken);
    pass(&writer, 0..1, |_| true);
    let events = until_it_ends(&writer);
    let (_, reason) = ending(&events);
    assert!(reason.as_ref().is_some_and(|reason| reason.words.contains("a bug in Mien")), "{reason:?}");
    assert_eq!(events.len(), 2, "{events:?}");
    // Later frames go nowhere and don't count as lost.
    pass(&writer, 1..4, |_| true);
    assert_eq!(writer.progress().lost, 0);
}

#[test]
fn what_nobody_takes_any_more_is_counted() {
    let (shots, waiting_shots) = bounded(1);
    let (notes, waiting_notes) = bounded(1);
    let feed = Feed::new(Instant::now(), false, shots, Waiting::default(), notes);
    drop((waiting_shots, waiting_notes));
    for index in 0..3 {
        let scene = numbered(index);
        feed.captured(&scene.frame);
        feed.labelled(&scene);
    }
    feed.mark(Instant::now(), "laughs".to_owned());
    assert_eq!(feed.counts(), Counts { frames_lost: 3, labels_lost: 3, marks_lost: 1, ..Counts::default() });
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let events = start(&file, Plenty).finish();
    let [RecordingEvent::Failed(error)] = events.as_slice() else { panic!("{events:?}") };
    assert!(error.words.contains("file") && error.words.contains("choose another folder"), "{error}");
    assert!(!error.is_disk_full);
}
