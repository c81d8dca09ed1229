//! The window as a user drives it: clicked, typed at and read through its accessibility tree, with a camera, videos and
//! a network of the test's own making behind it. No display is needed.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod window_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers, OutputCommand, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::session::{NetworkChoice, Order, Source};
use mien::app::settings::Settings;
use mien::app::{App, Launch};
use mien::device::DeviceChoice;
use mien::emotion::Emotion;
use mien::pipeline::Event;
use mien::source::CameraDevice;

use window_support::{Fake, camera, camera_info, face, face_with, video_info};

const CLIP: &str = "/somewhere/clip.mp4";
const CLIP_LENGTH: Duration = Duration::from_secs(20);

type Window = Harness<'static, App>;

fn window_with(fake: &Fake, settings: Settings, launch: Launch) -> Window {
    let outside = Arc::new(fake.clone());
    let mut window = Harness::builder()
        .with_size([1200.0, 800.0])
        .build_eframe(move |cc| App::new(&cc.egui_ctx, settings, &launch, outside));
    // The cameras and the machine are looked at on threads of their own.
    until(&mut window, "the machine is known", |window| window.query_by_label("Model").is_some());
    window
}

fn window(fake: &Fake, launch: Launch) -> Window {
    window_with(fake, Settings::default(), launch)
}

/// A window that looks at a camera.
fn on_camera(fake: &Fake) -> Window {
    let mut window = window(fake, Launch::default());
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    fake.event(Event::Opened(camera_info()));
    window.run_steps(2);
    window
}

/// A window that replays a clip.
fn on_video(fake: &Fake) -> Window {
    let source = Some(Source::Video(PathBuf::from(CLIP)));
    let mut window = window(fake, Launch { source, ..Launch::default() });
    fake.event(Event::Opened(video_info(Path::new(CLIP), CLIP_LENGTH)));
    window.run_steps(2);
    window
}

/// Steps until something is so that another thread brings about.
fn until(window: &mut Window, what: &str, so: impl Fn(&Window) -> bool) {
    for _ in 0..500 {
        window.step();
        if so(window) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("waited in vain until {what}; the window shows {:#?}", words(window));
}

/// Every label and value in the window, for the message of a test that fails.
fn words(window: &Window) -> Vec<String> {
    let nodes = window.root().children_recursive();
    nodes.filter_map(|node| node.accesskit_node().label().or_else(|| node.accesskit_node().value())).collect()
}

fn shows(window: &Window, text: &str) -> bool {
    words(window).iter().any(|word| word.contains(text))
}

#[track_caller]
fn assert_shows(window: &Window, text: &str) {
    assert!(shows(window, text), "“{text}” is not among {:#?}", words(window));
}

/// The text that was painted, wherever it is.
fn painted(window: &Window) -> Vec<String> {
    fn collect(shape: &Shape, texts: &mut Vec<String>) {
        match shape {
            Shape::Text(text) => texts.push(text.galley.text().to_owned()),
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, texts)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    window.output().shapes.iter().for_each(|clipped| collect(&clipped.shape, &mut texts));
    texts
}

fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    window.run_steps(2);
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run_steps(2);
}

fn show(window: &mut Window, fake: &Fake, at_ms: u64, faces: Vec<mien::pipeline::Face>) {
    fake.scene(Duration::from_millis(at_ms), faces);
    window.run_steps(2);
}

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
fn the_first_camera_opens_and_its_faces_are_named() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let Source::Camera(device, mode) = fake.last_plan().source else { panic!("no camera was opened") };
    assert_eq!(device, CameraDevice::Path("/dev/video0".into()));
    assert_eq!((mode.width, mode.height, mode.fps, mode.fourcc.as_deref()), (640, 480, 30.0, Some("MJPG")));

    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy), face_with(2, Emotion::Sad, 0.64)]);
    assert_shows(&window, "Face 1: Happy 87 %");
    assert_shows(&window, "Face 2: Sad 64 %");
    let painted = painted(&window);
    assert!(painted.contains(&"1  Happy 87 %".to_owned()), "{painted:?}");
    assert!(!shows(&window, "Opening camera…"));
    assert_shows(&window, "640×360 MJPG 30 fps");
    assert_shows(&window, "CPU, 1 thread");
}

#[test]
fn the_camera_used_last_is_opened_again_if_it_is_there() {
    let fake = Fake::default();
    fake.world().cameras = vec![camera(0, "First"), camera(4, "Second")];
    for (remembered, opened) in [("/dev/video4", "/dev/video4"), ("/dev/video9", "/dev/video0")] {
        let settings = Settings { camera: Some(remembered.to_owned()), ..Settings::default() };
        let before = fake.world().plans.len();
        let mut window = window_with(&fake, settings, Launch::default());
        until(&mut window, "a camera is opened", |_| fake.world().plans.len() > before);
        let Source::Camera(device, _) = fake.last_plan().source else { panic!("no camera was opened") };
        assert_eq!(device.to_string(), opened);
    }
}

#[test]
fn each_face_has_seven_bars_in_the_order_of_the_emotions() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Surprise)]);
    let bars: Vec<_> = window
        .get_all_by_role(Role::ProgressIndicator)
        .map(|bar| {
            let node = bar.accesskit_node();
            (bar.rect().top(), node.label().unwrap(), node.value().unwrap(), node.numeric_value().unwrap())
        })
        .collect();
    let names: Vec<_> = bars.iter().map(|(_, label, ..)| label.as_str()).collect();
    assert_eq!(names, Emotion::ALL.map(Emotion::name));
    assert!(bars.is_sorted_by(|a, b| a.0 < b.0), "the order on the screen is another: {bars:?}");
    let surprise = &bars[Emotion::Surprise.index()];
    assert_eq!((surprise.2.as_str(), surprise.3), ("Surprise 87 %", 87.0));
    assert_eq!(bars[0].2, "Angry 2 %");
}

#[test]
fn a_face_without_a_clear_lead_is_unsure() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face_with(1, Emotion::Fear, 0.2)]);
    assert_shows(&window, "Face 1: unsure");
    assert!(painted(&window).contains(&"1  unsure".to_owned()));
}

#[test]
fn an_empty_picture_says_that_no_face_is_found_but_not_at_once() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 1000, vec![face(1, Emotion::Happy)]);
    show(&mut window, &fake, 1200, vec![]);
    assert!(!shows(&window, "No face found"), "a blink of the detector is no news");
    show(&mut window, &fake, 2500, vec![]);
    assert_shows(&window, "No face found");
    show(&mut window, &fake, 2533, vec![face(1, Emotion::Happy)]);
    assert!(!shows(&window, "No face found"));
}

#[test]
fn a_lost_camera_counts_down_and_leaves_no_frozen_face() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    fake.event(Event::CameraLost { reason: "its cable was pulled".to_owned(), retry_in: Duration::from_secs(4) });
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
fn a_camera_that_never_opened_is_not_called_lost() {
    let fake = Fake::with_camera();
    let mut window = window(&fake, Launch::default());
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    fake.event(Event::CameraLost { reason: "/dev/video0 is busy".to_owned(), retry_in: Duration::from_secs(2) });
    window.step();
    assert_shows(&window, "Camera not available, trying again in 2 s");
    assert_shows(&window, "/dev/video0 is busy");
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
fn pause_works_by_button_and_by_space() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Pause");
    assert_eq!(fake.take_orders(), [Order::Pause]);
    assert_shows(&window, "Paused");
    press(&mut window, Key::Space);
    assert_eq!(fake.take_orders(), [Order::Resume]);
    assert!(!shows(&window, "Paused"));
}

#[test]
fn space_on_a_focused_button_presses_it_and_does_nothing_else() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.get_by_label("Stop").focus();
    window.run_steps(2);
    press(&mut window, Key::Space);
    assert_eq!(fake.take_orders(), [], "Space both pressed the button and paused");
    assert_eq!(fake.world().sessions_open, 0);
}

#[test]
fn mirroring_moves_the_box_and_leaves_the_text_readable() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let mirrored = window.get_by_label("Face 1: Happy 87 %").rect();
    press(&mut window, Key::M);
    let straight = window.get_by_label("Face 1: Happy 87 %").rect();
    assert!(straight.right() < mirrored.left(), "{straight:?} {mirrored:?}");
    assert_eq!(straight.size(), mirrored.size());
    assert!(painted(&window).contains(&"1  Happy 87 %".to_owned()));
    assert!(!window.state().settings().mirror_cameras);
    assert_eq!(fake.take_orders(), [], "mirroring is the window's business alone");
}

#[test]
fn a_camera_is_mirrored_from_the_start_and_a_video_is_not() {
    assert!(on_camera(&Fake::with_camera()).state().mirrored());
    assert!(!on_video(&Fake::default()).state().mirrored());
}

#[test]
fn each_layer_of_the_overlay_can_be_switched_off() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Overlay");
    click(&mut window, "Percentages");
    assert!(painted(&window).contains(&"1  Happy".to_owned()), "{:?}", painted(&window));
    click(&mut window, "Face numbers");
    click(&mut window, "Emotions");
    assert!(!painted(&window).iter().any(|text| text.starts_with("1  ")));
}

#[test]
fn the_smoothing_slider_reaches_the_pipeline_and_zero_is_off() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let slider = |window: &mut Window, value: f64| {
        window.get_by_role_and_label(Role::Slider, "Smoothing").set_value_accesskit(value);
        window.run_steps(2);
    };
    slider(&mut window, 0.5);
    assert_eq!(fake.take_orders(), [Order::SetSmoothing(Some(Duration::from_millis(500)))]);
    slider(&mut window, 0.0);
    assert_eq!(fake.take_orders(), [Order::SetSmoothing(None)]);
}

#[test]
fn a_device_that_is_out_of_reach_is_gray() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Device");
    assert!(window.get_by_label("CUDA 0").accesskit_node().is_disabled());
    assert!(!window.get_by_label("CPU").accesskit_node().is_disabled());
    click(&mut window, "CPU");
    let cpu = NetworkChoice { model: None, device: DeviceChoice::Cpu };
    assert_eq!(fake.take_orders(), [Order::SetNetwork(cpu)]);
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_one_before_in_its_place() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    fake.event(Event::ClassifierReady);
    window.step();
    click(&mut window, "Model");
    click(&mut window, "other");
    let other = NetworkChoice { model: Some("other".to_owned()), device: DeviceChoice::Auto };
    assert_eq!(fake.take_orders(), [Order::SetNetwork(other)]);
    fake.event(Event::ClassifierFailed("other.safetensors is cut short; fetch it again".to_owned()));
    window.run_steps(2);
    assert_shows(&window, "other.safetensors is cut short; fetch it again");
    assert_eq!(window.state().settings().model, None);
}

#[test]
fn an_error_stays_until_it_is_dismissed_and_can_be_copied() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let error = "the network gave a result that is not a number; its weights are damaged";
    fake.event(Event::Failed(error.to_owned()));
    window.run_steps(8);
    assert_shows(&window, error);
    assert_eq!(fake.world().sessions_open, 0);
    assert!(!shows(&window, "Face 1"));

    window.get_by_label("Copy").click();
    let mut copied = Vec::new();
    for _ in 0..3 {
        window.step();
        copied.extend(window.output().platform_output.commands.iter().filter_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        }));
    }
    assert_eq!(copied, [error]);
    click(&mut window, "Dismiss");
    assert!(!shows(&window, error));
}

#[test]
fn a_session_that_cannot_start_says_why() {
    let fake = Fake::with_camera();
    fake.world().start_error = Some("the system gives no more threads".to_owned());
    let mut window = window(&fake, Launch::default());
    until(&mut window, "the error is shown", |w| shows(w, "the system gives no more threads"));
    assert_shows(&window, "The camera can't be shown");
}

#[test]
fn a_video_has_its_length_and_position_and_can_be_sought() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 5_400, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "0:05.4 / 0:20.0");

    window.get_by_role_and_label(Role::Slider, "Position").set_value_accesskit(12.5);
    window.run_steps(2);
    assert_eq!(fake.take_orders(), [Order::Seek(Duration::from_millis(12_500))]);
    assert_shows(&window, "0:12.5 / 0:20.0");
    show(&mut window, &fake, 12_520, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "0:12.5 / 0:20.0");
}

#[test]
fn arrows_jump_in_a_video_that_plays_and_step_in_one_that_is_paused() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 10_000, vec![]);
    press(&mut window, Key::ArrowRight);
    press(&mut window, Key::ArrowRight);
    let seeks = [Order::Seek(Duration::from_secs(15)), Order::Seek(CLIP_LENGTH)];
    assert_eq!(fake.take_orders(), seeks, "the second jump starts where the first one goes, and ends at the end");
    show(&mut window, &fake, 2_000, vec![]);
    press(&mut window, Key::ArrowLeft);
    assert_eq!(fake.take_orders(), [Order::Seek(Duration::ZERO)]);

    press(&mut window, Key::Space);
    press(&mut window, Key::ArrowLeft);
    press(&mut window, Key::ArrowRight);
    assert_eq!(fake.take_orders(), [Order::Pause, Order::Step(-1), Order::Step(1)]);
}

#[test]
fn the_buttons_of_the_replay_bar_step_loop_and_change_speed() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![]);
    click(&mut window, "One frame on");
    click(&mut window, "One frame back");
    click(&mut window, "Loop");
    click(&mut window, "Speed");
    click(&mut window, "2×");
    assert_eq!(fake.take_orders(), [Order::Step(1), Order::Step(-1), Order::SetRepeat(true), Order::SetSpeed(2.0)]);
}

#[test]
fn the_end_of_a_video_is_a_state_from_which_it_plays_again() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Happy)]);
    fake.event(Event::EndOfVideo);
    window.run_steps(2);
    assert_shows(&window, "End of video");
    click(&mut window, "Play again");
    assert_eq!(fake.take_orders(), [Order::Resume]);
    assert!(!shows(&window, "End of video"));
}

#[test]
fn a_click_into_the_timeline_of_a_video_goes_there() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Timeline of face 1");
    let orders = fake.take_orders();
    let [Order::Seek(to)] = orders.as_slice() else { panic!("{orders:?}") };
    // The middle of the plot, give or take the room for the axis' labels.
    assert!((9.0..12.0).contains(&to.as_secs_f64()), "{to:?}");
}

#[test]
fn a_click_on_a_face_or_its_bars_chooses_it_for_the_timeline() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    assert_shows(&window, "Timeline of face 1");
    click(&mut window, "Face 2: Sad 87 %");
    assert_shows(&window, "Timeline of face 2");
    click(&mut window, "Show face 1 in the timeline");
    assert_shows(&window, "Timeline of face 1");
}

#[test]
fn a_dropped_video_is_replayed() {
    #[derive(Debug)]
    struct Dropped(PathBuf);
    impl egui::DroppedFile for Dropped {
        fn path(&self) -> &Path {
            &self.0
        }
        fn bytes(&self) -> Result<Vec<u8>, String> {
            Err("not read".to_owned())
        }
    }

    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.input_mut().hovered_files.push(egui::HoveredFile::default());
    window.step();
    assert_shows(&window, "Drop the video to replay it");

    window.input_mut().hovered_files.clear();
    window.input_mut().dropped_files.push(Arc::new(Dropped(PathBuf::from(CLIP))));
    window.run_steps(2);
    assert_eq!(fake.last_plan().source, Source::Video(PathBuf::from(CLIP)));
    assert_eq!(fake.world().sessions_open, 1, "the camera is let go of");
    assert!(!shows(&window, "Drop the video"));
}

#[test]
fn control_o_opens_the_file_dialog_and_what_it_gives_is_replayed() {
    let fake = Fake::with_camera();
    fake.world().chosen_video = Some(PathBuf::from(CLIP));
    let mut window = on_camera(&fake);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the video is opened", |_| fake.last_plan().source == Source::Video(PathBuf::from(CLIP)));
}

#[test]
fn a_system_without_a_file_dialog_says_what_to_do_instead() {
    let fake = Fake::with_camera();
    fake.world().dialog_error = Some("this system has no file dialog".to_owned());
    let mut window = on_camera(&fake);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the error is shown", |w| shows(w, "this system has no file dialog"));
}

#[test]
fn f1_lists_every_key_and_escape_closes_the_list() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    press(&mut window, Key::F1);
    for text in
        ["Space", "Mirror the picture", "Full screen", "Ctrl+O", "F1", "Pause or go on", "one frame when paused"]
    {
        assert_shows(&window, text);
    }
    press(&mut window, Key::Escape);
    assert!(!shows(&window, "Mirror the picture"));
}

#[test]
fn f_asks_for_full_screen() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.key_down(Key::F);
    window.step();
    let viewport = &window.output().viewport_output[&egui::ViewportId::ROOT];
    assert!(viewport.commands.contains(&egui::ViewportCommand::Fullscreen(true)), "{:?}", viewport.commands);
}

#[test]
fn settings_are_changed_in_the_window_and_found_again_at_the_next_start() {
    #[derive(Default)]
    struct Memory(std::collections::HashMap<String, String>);
    impl eframe::Storage for Memory {
        fn get_string(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }
        fn set_string(&mut self, key: &str, value: String) {
            self.0.insert(key.to_owned(), value);
        }
        fn remove_string(&mut self, key: &str) {
            self.0.remove(key);
        }
        fn flush(&mut self) {}
    }

    let fake = Fake::with_camera();
    let launch = Launch { device: Some(DeviceChoice::Cpu), ..Launch::default() };
    let mut window = window(&fake, launch);
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    click(&mut window, "Settings");
    click(&mut window, "Light");
    click(&mut window, "1280×720");
    press(&mut window, Key::M);
    assert_eq!(window.ctx.theme(), egui::Theme::Light);
    let Source::Camera(_, mode) = fake.last_plan().source else { panic!("no camera was opened") };
    assert_eq!((mode.width, mode.height), (1280, 720));

    let mut memory = Memory::default();
    eframe::App::save(window.state_mut(), &mut memory);
    let again = Settings::load(Some(&memory));
    assert_eq!(again.theme, egui::ThemePreference::Light);
    assert_eq!(again.camera_mode.width, 1280);
    assert!(!again.mirror_cameras);
    assert_eq!(again.device, DeviceChoice::Auto, "an option of the command line holds for its run alone");
}

#[test]
fn detection_is_tuned_while_it_runs() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Settings");
    window.get_by_label("Full scan every").click();
    window.get_by_role_and_label(Role::SpinButton, "Full scan every").set_value_accesskit(3.0);
    window.run_steps(2);
    let orders = fake.take_orders();
    let [Order::SetDetection(options)] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(options.full_scan_interval, 3);
}

#[test]
fn a_window_in_which_nothing_moves_asks_for_no_repaint() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    window.run();
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, Duration::MAX);
}

#[test]
fn bars_move_on_their_own_until_they_arrive() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    window.run();
    fake.scene(Duration::from_millis(133), vec![face(1, Emotion::Sad)]);
    window.step();
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, Duration::ZERO, "the bars are on their way");
    window.run_steps(20);
    window.run();
}

#[test]
fn everything_has_a_name_and_a_place_in_small_windows_and_at_double_scale() {
    for (size, scale) in [([640.0, 480.0], 1.0), ([900.0, 600.0], 1.0), ([800.0, 500.0], 2.0), ([1600.0, 1000.0], 1.0)]
    {
        let fake = Fake::default();
        let mut window = on_video(&fake);
        window.set_pixels_per_point(scale);
        window.set_size(size.into());
        show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
        window.run_steps(3);
        window.check_accessibility();
        for label in ["Source", "Stop", "Mirror", "Overlay", "Model", "Device", "Settings", "Help", "Loop", "Position"]
        {
            let rect = window.get_by_label(label).rect();
            let inside = rect.left() >= 0.0 && rect.right() <= size[0] && rect.bottom() <= size[1];
            assert!(inside, "{label} is at {rect:?} in a window of {size:?}");
        }
        let buttons =
            ["Source", "Pause", "Stop", "Mirror", "Overlay", "Model", "Device", "Full screen", "Settings", "Help"];
        let mut rects: Vec<_> = buttons.iter().map(|label| (label, window.get_by_label(label).rect())).collect();
        rects.sort_by(|a, b| a.1.left().total_cmp(&b.1.left()));
        for pair in rects.windows(2) {
            assert!(pair[0].1.right() <= pair[1].1.left() + 1.0, "{pair:?} overlap in a window of {size:?}");
        }
    }
}
