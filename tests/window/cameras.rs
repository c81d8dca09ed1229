//! Cameras: found, missing, lost, stopped.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egui::accesskit::{Role, Toggled};
use egui::{Key, ViewportCommand, ViewportId};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::Launch;
use mien::app::session::Source;
use mien::app::settings::Settings;
use mien::emotion::Emotion;
use mien::pipeline::Event;
use mien::source::{CameraDevice, CameraEntry};

use super::driver::{
    Window, assert_shows, click, on_camera, painted, press, show, shows, until, window, window_with, words,
};
use super::fake::{Fake, camera, camera_info, face};

#[test]
fn without_a_camera_the_window_says_so_and_offers_ways_on() {
    let fake = Fake::default();
    fake.world().demo_clip = Some(PathBuf::from("/cache/demo.mp4"));
    let mut window = window(&fake, Launch::default());
    until(&mut window, "no camera is found", |w| shows(w, "No camera found: plug one in, or open a video"));
    assert_shows(&window, "Try again");
    assert_shows(&window, "Open video…");
    assert_eq!(fake.world().sessions_open, 0);

    click(&mut window, "Demo clip");
    assert_eq!(fake.last_plan().source, Source::Video("/cache/demo.mp4".into()));
    assert_shows(&window, "Opening video…");
}

#[test]
fn a_camera_that_is_plugged_in_opens_by_itself() {
    let fake = Fake::default();
    let mut window = window(&fake, Launch::default());
    until(&mut window, "no camera is found", |w| shows(w, "No camera found"));
    fake.world().cameras = vec![camera(0, "Integrated Webcam")];
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    assert_shows(&window, "Opening camera…");
}

#[test]
fn the_camera_used_last_is_opened_again_if_it_is_there() {
    let fake = Fake::default();
    fake.world().cameras = vec![camera(0, "First"), camera(4, "Second")];
    // The last one is none, as in an edited file of settings.
    let cases =
        [("/dev/video4", "/dev/video4"), ("/dev/video9", "/dev/video0"), ("rstp://10.0.0.7/stream", "/dev/video0")];
    for (chosen, opened) in cases {
        let settings = Settings { camera: Some(chosen.to_owned()), ..Settings::default() };
        let before = fake.world().plans.len();
        let mut window = window_with(&fake, settings, Launch::default());
        until(&mut window, "a camera is opened", |_| fake.world().plans.len() > before);
        let Source::Camera(device) = fake.last_plan().source else { panic!("no camera was opened") };
        assert_eq!(device.to_string(), opened);
        assert_eq!(window.state().to_remember().camera.as_deref(), Some(chosen), "nobody chose another");
    }
}

#[test]
fn a_camera_that_is_chosen_is_remembered() {
    let fake = Fake::default();
    fake.world().cameras = vec![camera(0, "First"), camera(4, "Second")];
    let mut window = window(&fake, Launch::default());
    until(&mut window, "a camera is opened", |_| fake.world().plans.len() == 1);
    assert_eq!(window.state().to_remember().camera, None, "the first was opened because it is the first");
    click(&mut window, "Source");
    click(&mut window, "Second");
    assert_eq!(window.state().to_remember().camera.as_deref(), Some("/dev/video4"));
}

const DOOR: &str = "/dev/v4l/by-id/usb-Door-video-index0";
const PORT_OF_DOOR: &str = "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0";

/// Two cameras with their links on Linux, found under these numbers.
fn desk_and_door(desk: u32, door: u32) -> Vec<CameraEntry> {
    let desk = CameraEntry { links: vec!["/dev/v4l/by-id/usb-Desk-video-index0".into()], ..camera(desk, "Desk") };
    let door = CameraEntry { links: vec![DOOR.into(), PORT_OF_DOOR.into()], ..camera(door, "Door") };
    let mut cameras = vec![desk, door];
    cameras.sort_by_key(|camera| camera.index);
    cameras
}

/// Opens the menu, and returns which of the two it marks.
fn marked(window: &mut Window) -> Vec<&'static str> {
    click(window, "Source");
    until(window, "the cameras are listed", |window| window.query_by_label("Door").is_some());
    let is_marked = |name: &&str| window.get_by_label(name).accesskit_node().toggled() == Some(Toggled::True);
    ["Desk", "Door"].into_iter().filter(is_marked).collect()
}

#[test]
fn a_camera_is_remembered_by_its_link_and_opened_whatever_number_it_has_got() {
    let fake = Fake::default();
    fake.world().cameras = desk_and_door(0, 2);
    let mut window = window(&fake, Launch::default());
    until(&mut window, "a camera is opened", |_| fake.world().plans.len() == 1);
    click(&mut window, "Source");
    click(&mut window, "Door");
    let settings = window.state().to_remember();
    assert_eq!(settings.camera.as_deref(), Some(DOOR));
    assert_eq!(marked(&mut window), ["Door"]);

    let fake = Fake::default();
    fake.world().cameras = desk_and_door(2, 0);
    let mut window = window_with(&fake, settings, Launch::default());
    until(&mut window, "a camera is opened", |_| fake.world().plans.len() == 1);
    let Source::Camera(device) = fake.last_plan().source else { panic!("no camera was opened") };
    assert_eq!(device, CameraDevice::Path(DOOR.into()));
    assert_eq!(marked(&mut window), ["Door"]);
}

#[test]
fn a_camera_remembered_by_its_number_is_remembered_by_its_link_from_then_on() {
    // A remembered link is kept: the camera's other link may refer to another camera of the same name, once that is plugged in too.
    for (before, link) in [("2", DOOR), ("/dev/video2", DOOR), (PORT_OF_DOOR, PORT_OF_DOOR)] {
        let fake = Fake::default();
        fake.world().cameras = desk_and_door(0, 2);
        let settings = Settings { camera: Some(before.to_owned()), ..Settings::default() };
        let mut window = window_with(&fake, settings, Launch::default());
        until(&mut window, "a camera is opened", |_| fake.world().plans.len() == 1);
        let Source::Camera(device) = fake.last_plan().source else { panic!("no camera was opened") };
        assert_eq!(device, CameraDevice::Path(link.into()), "{before}");
        assert_eq!(window.state().to_remember().camera.as_deref(), Some(link), "{before}");
    }
}

#[test]
fn a_camera_named_by_number_device_file_or_link_is_marked_in_the_menu() {
    for named in ["2", "/dev/video2", PORT_OF_DOOR, DOOR] {
        let fake = Fake::default();
        fake.world().cameras = desk_and_door(0, 2);
        let source = Some(Source::Camera(named.parse().unwrap()));
        let mut window = window(&fake, Launch { source, ..Launch::default() });
        assert_eq!(marked(&mut window), ["Door"], "{named}");
        assert_eq!(window.state().to_remember().camera, None, "{named} holds for this time alone");
    }
}

#[test]
fn a_camera_named_on_the_command_line_is_opened_this_time_alone() {
    let fake = Fake::default();
    fake.world().cameras = vec![camera(0, "First"), camera(4, "Second")];
    let settings = Settings { camera: Some("/dev/video4".to_owned()), ..Settings::default() };
    let named = Source::Camera(CameraDevice::Index(0));
    let launch = Launch { source: Some(named), ..Launch::default() };
    let window = window_with(&fake, settings, launch);
    assert_eq!(window.state().to_remember().camera.as_deref(), Some("/dev/video4"));
}

#[test]
fn a_lost_camera_counts_down_and_leaves_no_frozen_face() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    fake.event(Event::CameraLost {
        reason: "its cable was pulled".to_owned(),
        busy: false,
        retry_in: Duration::from_secs(4),
    });
    window.step();
    assert_shows(&window, "Camera lost, trying again in 4 s");
    assert_shows(&window, "its cable was pulled");
    assert!(!shows(&window, "Face 1: Happy"));
    assert!(window.query_all_by_role(Role::ProgressIndicator).next().is_none());
    // Five steps of a quarter of a second.
    window.run_steps(5);
    assert_shows(&window, "Camera lost, trying again in 3 s");

    fake.event(Event::Opened(camera_info()));
    show(&mut window, &fake, 10, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "Face 1: Happy 87 %");
    assert!(!shows(&window, "Camera lost"));
}

#[test]
fn a_scene_that_comes_late_hides_neither_a_lost_camera_nor_a_failure() {
    let lost =
        Event::CameraLost { reason: "its cable was pulled".to_owned(), busy: false, retry_in: Duration::from_secs(4) };
    let failed = Event::Failed("the network broke".to_owned());
    for (event, words) in [(lost, "Camera lost"), (failed, "The camera can't be shown")] {
        let fake = Fake::with_camera();
        let mut window = on_camera(&fake);
        show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
        // Both arrive in one update, and another scene in the next.
        fake.event(event);
        for at in [140, 180] {
            show(&mut window, &fake, at, vec![face(1, Emotion::Happy)]);
            assert_shows(&window, words);
            assert!(!shows(&window, "Face 1: Happy"), "{words}");
        }
    }
}

/// On other systems, looking for cameras opens each of them briefly.
#[cfg(target_os = "linux")]
#[test]
fn a_camera_that_came_meanwhile_is_offered_when_the_other_is_lost_fails_or_is_stopped() {
    let lost =
        Event::CameraLost { reason: "its cable was pulled".to_owned(), busy: false, retry_in: Duration::from_secs(4) };
    let failed = Event::Failed("the network broke".to_owned());
    for event in [Some(lost), Some(failed), None] {
        let fake = Fake::with_camera();
        let mut window = on_camera(&fake);
        show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
        fake.world().cameras.push(camera(2, "HD Pro"));
        match event {
            Some(event) => fake.event(event),
            None => click(&mut window, "Stop"),
        }
        click(&mut window, "HD Pro");
        let Source::Camera(device) = fake.last_plan().source else { panic!("no camera was opened") };
        assert_eq!(device, CameraDevice::Path("/dev/video2".into()));
    }
}

/// On other systems, looking for cameras opens each of them briefly.
#[cfg(target_os = "linux")]
#[test]
fn a_camera_that_is_plugged_in_while_the_list_is_open_appears_there() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Source");
    assert!(!shows(&window, "HD Pro"));
    fake.world().cameras.push(camera(2, "HD Pro"));
    until(&mut window, "the new camera is listed", |window| shows(window, "HD Pro"));
}

#[test]
fn a_camera_lost_while_paused_waits_for_the_user() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Pause");
    let (reason, retry_in) = ("its cable was pulled".to_owned(), Duration::from_secs(4));
    fake.event(Event::CameraLost { reason, busy: false, retry_in });
    window.run_steps(20);
    assert_shows(&window, "Camera lost, trying again once you resume");
    click(&mut window, "Resume");
    assert!(!shows(&window, "once you resume"));
}

#[test]
fn paused_before_the_first_picture_it_says_so_and_rests() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    assert_shows(&window, "Opening camera…");
    press(&mut window, Key::Space);
    assert_shows(&window, "Paused");
    assert_shows(&window, "Resume to see the picture");
    assert!(!shows(&window, "Opening"), "{:?}", words(&window));
    window.run();
    let delay = window.output().viewport_output[&ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, Duration::MAX);
    press(&mut window, Key::Space);
    assert_shows(&window, "Opening camera…");
}

#[test]
fn a_request_to_end_closes_the_window_as_its_own_button_does() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.state_mut().close_on(&STOP);
    let mut closes = || {
        window.step();
        window.output().viewport_output[&ViewportId::ROOT].commands.contains(&ViewportCommand::Close)
    };
    assert!(!closes());
    STOP.store(true, Ordering::Relaxed);
    assert!(closes());
}

#[test]
fn a_camera_that_never_opened_is_not_called_lost() {
    let fake = Fake::with_camera();
    let mut window = window(&fake, Launch::default());
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    let (reason, retry_in) = ("no permission to open camera /dev/video0".to_owned(), Duration::from_secs(2));
    fake.event(Event::CameraLost { reason, busy: false, retry_in });
    window.step();
    assert_shows(&window, "Camera not available, trying again in 2 s");
    assert_shows(&window, "no permission to open camera /dev/video0");
}

#[test]
fn a_camera_that_another_program_uses_is_called_busy() {
    let fake = Fake::with_camera();
    let mut window = window(&fake, Launch::default());
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    let (reason, retry_in) = ("camera /dev/video0 is in use by zoom".to_owned(), Duration::from_secs(2));
    fake.event(Event::CameraLost { reason, busy: true, retry_in });
    window.step();
    assert_shows(&window, "Camera is busy, trying again in 2 s");
    assert_shows(&window, "in use by zoom");
    assert!(!shows(&window, "Camera lost") && !shows(&window, "not available"));
}

#[test]
fn a_rate_that_is_dragged_opens_the_camera_once_when_it_is_let_go_of() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Settings");
    let before = window.state().settings().camera_mode.fps;
    let start = window.get_by_role_and_label(Role::SpinButton, "Frames per second").rect().center();
    window.hover_at(start);
    window.run_steps(2);
    window.drag_at(start);
    window.run_steps(2);
    for way in [10.0, 20.0, 30.0] {
        window.hover_at(start + egui::vec2(way, 0.0));
        window.run_steps(2);
    }
    assert_eq!((fake.world().plans.len(), window.state().settings().camera_mode.fps), (1, before));
    window.drop_at(start + egui::vec2(30.0, 0.0));
    window.run_steps(4);
    assert_eq!(fake.world().plans.len(), 2);
    let mode = fake.last_plan().camera_mode;
    assert!(mode.fps > before + 10.0, "{} after {before}", mode.fps);
    assert_eq!(window.state().settings().camera_mode.fps, mode.fps);
}

#[test]
fn stop_lets_go_of_the_camera_and_leaves_nothing_on_the_screen() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Stop");
    assert_eq!(fake.world().sessions_open, 0);
    assert_shows(&window, "Stopped");
    assert!(!shows(&window, "Face 1"), "{:?}", words(&window));
    assert!(!painted(&window).iter().any(|text| text.contains("Happy 87 %")));

    click(&mut window, "Start again");
    assert_eq!(fake.world().sessions_open, 1);
    assert_shows(&window, "Opening camera…");
}

#[test]
fn a_session_that_cannot_start_says_why() {
    let fake = Fake::with_camera();
    fake.world().start_error = Some("the system gives no more threads".to_owned());
    let mut window = window(&fake, Launch::default());
    until(&mut window, "the error is shown", |w| shows(w, "the system gives no more threads"));
    assert_shows(&window, "The camera can't be shown");
}
