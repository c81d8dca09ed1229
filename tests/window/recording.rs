//! Recording, pictures and marks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::Launch;
use mien::app::session::{Results, Source};
use mien::blur::Blur;
use mien::emotion::Emotion;
use mien::pipeline::{Command, Event};
use mien::recording::{Counts, EndReason, Progress, RecordingEvent};

use super::driver::{Window, assert_shows, click, on_camera, on_video, press, show, shows, until, window};
use super::fake::{Fake, Order, camera, camera_info, face};

const FOLDER: &str = "/videos/Mien/2026-11-24 21-03-11 Integrated Webcam";

/// A window on a camera that shows a face, which records to `/videos/Mien`.
fn ready(fake: &Fake) -> Window {
    fake.world().recordings_folder = "/videos/Mien".into();
    let mut window = on_camera(fake);
    show(&mut window, fake, 100, vec![face(1, Emotion::Happy)]);
    window
}

fn happens(window: &mut Window, fake: &Fake, event: RecordingEvent) {
    fake.world().recording_events.push(event);
    window.run_steps(2);
}

/// A window whose recording has run for 12 s.
fn recording(fake: &Fake) -> Window {
    let mut window = ready(fake);
    press(&mut window, Key::R);
    assert_eq!(fake.take_orders(), [Order::StartRecording("/videos/Mien".into())]);
    fake.world().recording = Some(Progress { elapsed: Duration::from_secs(12), frames: 360, lost: 0 });
    happens(&mut window, fake, RecordingEvent::Started(FOLDER.into()));
    window
}

fn ended(reason: Option<&str>) -> RecordingEvent {
    let counts = Counts { frames: 371, faces: 360, ..Counts::default() };
    RecordingEvent::Ended { folder: FOLDER.into(), counts, reason: reason.map(EndReason::new) }
}

fn marks(orders: &[Order]) -> Vec<&str> {
    fn text(order: &Order) -> Option<&str> {
        match order {
            Order::Mark { text, .. } => Some(text),
            _ => None,
        }
    }
    orders.iter().filter_map(text).collect()
}

#[test]
fn a_recording_is_started_and_ended_by_button_and_shows_its_time_in_words() {
    let fake = Fake::with_camera();
    let mut window = ready(&fake);
    click(&mut window, "Record");
    assert_eq!(fake.take_orders(), [Order::StartRecording("/videos/Mien".into())]);
    assert_shows(&window, "Starting…");
    fake.world().recording = Some(Progress { elapsed: Duration::from_secs(72), frames: 360, lost: 0 });
    happens(&mut window, &fake, RecordingEvent::Started(FOLDER.into()));
    click(&mut window, "Recording 1:12, press to end");
    assert_eq!(fake.take_orders(), [Order::StopRecording]);
    assert_shows(&window, "Ending…");
    fake.world().recording = None;
    happens(&mut window, &fake, ended(None));
    assert_shows(&window, &format!("Recorded 371 frames: {FOLDER}"));
    assert!(!window.get_by_label("Record").accesskit_node().is_disabled());
}

#[test]
fn a_video_is_not_recorded_and_the_window_says_why() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    assert!(window.get_by_label("Record").accesskit_node().is_disabled());
    press(&mut window, Key::R);
    assert_eq!(fake.take_orders(), []);
    assert_shows(&window, "Only cameras can be recorded");
    press(&mut window, Key::K);
    assert_shows(&window, "Marks can be set only in recordings, and only cameras can be recorded");
    assert!(!shows(&window, "start one first"));
    assert_eq!(fake.take_orders(), []);
}

#[test]
fn a_recording_that_ends_by_itself_says_why_and_where_it_is() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    happens(&mut window, &fake, RecordingEvent::Warning("The disk has room for about 9 min".to_owned()));
    assert_shows(&window, "room for about 9 min");
    fake.world().recording = None;
    let counts = Counts { frames: 371, marks_lost: 2, labels_lost: 1, ..Counts::default() };
    let reason = Some(EndReason::new("the disk is full"));
    happens(&mut window, &fake, RecordingEvent::Ended { folder: FOLDER.into(), counts, reason });
    assert_shows(&window, "the disk is full; 2 marks and the labels of 1 frame could not be recorded. The 371 frames");
    assert_shows(&window, FOLDER);
    assert_shows(&window, "Face 1: Happy");
    assert!(window.query_by_label("Record").is_some());
}

#[test]
fn a_recording_that_cannot_begin_says_why() {
    let fake = Fake::with_camera();
    let mut window = ready(&fake);
    press(&mut window, Key::R);
    happens(&mut window, &fake, RecordingEvent::Failed(EndReason::new("can't record to /videos: no permission")));
    assert_shows(&window, "The recording didn't start: can't record to /videos: no permission");
    assert!(!window.get_by_label("Record").accesskit_node().is_disabled());
}

#[test]
fn frames_that_a_slow_disk_loses_are_counted_on_the_screen() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    assert!(!shows(&window, "not recorded"));
    fake.world().recording = Some(Progress { elapsed: Duration::from_secs(20), frames: 500, lost: 12 });
    window.run_steps(2);
    assert_shows(&window, "disk too slow: 12 frames not recorded");
    assert_shows(&window, "frames are missing from its video");
}

#[test]
fn a_failure_ends_the_recording_and_says_so() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    fake.world().last_recording_events = vec![ended(None)];
    fake.event(Event::Failed("the network broke".to_owned()));
    window.run_steps(8);
    assert!(fake.world().last_recording_events.is_empty(), "the recording was left to itself");
    assert_shows(&window, "Recorded 371 frames");
    assert!(!shows(&window, "Recording 0:12"));
}

#[test]
fn stop_and_another_source_wait_for_the_end_of_the_recording() {
    let opened = |fake: &Fake| {
        let world = fake.world();
        (world.sessions_open, world.plans.len())
    };
    for way in [&["Stop"][..], &["Source", "Second"]] {
        let fake = Fake::with_camera();
        fake.world().cameras.push(camera(4, "Second"));
        let mut window = recording(&fake);
        for label in way {
            click(&mut window, label);
        }
        assert_eq!(fake.take_orders(), [Order::StopRecording]);
        assert_shows(&window, "Ending…");
        assert_eq!(opened(&fake), (1, 1), "{way:?} didn't wait");
        fake.world().recording = None;
        happens(&mut window, &fake, ended(None));
        assert_shows(&window, "Recorded 371 frames");
        let expected = if way.len() == 1 { (0, 1) } else { (1, 2) };
        assert_eq!(opened(&fake), expected, "{way:?}");
        assert_eq!(shows(&window, "Stopped"), way.len() == 1);
    }
}

#[test]
fn a_recording_that_the_disk_is_too_slow_for_is_not_waited_for_without_end() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    fake.world().last_recording_events = vec![ended(Some("the disk is too slow"))];
    click(&mut window, "Stop");
    assert_eq!(fake.world().sessions_open, 1);
    // Nine seconds, in steps of a quarter of a second.
    window.run_steps(36);
    assert_shows(&window, "The recording has ended: the disk is too slow");
    assert_shows(&window, "Stopped");
    assert_eq!(fake.world().sessions_open, 0);
}

#[test]
fn a_recording_goes_on_while_the_camera_is_away() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    let lost =
        Event::CameraLost { reason: "its cable was pulled".to_owned(), busy: false, retry_in: Duration::from_secs(4) };
    fake.event(lost);
    window.run_steps(2);
    assert_shows(&window, "Recording 0:12");
    assert_eq!(fake.take_orders(), []);
    press(&mut window, Key::R);
    assert_eq!(fake.take_orders(), [Order::StopRecording]);
}

#[test]
fn to_try_a_lost_camera_now_does_not_end_the_recording() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    fake.world().last_recording_events = vec![ended(None)];
    let (reason, retry_in) = ("its cable was pulled".to_owned(), Duration::from_secs(4));
    fake.event(Event::CameraLost { reason, busy: false, retry_in });
    window.run_steps(2);
    click(&mut window, "Try again now");
    assert_eq!(fake.take_orders(), [Order::Pipeline(Command::Retry)]);
    assert_eq!(fake.world().plans.len(), 1, "the session goes on");
    assert_shows(&window, "Recording 0:12");
    assert_eq!(fake.world().last_recording_events.len(), 1, "the recording was ended");

    click(&mut window, "Pause");
    assert_shows(&window, "trying again once you resume");
    fake.take_orders();
    click(&mut window, "Try again now");
    assert_eq!(fake.take_orders(), [Command::Retry, Command::Resume].map(Order::Pipeline));
}

#[test]
fn a_mark_has_the_moment_of_its_key_and_the_text_that_is_written_afterwards() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    let before = Instant::now();
    press(&mut window, Key::K);
    let after = Instant::now();
    assert_shows(&window, "Mark at 0:12.0");
    assert_eq!(fake.take_orders(), [], "the text is still to come");
    std::thread::sleep(Duration::from_millis(20));
    // These letters are shortcuts outside the field.
    window.get_by_label("Text of the mark").type_text("mrs k");
    window.run_steps(2);
    press(&mut window, Key::Enter);
    let orders = fake.take_orders();
    let [Order::Mark { at, text }] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(text, "mrs k");
    assert!((before..=after).contains(at), "{:?} too late", at.saturating_duration_since(after));
    assert!(!shows(&window, "Mark at"));

    happens(&mut window, &fake, RecordingEvent::Marked { at: *at, text: text.clone() });
    assert_shows(&window, "Timeline of face 1, marks: mrs k");
}

#[test]
fn beside_the_picture_alone_it_is_said_what_is_recorded_and_marked_and_the_pointer_finds_the_panels() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    press(&mut window, Key::P);
    assert!(window.query_by_label("Settings").is_none());
    assert_shows(&window, "Recording 0:12");
    happens(&mut window, &fake, RecordingEvent::Marked { at: Instant::now(), text: "3".to_owned() });
    assert_shows(&window, "Marked: 3");
    assert!(!shows(&window, "Show the panels"));
    window.hover_at(egui::pos2(300.0, 300.0));
    click(&mut window, "Show the panels");
    assert!(window.query_by_label("Settings").is_some());
    // The button says it instead.
    assert_shows(&window, "Recording 0:12, press to end");
    assert!(window.query_by_label("Recording 0:12").is_none());
}

#[test]
fn marks_have_a_button_while_a_recording_runs() {
    let fake = Fake::with_camera();
    assert!(ready(&fake).query_by_label("Mark").is_none());
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    click(&mut window, "Mark");
    assert_shows(&window, "Mark at 0:12.0");
}

#[test]
fn after_a_recording_a_button_and_a_menu_open_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = crate::support::sessions::record(&home.path().join("talk"), 30);
    for way in [&["Open recording"][..], &["Dismiss", "Source", "Last recording"]] {
        let fake = Fake::with_camera();
        let mut window = recording(&fake);
        fake.world().recording = None;
        let counts = Counts { frames: 30, faces: 30, ..Counts::default() };
        happens(&mut window, &fake, RecordingEvent::Ended { folder: folder.clone(), counts, reason: None });
        // The message stays until it is dismissed.
        window.run_steps(80);
        for label in way {
            click(&mut window, label);
        }
        let source = Source::Recording { folder: folder.clone(), results: Results::Recorded };
        until(&mut window, "the recording is opened", |_| fake.last_plan().source == source);
    }
}

#[test]
fn escape_drops_a_mark_and_digits_mark_at_once() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    press(&mut window, Key::K);
    press(&mut window, Key::Escape);
    assert!(!shows(&window, "Mark at"));
    // A held key makes only one mark.
    for _ in 0..3 {
        window.key_down(Key::Num3);
    }
    window.key_up(Key::Num3);
    window.run_steps(2);
    assert_eq!(marks(&fake.take_orders()), ["3"]);
}

#[test]
fn a_mark_that_is_being_written_is_kept_when_the_recording_ends() {
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    press(&mut window, Key::K);
    window.get_by_label("Text of the mark").type_text("half a wor");
    window.run_steps(2);
    click(&mut window, "Recording 0:12, press to end");
    let orders = fake.take_orders();
    assert_eq!(marks(&orders), ["half a wor"]);
    assert_eq!(orders.last(), Some(&Order::StopRecording));
}

#[test]
fn without_a_recording_a_mark_is_refused_with_a_reason() {
    let fake = Fake::with_camera();
    let mut window = ready(&fake);
    press(&mut window, Key::K);
    assert_shows(&window, "Marks belong to a recording");
    press(&mut window, Key::Num3);
    assert_eq!(fake.take_orders(), []);
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
    entries.unwrap_or_default()
}

#[test]
fn a_snapshot_is_two_pictures_and_the_window_says_where() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::with_camera();
    let mut window = ready(&fake);
    fake.world().recordings_folder = "/nowhere".into();
    let folder = home.path().join("Mien");
    fake.world().chosen_folder = Some(folder.clone());
    click(&mut window, "Settings");
    click(&mut window, "Choose folder…");
    until(&mut window, "the folder is chosen", |w| w.state().settings().recordings_folder.is_some());
    press(&mut window, Key::S);
    until(&mut window, "the picture is kept", |w| shows(w, "Picture saved: "));
    assert_eq!(pictures(&folder).len(), 2);
    assert_shows(&window, &folder.display().to_string());
}

#[test]
fn with_blur_recordings_are_blurred_and_no_pictures_saved() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::with_camera();
    fake.world().recordings_folder = home.path().to_owned();
    let mut window = window(&fake, Launch { blur: Some(Blur::Faces), ..Launch::default() });
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    assert_eq!(fake.last_plan().blur, Some(Blur::Faces));
    fake.event(Event::Opened(camera_info()));
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    window.get_by_label("Record").hover();
    window.run_steps(8);
    assert_shows(&window, "Record video with blurred faces, tables and marks");
    press(&mut window, Key::S);
    until(&mut window, "the refusal", |w| shows(w, "No pictures are saved with --blur"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn while_it_records_pictures_lie_in_the_recording() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::with_camera();
    let mut window = recording(&fake);
    happens(&mut window, &fake, RecordingEvent::Started(home.path().to_owned()));
    click(&mut window, "Snapshot");
    until(&mut window, "the picture is kept", |w| shows(w, "Picture saved: "));
    assert_eq!(pictures(&home.path().join("snapshots")).len(), 2);
}

#[test]
fn f1_lists_the_keys_of_recording() {
    let fake = Fake::with_camera();
    let mut window = ready(&fake);
    press(&mut window, Key::F1);
    for text in ["Start or end a recording", "Save this picture", "Mark this moment", "1 … 9"] {
        assert_shows(&window, text);
    }
}
