//! Recordings: opened, read back frame by frame, and what a kill leaves of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mien::pipeline::{Command, Event, LiveSettings};
use mien::recording::{
    ANALYSED, Edits, Export, ExportProblem, FACES, FRAMES, METADATA, Recording, RecordingSource, VIDEO,
};
use mien::source::{FrameSource as _, SourceKind};

use crate::support::sessions::{self, kill, number, people, place_shown, record, time};
use crate::support::watch::Watch;

fn open(folder: &Path) -> Arc<Recording> {
    Arc::new(Recording::open(folder).unwrap())
}

fn ids(recording: &Recording, place: u64) -> Vec<u32> {
    recording.faces.of_frame(number(place)).map(|row| row.id().0).collect()
}

#[test]
fn a_whole_recording_has_its_frames_faces_and_marks_and_nothing_to_say() {
    let home = tempfile::tempdir().unwrap();
    let recording = open(&record(&home.path().join("talk"), 60));
    assert_eq!((recording.name().as_str(), recording.notices.as_slice()), ("talk", &[][..]));
    assert_eq!((recording.frames.len(), recording.metadata.model.as_str()), (60, "mien-of-old"));
    for place in 0..60 {
        assert_eq!(ids(&recording, place), people(place), "place {place}");
    }
    assert_eq!(recording.faces.faces().len(), 3);
    let marks: Vec<_> = recording.marks.iter().map(|mark| (mark.time.as_millis(), mark.text.as_str())).collect();
    assert_eq!(marks, [(400, "sits down"), (1200, "laughs, loudly")]);
}

#[test]
fn every_frame_has_its_recorded_number_and_time_in_order_and_after_any_jump() {
    let home = tempfile::tempdir().unwrap();
    let mut source = RecordingSource::open(open(&record(home.path(), 150))).unwrap();
    let SourceKind::File { duration, frames } = source.info().kind else { panic!("a recording is a file") };
    assert_eq!(frames, Some(150));
    assert!(duration.unwrap() > time(149) && duration.unwrap() < time(149) + Duration::from_millis(60));
    for place in 0..150 {
        let frame = source.read().unwrap().unwrap();
        assert_eq!((place_shown(&frame.image), frame.index, frame.media_time), (place, number(place), time(place)));
    }
    assert!(source.read().unwrap().is_none());
    // Far forward, far back, nearby, to the first and the last frame; also in a source that hasn't read anything yet.
    for order in [&[140, 3, 4, 70, 0, 149, 148, 71][..], &[97], &[149], &[0]] {
        let mut source = RecordingSource::open(open(home.path())).unwrap();
        for place in order.iter().copied() {
            source.seek(time(place) + Duration::from_millis(5)).unwrap();
            for next in place..(place + 3).min(150) {
                let frame = source.read().unwrap().unwrap();
                let expected = (next, number(next), time(next));
                assert_eq!((place_shown(&frame.image), frame.index, frame.media_time), expected, "{order:?}");
            }
        }
    }
}

#[test]
fn a_recording_is_played_with_its_faces_on_their_frames_and_without_a_network() {
    let home = tempfile::tempdir().unwrap();
    let recording = open(&record(home.path(), 60));
    let settings = LiveSettings { speed: 16.0, ..LiveSettings::default() };
    let mut watch = Watch::parts(recording.parts(), settings);
    watch.until_event(&Event::EndOfVideo);
    for scene in &watch.scenes {
        let place = place_shown(&scene.frame.image);
        assert_eq!((scene.frame.index, scene.frame.media_time), (number(place), time(place)));
        assert_eq!(scene.faces.iter().map(|face| face.id.0).collect::<Vec<_>>(), people(place), "place {place}");
        for face in &scene.faces {
            let recorded = sessions::face(face.id.0, place);
            assert!((face.rect.x - recorded.rect.x).abs() < 0.06, "{face:?}");
            assert!((face.smoothed.top().1 - 0.8).abs() < 1e-4 && (face.raw.top().1 - 0.7).abs() < 1e-4, "{face:?}");
        }
    }
    // Seeks and steps land on the exact frame, whatever the distance to its neighbours.
    for (command, place) in [
        (Command::Seek(time(40) + Duration::from_millis(1)), 40),
        (Command::Step(-1), 39),
        (Command::Step(-1), 38),
        (Command::Step(-7), 31),
        (Command::Seek(Duration::ZERO), 0),
    ] {
        let what = format!("{command:?}");
        watch.live.send(command);
        watch.until_event(&Event::Seeked(time(place)));
        let scene = watch.scenes.last().unwrap();
        assert_eq!(place_shown(&scene.frame.image), place, "{what}");
        assert_eq!(scene.faces.len(), people(place).len(), "{what}");
    }
}

#[test]
fn what_a_kill_left_is_opened_as_far_as_it_goes_and_said() {
    let home = tempfile::tempdir().unwrap();
    record(home.path(), 100);
    kill(home.path());
    let recording = open(home.path());
    assert!(recording.notices[0].contains("not ended properly"), "{:?}", recording.notices);
    assert!((80..100).contains(&recording.frames.len()), "{}", recording.frames.len());
    assert_eq!(ids(&recording, 20), people(20));

    let mut source = RecordingSource::open(Arc::clone(&recording)).unwrap();
    let mut read = 0;
    while let Some(frame) = source.read().unwrap() {
        assert_eq!((place_shown(&frame.image), frame.index), (read, number(read)));
        read += 1;
    }
    assert!((70..90).contains(&read), "{read} frames of a video that was cut at four fifths");
    for place in [50, 10, 60, 0] {
        source.seek(time(place)).unwrap();
        let frame = source.read().unwrap().unwrap();
        assert_eq!((place_shown(&frame.image), frame.index), (place, number(place)));
    }
    // Beyond the end of the video. The table of frames is longer.
    source.seek(time(95)).unwrap();
    let last = source.read().unwrap().unwrap();
    assert_eq!((place_shown(&last.image), last.index), (read - 1, number(read - 1)));
}

#[test]
fn a_cut_row_in_the_list_of_analysed_frames_is_said_too() {
    let home = tempfile::tempdir().unwrap();
    record(home.path(), 50);
    kill(home.path());
    for table in [FACES, FRAMES] {
        let path = home.path().join(table);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..=text.rfind('\n').unwrap()]).unwrap();
    }
    let notice = || open(home.path()).notices[0].clone();
    assert!(!notice().contains("incomplete"), "{}", notice());
    fs::write(home.path().join(ANALYSED), "frame\n0\n1").unwrap();
    assert!(notice().contains("the last row incomplete"), "{}", notice());
}

#[test]
fn a_list_of_frames_that_is_shorter_than_the_video_ends_the_replay() {
    let home = tempfile::tempdir().unwrap();
    record(home.path(), 50);
    let path = home.path().join(FRAMES);
    let rows: Vec<String> =
        fs::read_to_string(&path).unwrap().lines().take(31).map(|row| row.to_owned() + "\n").collect();
    fs::write(&path, rows.concat()).unwrap();
    let recording = open(home.path());
    assert!(
        recording.notices[0].contains("video.mkv holds 50 frames and frames.csv lists 30"),
        "{:?}",
        recording.notices
    );
    let mut source = RecordingSource::open(recording).unwrap();
    assert_eq!(std::iter::from_fn(|| source.read().unwrap()).count(), 30);
}

#[test]
fn an_export_that_is_stopped_leaves_nothing_also_when_all_frames_are_there() {
    let home = tempfile::tempdir().unwrap();
    let recording = open(&record(&home.path().join("talk"), 20));
    for frames in [3, 20] {
        let folder = home.path().join("results");
        let export = Export { recording: Arc::clone(&recording), edits: Edits::default(), blur: None, folder };
        let (stop, mut seen) = (AtomicBool::new(false), 0);
        let stopped = export.run(&stop, |_| {
            seen += 1;
            stop.store(seen == frames, Ordering::Relaxed);
        });
        assert!(matches!(stopped, Err(ExportProblem::Stopped(told)) if told == frames), "{stopped:?}");
        assert_eq!(fs::read_dir(&export.folder).unwrap().count(), 0);
    }
}

#[test]
fn folders_that_are_no_recording_are_refused_with_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let refusal = |change: &dyn Fn(&Path)| {
        let folder = home.path().join("broken");
        fs::remove_dir_all(&folder).ok();
        record(&folder, 12);
        change(&folder);
        Recording::open(&folder).unwrap_err().to_string()
    };
    let write =
        |name: &'static str, text: &'static str| move |folder: &Path| fs::write(folder.join(name), text).unwrap();
    let remove = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    for (problem, words) in [
        (refusal(&|folder| fs::remove_dir_all(folder).unwrap()), ["broken does not exist", "check the path"]),
        (refusal(&remove(METADATA)), ["without session.json", "not a recording"]),
        (refusal(&write(METADATA, "{\"schema\": 1,\n oops")), ["session.json", "line 2"]),
        (refusal(&write(METADATA, "{\"schema\": 1}")), ["session.json", "missing field"]),
        (refusal(&write(METADATA, "{\"schema\": 9}")), ["format 9", "newer Mien"]),
        (refusal(&remove(VIDEO)), ["no video.mkv", "nothing to show"]),
        (refusal(&remove(FRAMES)), ["no frames.csv", "as a video"]),
        (refusal(&remove(FACES)), ["no faces.csv", "no recorded results"]),
        (refusal(&write(FRAMES, "video_frame,frame,time_s\n")), ["holds no frame", "ended before"]),
        (refusal(&write(FRAMES, "video_frame,frame,time_s\n0,0,soon\n")), ["frames.csv, line 2", "“soon”"]),
        (refusal(&write(FACES, "file,frame\n")), ["faces.csv, line 1", "no column “time_s”"]),
        (refusal(&write(VIDEO, "")), ["video.mkv is empty", "0 bytes"]),
        (refusal(&write(VIDEO, "Once upon a time")), ["video.mkv", "not a video"]),
    ] {
        for word in words {
            assert!(problem.contains(word), "“{word}” is not in: {problem}");
        }
        assert!(!problem.contains('\n'), "{problem}");
    }
}
