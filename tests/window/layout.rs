//! Where things are: small windows, panels that fold away, what floats over the picture, hover texts.

use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::Launch;
use mien::app::session::{CameraMode, CameraModeChange};
use mien::app::settings::Settings;
use mien::emotion::Emotion;
use mien::pipeline::Event;
use mien::recording::{Progress, RecordingEvent};

use super::driver::{Window, assert_shows, click, on_camera, on_video, press, show, shows, until, window_with};
use super::fake::{Fake, HEIGHT, WIDTH, camera, camera_info, face};
use super::recordings::{on_recording, session};

fn small_video(fake: &Fake) -> Window {
    let mut window = on_video(fake);
    window.set_size([640.0, 480.0].into());
    window.run_steps(4);
    window
}

/// Names and places of the bars of all faces.
fn bars(window: &Window) -> Vec<(String, Rect)> {
    let bars = window.query_all_by_role(Role::ProgressIndicator);
    bars.map(|bar| (bar.accesskit_node().label().unwrap(), bar.rect())).collect()
}

fn has_timeline(window: &Window) -> bool {
    window.query_by_role(Role::Figure).is_some()
}

#[test]
fn in_the_smallest_window_the_picture_is_large_and_each_winning_bar_is_in_sight() {
    let fake = Fake::default();
    let mut window = small_video(&fake);
    let faces = vec![face(1, Emotion::Neutral), face(2, Emotion::Sad)];
    show(&mut window, &fake, 1_000, faces);
    window.run_steps(3);
    assert!(!has_timeline(&window), "it folds away by itself");
    // A face is 120 of the picture's 640 pixels wide.
    let width = window.get_by_label("Face 1: Neutral 87 %").rect().width() / 120.0 * WIDTH as f32;
    assert!(width >= 380.0 && width * HEIGHT as f32 / WIDTH as f32 >= 210.0, "the picture is {width} points wide");
    let bars = bars(&window);
    for winner in ["Neutral", "Sad"] {
        let bar = bars.iter().rev().find(|(name, _)| name == winner).unwrap().1;
        assert!(bar.top() >= 40.0 && bar.bottom() <= 400.0, "{winner} is at {bar:?}");
    }

    click(&mut window, "View");
    click(&mut window, "Timeline");
    press(&mut window, Key::Escape);
    assert!(has_timeline(&window), "who wants it gets it");
}

#[test]
fn everything_grows_as_long_as_there_is_room_and_again_when_there_is_room_again() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let room = |window: &Window| window.ctx.content_rect().size();
    for _ in 0..9 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Plus);
        window.run_steps(2);
        assert!(room(&window).x >= 640.0 && room(&window).y >= 480.0, "{:?}", room(&window));
    }
    assert_eq!(window.ctx.zoom_factor(), 1.6);
    // A size in points, of which each is now 1.6 pixels wide.
    window.set_size([400.0, 300.0].into());
    window.run_steps(3);
    assert_eq!((window.ctx.zoom_factor(), room(&window)), (1.0, vec2(640.0, 480.0)));
    window.set_size([1200.0, 800.0].into());
    window.run_steps(3);
    assert_eq!(window.ctx.zoom_factor(), 1.6, "the size that the user chose");
    window.set_size([400.0, 300.0].into());
    window.run_steps(3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    window.run_steps(2);
    window.set_size([1200.0, 800.0].into());
    window.run_steps(3);
    assert_eq!(window.ctx.zoom_factor(), 1.0, "chosen while it was in use already");
}

#[test]
fn in_a_window_with_room_nothing_is_folded_away() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    assert!(has_timeline(&window));
    assert_eq!(bars(&window).len(), 14);
}

#[test]
fn a_panel_that_is_not_wanted_is_not_there_at_the_next_start_either() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    assert_eq!(window.state().to_remember().timeline_panel, None);
    click(&mut window, "View");
    click(&mut window, "Timeline");
    press(&mut window, Key::Escape);
    assert!(!has_timeline(&window));
    let settings = window.state().to_remember();
    assert_eq!((settings.faces_panel, settings.timeline_panel), (None, Some(false)));
    let again = window_with(&Fake::with_camera(), settings, Launch::default());
    assert!(!has_timeline(&again));
}

#[test]
fn settings_lie_beside_the_bars_and_escape_closes_them() {
    for size in [[640.0, 480.0], [1200.0, 800.0]] {
        let fake = Fake::with_camera();
        let mut window = on_camera(&fake);
        window.set_size(size.into());
        show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
        click(&mut window, "Settings");
        window.run_steps(3);
        let left_of_bars = bars(&window).iter().map(|(_, rect)| rect.left()).fold(f32::INFINITY, f32::min);
        let theme = window.get_by_label("Dark").rect();
        assert!(theme.right() < left_of_bars, "{theme:?} covers bars from {left_of_bars} on in {size:?}");
        assert!(window.query_by_label("Follow system").is_some());
        press(&mut window, Key::Escape);
        assert!(window.query_by_label("Follow system").is_none(), "Esc leaves the settings open in {size:?}");
    }
}

#[test]
fn the_settings_have_what_the_command_line_has() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Settings");
    let has = |window: &Window, name| window.query_by_role_and_label(Role::SpinButton, name).is_some();
    let (all, of_haar) =
        (["Smallest face", "Search height", "Full scan every"], ["Detection strictness", "Scale step"]);
    assert!(all.iter().all(|name| has(&window, name)));
    assert!(!of_haar.iter().any(|name| has(&window, name)), "the network has no such value");
    click(&mut window, "Haar");
    assert!(all.iter().chain(&of_haar).all(|name| has(&window, name)));
    click(&mut window, "Stretch contrast");
    assert!(window.state().settings().detection.equalize);
    click(&mut window, "YUYV");
    assert_eq!(window.state().settings().camera_mode.fourcc.as_deref(), Some("YUYV"));
}

/// Names and places of what is in the top bar, from left to right.
fn top_bar(window: &Window) -> Vec<(String, Rect)> {
    let roles = [Role::Button, Role::Label, Role::Slider, Role::SpinButton];
    let nodes = window.root().children_recursive();
    let parts = nodes.filter(|node| roles.contains(&node.accesskit_node().role()) && node.rect().bottom() < 42.0);
    let mut parts: Vec<_> =
        parts.map(|node| (node.accesskit_node().label().unwrap_or_default(), node.rect())).collect();
    parts.sort_by(|a, b| a.1.left().total_cmp(&b.1.left()));
    parts
}

#[track_caller]
fn assert_top_bar_fits(window: &Window, wanted: &[&str]) {
    let (parts, room) = (top_bar(window), window.ctx.content_rect());
    for name in wanted {
        assert!(parts.iter().any(|(part, _)| part.starts_with(name)), "{name} is not in {parts:#?}");
    }
    for pair in parts.windows(2) {
        assert!(pair[0].1.right() <= pair[1].1.left() + 0.5, "{pair:?} overlap in a window of {room:?}");
    }
    assert!(parts.iter().all(|(_, rect)| rect.left() >= 0.0 && rect.right() <= room.right()), "{parts:#?}");
}

#[test]
fn nothing_in_the_top_bar_overlaps_even_with_long_names_and_while_it_records() {
    let long_path = "/models/a-network-with-a-long-name.safetensors";
    let names = [("Cam", "mien-joint"), ("Webcam of the meeting room upstairs", long_path)];
    let everything = ["Source", "Pause", "Stop", "Snapshot", "Mirror", "View", "Model", "Device", "Settings", "Help"];
    for size in [[640.0, 480.0], [1200.0, 800.0]] {
        for (name, model) in names {
            let fake = Fake::default();
            fake.world().cameras = vec![camera(0, name)];
            let settings = Settings { model: Some(model.to_owned()), ..Settings::default() };
            let mut window = window_with(&fake, settings, Launch::default());
            until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
            fake.event(Event::Opened(camera_info()));
            window.set_size(size.into());
            show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
            window.run_steps(3);
            assert_top_bar_fits(&window, &[&everything[..], &["Record", "Smoothing"]].concat());

            press(&mut window, Key::R);
            window.run_steps(3);
            assert_top_bar_fits(&window, &[&everything[..], &["Starting…"]].concat());
            fake.world().recording_events.push(RecordingEvent::Started("/videos/Mien/talk".into()));
            for secs in [4, 36_000] {
                fake.world().recording = Some(Progress { elapsed: Duration::from_secs(secs), frames: 1, lost: 0 });
                window.run_steps(3);
                assert_top_bar_fits(&window, &[&everything[..], &["Recording", "Mark"]].concat());
            }
        }
        let (_home, folder) = session();
        let mut window = on_recording(&Fake::default(), &folder);
        window.set_size(size.into());
        window.run_steps(3);
        assert_top_bar_fits(&window, &[&everything[..], &["Record", "Smoothing"]].concat());
    }
}

#[test]
fn with_room_the_top_bar_has_words_and_the_value_of_the_smoothing() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let width = |window: &Window, name| window.get_by_label(name).rect().width();
    assert!(width(&window, "Snapshot") > 60.0);
    assert!(window.query_by_role(Role::SpinButton).is_some());
    window.set_size([640.0, 480.0].into());
    window.run_steps(3);
    assert!(width(&window, "Snapshot") < 40.0);
    assert!(window.query_by_role(Role::SpinButton).is_none());
    assert!(window.query_by_role_and_label(Role::Slider, "Smoothing").is_some());
}

#[test]
fn f_and_p_leave_the_picture_alone_and_escape_brings_the_panels_back() {
    for key in [Key::F, Key::P] {
        let fake = Fake::with_camera();
        let mut window = on_camera(&fake);
        show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
        press(&mut window, key);
        assert!(window.query_by_label("Settings").is_none() && bars(&window).is_empty() && !has_timeline(&window));
        assert_shows(&window, "Face 1: Happy 87 %");
        assert_shows(&window, "Esc brings the panels back");
        press(&mut window, Key::Escape);
        assert!(window.query_by_label("Settings").is_some() && has_timeline(&window));
        assert!(!shows(&window, "Esc brings the panels back"), "they are back");
        press(&mut window, key);
        assert_shows(&window, "Esc brings the panels back");
        assert!(!shows(&window, "2 times"));
        press(&mut window, key);
        assert!(window.query_by_label("Settings").is_some(), "the same key brings them back too");
        assert!(!shows(&window, "Esc brings the panels back"));
    }
}

#[test]
fn messages_lie_over_the_picture_and_not_over_the_timeline_or_the_bars() {
    // In the smallest window, more than two would have to be scrolled.
    for (size, messages) in [([640.0, 480.0], 2), ([1200.0, 800.0], 4)] {
        let fake = Fake::default();
        let mut window = on_video(&fake);
        window.set_size(size.into());
        show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
        for n in 0..messages {
            fake.event(Event::DetectorFailed(format!(
                "error number {n}, with a text that takes more than one line here"
            )));
        }
        window.run_steps(4);
        let slider = window.get_by_role_and_label(Role::Slider, "Position").rect();
        let left_of_bars = bars(&window).iter().map(|(_, rect)| rect.left()).fold(f32::INFINITY, f32::min);
        for button in window.get_all_by_label("Dismiss") {
            let rect = button.rect();
            assert!(rect.bottom() < slider.top() && rect.right() < left_of_bars, "{rect:?} in {size:?}");
        }
    }
}

#[test]
fn a_face_that_left_for_a_moment_keeps_its_place_and_old_curves_can_be_chosen() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    show(&mut window, &fake, 1_500, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    show(&mut window, &fake, 2_000, vec![face(2, Emotion::Sad)]);
    assert_shows(&window, "Timeline of face 1");
    show(&mut window, &fake, 9_000, vec![face(2, Emotion::Sad)]);
    assert_shows(&window, "Timeline of face 2");
    click(&mut window, "Curves of");
    click(&mut window, "Face 1 · 7.5 s ago");
    assert_shows(&window, "Timeline of face 1");
    click(&mut window, "Curves of");
    click(&mut window, "Whoever is in the picture");
    assert_shows(&window, "Timeline of face 2");
}

#[test]
fn hover_texts_are_at_values_too() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Settings");
    window.get_by_role_and_label(Role::SpinButton, "Smallest face").hover();
    window.run_steps(8);
    assert_shows(&window, "As a share of the picture's height; a larger share is faster");
    press(&mut window, Key::Escape);
    window.get_by_role_and_label(Role::ProgressIndicator, "Happy").hover();
    window.run_steps(8);
    assert_shows(&window, "Happy: 87 % likely");
}

#[test]
fn help_and_status_fit_into_the_smallest_window() {
    let fake = Fake::default();
    let mut window = small_video(&fake);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    press(&mut window, Key::F1);
    window.run_steps(3);
    let close = window.get_by_label("Pause or resume").rect();
    assert!(close.top() > 0.0 && close.right() < 640.0, "{close:?}");
    press(&mut window, Key::Escape);
    // A part that doesn't fit is left out, not cut off.
    let last = window.get_by_label("640×360 h264 25 fps").rect();
    assert!(last.right() < 640.0, "{last:?}");
}

#[test]
fn what_the_command_line_leaves_out_stays_as_it_was_saved() {
    let fake = Fake::with_camera();
    let camera_mode = CameraMode { width: 1280, height: 720, fps: 15.0, fourcc: None };
    let saved = Settings { camera_mode: camera_mode.clone(), ..Settings::default() };
    let launch = Launch {
        camera_mode: CameraModeChange { fps: Some(30.0), ..CameraModeChange::default() },
        ..Launch::default()
    };
    let window = window_with(&fake, saved, launch);
    assert_eq!(window.state().settings().camera_mode, CameraMode { fps: 30.0, ..camera_mode });
}
